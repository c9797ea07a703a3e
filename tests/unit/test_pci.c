// SPDX-License-Identifier: BSD-2-Clause
/* The PCI bus as firmware and kernels see it: configuration space, BARs that move, MSI-X, INTx. */
#include "virtio_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SLOT_2 5u

static int up(void **state)
{
    struct fake *f = malloc(sizeof(*f));
    fake_init(f, 1 << 20, 512, LEAT_BLK_CAN_FLUSH);
    assert_int_equal(virtio_disk_attach(&f->vm, &f->entry, FAKE_SLOT, 2), LEAT_OK);
    *state = f;
    return 0;
}

static int down(void **state)
{
    fake_free(*state);
    free(*state);
    return 0;
}

static struct virtio_pci *disk_of(struct fake *f)
{
    return f->vm.pci->functions[FAKE_SLOT]->owner;
}

static void test_both_ways_show_the_same(void **state)
{
    struct fake *f = *state;
    assert_int_equal(cfg_read(f, 0, 0, 4), 0x00081b36);
    assert_int_equal(cfg_read(f, 0, 8, 4) >> 8, 0x060000);
    assert_int_equal(cfg_read(f, FAKE_SLOT, 0, 4), 0x10421af4);
    for (unsigned offset = 0; offset < 256; offset += 4) {
        uint64_t ecam = LAYOUT_ECAM + (FAKE_SLOT << 15) + offset;
        assert_int_equal(cfg_read(f, FAKE_SLOT, offset, 4), bus_read(&f->vm.mmio, ecam, 4));
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(cfg_read(f, FAKE_SLOT, offset + i, 1),
                             bus_read(&f->vm.mmio, ecam + i, 1));
    }
    assert_int_equal(bus_read(&f->vm.mmio, LAYOUT_ECAM + (FAKE_SLOT << 15) + 0x100, 4), 0);
}

static void test_nobody_home(void **state)
{
    struct fake *f = *state;
    assert_int_equal(cfg_read(f, 9, 0, 4), 0xffffffff);
    cfg_write(f, 9, 4, 4, 7);
    assert_int_equal(bus_read(&f->vm.mmio, LAYOUT_ECAM + (9 << 15), 4), 0xffffffff);
    bus_write(&f->vm.ports, 0xcf8, 4, 0x80000000u | 1 << 16); /* bus 1 */
    assert_int_equal(bus_read(&f->vm.ports, 0xcfc, 4), 0xffffffff);
    bus_write(&f->vm.ports, 0xcf8, 4, 0x80000000u | FAKE_SLOT << 11 | 1 << 8); /* function 1 */
    assert_int_equal(bus_read(&f->vm.ports, 0xcfc, 4), 0xffffffff);
    bus_write(&f->vm.ports, 0xcf8, 4, FAKE_SLOT << 11); /* not enabled */
    assert_int_equal(bus_read(&f->vm.ports, 0xcfc, 4), 0xffffffff);
    assert_int_equal(bus_read(&f->vm.ports, 0xcf8, 4), FAKE_SLOT << 11);
    bus_write(&f->vm.ports, 0xcf8, 1, 0xff); /* only doublewords count */
    assert_int_equal(bus_read(&f->vm.ports, 0xcf8, 4), FAKE_SLOT << 11);
}

static void test_read_only_stays(void **state)
{
    struct fake *f = *state;
    uint8_t before[256];
    for (unsigned i = 0; i < 256; i++)
        before[i] = (uint8_t)cfg_read(f, FAKE_SLOT, i, 1);
    static const unsigned fixed[] = {0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 14, 0x2c, 0x2e, 0x34, 0x3d};
    for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        cfg_write(f, FAKE_SLOT, fixed[i], 1, ~before[fixed[i]] & 0xff);
        assert_int_equal(cfg_read(f, FAKE_SLOT, fixed[i], 1), before[fixed[i]]);
    }
    cfg_write(f, FAKE_SLOT, 0x3c, 1, 0x5a);
    assert_int_equal(cfg_read(f, FAKE_SLOT, 0x3c, 1), 0x5a);
}

static void test_bar_sizes(void **state)
{
    struct fake *f = *state;
    static const uint32_t masks[6] = {0xfffffff1, 0,          0xfffff004,
                                      0xffffffff, 0xfffff004, 0xffffffff};
    for (unsigned i = 0; i < 6; i++) {
        uint32_t old = cfg_read(f, FAKE_SLOT, 0x10 + 4 * i, 4);
        cfg_write(f, FAKE_SLOT, 0x10 + 4 * i, 4, 0xffffffff);
        assert_int_equal(cfg_read(f, FAKE_SLOT, 0x10 + 4 * i, 4), masks[i]);
        cfg_write(f, FAKE_SLOT, 0x10 + 4 * i, 4, old);
    }
    assert_true(bar_address(f, 0) >= LAYOUT_PCI_IO);
    assert_true(bar_address(f, 4) >= LAYOUT_PCI_MMIO && bar_address(f, 4) < LAYOUT_PCI_MMIO_END);
}

static bool answers(struct fake *f, uint64_t address)
{
    return bus_read(&f->vm.mmio, address + 0x12, 2) == 2; /* number of queues */
}

static void test_bars_move(void **state)
{
    struct fake *f = *state;
    uint64_t start = bar_address(f, 4);
    assert_false(answers(f, start)); /* decoding is off */
    cfg_write(f, FAKE_SLOT, 4, 2, 2);
    assert_true(answers(f, start));
    cfg_write(f, FAKE_SLOT, 0x20, 4, 0xd0000000);
    assert_false(answers(f, start));
    assert_true(answers(f, 0xd0000000));
    cfg_write(f, FAKE_SLOT, 0x24, 4, 0x20); /* above 4 GiB */
    assert_false(answers(f, 0xd0000000));
    assert_true(answers(f, 0x20d0000000));
    cfg_write(f, FAKE_SLOT, 0x24, 4, 0xffffffff); /* further than anybody can reach */
    assert_false(answers(f, 0xffffffffd0000000));
    cfg_write(f, FAKE_SLOT, 0x24, 4, 0);
    assert_true(answers(f, 0xd0000000));
    cfg_write(f, FAKE_SLOT, 4, 2, 0);
    assert_false(answers(f, 0xd0000000));
    cfg_write(f, FAKE_SLOT, 4, 2, 2);
    cfg_write(f, FAKE_SLOT, 0x20, 4, 0); /* 0 is "not set" */
    assert_false(answers(f, 0));
}

static void test_bar_waits_for_room(void **state)
{
    struct fake *f = *state;
    cfg_write(f, FAKE_SLOT, 4, 2, 2);
    uint64_t msix = bar_address(f, 2);
    uint64_t start = bar_address(f, 4);
    cfg_write(f, FAKE_SLOT, 0x20, 4, (uint32_t)msix); /* on top of the MSI-X BAR */
    assert_false(answers(f, msix));
    assert_false(answers(f, start));
    cfg_write(f, FAKE_SLOT, 0x18, 4, 0xd8000000); /* that moves away */
    assert_true(answers(f, msix));
    cfg_write(f, FAKE_SLOT, 0x20, 4, LAYOUT_ECAM); /* not over the configuration space */
    assert_int_equal(bus_read(&f->vm.mmio, LAYOUT_ECAM, 4), 0x00081b36);
}

static uint64_t silent_read(void *device, uint64_t offset, unsigned width)
{
    (void)device, (void)offset, (void)width;
    return 0x77;
}

static void silent_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    (void)device, (void)offset, (void)width, (void)value;
}

static void test_other_functions_room(void **state)
{
    struct fake *f = *state;
    static const struct pci_identity identity = {.vendor = 1, .device = 2};
    struct pci_function other;
    pci_function_init(&other, "other", &identity, NULL, NULL);
    pci_bar_add(&other, 0, PCI_BAR_MEMORY_64, 8192, silent_read, silent_write, &other);
    assert_int_equal(pci_host_plug(f->vm.pci, &other, FAKE_SLOT), LEAT_EBUSY);
    assert_int_equal(pci_host_plug(f->vm.pci, &other, 0), LEAT_EINVAL);
    assert_int_equal(pci_host_plug(f->vm.pci, &other, 32), LEAT_EINVAL);
    assert_int_equal(pci_host_plug(f->vm.pci, &other, SLOT_2), LEAT_OK);
    cfg_write(f, SLOT_2, 4, 2, 2);
    cfg_write(f, SLOT_2, 0x10, 4, 0xd0000000);
    cfg_write(f, FAKE_SLOT, 4, 2, 2);
    cfg_write(f, FAKE_SLOT, 0x20, 4, 0xd0001000); /* inside of the other */
    assert_int_equal(bus_read(&f->vm.mmio, 0xd0001012, 2), 0x77);
    cfg_write(f, SLOT_2, 4, 2, 0);
    assert_true(answers(f, 0xd0001000)); /* came as soon as there was room */
}

static void raise(struct fake *f, unsigned vector)
{
    pci_msix_raise(&disk_of(f)->msix, vector);
}

static uint32_t pending(struct fake *f)
{
    return (uint32_t)bus_read(&f->vm.mmio, bar_address(f, 2) + 0x800, 4);
}

static unsigned msix_cap(struct fake *f)
{
    return disk_of(f)->msix.capability;
}

static void test_msix_masks(void **state)
{
    struct fake *f = *state;
    uint64_t table = bar_address(f, 2);
    unsigned control = msix_cap(f) + 2;
    cfg_write(f, FAKE_SLOT, 4, 2, 6);
    assert_int_equal(cfg_read(f, FAKE_SLOT, control, 2), 2); /* three vectors */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(bus_read(&f->vm.mmio, table + 16 * i + 12, 4), 1); /* start masked */
        bus_write(&f->vm.mmio, table + 16 * i, 4, 0xfee00000);
        bus_write(&f->vm.mmio, table + 16 * i + 8, 4, 10 + i);
    }
    raise(f, 1);
    assert_int_equal(pending(f), 0); /* off: nothing is remembered */
    cfg_write(f, FAKE_SLOT, control, 2, 0x8000);
    raise(f, 1);
    raise(f, 1);
    assert_int_equal(f->msi_count[11], 0);
    assert_int_equal(pending(f), 2);
    bus_write(&f->vm.mmio, table + 16 + 12, 4, 0); /* unmask */
    assert_int_equal(f->msi_count[11], 1);
    assert_int_equal(pending(f), 0);
    raise(f, 1);
    assert_int_equal(f->msi_count[11], 2);
    cfg_write(f, FAKE_SLOT, control, 2, 0xc000); /* function mask */
    raise(f, 1);
    raise(f, 2);
    assert_int_equal(f->msi_count[11], 2);
    assert_int_equal(pending(f), 6);
    bus_write(&f->vm.mmio, table + 32 + 12, 4, 0); /* still the function mask */
    assert_int_equal(f->msi_count[12], 0);
    cfg_write(f, FAKE_SLOT, control, 2, 0x8000);
    assert_int_equal(f->msi_count[11], 3);
    assert_int_equal(f->msi_count[12], 1);
    assert_int_equal(pending(f), 0);
    raise(f, 3); /* no such vector */
    raise(f, 0xffff);
    bus_write(&f->vm.mmio, table + 16 + 12, 4, 1);
    raise(f, 1);
    cfg_write(f, FAKE_SLOT, control, 2, 0); /* off: forgotten */
    cfg_write(f, FAKE_SLOT, control, 2, 0x8000);
    bus_write(&f->vm.mmio, table + 16 + 12, 4, 0);
    assert_int_equal(f->msi_count[11], 3);
    /* outside of the table */
    bus_write(&f->vm.mmio, table + 16 * 3, 8, UINT64_MAX);
    bus_write(&f->vm.mmio, table + 0x800, 8, UINT64_MAX);
    bus_write(&f->vm.mmio, table + 0xffc, 8, UINT64_MAX);
    assert_int_equal(bus_read(&f->vm.mmio, table + 16 * 3, 8), 0);
    assert_int_equal(pending(f), 0);
    assert_int_equal(bus_read(&f->vm.mmio, table + 16, 8), 0xfee00000);
    assert_int_equal(bus_read(&f->vm.mmio, table + 16 + 8, 8), 11);
}

static void test_intx(void **state)
{
    struct fake *f = *state;
    unsigned gsi = LAYOUT_PCI_INTX_GSI(FAKE_SLOT, 0);
    struct pci_function *function = &disk_of(f)->function;
    assert_int_equal(cfg_read(f, FAKE_SLOT, 0x3d, 1), 1);
    assert_int_equal(cfg_read(f, FAKE_SLOT, 0x3c, 1), gsi);
    pci_intx_set(function, true);
    assert_int_equal(f->line[gsi], 1);
    assert_int_equal(cfg_read(f, FAKE_SLOT, 6, 2) & 8, 8);
    cfg_write(f, FAKE_SLOT, 4, 2, 0x400);
    assert_int_equal(f->line[gsi], 0);
    assert_int_equal(cfg_read(f, FAKE_SLOT, 6, 2) & 8, 8);
    cfg_write(f, FAKE_SLOT, 4, 2, 0);
    assert_int_equal(f->line[gsi], 1);
    cfg_write(f, FAKE_SLOT, msix_cap(f) + 2, 2, 0x8000); /* MSI-X takes over */
    assert_int_equal(f->line[gsi], 0);
    cfg_write(f, FAKE_SLOT, msix_cap(f) + 2, 2, 0);
    assert_int_equal(f->line[gsi], 1);
    vm_reset_devices(&f->vm);
    assert_int_equal(f->line[gsi], 0);
}

static void test_shared_line(void **state)
{
    struct fake *f = *state;
    static const struct pci_identity identity = {.vendor = 1, .device = 2, .has_intx = true};
    struct pci_function other;
    pci_function_init(&other, "other", &identity, NULL, NULL);
    assert_int_equal(pci_host_plug(f->vm.pci, &other, FAKE_SLOT + 8), LEAT_OK); /* same line */
    unsigned gsi = LAYOUT_PCI_INTX_GSI(FAKE_SLOT, 0);
    pci_intx_set(&other, true);
    pci_intx_set(&disk_of(f)->function, true);
    pci_intx_set(&other, false);
    assert_int_equal(f->line[gsi], 1);
    pci_intx_set(&disk_of(f)->function, false);
    assert_int_equal(f->line[gsi], 0);
}

static void test_reset(void **state)
{
    struct fake *f = *state;
    uint64_t start = bar_address(f, 4);
    cfg_write(f, FAKE_SLOT, 4, 2, 7);
    cfg_write(f, FAKE_SLOT, 0x20, 4, 0xd0000000);
    assert_true(answers(f, 0xd0000000));
    vm_reset_devices(&f->vm);
    assert_false(answers(f, 0xd0000000));
    assert_int_equal(cfg_read(f, FAKE_SLOT, 4, 2), 0);
    assert_int_equal(bar_address(f, 4), start);
}

static void test_doorbells_follow_the_bar(void **state)
{
    struct fake *f = *state;
    struct driver d;
    driver_enable_pci(&d, f);
    assert_int_equal(f->doorbell_port[1], 0);
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 64), 15);
    uint64_t base = bar_address(f, 0);
    assert_int_equal(f->doorbell_port[1], base); /* bits 1 and 2: the first free ones */
    assert_int_equal(f->doorbell_port[2], base + 4);
    cfg_write(f, FAKE_SLOT, 0x10, 4, 0xe000);
    assert_int_equal(f->doorbell_port[1], 0xe000);
    assert_int_equal(f->doorbell_port[2], 0xe004);
    cfg_write(f, FAKE_SLOT, 4, 2, 6);
    assert_int_equal(f->doorbell_port[1], 0);
    cfg_write(f, FAKE_SLOT, 4, 2, 7);
    assert_int_equal(f->doorbell_port[1], 0xe000);
    common_write(&d, 0x14, 1, 0); /* driver reset */
    assert_int_equal(f->doorbell_port[1], 0);
    assert_int_equal(f->doorbell_port[2], 0);
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 64), 15);
    assert_int_equal(f->doorbell_port[2], 0xe004);
    vm_reset_devices(&f->vm);
    assert_int_equal(f->doorbell_port[1], 0);
}

static void test_full_window(void **state)
{
    struct fake *f = *state;
    static const struct pci_identity identity = {.vendor = 1, .device = 2};
    struct pci_function huge;
    pci_function_init(&huge, "huge", &identity, NULL, NULL);
    pci_bar_add(&huge, 0, PCI_BAR_MEMORY_64, 1ull << 30, silent_read, silent_write, &huge);
    assert_int_equal(pci_host_plug(f->vm.pci, &huge, 7), LEAT_ENOMEM);
    assert_null(f->vm.pci->functions[7]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_ways_show_the_same),
        TEST(test_nobody_home),
        TEST(test_read_only_stays),
        TEST(test_bar_sizes),
        TEST(test_bars_move),
        TEST(test_bar_waits_for_room),
        TEST(test_other_functions_room),
        TEST(test_msix_masks),
        TEST(test_intx),
        TEST(test_shared_line),
        TEST(test_reset),
        TEST(test_doorbells_follow_the_bar),
        TEST(test_full_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
