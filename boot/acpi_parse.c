// SPDX-License-Identifier: BSD-2-Clause
#include "boot/acpi_parse.h"

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static uint32_t get32(const uint8_t *p)
{
    return get16(p) | (uint32_t)get16(p + 2) << 16;
}
static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

uint32_t acpi_table_length(const void *header)
{
    uint32_t length = get32((const uint8_t *)header + 4);
    return length < ACPI_HEADER_BYTES ? 0 : length;
}

bool acpi_checksum_ok(const void *table, uint32_t length)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)table)[i]);
    return sum == 0;
}

/* ACPI 6.5, 5.2.12: structures of MADT */
#define MADT_FIRST 44
#define MADT_LAPIC 0
#define MADT_IOAPIC 1
#define MADT_OVERRIDE 2
#define MADT_X2APIC 9

static void add_cpu(struct leat_boot_interrupts *out, uint32_t apic_id, bool is_enabled)
{
    for (uint32_t i = 0; i < out->cpu_count; i++)
        if (out->apic_ids[i] == apic_id)
            return; /* some tables name a CPU in both ways */
    if (is_enabled && out->cpu_count < LEAT_BOOT_MAX_CPUS)
        out->apic_ids[out->cpu_count++] = apic_id;
}

static void madt_entry(const uint8_t *e, uint8_t length, struct leat_boot_interrupts *out)
{
    if (e[0] == MADT_LAPIC && length >= 8) {
        add_cpu(out, e[3], e[4] & 1);
    } else if (e[0] == MADT_X2APIC && length >= 16) {
        add_cpu(out, get32(e + 4), e[8] & 1);
    } else if (e[0] == MADT_IOAPIC && length >= 12 && out->ioapic_count < LEAT_BOOT_MAX_IOAPICS) {
        out->ioapics[out->ioapic_count++] = (struct leat_boot_ioapic){get32(e + 4), get32(e + 8)};
    } else if (e[0] == MADT_OVERRIDE && length >= 10 && e[2] == 0 && e[3] < 16 &&
               out->override_count < LEAT_BOOT_MAX_OVERRIDES) {
        uint16_t flags = get16(e + 8);
        out->overrides[out->override_count++] =
            (struct leat_boot_override){get32(e + 4), e[3], flags & 3, flags >> 2 & 3, 0};
    }
}

bool acpi_parse_madt(const void *table, uint32_t length, struct leat_boot_interrupts *out)
{
    const uint8_t *t = table;
    if (length < MADT_FIRST)
        return false;
    for (uint32_t at = MADT_FIRST; at < length;) {
        if (length - at < 2 || t[at + 1] < 2 || t[at + 1] > length - at)
            return false;
        madt_entry(t + at, t[at + 1], out);
        at += t[at + 1];
    }
    return true;
}

/* ACPI 6.5, 5.2.9: fields of FADT */
#define FADT_DSDT 40
#define FADT_SMI_COMMAND 48
#define FADT_ACPI_ENABLE 52
#define FADT_PM1A_CONTROL 64
#define FADT_PM1B_CONTROL 68
#define FADT_FLAGS 112
#define FADT_RESET_REGISTER 116
#define FADT_RESET_VALUE 128
#define FADT_X_DSDT 140
#define FADT_VERSION_1_BYTES 116u
#define FADT_RESET_SUPPORTED (1u << 10)

bool acpi_parse_fadt(const void *table, uint32_t length, struct leat_boot_power *out,
                     uint64_t *dsdt_hpa)
{
    const uint8_t *t = table;
    if (length < FADT_VERSION_1_BYTES)
        return false;
    *dsdt_hpa = get32(t + FADT_DSDT);
    out->smi_command = get16(t + FADT_SMI_COMMAND);
    out->acpi_enable = t[FADT_ACPI_ENABLE];
    out->pm1a_control = get16(t + FADT_PM1A_CONTROL);
    out->pm1b_control = get16(t + FADT_PM1B_CONTROL);
    if (length > FADT_RESET_VALUE) {
        out->can_reset = (get32(t + FADT_FLAGS) & FADT_RESET_SUPPORTED) != 0;
        out->reset_space = t[FADT_RESET_REGISTER];
        out->reset_address = get64(t + FADT_RESET_REGISTER + 4);
        out->reset_value = t[FADT_RESET_VALUE];
    }
    if (length >= FADT_X_DSDT + 8 && get64(t + FADT_X_DSDT))
        *dsdt_hpa = get64(t + FADT_X_DSDT);
    return true;
}

/* ACPI 6.5, 20.2: AML */
#define AML_ZERO 0x00
#define AML_ONE 0x01
#define AML_BYTE 0x0a
#define AML_PACKAGE 0x12

/* One small integer at t[*at]; moves *at behind it. */
static bool aml_byte(const uint8_t *t, uint32_t length, uint32_t *at, uint8_t *value)
{
    if (*at >= length)
        return false;
    uint8_t op = t[(*at)++];
    if (op == AML_ZERO || op == AML_ONE) {
        *value = op;
        return true;
    }
    if (op != AML_BYTE || *at >= length)
        return false;
    *value = t[(*at)++];
    return true;
}

bool acpi_find_s5(const void *dsdt, uint32_t length, uint8_t types[2])
{
    const uint8_t *t = dsdt;
    for (uint32_t i = ACPI_HEADER_BYTES; i + 7 < length; i++) {
        if (t[i] != '_' || t[i + 1] != 'S' || t[i + 2] != '5' || t[i + 3] != '_' ||
            t[i + 4] != AML_PACKAGE)
            continue;
        /* Package length, whose top two bits say how many bytes follow; number of elements. */
        uint32_t at = i + 5 + 1 + (t[i + 5] >> 6) + 1;
        if (aml_byte(t, length, &at, &types[0]) && aml_byte(t, length, &at, &types[1]))
            return true;
    }
    return false;
}
