// SPDX-License-Identifier: BSD-2-Clause
/* The IO-APIC: edges once, levels until they fall, nothing lost over masking and EOI. */
#include "vmm_fake.h"

#include "vmm/irq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct vmm_fake f;

static void reg(unsigned index, uint32_t value)
{
    bus_write(&f.vm.mmio, LAYOUT_IOAPIC, 4, index);
    bus_write(&f.vm.mmio, LAYOUT_IOAPIC + 0x10, 4, value);
}

static uint32_t rd(unsigned index)
{
    bus_write(&f.vm.mmio, LAYOUT_IOAPIC, 4, index);
    return (uint32_t)bus_read(&f.vm.mmio, LAYOUT_IOAPIC + 0x10, 4);
}

static struct lapic *start(void)
{
    vmm_fake_init(&f, 1);
    lapic_mmio_write(&f.platform.lapics[0], 0xf0, 4, 0x1ff);
    return &f.platform.lapics[0];
}

static void take(struct lapic *l, int vector)
{
    assert_int_equal(lapic_pending(l), vector);
    lapic_accept(l, (uint8_t)vector);
}

static void edge(void **state)
{
    struct lapic *l = start();
    (void)state;
    reg(0x10 + 2 * 4, 0x34);
    irq_set_line(&f.vm, 4, true);
    take(l, 0x34);
    irq_set_line(&f.vm, 4, true); /* no new edge */
    lapic_eoi(l);
    assert_int_equal(lapic_pending(l), -1);
    irq_set_line(&f.vm, 4, false);
    irq_set_line(&f.vm, 4, true);
    take(l, 0x34);
    vmm_fake_free(&f);
}

static void level(void **state)
{
    struct lapic *l = start();
    (void)state;
    reg(0x10 + 2 * 17, 1u << 15 | 0x45);
    irq_set_line(&f.vm, 17, true);
    take(l, 0x45);
    assert_true(rd(0x10 + 2 * 17) & 1u << 14); /* remote IRR */
    lapic_eoi(l);
    take(l, 0x45); /* the line is still high */
    irq_set_line(&f.vm, 17, false);
    lapic_eoi(l);
    assert_int_equal(lapic_pending(l), -1);
    assert_false(rd(0x10 + 2 * 17) & 1u << 14);
    reg(0x10 + 2 * 17, 1u << 16 | 1u << 15 | 0x45);
    irq_set_line(&f.vm, 17, true);
    assert_int_equal(lapic_pending(l), -1);
    reg(0x10 + 2 * 17, 1u << 15 | 0x45); /* unmasked while high */
    take(l, 0x45);
    vmm_fake_free(&f);
}

static void pit_is_pin_2(void **state)
{
    struct lapic *l = start();
    (void)state;
    reg(0x10 + 2 * 2, 0x30);
    irq_set_line(&f.vm, 0, true);
    take(l, 0x30);
    vmm_fake_free(&f);
}

static void nonsense(void **state)
{
    struct lapic *l = start();
    (void)state;
    assert_int_equal(rd(1), 0x11 | 23 << 16);
    for (unsigned i = 0; i < 256; i++) {
        reg(i, 0xffffffff);
        rd(i);
    }
    irq_set_line(&f.vm, 24, true);
    irq_set_line(&f.vm, 1000000, true);
    reg(0x10 + 2 * 5, LAPIC_INIT << 8); /* a device line must not restart a CPU */
    irq_set_line(&f.vm, 5, true);
    assert_false(l->init_pending);
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edge),
        cmocka_unit_test(level),
        cmocka_unit_test(pit_is_pin_2),
        cmocka_unit_test(nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
