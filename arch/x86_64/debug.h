// SPDX-License-Identifier: BSD-2-Clause
/* Debug registers. The host uses none: a guest's may stay in the CPU until another guest wants its own. */
#ifndef ARCH_X86_64_DEBUG_H
#define ARCH_X86_64_DEBUG_H

#include <stdint.h>

#define DR6_INIT 0xffff0ff0ull /* SDM vol. 3, table 10-1 */
#define DR6_BREAKPOINTS 0xfull
#define DR6_SINGLE_STEP (1ull << 14)
#define DR7_ENABLES 0xffull /* L0 ... G3 */
#define DR7_GENERAL_DETECT (1ull << 13)
#define DR7_OFF 0x400ull

static inline void debug_write_dr7(uint64_t value)
{
    __asm__ volatile("mov %0, %%dr7" ::"r"(value));
}
static inline uint64_t debug_read_dr6(void)
{
    uint64_t value;
    __asm__ volatile("mov %%dr6, %0" : "=r"(value));
    return value;
}
static inline void debug_write_dr6(uint64_t value)
{
    __asm__ volatile("mov %0, %%dr6" ::"r"(value));
}

static inline void debug_read(uint64_t dr[4])
{
    __asm__ volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3"
                     : "=r"(dr[0]), "=r"(dr[1]), "=r"(dr[2]), "=r"(dr[3]));
}

static inline void debug_write(const uint64_t dr[4])
{
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3" ::"r"(dr[0]),
                     "r"(dr[1]), "r"(dr[2]), "r"(dr[3]));
}

#endif
