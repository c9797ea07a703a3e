// SPDX-License-Identifier: BSD-2-Clause
/* A vCPU that starts in 64-bit mode (page tables and GDT in guest memory), or in flat 32-bit mode;
 * registers in its page. */
#ifndef VMM_LOAD_LONG_MODE_H
#define VMM_LOAD_LONG_MODE_H

#include <leat/vcpu.h>
#include "vmm/memory.h"

/*
 * Uses guest memory from 0x70000 to 0x76fff: a GDT (code 0x10, data 0x18, as Linux wants) and
 * tables that map the first 4 GiB one to one by 2 MiB pages. Sets all register groups of the page
 * that are not zero at power-on; general registers are zero, interrupts off, RIP is the caller's.
 * False: that memory is not there.
 */
bool long_mode_setup(const struct guest_memory *memory, struct leat_vcpu *page);

/* Protected mode without paging, all segments flat, no GDT and no IDT; the rest as above. */
void protected_mode_setup(struct leat_vcpu *page);

#endif
