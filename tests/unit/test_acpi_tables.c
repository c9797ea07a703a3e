// SPDX-License-Identifier: BSD-2-Clause
/* Every ACPI table is found from the RSDP, has a good checksum, and says what the VM is. */
#include "vmm/platform/acpi_tables.h"

#include <string.h>
#include "vmm/layout.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static uint8_t bios[ACPI_TABLES_BYTES];

static uint8_t sum(const uint8_t *p, uint32_t n)
{
    uint8_t total = 0;
    while (n--)
        total = (uint8_t)(total + *p++);
    return total;
}

static uint64_t get(const uint8_t *p, unsigned offset, unsigned width)
{
    uint64_t v = 0;
    memcpy(&v, p + offset, width);
    return v;
}

static const uint8_t *table(uint64_t at, const char *signature)
{
    assert_in_range(at, LAYOUT_BIOS, LAYOUT_BIOS + ACPI_TABLES_BYTES - 36);
    const uint8_t *p = bios + (at - LAYOUT_BIOS);
    uint32_t length = (uint32_t)get(p, 4, 4);
    assert_memory_equal(p, signature, 4);
    assert_in_range(at + length, LAYOUT_BIOS, LAYOUT_BIOS + ACPI_TABLES_BYTES);
    assert_int_equal(sum(p, length), 0);
    return p;
}

/* One device for each CPU, packages as long as they say. */
static void check_ssdt(const uint8_t *ssdt, unsigned cpus)
{
    const uint8_t *end = ssdt + get(ssdt, 4, 4), *p = ssdt + 36;
    assert_int_equal(*p++, 0x10);
    assert_int_equal((p[0] & 15) | p[1] << 4, end - p);
    assert_memory_equal(p + 2, "\\_SB_", 5);
    p += 7;
    for (unsigned i = 0; i < cpus; i++) {
        assert_memory_equal(p, "\x5b\x82", 2);
        assert_memory_equal(p + 13, "ACPI0007", 9);
        assert_int_equal(p[p[2] + 1], i); /* the package's last byte */
        p += 2 + p[2];
    }
    assert_ptr_equal(p, end);
}

static void tables_are_sound(void **state)
{
    (void)state;
    for (unsigned cpus = 1; cpus <= 16; cpus++) {
        memset(bios, 0xff, sizeof(bios));
        acpi_tables_build(bios, gpa(LAYOUT_BIOS), cpus);
        assert_memory_equal(bios, "RSD PTR ", 8);
        assert_int_equal(sum(bios, 20), 0);
        assert_int_equal(sum(bios, 36), 0);
        const uint8_t *xsdt = table(get(bios, 24, 8), "XSDT");
        const uint8_t *fadt = table(get(xsdt, 36, 8), "FACP");
        const uint8_t *madt = table(get(xsdt, 44, 8), "APIC");
        const uint8_t *mcfg = table(get(xsdt, 52, 8), "MCFG");
        table(get(fadt, 140, 8), "DSDT");
        assert_int_equal(get(fadt, 36, 4) % 64, 0); /* FACS */
        assert_int_equal(get(fadt, 56, 4), LAYOUT_PM_BASE);
        assert_int_equal(get(fadt, 109, 2) & 2, 0); /* no i8042 to look for */
        assert_int_equal(get(mcfg, 44, 8), LAYOUT_ECAM);
        unsigned found = 0;
        for (uint64_t at = 44; at < get(madt, 4, 4); at += madt[at + 1]) {
            assert_true(madt[at + 1] >= 2);
            found += madt[at] == 0;
        }
        assert_int_equal(found, cpus);
        check_ssdt(table(get(xsdt, 60, 8), "SSDT"), cpus);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_are_sound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
