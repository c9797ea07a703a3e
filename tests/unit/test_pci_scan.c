// SPDX-License-Identifier: BSD-2-Clause
/* The PCI scan finds every function behind every bridge, and ends even when bridges form a loop. */
#include "services/supervisor/pci.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A configuration space of a few functions, each 256 bytes with writable BARs of a given size. */
struct fake {
    struct pci_address at;
    uint32_t space[64];
    uint32_t bar_mask[2];
};

static struct fake fakes[8];
static unsigned fake_count, reads;

static struct fake *find(struct pci_address at)
{
    for (unsigned i = 0; i < fake_count; i++) {
        if (memcmp(&fakes[i].at, &at, sizeof(at)) == 0) {
            return &fakes[i];
        }
    }
    return NULL;
}

static uint32_t fake_read(void *context, struct pci_address at, unsigned offset)
{
    struct fake *f = find(at);

    (void)context;
    reads++;
    return f == NULL ? 0xffffffff : f->space[offset / 4];
}

static void fake_write(void *context, struct pci_address at, unsigned offset, uint32_t value)
{
    struct fake *f = find(at);

    (void)context;
    assert_non_null(f);
    if (offset == 0x10 || offset == 0x14) {
        unsigned bar = offset == 0x14;

        value = (value & f->bar_mask[bar]) | (f->space[offset / 4] & ~f->bar_mask[bar]);
    }
    f->space[offset / 4] = value;
}

static const struct pci_access access = {fake_read, fake_write, NULL};

static struct fake *add(uint8_t bus, uint8_t device, uint8_t function, uint32_t id, uint32_t class)
{
    struct fake *f = &fakes[fake_count++];

    memset(f, 0, sizeof(*f));
    f->at = (struct pci_address){bus, device, function};
    f->space[0] = id;
    f->space[2] = class << 8;
    return f;
}

static int setup(void **state)
{
    (void)state;
    fake_count = 0;
    reads = 0;
    return 0;
}

static struct fake *add_bridge(uint8_t bus, uint8_t device, uint8_t to)
{
    struct fake *f = add(bus, device, 0, 0x12348086, 0x060400);

    f->space[3] = 1u << 16;
    f->space[6] = (uint32_t)to << 8 | bus;
    return f;
}

static void functions_behind_bridges_are_found(void **state)
{
    static struct pci_list list;
    struct fake *multi = add(0, 0, 0, 0x12378086, 0x060000);

    (void)state;
    multi->space[3] = 0x80u << 16;
    add(0, 0, 3, 0x11118086, 0x010100);
    add_bridge(0, 1, 5);
    add_bridge(5, 2, 9);
    add(9, 31, 0, 0x100e8086, 0x020000)->space[15] = 0x010b;
    add(0, 2, 1, 0x22228086, 0x030000); /* without function 0: is not there */
    pci_scan(&access, &list);
    assert_int_equal(list.count, 5);
    assert_false(list.is_cut);
    assert_int_equal(list.functions[4].at.bus, 9);
    assert_int_equal(list.functions[4].device, 0x100e);
    assert_int_equal(list.functions[4].irq_line, 11);
    assert_int_equal(list.functions[4].irq_pin, 1);
    assert_true(pci_is_network(&list.functions[4]));
    assert_false(pci_is_network(&list.functions[1]));
}

static void a_loop_of_bridges_ends(void **state)
{
    static struct pci_list list;

    (void)state;
    add_bridge(0, 1, 3);
    add_bridge(3, 1, 0);
    add_bridge(3, 2, 3);
    pci_scan(&access, &list);
    assert_int_equal(list.count, 3);
    assert_true(reads < 1000);
}

static void bar_sizes_are_found_and_everything_put_back(void **state)
{
    struct fake *f = add(0, 3, 0, 0x100e8086, 0x020000);
    uint64_t base = 0, size = 0;

    (void)state;
    f->space[1] = 0x02300007;
    f->space[4] = 0xfebc0000;
    f->bar_mask[0] = 0xfffe0000;
    assert_int_equal(pci_memory_bar(&access, f->at, 0, &base, &size), LEAT_OK);
    assert_int_equal(base, 0xfebc0000);
    assert_int_equal(size, 0x20000);
    assert_int_equal(f->space[4], 0xfebc0000);
    assert_int_equal(f->space[1] & 0xffff, 7);
}

static void bars_of_64_bits_and_odd_ones(void **state)
{
    struct fake *f = add(0, 3, 0, 0x100e8086, 0x020000);
    uint64_t base = 0, size = 0;

    (void)state;
    f->space[4] = 0x80000004;
    f->space[5] = 0x20;
    f->bar_mask[0] = 0xffff0000;
    f->bar_mask[1] = 0xffffffff;
    assert_int_equal(pci_memory_bar(&access, f->at, 0, &base, &size), LEAT_OK);
    assert_int_equal(base, 0x2080000000);
    assert_int_equal(size, 0x10000);
    f->space[4] = 0xc001; /* I/O ports */
    assert_int_equal(pci_memory_bar(&access, f->at, 0, &base, &size), LEAT_ENOENT);
    f->space[4] = 0; /* not assigned */
    assert_int_equal(pci_memory_bar(&access, f->at, 0, &base, &size), LEAT_ENOENT);
}

static void enabling_keeps_the_status_bits(void **state)
{
    struct fake *f = add(0, 3, 0, 0x100e8086, 0x020000);

    (void)state;
    f->space[1] = 0xf9000401;
    pci_enable(&access, f->at, false, true);
    assert_int_equal(f->space[1], 7); /* ones in the upper half would have cleared errors */
    f->space[1] = 0xf9000000;
    pci_enable(&access, f->at, true, false);
    assert_int_equal(f->space[1], 0x407);
    pci_disable(&access, f->at);
    assert_int_equal(f->space[1], 0x403);
}

static void port_bars(void **state)
{
    struct fake *f = add(0, 1, 1, 0x70108086, 0x010180);
    uint16_t first, count;

    (void)state;
    f->space[1] = 7;
    f->space[4] = 0xc001;
    f->bar_mask[0] = 0xfffffff0;
    assert_int_equal(pci_port_bar(&access, f->at, 0, &first, &count), LEAT_OK);
    assert_int_equal(first, 0xc000);
    assert_int_equal(count, 16);
    assert_int_equal(f->space[4], 0xc001);
    assert_int_equal(f->space[1], 7);
    f->bar_mask[0] = 0xfff0; /* a device that decodes 16 bits only */
    assert_int_equal(pci_port_bar(&access, f->at, 0, &first, &count), LEAT_OK);
    assert_int_equal(count, 16);
    assert_false(pci_bar_is_wide(&access, f->at, 0));
    f->space[4] = 0xfe00000c;
    assert_true(pci_bar_is_wide(&access, f->at, 0));
    f->space[9] = 0xfe00000c; /* the last one has nothing behind it */
    assert_false(pci_bar_is_wide(&access, f->at, 5));
    f->space[4] = 1; /* not assigned */
    assert_int_equal(pci_port_bar(&access, f->at, 0, &first, &count), LEAT_ENOENT);
    f->space[4] = 0xc000; /* of memory */
    assert_int_equal(pci_port_bar(&access, f->at, 0, &first, &count), LEAT_ENOENT);
    f->space[4] = 0x1c001;
    assert_int_equal(pci_port_bar(&access, f->at, 0, &first, &count), LEAT_ENOENT);
    assert_int_equal(pci_port_bar(&access, f->at, 6, &first, &count), LEAT_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(functions_behind_bridges_are_found, setup),
        cmocka_unit_test_setup(port_bars, setup),
        cmocka_unit_test_setup(a_loop_of_bridges_ends, setup),
        cmocka_unit_test_setup(bar_sizes_are_found_and_everything_put_back, setup),
        cmocka_unit_test_setup(bars_of_64_bits_and_odd_ones, setup),
        cmocka_unit_test_setup(enabling_keeps_the_status_bits, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
