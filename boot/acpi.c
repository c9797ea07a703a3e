// SPDX-License-Identifier: BSD-2-Clause
/* The machine's ACPI tables: which CPUs and interrupt controllers there are, how it is switched off. */
#include "boot/acpi_parse.h"
#include "boot/boot.h"

#include <string.h>

#define TABLE_MAX (4u << 20)
#define IOAPIC_PC 0xfec00000u /* 82093AA, 3.0 */

struct piece {
    uint64_t base, size;
    bool is_inside;
};

static void look_inside(void *context, uint64_t base, uint64_t size, uint32_t type)
{
    (void)type;
    struct piece *piece = context;
    piece->is_inside |= piece->base >= base && piece->base - base < size &&
                        piece->size <= size - (piece->base - base);
}

/* UEFI maps what its memory map names (UEFI 2.10, 2.3.4), and in practice all below 4 GiB. */
static const uint8_t *reach(struct boot *boot, uint64_t at, uint64_t size)
{
    struct piece piece = {at, size, at != 0 && at < (4ull << 30) - size};
    if (at != 0 && !piece.is_inside)
        memmap_each(boot, look_inside, &piece);
    return piece.is_inside ? (const uint8_t *)(uintptr_t)at : NULL;
}

/* A whole table; NULL: broken. */
static const uint8_t *find_table(struct boot *boot, uint64_t at, uint32_t *length)
{
    const uint8_t *table = reach(boot, at, ACPI_HEADER_BYTES);
    if (table == NULL)
        return NULL;
    *length = acpi_table_length(table);
    if (*length == 0 || *length > TABLE_MAX || reach(boot, at, *length) == NULL)
        return NULL;
    return acpi_checksum_ok(table, *length) ? table : NULL;
}

static void take_fadt(struct boot *boot, const uint8_t *table, uint32_t length)
{
    struct leat_boot_power *power = &boot->info->power;
    uint64_t dsdt_hpa = 0;
    const uint8_t *dsdt = NULL;
    memset(power, 0, sizeof(*power));
    if (acpi_parse_fadt(table, length, power, &dsdt_hpa))
        dsdt = find_table(boot, dsdt_hpa, &length);
    power->has_s5 = dsdt != NULL && acpi_find_s5(dsdt, length, power->s5_types);
}

static void take_table(struct boot *boot, uint64_t at)
{
    uint32_t length;
    const uint8_t *table = find_table(boot, at, &length);
    struct leat_boot_interrupts found = {0};
    if (table == NULL)
        return;
    if (memcmp(table, "APIC", 4) == 0 && acpi_parse_madt(table, length, &found))
        boot->info->interrupts = found;
    else if (memcmp(table, "FACP", 4) == 0)
        take_fadt(boot, table, length);
}

void acpi_describe(struct boot *boot, const void *rsdp)
{
    uint32_t length, address32;
    uint64_t root, address;
    boot->info->interrupts = (struct leat_boot_interrupts){
        .ioapic_count = 1, .ioapics = {{IOAPIC_PC, 0}}}; /* Bochs under OVMF has no tables */
    if (rsdp == NULL || memcmp(rsdp, "RSD PTR ", 8) != 0)
        return;
    /* XSDT with 8-byte entries if there is one, else RSDT with 4-byte entries. */
    memcpy(&root, (const uint8_t *)rsdp + 24, 8);
    memcpy(&address32, (const uint8_t *)rsdp + 16, 4);
    unsigned entry = ((const uint8_t *)rsdp)[15] >= 2 && root != 0 ? 8 : 4;
    const uint8_t *table = find_table(boot, entry == 8 ? root : address32, &length);
    for (uint32_t i = ACPI_HEADER_BYTES; table != NULL && i < length && length - i >= entry;
         i += entry) {
        address = 0;
        memcpy(&address, table + i, entry);
        take_table(boot, address);
    }
}
