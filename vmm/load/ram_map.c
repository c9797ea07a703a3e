// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/load/ram_map.h"

#include "vmm/layout.h"

#define PAGE 4096u

unsigned ram_map_build(uint64_t low_ram, uint64_t high_ram,
                       struct ram_map_range ranges[RAM_MAP_RANGES])
{
    const struct ram_map_range all[RAM_MAP_RANGES] = {
        {0, RAM_MAP_LOW_TOP, RAM_MAP_RAM},
        {RAM_MAP_LOW_TOP, LAYOUT_VGA_HOLE - RAM_MAP_LOW_TOP, RAM_MAP_RESERVED},
        {LAYOUT_BIOS, LAYOUT_BIOS_END - LAYOUT_BIOS, RAM_MAP_RESERVED},
        {LAYOUT_BIOS_END, low_ram > LAYOUT_BIOS_END ? low_ram - LAYOUT_BIOS_END : 0, RAM_MAP_RAM},
        {LAYOUT_ECAM, LAYOUT_ECAM_SIZE, RAM_MAP_RESERVED},
        {LAYOUT_IOAPIC, PAGE, RAM_MAP_RESERVED},
        {LAYOUT_LAPIC, PAGE, RAM_MAP_RESERVED},
        {LAYOUT_HIGH_RAM, high_ram, RAM_MAP_RAM},
    };
    unsigned count = 0;
    for (unsigned i = 0; i < RAM_MAP_RANGES; i++)
        if (all[i].size)
            ranges[count++] = all[i];
    return count;
}
