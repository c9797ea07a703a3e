// SPDX-License-Identifier: BSD-2-Clause
/*
 * What Leat reads in ACPI tables (ACPI 6.5, chapter 5). Tables are the firmware's: every length in
 * them is checked. Portable; tested on the host.
 */
#ifndef BOOT_ACPI_PARSE_H
#define BOOT_ACPI_PARSE_H

#include <leat/bootinfo.h>

#define ACPI_HEADER_BYTES 36u

/* Length that a table's header says, 0 if that is below ACPI_HEADER_BYTES. header:
   ACPI_HEADER_BYTES readable. */
uint32_t acpi_table_length(const void *header);
bool acpi_checksum_ok(const void *table, uint32_t length);

/* Of whole tables of `length` bytes, into zeroed structures. False: malformed. */
bool acpi_parse_madt(const void *table, uint32_t length, struct leat_boot_interrupts *out);
bool acpi_parse_fadt(const void *table, uint32_t length, struct leat_boot_power *out,
                     uint64_t *dsdt_hpa);

/* Finds the package \_S5_ in a DSDT's bytes: the sleep types of PM1a and PM1b. */
bool acpi_find_s5(const void *dsdt, uint32_t length, uint8_t types[2]);

#endif
