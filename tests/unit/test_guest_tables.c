// SPDX-License-Identifier: BSD-2-Clause
/* CPUID table, doorbells, and the checks of register values: what the exit path looks up or lets
 * through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/checks.h"
#include "kernel/doorbell.h"
#include "kernel/guest_cpuid.h"

static void cpuid_finds_leaves_and_subleaves(void **state)
{
    (void)state;
    static struct guest_cpuid table;
    const struct leat_cpuid_entry entries[] = {
        {.leaf = 0x80000000, .eax = 8},
        {.leaf = 4, .subleaf = 1, .has_subleaf = 1, .eax = 41},
        {.leaf = 0, .eax = 0xd},
        {.leaf = 4, .subleaf = 0, .has_subleaf = 1, .eax = 40},
        {.leaf = 7, .subleaf = 99, .has_subleaf = 0, .eax = 7},
        {.leaf = 0x40000000, .eax = 4},
    };
    assert_int_equal(guest_cpuid_set(&table, entries, 6), LEAT_OK);
    assert_int_equal(guest_cpuid_find(&table, 0, 5)->eax, 0xd);
    assert_int_equal(guest_cpuid_find(&table, 4, 0)->eax, 40);
    assert_int_equal(guest_cpuid_find(&table, 4, 1)->eax, 41);
    assert_null(guest_cpuid_find(&table, 4, 2));
    assert_int_equal(guest_cpuid_find(&table, 7, 3)->eax, 7);
    assert_int_equal(guest_cpuid_find(&table, 0x40000000, 0)->eax, 4);
    assert_int_equal(guest_cpuid_find(&table, 0x80000000, 0)->eax, 8);
    assert_null(guest_cpuid_find(&table, 1, 0));
    assert_null(guest_cpuid_find(&table, 0xffffffff, 0));
    assert_null(guest_cpuid_find(&table, 0x80000040, 0));

    struct leat_cpuid_entry answer = {.ebx = 0xff100800, .edx = 7};
    guest_cpuid_patch(1, 3, &answer);
    assert_int_equal(answer.ebx, 0x03100800);
    assert_int_equal(answer.edx, 7);
    guest_cpuid_patch(0xb, 3, &answer);
    assert_int_equal(answer.edx, 3);
    guest_cpuid_patch(0x1f, 5, &answer);
    assert_int_equal(answer.edx, 5);
}

static void cpuid_refuses_bad_tables_and_keeps_the_old(void **state)
{
    (void)state;
    static struct guest_cpuid table;
    static struct leat_cpuid_entry entries[65];
    entries[0].eax = 1;
    for (uint32_t i = 0; i < 65; i++)
        entries[i].leaf = i % 64;
    assert_int_equal(guest_cpuid_set(&table, entries, 64), LEAT_OK);
    assert_int_equal(guest_cpuid_set(&table, entries, 65), LEAT_EINVAL);
    entries[3].leaf = 64;
    assert_int_equal(guest_cpuid_set(&table, entries, 4), LEAT_EINVAL);
    assert_int_equal(guest_cpuid_find(&table, 0, 0)->eax, 1);
    assert_non_null(guest_cpuid_find(&table, 63, 0));
    assert_int_equal(guest_cpuid_set(&table, NULL, 0), LEAT_OK);
    assert_null(guest_cpuid_find(&table, 0, 0));
}

static void doorbells_are_found_replaced_and_removed(void **state)
{
    (void)state;
    static struct doorbells bells;
    struct notif *a = (struct notif *)16, *b = (struct notif *)32, *old;
    for (unsigned i = 0; i < DOORBELL_MAX; i++) /* many meet in the same slots */
        assert_int_equal(doorbell_set(&bells, (uint16_t)(i * 1024), a, i, &old), LEAT_OK);
    assert_int_equal(doorbell_set(&bells, 7, a, 1, &old), LEAT_ENOMEM);
    for (unsigned i = 0; i < DOORBELL_MAX; i++)
        assert_int_equal(doorbell_find(&bells, (uint16_t)(i * 1024))->bits, i);
    assert_null(doorbell_find(&bells, 1));
    assert_int_equal(doorbell_set(&bells, 1024, b, 5, &old), LEAT_OK);
    assert_ptr_equal(old, a);
    assert_ptr_equal(doorbell_find(&bells, 1024)->notif, b);
    assert_int_equal(doorbell_set(&bells, 2048, NULL, 0, &old), LEAT_OK);
    assert_ptr_equal(old, a);
    assert_int_equal(doorbell_set(&bells, 2048, NULL, 0, &old), LEAT_ENOENT);
    assert_null(doorbell_find(&bells, 2048));
    for (unsigned i = 3; i < DOORBELL_MAX; i++)
        assert_int_equal(doorbell_find(&bells, (uint16_t)(i * 1024))->bits, i);
    assert_int_equal(doorbell_set(&bells, 7, a, 1, &old), LEAT_OK);
    assert_null(old);
}

static void canonical_addresses(void **state)
{
    (void)state;
    assert_true(is_canonical(0, 48));
    assert_true(is_canonical(0x00007fffffffffff, 48));
    assert_true(is_canonical(0xffff800000000000, 48));
    assert_false(is_canonical(0x0000800000000000, 48));
    assert_false(is_canonical(0xffff7fffffffffff, 48));
    assert_true(is_canonical(0x0000800000000000, 57));
    assert_true(is_canonical(0x00ffffffffffffff, 57));
    assert_true(is_canonical(0xff00000000000000, 57));
    assert_false(is_canonical(0x0100000000000000, 57));
    assert_false(is_canonical(0xfeffffffffffffff, 57));
}

static void control_registers(void **state)
{
    (void)state;
    assert_int_equal(cr0_for_cpu(0x60000010),
                     0x30); /* reset: caches off is only the guest's belief */
    assert_int_equal(cr0_for_cpu(0x80000011), 0x80000031);
    assert_true(cr0_is_valid(0x60000010));
    assert_false(cr0_is_valid(0x80000000)); /* paging without protection */
    assert_false(cr0_is_valid(0x20000011)); /* NW without CD */
    assert_false(cr0_is_valid(0x100000011));

    uint64_t bits = cr4_guest_bits(0xffffffff);
    assert_false(bits & CR4_VMXE_BIT);
    assert_int_equal(cr4_for_cpu(0, bits, CR4_MCE_BIT), CR4_MCE_BIT | CR4_VMXE_BIT);
    assert_int_equal(cr4_for_cpu(CR4_MCE_BIT | 0x20, bits, 0), CR4_VMXE_BIT | 0x20);
}

static void extended_states(void **state)
{
    (void)state;
    const uint64_t all = 0x602ff;
    assert_true(xcr0_is_valid(1, all));
    assert_true(xcr0_is_valid(3, all));
    assert_true(xcr0_is_valid(7, all));
    assert_true(xcr0_is_valid(0xe7, all));
    assert_true(xcr0_is_valid(0x1f, all));
    assert_false(xcr0_is_valid(0, all));
    assert_false(xcr0_is_valid(2, all));
    assert_false(xcr0_is_valid(5, all));    /* AVX without SSE */
    assert_false(xcr0_is_valid(0xe3, all)); /* AVX-512 without AVX */
    assert_false(xcr0_is_valid(0x67, all)); /* a part of AVX-512 */
    assert_false(xcr0_is_valid(0x0f, all)); /* half of MPX */
    assert_false(xcr0_is_valid(7, 3));
    assert_false(xcr0_is_valid(1ull << 63 | 1, all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpuid_finds_leaves_and_subleaves),
        cmocka_unit_test(cpuid_refuses_bad_tables_and_keeps_the_old),
        cmocka_unit_test(doorbells_are_found_replaced_and_removed),
        cmocka_unit_test(canonical_addresses),
        cmocka_unit_test(control_registers),
        cmocka_unit_test(extended_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
