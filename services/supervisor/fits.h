// SPDX-License-Identifier: BSD-2-Clause
/* Whether this machine has the memory that VMs need. Portable. */
#ifndef SUPERVISOR_FITS_H
#define SUPERVISOR_FITS_H

#include "lib/config/config.h"

/* Of a VM's vmm, without the guest's memory. */
uint64_t fits_vmm_bytes(const struct leat_config_vm *vm);

/* All that a VM takes. */
uint64_t fits_vm_bytes(const struct leat_config_vm *vm);

/* NULL: one of the VMs that start by themselves fits into so many bytes, or there is none. Else one sentence about the one
   that needs least, good until the next call. */
const char *fits_why_none(const struct leat_config *config, uint64_t free_bytes);

#endif
