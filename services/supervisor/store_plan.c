// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/store_plan.h"

/* vdisk/store/store.h, store_ram_bytes: at most 5.6 MiB for each GiB, and 1.3 MiB + 16 * 70 KiB; and
   what the allocator and the service's own buffers take beside it. */
#define BYTES_FOR_EACH_MIB 5735u
#define BYTES_BESIDE (3ull << 20)
#define BYTES_LEAST (4ull << 20)

uint64_t store_plan_memory(uint64_t partition_bytes, uint64_t asked_bytes, uint64_t available_bytes)
{
    uint64_t needed = (partition_bytes >> 20) * BYTES_FOR_EACH_MIB + BYTES_BESIDE;
    uint64_t most = asked_bytes != 0 ? asked_bytes : available_bytes / 4;

    if (needed < BYTES_LEAST) {
        needed = BYTES_LEAST;
    }
    if (needed > most) {
        needed = most;
    }
    return needed >= BYTES_LEAST ? needed : 0;
}
