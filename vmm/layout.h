// SPDX-License-Identifier: BSD-2-Clause
/* Where things lie in a guest's physical address space and I/O space. Fixed for every guest. */
#ifndef VMM_LAYOUT_H
#define VMM_LAYOUT_H

#define LAYOUT_LOW_RAM_END 0xc0000000ull /* RAM from 0 up to here, the rest from 4 GiB on */
#define LAYOUT_HIGH_RAM 0x100000000ull
#define LAYOUT_VGA_HOLE 0xa0000ull /* up to LAYOUT_VGA_HOLE_END: nothing */
#define LAYOUT_VGA_HOLE_END 0xc0000ull
#define LAYOUT_BIOS 0xe0000ull /* 128 KiB of RAM that holds the ACPI tables */
#define LAYOUT_BIOS_END 0x100000ull

#define LAYOUT_PCI_MMIO 0xc0000000ull /* window of PCI memory BARs */
#define LAYOUT_PCI_MMIO_END 0xe0000000ull
#define LAYOUT_ECAM 0xe0000000ull /* PCI configuration space of bus 0: 32 devices, 8 functions */
#define LAYOUT_ECAM_SIZE 0x100000ull
#define LAYOUT_IOAPIC 0xfec00000ull
#define LAYOUT_LAPIC 0xfee00000ull

#define LAYOUT_PCI_IO 0xc000u /* window of PCI I/O BARs, up to 0xffff */
#define LAYOUT_PCI_IO_END 0x10000u
#define LAYOUT_PM_BASE 0x600u /* ACPI PM1a event +0, PM1a control +4, PM timer +8 */
#define LAYOUT_SCI_IRQ 9u

/* INTx of a PCI slot's pin (0: INTA .. 3: INTD), as the DSDT's _PRT says: GSI 16..23. */
#define LAYOUT_PCI_INTX_GSI(slot, pin) (16u + (((slot) + (pin)) & 7u))

#endif
