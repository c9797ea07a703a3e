// SPDX-License-Identifier: BSD-2-Clause
/* The ACPI tables of a guest: RSDP, XSDT, FADT, FACS, MADT, MCFG, DSDT, SSDT. ACPI 6.4, chapter 5.
 * Portable. */
#ifndef VMM_PLATFORM_ACPI_TABLES_H
#define VMM_PLATFORM_ACPI_TABLES_H

#include <leat/types.h>

#define ACPI_TABLES_BYTES 0x4000 /* enough for VM_MAX_CPUS CPUs */

/* Writes the tables for memory at guest-physical address base (16-byte aligned, below 4 GiB) into
   `to`, of ACPI_TABLES_BYTES bytes, which is cleared. The RSDP comes first. */
void acpi_tables_build(uint8_t *to, gpa_t base, unsigned cpu_count);

#endif
