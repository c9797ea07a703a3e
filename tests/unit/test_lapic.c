// SPDX-License-Identifier: BSD-2-Clause
/* The local APIC: priorities, EOI, IPIs, and the timer's three modes against a clock turned by
 * hand. */
#include "vmm_fake.h"

#include "vmm/irq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SVR_ON 0x1ff

static struct vmm_fake f;

static struct lapic *start(unsigned cpus)
{
    vmm_fake_init(&f, cpus);
    assert_true(vmm_fake_run_cpus(&f, cpus));
    return &f.platform.lapics[0];
}

static uint64_t rd(struct lapic *l, uint32_t reg)
{
    uint64_t v = 0;
    assert_true(lapic_msr_read(l, reg, &v));
    return v;
}

static void priorities(void **state)
{
    struct lapic *l = start(1);
    (void)state;
    assert_int_equal(lapic_pending(l), -1);
    lapic_receive(l, LAPIC_FIXED, 0x41, false);
    lapic_receive(l, LAPIC_FIXED, 0x52, false);
    assert_int_equal(lapic_pending(l), 0x52);
    lapic_accept(l, 0x52);
    assert_int_equal(lapic_ppr(l), 0x50);
    assert_int_equal(lapic_pending(l), -1); /* 0x41 is of a lower class */
    lapic_receive(l, LAPIC_FIXED, 0x5f, false);
    assert_int_equal(lapic_pending(l), -1); /* the same class waits too */
    lapic_receive(l, LAPIC_FIXED, 0x61, false);
    assert_int_equal(lapic_pending(l), 0x61);
    lapic_accept(l, 0x61);
    assert_true(lapic_msr_write(l, LAPIC_EOI, 0)); /* ends 0x61, the highest */
    assert_int_equal(lapic_pending(l), -1);
    assert_true(lapic_msr_write(l, LAPIC_EOI, 0));
    assert_int_equal(lapic_pending(l), 0x5f);
    assert_true(lapic_msr_write(l, LAPIC_TPR, 0x60));
    assert_int_equal(lapic_pending(l), -1);
    assert_true(lapic_msr_write(l, LAPIC_TPR, 0x4f));
    assert_int_equal(lapic_pending(l), 0x5f);
    assert_int_equal(rd(l, LAPIC_IRR + 2), 1u << 31 | 1u << 1);
    vmm_fake_free(&f);
}

static void tsc_deadline(void **state)
{
    struct lapic *l = start(1);
    (void)state;
    lapic_set_tsc_offset(l, 5000);
    uint64_t guest_now = vm_now_tsc(&f.vm) + 5000;
    lapic_set_tsc_deadline(l, guest_now + 100); /* the mode is not chosen: nothing happens */
    assert_int_equal(l->deadline_tsc, 0);
    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 2u << 17 | 0xec));
    lapic_set_tsc_deadline(l, guest_now + 1000);
    assert_int_equal(l->deadline_tsc, vm_now_tsc(&f.vm) + 1000);
    assert_int_equal(lapic_tsc_deadline(l), guest_now + 1000);
    lapic_timer_expire(l, vm_now_tsc(&f.vm) + 999);
    assert_int_equal(lapic_pending(l), -1);
    lapic_timer_expire(l, vm_now_tsc(&f.vm) + 1000);
    assert_int_equal(lapic_pending(l), 0xec);
    assert_int_equal(lapic_tsc_deadline(l), 0);
    lapic_accept(l, 0xec);
    lapic_eoi(l);
    lapic_set_tsc_deadline(l, guest_now); /* already past: at once */
    assert_int_equal(lapic_pending(l), 0xec);
    lapic_set_tsc_deadline(l, guest_now + 10);
    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 0xec)); /* another mode disarms */
    assert_int_equal(l->deadline_tsc, 0);
    vmm_fake_free(&f);
}

/* The timer counts the guest's TSC, whatever rate that has. */
static void scaled(void **state)
{
    struct lapic *l = start(1);
    (void)state;
    vmm_fake_tsc(&f, 500); /* a quarter of the host's */
    lapic_set_tsc_offset(l, 5000);
    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 2u << 17 | 0x40));
    lapic_set_tsc_deadline(l, vm_now_tsc(&f.vm) + 5000 + 1000);
    f.now_ns += 1998; /* a ns before */
    lapic_timer_expire(l, vm_now_tsc(&f.vm));
    assert_int_equal(lapic_pending(l), -1);
    f.now_ns += 4;
    lapic_timer_expire(l, vm_now_tsc(&f.vm));
    assert_int_equal(lapic_pending(l), 0x40);
    assert_true(lapic_msr_write(l, LAPIC_TIMER_DIVIDE, 0xb)); /* by 1 */
    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 0x41));
    assert_true(lapic_msr_write(l, LAPIC_TIMER_INITIAL, 1000));
    f.now_ns += 1000;
    uint64_t left = rd(l, LAPIC_TIMER_CURRENT);
    assert_true(left >= 499 && left <= 501);
    f.now_ns += 1002;
    lapic_timer_expire(l, vm_now_tsc(&f.vm));
    assert_int_equal(lapic_pending(l), 0x41);
    vmm_fake_free(&f);
}

static void one_shot_and_periodic(void **state)
{
    struct lapic *l = start(1);
    (void)state;
    assert_true(lapic_msr_write(l, LAPIC_TIMER_DIVIDE, 3)); /* by 16 */
    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 0x30));
    assert_true(lapic_msr_write(l, LAPIC_TIMER_INITIAL, 1000));
    assert_int_equal(l->deadline_tsc, vm_now_tsc(&f.vm) + 16000);
    f.now_ns += 4000; /* 8000 ticks of the TSC */
    assert_int_equal(rd(l, LAPIC_TIMER_CURRENT), 500);
    f.now_ns += 4000;
    lapic_timer_expire(l, vm_now_tsc(&f.vm));
    assert_int_equal(lapic_pending(l), 0x30);
    assert_int_equal(l->deadline_tsc, 0);
    assert_int_equal(rd(l, LAPIC_TIMER_CURRENT), 0);

    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 1u << 17 | 0x31));
    assert_true(lapic_msr_write(l, LAPIC_TIMER_INITIAL, 1000));
    uint64_t first = l->deadline_tsc;
    lapic_timer_expire(l, first + 5);
    assert_int_equal(l->deadline_tsc, first + 16000);
    lapic_timer_expire(l, first + 3 * 16000 + 7); /* late by two periods: the phase stays */
    assert_int_equal(l->deadline_tsc, first + 4 * 16000);
    assert_true(lapic_msr_write(l, LAPIC_TIMER_INITIAL, 0));
    assert_int_equal(l->deadline_tsc, 0);
    assert_true(lapic_msr_write(l, LAPIC_TIMER_INITIAL, 1)); /* no faster than the VMM can bear */
    assert_true(l->deadline_tsc - vm_now_tsc(&f.vm) >= 1000);
    vmm_fake_free(&f);
}

static void ipis(void **state)
{
    struct lapic *l = start(3);
    struct lapic *other = &f.platform.lapics[1], *third = &f.platform.lapics[2];
    (void)state;
    assert_true(lapic_msr_write(l, LAPIC_ICR, 1ull << 32 | 0x77));
    assert_int_equal(lapic_pending(other), 0x77);
    assert_int_equal(lapic_pending(l), -1);
    assert_int_equal(f.kicks[1], 1);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 4ull << 32 | 1u << 11 | 0x78)); /* logical: CPU 2 */
    assert_int_equal(lapic_pending(third), 0x78);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 3u << 18 | 0x79)); /* all but self */
    assert_int_equal(lapic_pending(other), 0x79);
    assert_int_equal(lapic_pending(l), -1);
    assert_true(lapic_msr_write(l, LAPIC_SELF_IPI, 0x7a));
    assert_int_equal(lapic_pending(l), 0x7a);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 1ull << 32 | LAPIC_NMI << 8));
    assert_true(other->nmi_pending);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 2ull << 32 | LAPIC_SIPI << 8 | 0x9a));
    assert_false(third->sipi_pending); /* it runs: nothing to start */
    assert_true(lapic_msr_write(l, LAPIC_ICR, 2ull << 32 | LAPIC_INIT << 8 | 1u << 14));
    assert_true(lapic_msr_write(l, LAPIC_ICR, 2ull << 32 | LAPIC_SIPI << 8 | 0x9a));
    vcpu_prepare(&f.cpus[2]);
    assert_int_equal(f.pages[2].seg[LEAT_CS].base, 0x9a000);
    assert_int_equal(f.pages[2].rip, 0);
    assert_int_equal(f.pages[2].halted, 0);
    vmm_fake_free(&f);
}

static void destinations(void **state)
{
    struct lapic *l = start(16), *last = &f.platform.lapics[15];
    (void)state;
    assert_int_equal(rd(last, LAPIC_LDR), 1u << 15); /* cluster 0, CPU 15 of it */
    assert_true(lapic_msr_write(l, LAPIC_ICR, 0x8001ull << 32 | 1u << 11 | 0x40));
    assert_int_equal(lapic_pending(l), 0x40);
    assert_int_equal(lapic_pending(last), 0x40);
    assert_int_equal(lapic_pending(&f.platform.lapics[1]), -1);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 0x18001ull << 32 | 1u << 11 | 0x50)); /* cluster 1 */
    assert_int_equal(lapic_pending(last), 0x40);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 2u << 18 | 0x60));            /* all */
    assert_true(lapic_msr_write(l, LAPIC_ICR, 0xffffffffull << 32 | 0x70)); /* everybody */
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(f.platform.lapics[i].irr.words[1],
                         1ull << 0x30 | 1ull << 0x20 | (i % 15 ? 0 : 1));
    irq_send_msi(&f.vm, 0xfee0f000, 0x81); /* an MSI to the last CPU */
    assert_int_equal(lapic_pending(last), 0x81);
    ioapic_write(&f.platform.ioapic, 0, 4, 0x10 + 2 * 5 + 1);
    ioapic_write(&f.platform.ioapic, 0x10, 4, 14u << 24);
    ioapic_write(&f.platform.ioapic, 0, 4, 0x10 + 2 * 5);
    ioapic_write(&f.platform.ioapic, 0x10, 4, 0x91);
    irq_set_line(&f.vm, 5, true); /* the IO-APIC to the last but one */
    assert_int_equal(lapic_pending(&f.platform.lapics[14]), 0x91);
    vmm_fake_free(&f);
}

static void lowest_priority(void **state)
{
    struct lapic *l = start(3);
    (void)state;
    assert_true(lapic_msr_write(&f.platform.lapics[1], LAPIC_TPR, 0x80));
    for (unsigned i = 0; i < 4; i++) /* takes turns between those that have nothing better to do */
        irq_send_msi(&f.vm, 0xfee00000 | 0xff000 | 8, 0x40 + i);
    assert_int_equal(lapic_highest(&f.platform.lapics[1].irr), -1);
    assert_int_equal(l->irr.words[1] | f.platform.lapics[2].irr.words[1], 0xf);
    assert_int_equal(__builtin_popcountll(l->irr.words[1]), 2);
    vmm_fake_free(&f);
}

static void errors_are_told(void **state)
{
    struct lapic *l = start(2);
    (void)state;
    assert_true(lapic_msr_write(l, LAPIC_LVT_ERROR, 0xfe));
    assert_true(lapic_msr_write(l, LAPIC_ICR, 1ull << 32 | 7)); /* no such vector */
    assert_int_equal(lapic_pending(l), 0xfe);
    assert_int_equal(lapic_pending(&f.platform.lapics[1]), -1);
    assert_true(lapic_msr_write(l, LAPIC_ESR, 0));
    assert_int_equal(rd(l, LAPIC_ESR), LAPIC_ERROR_SEND_VECTOR);
    assert_true(lapic_msr_write(l, LAPIC_LVT_ERROR, 3)); /* its own vector is none either */
    assert_true(lapic_msr_write(l, LAPIC_SELF_IPI, 9));
    assert_true(lapic_msr_write(l, LAPIC_ESR, 0));
    assert_int_equal(rd(l, LAPIC_ESR), LAPIC_ERROR_SEND_VECTOR);
    vmm_fake_free(&f);
}

static void bad_accesses(void **state)
{
    struct lapic *l = start(1);
    uint64_t v;
    (void)state;
    assert_false(lapic_msr_write(l, LAPIC_ID, 1));
    assert_false(lapic_msr_write(l, LAPIC_EOI, 1));
    assert_false(lapic_msr_write(l, LAPIC_TPR, 1ull << 32));
    assert_false(lapic_msr_write(l, LAPIC_DFR, 0));
    assert_false(lapic_msr_read(l, LAPIC_EOI, &v));
    assert_false(lapic_msr_read(l, LAPIC_ICR_HIGH, &v));
    assert_false(lapic_msr_read(l, 0xff, &v));
    assert_false(lapic_set_base(l, LAYOUT_LAPIC | LAPIC_BASE_ENABLE)); /* x2APIC back to xAPIC */
    assert_false(lapic_set_base(l, 0x1000 | LAPIC_BASE_ENABLE));
    assert_true(lapic_set_base(l, LAYOUT_LAPIC));
    assert_false(lapic_msr_read(l, LAPIC_ID, &v));
    lapic_receive(l, LAPIC_FIXED, 0x50, false);
    assert_int_equal(lapic_pending(l), -1); /* switched off: nothing arrives */
    vmm_fake_free(&f);
}

static void xapic_mmio(void **state)
{
    (void)state;
    vmm_fake_init(&f, 2);
    struct lapic *l = &f.platform.lapics[1];
    assert_int_equal(lapic_mmio_read(l, 0x20, 4), 1u << 24);
    assert_int_equal(lapic_mmio_read(l, 0x30, 4), 0x50014);
    lapic_mmio_write(l, 0xf0, 4, SVR_ON);
    lapic_mmio_write(l, 0xd0, 4, 0x02000000);
    assert_true(lapic_matches(l, 2, true));
    assert_false(lapic_matches(l, 1, true));
    assert_true(lapic_matches(l, 1, false));
    lapic_mmio_write(l, 0xe0, 4, 0x0fffffff); /* cluster model */
    lapic_mmio_write(l, 0xd0, 4, 0x12000000);
    assert_true(lapic_matches(l, 0x12, true));
    assert_false(lapic_matches(l, 0x22, true));
    irq_send_msi(&f.vm, 0xfee00000 | 1u << 12, 0x61);
    assert_int_equal(lapic_pending(l), 0x61);
    irq_send_msi(&f.vm, 0xfed00000 | 1u << 12, 0x62);
    irq_send_msi(&f.vm, 0xfee00000 | 1u << 12, LAPIC_INIT << 8);
    assert_int_equal(lapic_pending(l), 0x61);
    assert_false(l->init_pending);
    lapic_mmio_write(l, 0xf0, 4, 0xff); /* software disable masks the LVTs */
    assert_true(l->lvt[0] & 1u << 16);
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(priorities),
        cmocka_unit_test(tsc_deadline),
        cmocka_unit_test(scaled),
        cmocka_unit_test(one_shot_and_periodic),
        cmocka_unit_test(ipis),
        cmocka_unit_test(destinations),
        cmocka_unit_test(lowest_priority),
        cmocka_unit_test(errors_are_told),
        cmocka_unit_test(bad_accesses),
        cmocka_unit_test(xapic_mmio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
