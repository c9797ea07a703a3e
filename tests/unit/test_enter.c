// SPDX-License-Identifier: BSD-2-Clause
/* The way into the guest and out: kicks that are not lost and not sent for nothing, exits that need no
 * lock, INIT and SIPI, and the states of several vCPUs. */
#include "irq_senders.h"
#include "vmm_fake.h"

#include "vmm/irq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct vmm_fake f;

static struct lapic *start(unsigned cpus)
{
    vmm_fake_init(&f, cpus);
    assert_true(vmm_fake_run_cpus(&f, cpus));
    for (unsigned i = 0; i < cpus; i++) {
        f.pages[i].halted = 0;
        f.pages[i].rip = 0x1000;
        f.pages[i].next_rip = 0x1002;
    }
    memset(f.kicks, 0, sizeof(f.kicks));
    return &f.platform.lapics[0];
}

static bool write_alone(unsigned cpu, uint32_t reg, uint64_t value)
{
    struct leat_vcpu *p = &f.pages[cpu];
    p->next_rip = p->rip + 2;
    p->detail.msr = (struct leat_exit_msr){.index = 0x800 + reg, .value = value};
    return vcpu_handle_alone(&f.cpus[cpu], LEAT_EXIT_MSR_WRITE);
}

static void kicks_once_a_run(void **state)
{
    struct vcpu *cpu = &f.cpus[0];
    uint32_t run;
    (void)state;
    start(1);
    assert_false(vcpu_kick_begin(cpu, &run)); /* it is out and will look */
    vcpu_prepare(cpu);
    assert_true(vcpu_kick_begin(cpu, &run));
    assert_true(vcpu_kick_begin(cpu, &run)); /* the first one's system call may not be over */
    vcpu_kick_end(cpu, run);
    assert_false(vcpu_kick_begin(cpu, &run));
    assert_true(vcpu_handle_alone(cpu, LEAT_EXIT_KICK));
    assert_false(vcpu_kick_begin(cpu, &run));
    assert_true(vcpu_prepare_alone(cpu));
    assert_true(vcpu_kick_begin(cpu, &run));
    vcpu_kick_end(cpu, run - 2); /* a kick of the run before that ends late counts for nothing */
    assert_true(vcpu_kick_begin(cpu, &run));
    vmm_fake_free(&f);
}

static void held_vectors_kick_nobody(void **state)
{
    struct lapic *l = start(2);
    (void)state;
    lapic_receive(&f.platform.lapics[1], LAPIC_FIXED, 0x55, false);
    assert_int_equal(f.kicks[1], 1);
    vcpu_prepare(&f.cpus[1]); /* 0x55 is asked for */
    assert_true(lapic_msr_write(l, LAPIC_ICR, 1ull << 32 | 0x51));
    assert_int_equal(f.kicks[1], 1); /* the same class: it waits for 0x55's EOI */
    assert_true(lapic_msr_write(l, LAPIC_ICR, 1ull << 32 | 0x61));
    assert_int_equal(f.kicks[1], 2);
    f.pages[1].irq_vector = -1; /* taken */
    assert_true(vcpu_handle_alone(&f.cpus[1], LEAT_EXIT_KICK));
    assert_true(vcpu_prepare_alone(&f.cpus[1]));
    assert_int_equal(f.pages[1].irq_vector, 0x61);
    f.pages[1].irq_vector = -1;
    assert_true(write_alone(1, LAPIC_EOI, 0)); /* of 0x61 */
    assert_int_equal(lapic_highest(&f.platform.lapics[1].isr), 0x55);
    assert_true(vcpu_prepare_alone(&f.cpus[1]));
    assert_int_equal(f.pages[1].irq_vector, -1); /* 0x51 waits */
    assert_true(write_alone(1, LAPIC_EOI, 0));
    assert_true(vcpu_prepare_alone(&f.cpus[1]));
    assert_int_equal(f.pages[1].irq_vector, 0x51);
    assert_true(write_alone(1, LAPIC_TPR, 0x70));
    assert_true(vcpu_prepare_alone(&f.cpus[1]));
    assert_int_equal(f.pages[1].irq_vector, -1);
    lapic_receive(&f.platform.lapics[1], LAPIC_FIXED, 0x62, false);
    assert_int_equal(f.kicks[1], 2);
    vmm_fake_free(&f);
}

static void alone_or_with_the_lock(void **state)
{
    struct lapic *l = start(2);
    struct vcpu *cpu = &f.cpus[0];
    uint64_t rip;
    (void)state;
    vcpu_prepare(cpu);
    assert_true(write_alone(0, LAPIC_ICR, 1ull << 32 | 0x41));
    assert_int_equal(f.pages[0].rip, 0x1002);
    assert_int_equal(lapic_pending(&f.platform.lapics[1]), 0x41);
    assert_true(vcpu_prepare_alone(cpu));
    rip = f.pages[0].rip;
    assert_false(write_alone(0, LAPIC_ICR, 1ull << 32 | LAPIC_INIT << 8));
    assert_int_equal(f.pages[0].rip, rip);
    assert_false(f.platform.lapics[1].init_pending);
    vcpu_handle_exit(cpu, LEAT_EXIT_MSR_WRITE); /* now it is done */
    assert_true(f.platform.lapics[1].init_pending);
    assert_false(vcpu_in_guest(cpu));
    vcpu_prepare(cpu);
    lapic_receive(l, LAPIC_FIXED, 0x30, true); /* a level */
    assert_true(vcpu_handle_alone(cpu, LEAT_EXIT_KICK));
    assert_true(vcpu_prepare_alone(cpu));
    f.pages[0].irq_vector = -1;
    assert_false(write_alone(0, LAPIC_EOI, 0)); /* the IO-APIC must hear of it */
    assert_int_equal(lapic_highest(&l->isr), 0x30);
    vcpu_handle_exit(cpu, LEAT_EXIT_MSR_WRITE);
    assert_int_equal(lapic_highest(&l->isr), -1);
    vcpu_prepare(cpu);
    assert_false(vcpu_handle_alone(cpu, LEAT_EXIT_IO));
    f.pages[0].detail.io = (struct leat_exit_io){.port = 0x80, .width = 1};
    vcpu_handle_exit(cpu, LEAT_EXIT_IO);
    f.vm.end = VM_END_RESET;
    assert_false(vcpu_prepare_alone(cpu)); /* it must park */
    assert_false(vcpu_in_guest(cpu));
    vmm_fake_free(&f);
}

static void own_timer_alone(void **state)
{
    struct vcpu *cpu = &f.cpus[0];
    struct lapic *l = start(1);
    (void)state;
    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 2u << 17 | 0xec));
    vcpu_prepare(cpu);
    uint64_t deadline = vm_now_tsc(&f.vm) + 2000;
    f.pages[0].detail.msr = (struct leat_exit_msr){.index = 0x6e0, .value = deadline};
    assert_true(vcpu_handle_alone(cpu, LEAT_EXIT_MSR_WRITE));
    assert_true(vcpu_prepare_alone(cpu));
    assert_int_equal(f.pages[0].deadline_tsc, deadline);
    f.now_ns += 1000;
    assert_true(vcpu_handle_alone(cpu, LEAT_EXIT_DEADLINE));
    assert_true(vcpu_prepare_alone(cpu));
    assert_int_equal(f.pages[0].irq_vector, 0xec);
    assert_int_equal(f.pages[0].deadline_tsc, 0);
    f.cpus[0].timers_tsc = vm_now_tsc(&f.vm); /* a timer of the VM's is due as well */
    assert_false(vcpu_handle_alone(cpu, LEAT_EXIT_DEADLINE));
    vmm_fake_free(&f);
}

/* The kernel is told the host's tick: the first at which the guest's TSC has got there. */
static void deadline_of_a_scaled_tsc(void **state)
{
    struct vcpu *cpu = &f.cpus[0];
    struct lapic *l = start(1);
    (void)state;
    vmm_fake_tsc(&f, 3000);
    assert_true(lapic_msr_write(l, LAPIC_LVT_TIMER, 2u << 17 | 0xec));
    vcpu_prepare(cpu);
    const uint64_t host_now = f.now_ns * 2, deadline = vm_now_tsc(&f.vm) + 3000;
    f.pages[0].detail.msr = (struct leat_exit_msr){.index = 0x6e0, .value = deadline};
    assert_true(vcpu_handle_alone(cpu, LEAT_EXIT_MSR_WRITE));
    assert_true(vcpu_prepare_alone(cpu));
    uint64_t host = f.pages[0].deadline_tsc;
    assert_true(host - host_now >= 1999 && host - host_now <= 2001);
    assert_true(tsc_from_host(&f.vm.tsc, host) >= deadline);
    assert_true(tsc_from_host(&f.vm.tsc, host - 1) < deadline);
    f.pages[0].deadline_tsc = 0; /* as the kernel does; nothing else has changed */
    assert_true(vcpu_handle_alone(cpu, LEAT_EXIT_KICK));
    assert_true(vcpu_prepare_alone(cpu));
    assert_int_equal(f.pages[0].deadline_tsc, host);
    vmm_fake_free(&f);
}

static void extint_needs_the_lock(void **state)
{
    struct lapic *l = start(1);
    (void)state;
    assert_true(lapic_msr_write(l, LAPIC_LVT_LINT0, LAPIC_EXTINT << 8));
    vcpu_prepare(&f.cpus[0]);
    assert_true(vcpu_handle_alone(&f.cpus[0], LEAT_EXIT_KICK));
    assert_true(vcpu_prepare_alone(&f.cpus[0])); /* the 8259 has nothing */
    assert_true(vcpu_handle_alone(&f.cpus[0], LEAT_EXIT_KICK));
    f.platform.pic.is_pending = true;
    assert_false(vcpu_prepare_alone(&f.cpus[0]));
    vmm_fake_free(&f);
}

static void init_and_sipi(void **state)
{
    struct lapic *l = start(3), *ap = &f.platform.lapics[2];
    struct leat_vcpu *p = &f.pages[2];
    (void)state;
    p->star = 0x1234;
    p->pat = 0x0606060606060606;
    p->gpr[LEAT_RBX] = 99;
    p->efer = 0xd01;
    vcpu_prepare(&f.cpus[2]);
    assert_true(vcpu_handle_alone(&f.cpus[2], LEAT_EXIT_KICK));
    assert_true(lapic_msr_write(l, LAPIC_ICR, 2ull << 32 | LAPIC_INIT << 8 | 1u << 14));
    assert_false(vcpu_prepare_alone(&f.cpus[2]));
    vcpu_prepare(&f.cpus[2]);
    assert_true(ap->wait_for_sipi);
    assert_int_equal(p->halted, 1);
    assert_int_equal(p->deadline_tsc, 0); /* no time is spent on it */
    assert_int_equal(p->efer, 0);
    assert_int_equal(p->gpr[LEAT_RBX], 0);
    assert_int_equal(p->star, 0x1234); /* INIT leaves MSRs alone */
    assert_int_equal(p->pat, 0x0606060606060606);
    lapic_receive(ap, LAPIC_NMI, 2, false);
    vcpu_handle_exit(&f.cpus[2], LEAT_EXIT_KICK);
    vcpu_prepare(&f.cpus[2]);
    assert_int_equal(p->event, 0); /* waits with it */
    vcpu_handle_exit(&f.cpus[2], LEAT_EXIT_KICK);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 2ull << 32 | LAPIC_SIPI << 8 | 0x12));
    vcpu_prepare(&f.cpus[2]);
    assert_int_equal(p->halted, 0);
    assert_int_equal(p->seg[LEAT_CS].base, 0x12000);
    assert_int_equal(p->seg[LEAT_CS].selector, 0x1200);
    assert_int_equal(p->dirty, LEAT_VCPU_ALL);
    vcpu_handle_exit(&f.cpus[2], LEAT_EXIT_KICK);
    assert_true(lapic_msr_write(l, LAPIC_ICR, 2ull << 32 | LAPIC_SIPI << 8 | 0x55));
    vcpu_prepare(&f.cpus[2]);
    assert_int_equal(p->seg[LEAT_CS].base, 0x12000); /* a second SIPI is nothing */
    assert_true(lapic_msr_write(l, LAPIC_ICR, LAPIC_INIT << 8 | 1u << 14)); /* to the first CPU */
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(f.vm.end, VM_END_RESET);
    vmm_fake_free(&f);
}

static void nmi_is_not_lost(void **state)
{
    struct leat_vcpu *p = &f.pages[0];
    struct lapic *l = start(1);
    (void)state;
    lapic_receive(l, LAPIC_NMI, 2, false);
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(p->event, LEAT_EVENT(LEAT_EVENT_NMI, 2)); /* the kernel waits with it */
    p->detail.msr = (struct leat_exit_msr){.index = 0xdead};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MSR_READ); /* and has not got it through */
    assert_int_equal(p->event & 0x7ff, LEAT_EVENT(LEAT_EVENT_EXCEPTION, 13) & 0x7ff);
    vcpu_prepare(&f.cpus[0]);
    p->event = 0;
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_KICK);
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(p->event, LEAT_EVENT(LEAT_EVENT_NMI, 2));
    vmm_fake_free(&f);
}

/* Three threads send to one vCPU without a lock, which takes one after the other: each vector that was
 * sent is taken, and no kick is missing when the vCPU sleeps. */
static void parallel(void **state)
{
    struct leat_vcpu *p = &f.pages[0];
    (void)state;
    start(1);
    f.gates_kicks = true;
    vcpu_prepare(&f.cpus[0]);
    senders_start(f.cpus[0].lapic, 0x10, 20000);
    while (senders_go_on()) {
        int vector = p->irq_vector;
        uint32_t kicks = __atomic_load_n(&f.kicks[0], __ATOMIC_ACQUIRE);
        if (vector < 0 && !kicks)
            continue; /* asleep in the guest: only a kick ends it */
        __atomic_fetch_sub(&f.kicks[0], kicks, __ATOMIC_ACQ_REL);
        p->irq_vector = -1;
        assert_true(vcpu_handle_alone(&f.cpus[0], LEAT_EXIT_KICK));
        if (vector >= 0) {
            lapic_eoi(f.cpus[0].lapic);
            senders_taken((uint8_t)vector);
        }
        assert_true(vcpu_prepare_alone(&f.cpus[0]));
    }
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kicks_once_a_run),
        cmocka_unit_test(held_vectors_kick_nobody),
        cmocka_unit_test(alone_or_with_the_lock),
        cmocka_unit_test(own_timer_alone),
        cmocka_unit_test(deadline_of_a_scaled_tsc),
        cmocka_unit_test(extint_needs_the_lock),
        cmocka_unit_test(init_and_sipi),
        cmocka_unit_test(nmi_is_not_lost),
        cmocka_unit_test(parallel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
