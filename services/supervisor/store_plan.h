// SPDX-License-Identifier: BSD-2-Clause
/* The memory that vdisk gets for a store on a local disk. Host-testable. */
#ifndef SUPERVISOR_STORE_PLAN_H
#define SUPERVISOR_STORE_PLAN_H

#include <leat/types.h>

/* What a store on a partition of so many bytes takes in vdisk's memory; but at most asked_bytes ([store]
   memory; 0: a quarter of available_bytes). 0: too little for any store. */
uint64_t store_plan_memory(uint64_t partition_bytes, uint64_t asked_bytes,
                           uint64_t available_bytes);

#endif
