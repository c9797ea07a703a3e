// SPDX-License-Identifier: BSD-2-Clause
/*
 * The way into the guest: INIT and SIPI, the interrupt to take, the deadline, and the kicks by which
 * others make a vCPU come out.
 *
 * Who has something for a vCPU writes it down, then looks whether the vCPU is in the guest
 * (cpu->run is odd), and kicks. The vCPU says that it goes in (run becomes odd), then looks at what
 * was written down. Both have a full fence in between, so one of the two sees the other. The requests of a virtual APIC
 * (lapic_virtual.c) go the same way, but it is the kernel that looks at them, and no vCPU comes out for them.
 */
#include "vmm/cpu/vcpu.h"
#include "vmm/platform/platform.h"

bool vcpu_kick_begin(const struct vcpu *cpu, uint32_t *run)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    *run = __atomic_load_n(&cpu->run, __ATOMIC_ACQUIRE);
    return (*run & 1) && __atomic_load_n(&cpu->kicked, __ATOMIC_ACQUIRE) != *run;
}

void vcpu_kick_end(struct vcpu *cpu, uint32_t run)
{
    __atomic_store_n(&cpu->kicked, run, __ATOMIC_RELEASE);
}

static void go_in(struct vcpu *cpu)
{
    lapic_hold(cpu->lapic, -1);
    __atomic_store_n(&cpu->run, cpu->run + 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (cpu->page->apic_on || cpu->lapic->is_virtual)
        lapic_virtual_prepare(cpu->lapic, cpu->page);
}

static void stay_out(struct vcpu *cpu)
{
    __atomic_store_n(&cpu->run, cpu->run + 1, __ATOMIC_RELEASE);
}

/* SDM vol. 3, 9.4.4. The boot processor, for which INIT leads to the firmware that is not there,
 * begins again with the whole machine. */
static void take_init_sipi(struct vcpu *cpu)
{
    struct lapic *l = cpu->lapic;
    if (l->init_pending && cpu->index == 0) {
        l->init_pending = false;
        vm_stop(cpu->vm, VM_END_RESET, "INIT was sent to its first CPU");
        return;
    }
    if (l->init_pending) {
        bool had_sipi = l->sipi_pending;
        lapic_reset(l);
        l->sipi_pending = had_sipi;
        vcpu_init_signal(cpu);
    }
    if (l->wait_for_sipi && l->sipi_pending) {
        struct leat_segment *cs = &cpu->page->seg[LEAT_CS];
        l->wait_for_sipi = l->sipi_pending = false;
        cs->selector = (uint16_t)(l->sipi_vector << 8);
        cs->base = (uint64_t)l->sipi_vector << 12;
        cpu->page->rip = 0;
        cpu->page->halted = 0;
        cpu->page->dirty = LEAT_VCPU_ALL;
    }
}

static void ask_interrupt(struct vcpu *cpu, int vector, bool from_pic)
{
    struct leat_vcpu *page = cpu->page;
    lapic_hold(cpu->lapic, from_pic ? -1 : vector);
    cpu->asked_vector = vector;
    cpu->asked_from_pic = from_pic;
    page->irq_vector = vector;
    /* after a vector of a local APIC the next one waits for an EOI, which exits; the 8259's has no
       such hold on the APIC's vectors */
    page->report_injected = from_pic && lapic_pending(cpu->lapic) >= 0;
}

/* The kernel keeps an NMI back as long as the guest cannot take one. */
static void ask_nmi(struct vcpu *cpu)
{
    struct lapic *l = cpu->lapic;
    if (!__atomic_load_n(&l->nmi_pending, __ATOMIC_ACQUIRE) ||
        (cpu->page->event & LEAT_EVENT_VALID))
        return;
    __atomic_store_n(&l->nmi_pending, false, __ATOMIC_RELAXED);
    cpu->page->event = LEAT_EVENT(LEAT_EVENT_NMI, 2);
}

static uint64_t earlier(uint64_t a, uint64_t b) /* 0: never */
{
    return !a || (b && b < a) ? b : a;
}

/* The division is saved where the deadline has not moved. */
static uint64_t host_deadline(struct vcpu *cpu, uint64_t deadline)
{
    if (deadline != cpu->deadline_tsc) {
        cpu->deadline_tsc = deadline;
        cpu->deadline_host = tsc_to_host(&cpu->vm->tsc, deadline);
    }
    return cpu->deadline_host;
}

static void fill_orders(struct vcpu *cpu, int vector, bool from_pic)
{
    uint64_t timers = __atomic_load_n(&cpu->timers_tsc, __ATOMIC_RELAXED);
    ask_interrupt(cpu, vector, from_pic);
    ask_nmi(cpu);
    cpu->page->deadline_tsc = host_deadline(cpu, earlier(cpu->lapic->deadline_tsc, timers));
}

void vcpu_prepare(struct vcpu *cpu)
{
    struct lapic *l = cpu->lapic;
    if (l->init_pending || l->sipi_pending)
        take_init_sipi(cpu);
    go_in(cpu);
    if (l->wait_for_sipi) { /* halted without a deadline, until a kick */
        cpu->page->irq_vector = cpu->asked_vector = -1;
        cpu->asked_from_pic = false;
        cpu->page->deadline_tsc = 0;
        return;
    }
    bool from_pic;
    int vector = platform_pending(cpu->vm, cpu->index, &from_pic);
    fill_orders(cpu, vector, from_pic);
}

/* What others change under the lock only is looked at; the rest is the vCPU's own. */
static bool needs_lock(const struct vcpu *cpu)
{
    const struct lapic *l = cpu->lapic;
    return __atomic_load_n(&l->init_pending, __ATOMIC_RELAXED) ||
           __atomic_load_n(&l->sipi_pending, __ATOMIC_RELAXED) || l->wait_for_sipi ||
           (lapic_takes_extint(l) && pic_is_pending(&cpu->vm->platform->pic)) ||
           __atomic_load_n(&cpu->vm->end, __ATOMIC_RELAXED) != VM_END_NONE;
}

bool vcpu_prepare_alone(struct vcpu *cpu)
{
    go_in(cpu);
    if (needs_lock(cpu)) {
        stay_out(cpu);
        return false;
    }
    fill_orders(cpu, lapic_pending(cpu->lapic), false);
    return true;
}

/* Its interrupt is booked, if it was taken; false: by the lock only. */
static bool come_out_alone(struct vcpu *cpu)
{
    bool is_taken = cpu->asked_vector >= 0 && cpu->page->irq_vector < 0;
    if (cpu->asked_from_pic || !vcpu_in_guest(cpu))
        return false;
    stay_out(cpu);
    if (is_taken)
        lapic_accept(cpu->lapic, (uint8_t)cpu->asked_vector);
    cpu->asked_vector = -1;
    return true;
}

static bool is_vm_timer_due(const struct vcpu *cpu, uint64_t now)
{
    uint64_t due = __atomic_load_n(&cpu->timers_tsc, __ATOMIC_RELAXED);
    return due && due <= now;
}

bool vcpu_handle_alone(struct vcpu *cpu, int64_t exit)
{
    uint64_t now;
    if (!come_out_alone(cpu))
        return false;
    switch (exit) {
    case LEAT_EXIT_KICK:
        return true;
    case LEAT_EXIT_DEADLINE:
        now = vm_now_tsc(cpu->vm);
        if (is_vm_timer_due(cpu, now))
            return false;
        lapic_timer_expire(cpu->lapic, now);
        return true;
    case LEAT_EXIT_CR8:
        exit_cr8(cpu);
        return true;
    case LEAT_EXIT_MSR_WRITE:
        return exit_msr_write_alone(cpu);
    default:
        return false;
    }
}
