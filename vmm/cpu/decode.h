// SPDX-License-Identifier: BSD-2-Clause
/*
 * Instructions that can touch a device: decoded by Zydis into the little that executing them takes.
 * Portable, no state but the cache that the caller owns.
 */
#ifndef VMM_CPU_DECODE_H
#define VMM_CPU_DECODE_H

#include <leat/types.h>

#define INSN_MAX_BYTES 15

enum insn_op {
    INSN_MOV_LOAD,  /* register = memory, zero- or sign-extended from width to reg_width */
    INSN_MOV_STORE, /* memory = register or immediate */
    INSN_AND,
    INSN_OR,
    INSN_XOR,
    INSN_ADD,
    INSN_SUB,
    INSN_CMP,
    INSN_TEST,
    INSN_XCHG,
    INSN_STOS,
    INSN_MOVS,
    INSN_INS,
    INSN_OUTS,
};

enum insn_code_size { INSN_CODE_16, INSN_CODE_32, INSN_CODE_64 };

struct insn {
    uint8_t op;            /* enum insn_op */
    uint8_t length;        /* bytes */
    uint8_t width;         /* of the memory operand: 1, 2, 4, 8 bytes */
    uint8_t reg;           /* enum leat_gpr of the other operand */
    uint8_t reg_width;     /* bytes of the register that are read or written */
    bool reg_is_high_byte; /* AH, CH, DH, BH: bits 15:8 of RAX .. RBX */
    bool has_immediate;    /* instead of the register */
    bool is_sign_extended;
    bool is_memory_dest; /* AND .. CMP, TEST: the memory operand comes first */
    bool is_rep;
    uint8_t address_width; /* bytes: 2, 4, 8; of string instructions */
    uint8_t segment;       /* enum leat_seg of a string instruction's source */
    uint64_t immediate;
};

/* LEAT_OK; LEAT_ENOSYS: an instruction that is not emulated; LEAT_EINVAL: no instruction at all. */
int insn_decode(const uint8_t *bytes, unsigned count, enum insn_code_size code, struct insn *insn);

/* One slot of a cache: what was decoded at an address, valid while the bytes are the same. */
struct decode_entry {
    uint64_t rip, cr3;
    uint8_t bytes[16]; /* zero behind the instruction */
    struct insn insn;  /* length 0: empty */
    uint8_t code;
};

#endif
