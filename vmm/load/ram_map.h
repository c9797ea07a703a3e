// SPDX-License-Identifier: BSD-2-Clause
/* The map of a guest's physical memory, as a PC's firmware tells it to a kernel. Portable. */
#ifndef VMM_LOAD_RAM_MAP_H
#define VMM_LOAD_RAM_MAP_H

#include <stdint.h>

#define RAM_MAP_RANGES 8         /* at most */
#define RAM_MAP_LOW_TOP 0x9fc00u /* end of the RAM below the VGA hole, as on every PC */

/* The numbers of BIOS call E820, which Linux's and Multiboot's boot protocols use as well. */
enum ram_map_type { RAM_MAP_RAM = 1, RAM_MAP_RESERVED = 2 };

struct ram_map_range {
    uint64_t base, size;
    uint32_t type;
};

/* low_ram: bytes from 0 up, holes included; high_ram: bytes from 4 GiB up. Sorted by base, not
   overlapping. Returns the number of ranges. */
unsigned ram_map_build(uint64_t low_ram, uint64_t high_ram,
                       struct ram_map_range ranges[RAM_MAP_RANGES]);

#endif
