// SPDX-License-Identifier: BSD-2-Clause
/* ACPI tables are parsed when they are right, and refused when their lengths lie. */
#include "boot/acpi_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const uint8_t madt_entries[] = {
    0,    8,  0, 0,  1, 0, 0,    0,                   /* local APIC, enabled */
    0,    8,  1, 1,  0, 0, 0,    0,                   /* disabled */
    1,    12, 0, 0,  0, 0, 0xc0, 0xfe, 0,    0, 0, 0, /* IO-APIC */
    2,    10, 0, 0,  2, 0, 0,    0,    0,    0,       /* IRQ 0 -> GSI 2 */
    2,    10, 0, 9,  9, 0, 0,    0,    0x0d, 0,       /* IRQ 9: level, active high */
    2,    10, 0, 77, 9, 0, 0,    0,    0x0d, 0,       /* no ISA interrupt: ignored */
    0x7f, 4,  0, 0,                                   /* something new */
};

/* On the heap, so that the sanitizer sees a read behind the table's end. */
static uint8_t *table(uint32_t length)
{
    uint8_t *t = calloc(1, length ? length : 1);
    assert_non_null(t);
    return t;
}

static void a_madt_is_read(void **state)
{
    (void)state;
    const uint32_t length = 44 + sizeof(madt_entries);
    uint8_t *t = table(length);
    struct leat_boot_interrupts madt = {0};
    memcpy(t + 44, madt_entries, sizeof(madt_entries));
    assert_true(acpi_parse_madt(t, length, &madt));
    assert_int_equal(madt.cpu_count, 1);
    assert_int_equal(madt.ioapic_count, 1);
    assert_int_equal(madt.ioapics[0].hpa, 0xfec00000);
    assert_int_equal(madt.override_count, 2);
    assert_int_equal(madt.overrides[0].gsi, 2);
    assert_int_equal(madt.overrides[1].polarity, 1);
    assert_int_equal(madt.overrides[1].trigger, 3);
    free(t);
}

static void a_madt_that_lies_is_refused(void **state)
{
    (void)state;
    struct leat_boot_interrupts madt = {0};
    for (uint32_t cut = 0; cut < 44 + sizeof(madt_entries); cut++) {
        uint8_t *t = table(cut);
        uint8_t whole[44 + sizeof(madt_entries)] = {0};
        memcpy(whole + 44, madt_entries, sizeof(madt_entries));
        memcpy(t, whole, cut);
        bool ok = acpi_parse_madt(t, cut, &madt);
        if (cut < 44 || cut == 45 || cut == 44 + 8 + 3)
            assert_false(ok);
        free(t);
    }
    uint8_t *t = table(46);
    t[45] = 0; /* an entry of no length would never end */
    assert_false(acpi_parse_madt(t, 46, &madt));
    free(t);
}

static void a_fadt_is_read(void **state)
{
    (void)state;
    struct leat_boot_power fadt = {0};
    uint64_t dsdt = 0;
    uint8_t *t = table(148);
    memcpy(t + 40, "\x00\x10\x00\x00", 4);
    memcpy(t + 64, "\x04\x06", 2);
    memcpy(t + 112, "\x00\x04\x00\x00", 4);
    t[116] = 1;
    memcpy(t + 120, "\xf9\x0c", 2);
    t[128] = 6;
    assert_true(acpi_parse_fadt(t, 148, &fadt, &dsdt));
    assert_int_equal(dsdt, 0x1000);
    assert_int_equal(fadt.pm1a_control, 0x604);
    assert_true(fadt.can_reset);
    assert_int_equal(fadt.reset_address, 0xcf9);
    assert_int_equal(fadt.reset_value, 6);
    t[140] = 0x20;
    assert_true(acpi_parse_fadt(t, 148, &fadt, &dsdt));
    assert_int_equal(dsdt, 0x20);
    fadt = (struct leat_boot_power){0};
    assert_true(acpi_parse_fadt(t, 116, &fadt, &dsdt));
    assert_false(fadt.can_reset);
    assert_false(acpi_parse_fadt(t, 115, &fadt, &dsdt));
    free(t);
}

static bool s5(const char *aml, uint32_t size, uint8_t types[2])
{
    uint8_t *t = table(ACPI_HEADER_BYTES + size);
    memcpy(t + ACPI_HEADER_BYTES, aml, size);
    bool found = acpi_find_s5(t, ACPI_HEADER_BYTES + size, types);
    free(t);
    return found;
}

static void s5_is_found(void **state)
{
    (void)state;
    uint8_t types[2] = {9, 9};
    static const char q35[] = "xx\x08_S5_\x12\x06\x04\x00\x00\x00\x00";
    static const char bytes[] = "\x08_S5_\x12\x0a\x04\x0a\x05\x0a\x07\x00\x00";
    static const char far_length[] = "\x08_S5_\x12\x48\x00\x04\x01\x0a\x03\x00\x00";
    assert_true(s5(q35, sizeof(q35) - 1, types));
    assert_int_equal(types[0], 0);
    assert_true(s5(bytes, sizeof(bytes) - 1, types));
    assert_int_equal(types[0], 5);
    assert_int_equal(types[1], 7);
    assert_true(s5(far_length, sizeof(far_length) - 1, types));
    assert_int_equal(types[0], 1);
    assert_int_equal(types[1], 3);
    assert_false(s5("nothing of the kind", 19, types));
    for (uint32_t cut = 0; cut < sizeof(bytes) - 3; cut++)
        s5(bytes, cut, types); /* for the sanitizer */
    assert_false(s5(bytes, 9, types));
}

static void lengths_and_checksums(void **state)
{
    (void)state;
    uint8_t header[ACPI_HEADER_BYTES] = {0};
    header[4] = 35;
    assert_int_equal(acpi_table_length(header), 0);
    header[4] = 36;
    assert_int_equal(acpi_table_length(header), 36);
    assert_false(acpi_checksum_ok(header, 36));
    header[9] = (uint8_t)(0u - 36u);
    assert_true(acpi_checksum_ok(header, 36));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_madt_is_read),        cmocka_unit_test(a_madt_that_lies_is_refused),
        cmocka_unit_test(a_fadt_is_read),        cmocka_unit_test(s5_is_found),
        cmocka_unit_test(lengths_and_checksums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
