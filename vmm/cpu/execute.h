// SPDX-License-Identifier: BSD-2-Clause
/* What decoded instructions do. The GPR and RIP groups of the page are changed and marked dirty. */
#ifndef VMM_CPU_EXECUTE_H
#define VMM_CPU_EXECUTE_H

#include "vmm/cpu/vcpu.h"

/* Reads and writes a general register by width; 32-bit writes clear the upper half. */
uint64_t execute_get(const struct leat_vcpu *page, unsigned reg, unsigned width, bool is_high_byte);
void execute_set(struct leat_vcpu *page, unsigned reg, unsigned width, bool is_high_byte,
                 uint64_t value);

/* An instruction with one memory operand, which lies at that guest-physical address. RIP is the
 * caller's. */
void execute_one(struct vcpu *cpu, const struct insn *insn, uint64_t gpa);

/* STOS, MOVS, INS, OUTS: some iterations; RIP moves on when the count is used up. port: of INS and
 * OUTS. */
void execute_string(struct vcpu *cpu, const struct insn *insn, uint16_t port);

#endif
