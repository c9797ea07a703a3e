// SPDX-License-Identifier: BSD-2-Clause
/* The 8259 pair as PC firmware and Linux program it. */
#include "vmm_fake.h"

#include "vmm/irq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct vmm_fake f;

static void program(void)
{
    static const uint8_t steps[][2] = {{0x20, 0x11}, {0x21, 0x30}, {0x21, 4}, {0x21, 1},
                                       {0xa0, 0x11}, {0xa1, 0x38}, {0xa1, 2}, {0xa1, 1},
                                       {0x21, 0},    {0xa1, 0}};
    vmm_fake_init(&f, 1);
    for (unsigned i = 0; i < 10; i++)
        vmm_fake_out(&f, steps[i][0], steps[i][1]);
    /* virtual wire */
    lapic_mmio_write(&f.platform.lapics[0], 0xf0, 4, 0x1ff);
    lapic_mmio_write(&f.platform.lapics[0], 0x350, 4, LAPIC_EXTINT << 8);
}

static int pending(void)
{
    bool from_pic;
    int vector = platform_pending(&f.vm, 0, &from_pic);
    return from_pic ? vector : -1;
}

static void take(int vector)
{
    assert_int_equal(pending(), vector);
    platform_accept(&f.vm, 0, (uint8_t)vector, true);
}

static void priorities_and_cascade(void **state)
{
    (void)state;
    program();
    assert_int_equal(pending(), -1);
    irq_set_line(&f.vm, 4, true);
    irq_set_line(&f.vm, 8, true);
    take(0x38); /* IRQ 8 comes by input 2, above 4 */
    assert_int_equal(pending(), -1);
    irq_set_line(&f.vm, 1, true);
    take(0x31); /* above 2 */
    vmm_fake_out(&f, 0x20, 0x20);
    assert_int_equal(pending(), -1);
    vmm_fake_out(&f, 0xa0, 0x20);
    vmm_fake_out(&f, 0x20, 0x20);
    take(0x34);
    vmm_fake_out(&f, 0x20, 0x64); /* specific EOI of 4 */
    assert_int_equal(pending(), -1);
    vmm_fake_free(&f);
}

static void masks_and_reads(void **state)
{
    (void)state;
    program();
    vmm_fake_out(&f, 0x21, 0x10);
    irq_set_line(&f.vm, 4, true);
    assert_int_equal(pending(), -1);
    assert_int_equal(vmm_fake_in(&f, 0x21), 0x10);
    assert_int_equal(vmm_fake_in(&f, 0x20), 0x10); /* IRR */
    vmm_fake_out(&f, 0x21, 0);
    take(0x34);
    vmm_fake_out(&f, 0x20, 0x0b);
    assert_int_equal(vmm_fake_in(&f, 0x20), 0x10); /* ISR */
    vmm_fake_free(&f);
}

static void level_triggered(void **state)
{
    (void)state;
    program();
    vmm_fake_out(&f, 0x4d1, 0x0e);
    vmm_fake_out(&f, 0x4d0, 0xff);
    assert_int_equal(vmm_fake_in(&f, 0x4d0), 0xf8); /* 0, 1, 2 stay edge */
    irq_set_line(&f.vm, 10, true);
    take(0x3a);
    vmm_fake_out(&f, 0xa0, 0x20);
    vmm_fake_out(&f, 0x20, 0x20);
    take(0x3a); /* still high */
    irq_set_line(&f.vm, 10, false);
    vmm_fake_out(&f, 0xa0, 0x20);
    vmm_fake_out(&f, 0x20, 0x20);
    assert_int_equal(pending(), -1);
    vmm_fake_free(&f);
}

static void masked_lint0_is_silent(void **state)
{
    (void)state;
    program();
    irq_set_line(&f.vm, 0, true);
    assert_int_equal(pending(), 0x30);
    lapic_mmio_write(&f.platform.lapics[0], 0x350, 4, LAPIC_EXTINT << 8 | 1u << 16);
    assert_int_equal(pending(), -1);
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(priorities_and_cascade),
        cmocka_unit_test(masks_and_reads),
        cmocka_unit_test(level_triggered),
        cmocka_unit_test(masked_lint0_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
