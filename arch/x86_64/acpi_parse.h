// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the kernel reads in ACPI tables (ACPI 6.5, chapter 5). Tables are the firmware's: every
 * length in them is checked. Portable; tested on the host.
 */
#ifndef ARCH_ACPI_PARSE_H
#define ARCH_ACPI_PARSE_H

#include <leat/types.h>

#define ACPI_HEADER_BYTES 36u
#define ACPI_MAX_CPUS 64u
#define ACPI_MAX_IOAPICS 8u
#define ACPI_MAX_OVERRIDES 16u

struct acpi_ioapic {
    uint32_t hpa, gsi_base;
};

struct acpi_override { /* of an ISA interrupt */
    uint8_t isa;
    uint8_t polarity; /* 0: as the bus has it; 1 active high; 3 active low */
    uint8_t trigger;  /* 0: as the bus has it; 1 edge; 3 level */
    uint32_t gsi;
};

struct acpi_madt {
    uint64_t lapic_hpa;
    uint32_t cpu_count; /* enabled ones, at most ACPI_MAX_CPUS */
    uint32_t apic_ids[ACPI_MAX_CPUS];
    uint32_t ioapic_count, override_count;
    struct acpi_ioapic ioapics[ACPI_MAX_IOAPICS];
    struct acpi_override overrides[ACPI_MAX_OVERRIDES];
};

struct acpi_fadt {
    uint64_t dsdt_hpa;
    uint16_t pm1a_control, pm1b_control; /* I/O ports; 0: none */
    uint16_t smi_command;
    uint8_t acpi_enable;
    bool can_reset;
    uint8_t reset_space; /* 0 memory, 1 I/O port, 2 PCI configuration space */
    uint8_t reset_value;
    uint64_t reset_address;
};

/* Length that a table's header says, 0 if that is below ACPI_HEADER_BYTES. header:
 * ACPI_HEADER_BYTES readable. */
uint32_t acpi_table_length(const void *header);
bool acpi_checksum_ok(const void *table, uint32_t length);

/* Of whole tables of `length` bytes. False: malformed. */
bool acpi_parse_madt(const void *table, uint32_t length, struct acpi_madt *madt);
bool acpi_parse_fadt(const void *table, uint32_t length, struct acpi_fadt *fadt);

/* Finds the package \_S5_ in a DSDT's bytes: the sleep types of PM1a and PM1b. */
bool acpi_find_s5(const void *dsdt, uint32_t length, uint8_t types[2]);

#endif
