// SPDX-License-Identifier: BSD-2-Clause
/* The machine's ACPI tables, as far as the kernel needs them. */
#ifndef ARCH_ACPI_H
#define ARCH_ACPI_H

#include "arch/x86_64/acpi_parse.h"

struct acpi {
    bool has_madt, has_fadt, has_s5;
    struct acpi_madt madt;
    struct acpi_fadt fadt;
    uint8_t s5_types[2];
};
extern struct acpi acpi;

void acpi_init(hpa_t rsdp); /* raw 0: no tables */

#endif
