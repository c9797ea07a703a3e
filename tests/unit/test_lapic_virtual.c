// SPDX-License-Identifier: BSD-2-Clause
/* A local APIC that the CPU works: what goes into the pages and when, and requests that are never lost. The test is the
 * kernel and the CPU. */
#include "irq_senders.h"
#include "vmm_fake.h"

#include "vmm/irq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define SVR_ON 0x1ff
#define LINE 5u
#define ENTRY_LEVEL (1u << 15)
#define ENTRY_REMOTE_IRR (1ull << 14)

static struct vmm_fake f;
static struct leat_apic shared[4];

static struct lapic *begin(unsigned cpus, bool is_x2)
{
    vmm_fake_init(&f, cpus);
    memset(shared, 0, sizeof(shared));
    for (unsigned i = 0; i < cpus; i++) {
        struct lapic *l = &f.platform.lapics[i];
        l->wait_for_sipi = false;
        f.pages[i].halted = 0;
        lapic_share(l, &shared[i], LEAT_APIC_ON);
        lapic_mmio_write(l, LAPIC_SVR << 4, 4, SVR_ON);
        if (is_x2)
            assert_true(lapic_set_base(l, l->base | LAPIC_BASE_X2APIC));
    }
    return &f.platform.lapics[0];
}

static uint32_t word(const struct leat_apic *a, uint32_t base, uint8_t vector)
{
    return a->reg[base + vector / 32].value & 1u << vector % 32;
}

/* vcpu_run, as far as the pages go: requests into IRR. */
static void enter(unsigned cpu)
{
    struct leat_apic_requests *r = &shared[cpu].requests;
    f.pages[cpu].dirty = 0;
    if (!f.pages[cpu].apic_on || !(__atomic_fetch_and(&r->outstanding, ~1u, __ATOMIC_SEQ_CST) & 1))
        return;
    for (unsigned i = 0; i < 8; i++)
        shared[cpu].reg[LAPIC_IRR + i].value |=
            __atomic_exchange_n(&r->vectors[i], 0, __ATOMIC_SEQ_CST);
}

static void take(unsigned cpu, uint8_t vector)
{
    shared[cpu].reg[LAPIC_IRR + vector / 32].value &= ~(1u << vector % 32);
    shared[cpu].reg[LAPIC_ISR + vector / 32].value |= 1u << vector % 32;
}

static void end(unsigned cpu, uint8_t vector) /* EOI */
{
    shared[cpu].reg[LAPIC_ISR + vector / 32].value &= ~(1u << vector % 32);
    if (!(f.pages[cpu].eoi_exits[vector / 64] >> vector % 64 & 1))
        return;
    f.pages[cpu].detail.eoi.vector = vector;
    assert_false(
        vcpu_handle_alone(&f.cpus[cpu], LEAT_EXIT_EOI)); /* the IO-APIC is behind the lock */
    vcpu_handle_exit(&f.cpus[cpu], LEAT_EXIT_EOI);
}

/* What is pending and in service in xAPIC mode goes on in x2APIC mode. */
static void begins_as_it_was(void **state)
{
    struct lapic *l = begin(1, false);
    (void)state;
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(f.pages[0].apic_on, 0);
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_KICK);
    lapic_mmio_write(l, LAPIC_TPR << 4, 4, 0x31);
    lapic_receive(l, LAPIC_FIXED, 0x55, false);
    lapic_accept(l, 0x55);
    lapic_receive(l, LAPIC_FIXED, 0x66, false);
    assert_true(lapic_set_base(l, l->base | LAPIC_BASE_X2APIC));
    assert_int_equal(lapic_ppr(l), 0x50);
    assert_int_equal(lapic_pending(l), -1); /* the CPU's business now */
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(f.pages[0].apic_on, 1);
    assert_true(f.pages[0].dirty & LEAT_VCPU_APIC);
    assert_int_equal(f.pages[0].irq_vector, -1);
    assert_int_equal(shared[0].reg[LAPIC_TPR].value, 0x31);
    assert_int_equal(lapic_virtual_highest(l, LAPIC_ISR), 0x55);
    assert_int_equal(lapic_virtual_highest(l, LAPIC_IRR), 0x66);
    assert_int_equal(shared[0].reg[LAPIC_SVR].value, SVR_ON);
    assert_int_equal(shared[0].reg[LAPIC_LDR].value, 1);
    assert_int_equal(shared[0].reg[LAPIC_VERSION].value, 0x50014);
    enter(0);
    assert_true(vcpu_handle_alone(&f.cpus[0], LEAT_EXIT_KICK));
    assert_true(vcpu_prepare_alone(&f.cpus[0]));
    assert_int_equal(f.pages[0].dirty & LEAT_VCPU_APIC, 0); /* nothing new */
    vmm_fake_free(&f);
}

static void edges_are_posted(void **state)
{
    struct lapic *l = begin(2, true);
    (void)state;
    assert_true(lapic_msr_write(l, LAPIC_ICR, 1ull << 32 | 0x41));
    assert_int_equal(f.posts[1], 0); /* it is out */
    assert_int_equal(f.kicks[1], 0);
    vcpu_prepare(&f.cpus[1]);
    enter(1);
    assert_true(word(&shared[1], LAPIC_IRR, 0x41));
    assert_true(lapic_msr_write(l, LAPIC_ICR, 1ull << 32 | 0x51));
    assert_int_equal(f.posts[1], 1);
    irq_send_msi(&f.vm, 0xfee01000, 0x52);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 1ull << 32 | 0x51));
    assert_int_equal(f.posts[1], 1); /* one is under way */
    assert_int_equal(f.kicks[1], 0);
    enter(1); /* the notification */
    assert_true(word(&shared[1], LAPIC_IRR, 0x51) && word(&shared[1], LAPIC_IRR, 0x52));
    assert_true(lapic_msr_write(
        l, LAPIC_ICR, 1ull << 32 | 0x51)); /* of a class that is not taken: none the less */
    assert_int_equal(f.posts[1], 2);
    lapic_receive(&f.platform.lapics[1], LAPIC_NMI, 2, false);
    assert_int_equal(f.kicks[1], 1); /* only the vmm injects these */
    vmm_fake_free(&f);
}

static void set_entry(uint32_t low)
{
    ioapic_write(&f.platform.ioapic, 0, 4, 0x10 + 2 * LINE);
    ioapic_write(&f.platform.ioapic, 0x10, 4, low);
}

/* No level is taken before its EOI is known to exit. */
static void levels_come_by_an_exit(void **state)
{
    const uint64_t *entry = &f.platform.ioapic.entries[LINE];
    (void)state;
    begin(1, true);
    vcpu_prepare(&f.cpus[0]);
    enter(0);
    set_entry(ENTRY_LEVEL | 0x72);
    irq_set_line(&f.vm, LINE, true);
    assert_int_equal(f.kicks[0], 1);
    assert_int_equal(shared[0].requests.vectors[0x72 / 32], 0);
    assert_true(vcpu_handle_alone(&f.cpus[0], LEAT_EXIT_KICK));
    assert_true(vcpu_prepare_alone(&f.cpus[0]));
    assert_true(f.pages[0].dirty & LEAT_VCPU_APIC);
    assert_true(word(&shared[0], LAPIC_IRR, 0x72) && word(&shared[0], LAPIC_TMR, 0x72));
    assert_true(f.pages[0].eoi_exits[0x72 / 64] >> 0x72 % 64 & 1);
    enter(0);
    take(0, 0x72);
    assert_true(*entry & ENTRY_REMOTE_IRR);
    end(0, 0x72); /* the line is still high: again */
    assert_true(*entry & ENTRY_REMOTE_IRR);
    vcpu_prepare(&f.cpus[0]);
    assert_true(word(&shared[0], LAPIC_IRR, 0x72));
    enter(0);
    take(0, 0x72);
    irq_set_line(&f.vm, LINE, false);
    end(0, 0x72);
    assert_false(*entry & ENTRY_REMOTE_IRR);
    vcpu_prepare(&f.cpus[0]);
    set_entry(0x72); /* the vector is an edge's from now on, and its EOI nobody's business */
    irq_set_line(&f.vm, LINE, true);
    assert_true(shared[0].requests.vectors[0x72 / 32]);
    enter(0);
    take(0, 0x72);
    end(0, 0x72);
    assert_int_equal(shared[0].reg[LAPIC_IRR + 0x72 / 32].value, 0);
    vmm_fake_free(&f);
}

static void reads_see_writes(void **state)
{
    struct lapic *l = begin(2, true);
    const struct leat_apic_reg *r = shared[0].reg;
    (void)state;
    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 0x20031));
    assert_true(lapic_msr_write(l, LAPIC_TIMER_DIVIDE, 0xb));
    assert_true(lapic_msr_write(l, LAPIC_TIMER_INITIAL, 12345));
    assert_int_equal(r[LAPIC_LVT_TIMER].value, 0x20031);
    assert_int_equal(r[LAPIC_TIMER_DIVIDE].value, 0xb);
    assert_int_equal(r[LAPIC_TIMER_INITIAL].value, 12345);
    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 0x40031)); /* another mode: the count is gone */
    assert_int_equal(r[LAPIC_TIMER_INITIAL].value, 0);
    assert_true(lapic_msr_write_alone(l, LAPIC_ICR, 1ull << 32 | 0x77));
    assert_int_equal(r[LAPIC_ICR].value, 0x77);
    assert_int_equal(r[LAPIC_ICR].value_high, 1);
    assert_true(
        lapic_msr_write(l, LAPIC_SELF_IPI, 5)); /* an error, which the guest then asks for */
    assert_true(lapic_msr_write(l, LAPIC_ESR, 0));
    assert_int_equal(r[LAPIC_ESR].value, LAPIC_ERROR_SEND_VECTOR);
    assert_true(lapic_msr_write(l, LAPIC_SVR, 0xff));
    assert_int_equal(r[LAPIC_SVR].value, 0xff);
    assert_true(r[LAPIC_LVT_TIMER].value & 1u << 16);
    /* and reads that exit all the same see what the CPU has */
    shared[0].reg[LAPIC_TPR].value = 0x40;
    shared[0].reg[LAPIC_ISR + 2].value = 1;
    uint64_t value;
    assert_true(lapic_msr_read(l, LAPIC_TPR, &value) && value == 0x40);
    assert_true(lapic_msr_read(l, LAPIC_PPR, &value) && value == 0x40);
    assert_true(lapic_msr_read(l, LAPIC_ISR + 2, &value) && value == 1);
    vmm_fake_free(&f);
}

static void begins_again(void **state)
{
    struct lapic *l = begin(2, true), *ap = &f.platform.lapics[1];
    (void)state;
    vcpu_prepare(&f.cpus[1]);
    enter(1);
    take(1, 0x80);
    shared[1].reg[LAPIC_TPR].value = 0x20;
    lapic_receive(ap, LAPIC_FIXED, 0x81, false);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 1ull << 32 | LAPIC_INIT << 8 | 1u << 14));
    vcpu_handle_exit(&f.cpus[1], LEAT_EXIT_KICK);
    vcpu_prepare(&f.cpus[1]);
    assert_true(ap->wait_for_sipi && f.pages[1].apic_on); /* INIT keeps the mode */
    assert_true(f.pages[1].dirty & LEAT_VCPU_APIC);
    assert_int_equal(shared[1].requests.vectors[4], 0);
    assert_int_equal(lapic_virtual_highest(ap, LAPIC_ISR), -1);
    assert_int_equal(shared[1].reg[LAPIC_TPR].value, 0);
    assert_int_equal(shared[1].reg[LAPIC_SVR].value, 0xff);

    vcpu_prepare(&f.cpus[0]);
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_KICK);
    assert_true(lapic_set_base(l, LAYOUT_LAPIC)); /* off, and an xAPIC again */
    assert_true(lapic_set_base(l, LAYOUT_LAPIC | LAPIC_BASE_ENABLE));
    lapic_mmio_write(l, LAPIC_SVR << 4, 4, SVR_ON);
    lapic_receive(l, LAPIC_FIXED, 0x91, false);
    f.pages[0].dirty = 0;
    vcpu_prepare(&f.cpus[0]);
    assert_true(f.pages[0].dirty & LEAT_VCPU_APIC);
    assert_int_equal(f.pages[0].apic_on, 0);
    assert_int_equal(f.pages[0].irq_vector, 0x91);
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_KICK);

    vm_reset_devices(&f.vm);
    vcpu_reset(&f.cpus[1]);
    vcpu_prepare(&f.cpus[1]);
    assert_int_equal(f.pages[1].apic_on, 0);
    assert_ptr_equal(ap->shared, &shared[1]);
    vmm_fake_free(&f);
}

/* Three threads send to one vCPU that looks only when it was told to, or comes in; in between it goes out. */
static void no_request_is_lost(void **state)
{
    uint32_t posts, looks = 0;
    (void)state;
    begin(1, true);
    vcpu_prepare(&f.cpus[0]);
    enter(0);
    senders_start(f.cpus[0].lapic, 0x21, 5000);
    while (senders_go_on()) {
        posts = __atomic_load_n(&f.posts[0], __ATOMIC_ACQUIRE);
        if (posts == looks)
            continue;
        looks = posts;
        if (looks % 2) { /* it was on its way out when it was told */
            assert_true(vcpu_handle_alone(&f.cpus[0], LEAT_EXIT_KICK));
            assert_true(vcpu_prepare_alone(&f.cpus[0]));
        }
        enter(0);
        for (int v; (v = lapic_virtual_highest(f.cpus[0].lapic, LAPIC_IRR)) >= 0;) {
            take(0, (uint8_t)v);
            end(0, (uint8_t)v);
            senders_taken((uint8_t)v);
        }
    }
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_as_it_was),       cmocka_unit_test(edges_are_posted),
        cmocka_unit_test(levels_come_by_an_exit), cmocka_unit_test(reads_see_writes),
        cmocka_unit_test(begins_again),           cmocka_unit_test(no_request_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
