/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration space of bus 0, function 0 of each device, by mechanism #1 (PCI local bus specification 3.0,
   3.2.2.3.2). */
#ifndef TESTS_GUESTS_COMMON_PCI_H
#define TESTS_GUESTS_COMMON_PCI_H

#include "tests/guests/common/instructions.h"

#define PCI_DEVICES 32u
#define PCI_VIRTIO_DISK 0x10421af4u /* device and vendor, virtio 1.2, 4.1.2 */

static inline uint32_t pci_read(unsigned device, unsigned offset)
{
    out32(0xcf8, 0x80000000u | device << 11 | (offset & 0xfc));
    return in32(0xcfc);
}
static inline void pci_write(unsigned device, unsigned offset, uint32_t value)
{
    out32(0xcf8, 0x80000000u | device << 11 | (offset & 0xfc));
    out32(0xcfc, value);
}

/* Where it is: a port, or an address in memory. */
static inline uint64_t pci_bar(unsigned device, unsigned index)
{
    uint32_t low = pci_read(device, 0x10 + 4 * index);
    if (low & 1)
        return low & ~3u;
    uint64_t high = low & 4 ? pci_read(device, 0x14 + 4 * index) : 0;
    return high << 32 | (low & ~15u);
}

#endif
