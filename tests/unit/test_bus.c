// SPDX-License-Identifier: BSD-2-Clause
/* The bus finds the right device at every edge of every range, whatever order they came in. */
#include "vmm/bus.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static uint64_t last_offset, last_value;
static const void *last_device;

static uint64_t on_read(void *device, uint64_t offset, unsigned width)
{
    (void)width;
    last_device = device;
    last_offset = offset;
    return 0x1122334455667788;
}

static void on_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    last_device = device;
    last_offset = offset;
    last_value = value;
}

static struct bus_range range(uint64_t base, uint64_t size, void *device)
{
    return (struct bus_range){base, size, on_read, on_write, device, "test"};
}

static void finds_ranges(void **state)
{
    static struct bus bus;
    int a, b, c;
    (void)state;
    memset(&bus, 0, sizeof(bus));
    struct bus_range r = range(0x300, 0x10, &b);
    assert_int_equal(bus_add(&bus, &r), LEAT_OK);
    r = range(UINT64_MAX - 0xf, 0x10, &c);
    assert_int_equal(bus_add(&bus, &r), LEAT_OK);
    r = range(0x2f0, 0x10, &a);
    assert_int_equal(bus_add(&bus, &r), LEAT_OK);
    assert_int_equal(bus_read(&bus, 0x2ff, 1), 0x88);
    assert_ptr_equal(last_device, &a);
    assert_int_equal(last_offset, 0xf);
    bus_write(&bus, 0x300, 2, 0xaabbcc);
    assert_ptr_equal(last_device, &b);
    assert_int_equal(last_value, 0xbbcc);
    bus_read(&bus, UINT64_MAX, 4);
    assert_ptr_equal(last_device, &c);
    last_device = NULL;
    assert_int_equal(bus_read(&bus, 0x310, 2), 0xffff);
    assert_int_equal(bus_read(&bus, 0x2ef, 8), UINT64_MAX);
    assert_null(last_device);
}

static void refuses_overlap_and_nonsense(void **state)
{
    static struct bus bus;
    int d;
    (void)state;
    memset(&bus, 0, sizeof(bus));
    struct bus_range r = range(0x100, 0x100, &d);
    assert_int_equal(bus_add(&bus, &r), LEAT_OK);
    static const uint64_t bad[][2] = {{0x100, 1}, {0x1ff, 1}, {0, 0x101}, {0x180, 4}, {0, 0x1000}};
    for (unsigned i = 0; i < 5; i++) {
        r = range(bad[i][0], bad[i][1], &d);
        assert_int_equal(bus_add(&bus, &r), LEAT_EBUSY);
    }
    r = range(0x500, 0, &d);
    assert_int_equal(bus_add(&bus, &r), LEAT_EINVAL);
    r = range(UINT64_MAX, 2, &d);
    assert_int_equal(bus_add(&bus, &r), LEAT_EINVAL);
    assert_int_equal(bus_remove(&bus, 0x101, &d), LEAT_ENOENT);
    assert_int_equal(bus_remove(&bus, 0x100, &bus), LEAT_ENOENT);
    assert_int_equal(bus_remove(&bus, 0x100, &d), LEAT_OK);
    assert_int_equal(bus.count, 0);
}

static void fills_up(void **state)
{
    static struct bus bus;
    (void)state;
    memset(&bus, 0, sizeof(bus));
    for (unsigned i = 0; i < BUS_MAX_RANGES; i++) {
        struct bus_range r = range((uint64_t)(i * 37 % BUS_MAX_RANGES) * 16, 16, &bus);
        assert_int_equal(bus_add(&bus, &r), LEAT_OK);
    }
    struct bus_range r = range(0x100000, 16, &bus);
    assert_int_equal(bus_add(&bus, &r), LEAT_ENOMEM);
    for (unsigned i = 1; i < BUS_MAX_RANGES; i++)
        assert_true(bus.ranges[i - 1].base < bus.ranges[i].base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_ranges),
        cmocka_unit_test(refuses_overlap_and_nonsense),
        cmocka_unit_test(fills_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
