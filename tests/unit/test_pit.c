// SPDX-License-Identifier: BSD-2-Clause
/* The 8254: periodic ticks, one shot, latched reads, and the calibration by channel 2 and port
 * 0x61. */
#include "vmm_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct vmm_fake f;

static unsigned edges(uint64_t ns)
{
    unsigned before = f.kicks[0];
    vmm_fake_advance(&f, ns);
    return f.kicks[0] - before;
}

static void periodic(void **state)
{
    (void)state;
    vmm_fake_init(&f, 1);
    lapic_mmio_write(&f.platform.lapics[0], 0xf0, 4, 0x1ff);
    bus_write(&f.vm.mmio, LAYOUT_IOAPIC, 4, 0x10 + 2 * 2);
    bus_write(&f.vm.mmio, LAYOUT_IOAPIC + 0x10, 4, 0x30);
    vmm_fake_out(&f, 0x43, 0x34); /* channel 0, both bytes, mode 2 */
    vmm_fake_out(&f, 0x40, 11931 & 0xff);
    vmm_fake_out(&f, 0x40, 11931 >> 8); /* 100 Hz */
    edges(1000);
    assert_int_equal(edges(100000000), 10);
    f.now_ns += 50000000; /* five are missed at once: one comes late, then the phase is kept */
    assert_in_range(edges(10000000), 1, 2);
    assert_int_equal(edges(100000000), 10);
    vmm_fake_out(&f, 0x43, 0x30); /* mode 0: stops it until a count is written */
    assert_int_equal(edges(100000000), 0);
    vmm_fake_out(&f, 0x40, 0xff);
    vmm_fake_out(&f, 0x40, 0xff);
    assert_int_equal(edges(54000000), 0);
    assert_int_equal(edges(2000000), 1);
    assert_int_equal(edges(200000000), 0);
    vmm_fake_free(&f);
}

static uint16_t latched(void)
{
    vmm_fake_out(&f, 0x43, 0x00);
    uint16_t low = vmm_fake_in(&f, 0x40);
    return (uint16_t)(low | vmm_fake_in(&f, 0x40) << 8);
}

static void counts_down(void **state)
{
    (void)state;
    vmm_fake_init(&f, 1);
    vmm_fake_out(&f, 0x43, 0x34);
    vmm_fake_out(&f, 0x40, 0);
    vmm_fake_out(&f, 0x40, 0); /* 65536 */
    f.now_ns += 1000000;       /* 1193 ticks */
    assert_int_equal(latched(), 65536 - 1193);
    vmm_fake_out(&f, 0x43, 0xc2); /* read back count and status of channel 0 */
    assert_int_equal(vmm_fake_in(&f, 0x40) & 0x3f, 0x34);
    vmm_fake_free(&f);
}

static void gate_of_channel_2(void **state)
{
    (void)state;
    vmm_fake_init(&f, 1);
    vmm_fake_out(&f, 0x61, 0);
    vmm_fake_out(&f, 0x43, 0xb0); /* channel 2, mode 0 */
    vmm_fake_out(&f, 0x42, 0x9b);
    vmm_fake_out(&f, 0x42, 0x2e); /* 11931: 10 ms */
    f.now_ns += 20000000;
    assert_false(vmm_fake_in(&f, 0x61) & 0x20); /* the gate is low */
    vmm_fake_out(&f, 0x61, 1);
    f.now_ns += 9990000;
    assert_false(vmm_fake_in(&f, 0x61) & 0x20);
    f.now_ns += 20000;
    assert_true(vmm_fake_in(&f, 0x61) & 0x20);
    vmm_fake_free(&f);
}

static void storms_are_bounded(void **state)
{
    (void)state;
    vmm_fake_init(&f, 1);
    lapic_mmio_write(&f.platform.lapics[0], 0xf0, 4, 0x1ff);
    bus_write(&f.vm.mmio, LAYOUT_IOAPIC, 4, 0x10 + 2 * 2);
    bus_write(&f.vm.mmio, LAYOUT_IOAPIC + 0x10, 4, 0x30);
    vmm_fake_out(&f, 0x43, 0x14);
    vmm_fake_out(&f, 0x40, 1); /* 1.19 MHz */
    assert_in_range(edges(10000000), 1, 110);
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(periodic),
        cmocka_unit_test(counts_down),
        cmocka_unit_test(gate_of_channel_2),
        cmocka_unit_test(storms_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
