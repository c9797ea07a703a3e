// SPDX-License-Identifier: BSD-2-Clause
/* No guest-physical address and length, however chosen, leads outside a region. */
#include "vmm/memory.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static uint8_t low[0x3000], high[0x2000];

static struct guest_memory make(void)
{
    struct guest_memory m = {0};
    assert_int_equal(guest_memory_add(&m, gpa(0), 0x1000, low), LEAT_OK);
    assert_int_equal(guest_memory_add(&m, gpa(0x1000), 0x2000, low + 0x1000), LEAT_OK);
    assert_int_equal(guest_memory_add(&m, gpa(1ull << 32), 0x2000, high), LEAT_OK);
    return m;
}

static void stays_inside(void **state)
{
    struct guest_memory m = make();
    (void)state;
    assert_ptr_equal(guest_memory_at(&m, gpa(0xfff), 1), low + 0xfff);
    assert_ptr_equal(guest_memory_at(&m, gpa((1ull << 32) + 0x1000), 0x1000), high + 0x1000);
    assert_null(guest_memory_at(&m, gpa(0), 0));
    assert_null(guest_memory_at(&m, gpa(0xfff), 2)); /* two regions */
    assert_null(guest_memory_at(&m, gpa(0x3000), 1));
    assert_null(guest_memory_at(&m, gpa((1ull << 32) + 0x1fff), 2));
    assert_null(guest_memory_at(&m, gpa(1), UINT64_MAX));
    assert_null(guest_memory_at(&m, gpa(UINT64_MAX), 2));
}

static void copies_over_neighbours(void **state)
{
    struct guest_memory m = make();
    uint8_t data[32], back[32];
    (void)state;
    for (unsigned i = 0; i < 32; i++)
        data[i] = (uint8_t)(i + 1);
    assert_true(guest_memory_write(&m, gpa(0xff0), data, 32));
    assert_true(guest_memory_read(&m, gpa(0xff0), back, 32));
    assert_memory_equal(data, back, 32);
    assert_false(guest_memory_write(&m, gpa(0x2ff0), data, 32));
    assert_false(guest_memory_read(&m, gpa(0xfffffff0), back, 32));
}

static void refuses_bad_regions(void **state)
{
    struct guest_memory m = make();
    (void)state;
    assert_int_equal(guest_memory_add(&m, gpa(0x2fff), 0x1000, low), LEAT_EINVAL);
    assert_int_equal(guest_memory_add(&m, gpa(0x10000), 0, low), LEAT_EINVAL);
    assert_int_equal(guest_memory_add(&m, gpa(UINT64_MAX), 2, low), LEAT_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stays_inside),
        cmocka_unit_test(copies_over_neighbours),
        cmocka_unit_test(refuses_bad_regions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
