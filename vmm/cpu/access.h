// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest's linear memory as its own instruction would reach it. Needs the CR and SEG groups valid.
 */
#ifndef VMM_CPU_ACCESS_H
#define VMM_CPU_ACCESS_H

#include "vmm/cpu/page_walk.h"
#include "vmm/cpu/vcpu.h"

enum insn_code_size access_code_size(const struct leat_vcpu *page);
struct walk_mode access_mode(const struct leat_vcpu *page);

/* Up to 15 bytes at CS:RIP, the rest of bytes[] zero; returns how many could be read. */
unsigned access_fetch(struct vcpu *cpu, uint8_t bytes[16]);

/* The instruction at CS:RIP, from the vCPU's cache when its bytes are still the same. given: bytes
   that the CPU reported (count 0: they are fetched). NULL: cannot be read or is not emulated;
   bytes[] says what. */
const struct insn *access_decode(struct vcpu *cpu, uint8_t bytes[16], unsigned given);

/* Linear address of segment:offset, for an access of width bytes. False: #GP was injected. */
bool access_linear(struct vcpu *cpu, unsigned segment, uint64_t offset, unsigned width,
                   gva_t *address);

/* RAM or device, wherever the address leads. False: #PF was injected. */
bool access_read(struct vcpu *cpu, gva_t address, unsigned width, uint64_t *value);
bool access_write(struct vcpu *cpu, gva_t address, unsigned width, uint64_t value);

#endif
