// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/paging.h"
#include "kernel/log.h"

#define RSDP_BYTES 36 /* ACPI 6.5, 5.2.5.3 */
#define TABLE_MAX (4u << 20)

struct acpi acpi;

/* Maps a whole table; NULL: broken. */
static const uint8_t *map_table(uint64_t at, uint32_t *length)
{
    const uint8_t *table = at ? paging_map_firmware(hpa(at), ACPI_HEADER_BYTES) : NULL;
    if (!table)
        return NULL;
    *length = acpi_table_length(table);
    if (*length == 0 || *length > TABLE_MAX)
        return NULL;
    table = paging_map_firmware(hpa(at), *length);
    return table && acpi_checksum_ok(table, *length) ? table : NULL;
}

static void take_fadt(const uint8_t *table, uint32_t length)
{
    acpi.has_fadt = acpi_parse_fadt(table, length, &acpi.fadt);
    const uint8_t *dsdt = acpi.has_fadt ? map_table(acpi.fadt.dsdt_hpa, &length) : NULL;
    acpi.has_s5 = dsdt && acpi_find_s5(dsdt, length, acpi.s5_types);
}

static void take_table(uint64_t at)
{
    uint32_t length;
    const uint8_t *table = map_table(at, &length);
    if (!table)
        return;
    if (__builtin_memcmp(table, "APIC", 4) == 0)
        acpi.has_madt = acpi_parse_madt(table, length, &acpi.madt);
    else if (__builtin_memcmp(table, "FACP", 4) == 0)
        take_fadt(table, length);
}

void acpi_init(hpa_t at)
{
    uint32_t length, address32;
    uint64_t root, address;
    const uint8_t *rsdp = at.raw ? paging_map_firmware(at, RSDP_BYTES) : NULL;
    if (!rsdp || __builtin_memcmp(rsdp, "RSD PTR ", 8) != 0) {
        klog("firmware gives no ACPI tables");
        return;
    }
    /* XSDT with 8-byte entries if there is one, else RSDT with 4-byte entries. */
    __builtin_memcpy(&root, rsdp + 24, 8);
    __builtin_memcpy(&address32, rsdp + 16, 4);
    unsigned entry = rsdp[15] >= 2 && root ? 8 : 4;
    const uint8_t *table = map_table(entry == 8 ? root : address32, &length);
    for (uint32_t i = ACPI_HEADER_BYTES; table && length - i >= entry && i < length; i += entry) {
        address = 0;
        __builtin_memcpy(&address, table + i, entry);
        take_table(address);
    }
    if (!acpi.has_madt)
        klog("ACPI: no usable MADT");
}
