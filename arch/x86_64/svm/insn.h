// SPDX-License-Identifier: BSD-2-Clause
/*
 * The length of an instruction that has caused an exit, on CPUs that do not tell it: its bytes are read as
 * the guest's CPU would, and prefixes counted. What a guest may have changed meanwhile
 * hurts nobody but itself. insn.c is portable; svm_guest_page comes from the kernel or a test.
 */
#ifndef ARCH_X86_64_SVM_INSN_H
#define ARCH_X86_64_SVM_INSN_H

#include <leat/types.h>

#define INSN_BYTES_MAX 15u

/* Opcodes; those of two bytes are 0x0f00 + the second. */
enum {
    INSN_GROUP_7 = 0x0f01,
    INSN_CLTS = 0x0f06,
    INSN_MOV_FROM_CR = 0x0f20,
    INSN_MOV_TO_CR = 0x0f22
};

struct svm_insn {
    uint8_t length; /* right for the instructions that exit, if they have no memory operand */
    uint16_t opcode;
    bool is_register; /* ModRM names no memory */
    uint8_t reg, rm;  /* of ModRM; rm with REX.B */
};

/* false: no whole instruction in the bytes. */
bool svm_insn_parse(const uint8_t *bytes, unsigned count, bool is_64, struct svm_insn *insn);

struct svm_paging {
    const void *memory; /* for svm_guest_page */
    uint64_t cr0, cr3, cr4, efer;
};

/* Where the kernel sees the page of guest memory at a page-aligned address; NULL: no memory there. */
const uint8_t *svm_guest_page(const void *memory, uint64_t at_gpa);

/* Copies what can be read from a linear address on; returns how many bytes. */
unsigned svm_guest_read(const struct svm_paging *paging, uint64_t linear, uint8_t *to,
                        unsigned count);

struct svm_vcpu;
bool svm_fetch_insn(struct svm_vcpu *v, struct svm_insn *insn); /* exit.c: at RIP */

#endif
