/* SPDX-License-Identifier: BSD-2-Clause */
/* struct hold, and its offsets for hold.S. */
#ifndef TESTS_SYSTEM_SMPTEST_HOLD_H
#define TESTS_SYSTEM_SMPTEST_HOLD_H

#define HOLD_VECTORS 0 /* 16 * 32 bytes */
#define HOLD_SCRATCH 512
#define HOLD_GPRS 1024 /* R8 ... R15, RBP */
#define HOLD_DRS 1096  /* DR0 ... DR3 */
#define HOLD_MSRS 1128 /* KERNEL_GS_BASE, LSTAR, STAR */
#define HOLD_REAL 1152
#define HOLD_REAL_SCRATCH 1160
#define HOLD_MXCSR 1168
#define HOLD_MXCSR_SCRATCH 1172
#define HOLD_HAS_AVX 1176
#define HOLD_IS_GUEST 1180
#define HOLD_STOP 1184
#define HOLD_COUNT 1192
#define HOLD_BAD 1200
#define HOLD_PROBE 1208
#define HOLD_SEEN 1216

#ifndef __ASSEMBLER__

#include <leat/types.h>

struct hold {
    uint64_t vectors[16][4];
    uint64_t scratch[16][4]; /* the upper halves as in vectors, for CPUs without AVX */
    uint64_t gprs[9], drs[4], msrs[3];
    uint64_t real, real_scratch; /* in ST(0) */
    uint32_t mxcsr, mxcsr_scratch;
    uint32_t has_avx, is_guest; /* 1: also debug registers and MSRs */
    volatile uint64_t stop, count;
    volatile uint64_t
        bad;        /* times that a register was not what it should be; then it is loaded again */
    uint64_t probe; /* not 0: address of a word that is read each time into: */
    volatile uint64_t seen;
};
_Static_assert(offsetof(struct hold, seen) == HOLD_SEEN && offsetof(struct hold, real) == HOLD_REAL,
               "as hold.S has it");

/* Loads all registers that it can, and looks over and over whether they are still right; until stop.
 * Position-independent: guest.c copies it into a guest, where RDI is guest-physical. */
void hold_registers(struct hold *hold);
extern const uint8_t hold_registers_end[];

#endif
#endif
