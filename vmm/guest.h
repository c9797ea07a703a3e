// SPDX-License-Identifier: BSD-2-Clause
/* Making the guest: its memory, its CPUID answers, its vCPUs, and its start from power-on. */
#ifndef VMM_GUEST_H
#define VMM_GUEST_H

#include "vmm/host.h"

/* Guest object, memory map, CPUID table, platform devices, vCPUs. Ends the process with a clear
   line when something is missing. */
void guest_create(struct vm *vm);

/* Brings memory, devices and vCPUs to the state of power-on with the kernel loaded. With the lock
   held, no vCPU running. LEAT_OK, or an error that has been logged. */
int guest_start(struct vm *vm, bool is_first);

#endif
