// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/cpu/vcpu.h"

#include <string.h>

#include "vmm/platform/platform.h"

#define LOG_BUDGET 64
#define VECTOR_UD 6
#define VECTOR_GP 13
#define VECTOR_PF 14
#define CR0_ET (1ull << 4)
#define CR0_CACHE_OFF (3ull << 29) /* CD, NW */
#define BLOCKED_UNTIL_NEXT (LEAT_BLOCKED_BY_STI | LEAT_BLOCKED_BY_MOV_SS)

void vcpu_init(struct vcpu *cpu, struct vm *vm, unsigned index, struct leat_vcpu *page)
{
    memset(cpu, 0, sizeof(*cpu));
    cpu->vm = vm;
    cpu->index = index;
    cpu->page = page;
    cpu->lapic = &vm->platform->lapics[index];
    cpu->log_budget = LOG_BUDGET;
    vcpu_reset(cpu);
}

static struct leat_segment segment(uint16_t selector, uint64_t base, uint32_t limit,
                                   uint32_t access)
{
    return (struct leat_segment){
        .selector = selector, .access = access, .limit = limit, .base = base};
}

/* What power-on and INIT have in common: SDM vol. 3, table 10-1. */
static void begin_again(struct vcpu *cpu, uint64_t cr0_kept)
{
    struct leat_vcpu *p = cpu->page;
    memset(p->gpr, 0, sizeof(p->gpr));
    p->gpr[LEAT_RDX] = 0x600;
    p->rip = 0xfff0;
    p->rflags = 2;
    p->interruptibility = 0;
    p->cr0 = CR0_ET | cr0_kept;
    p->cr2 = p->cr3 = p->cr4 = p->efer = 0;
    for (unsigned i = LEAT_ES; i <= LEAT_GS; i++)
        p->seg[i] = segment(0, 0, 0xffff, 0x93);
    p->seg[LEAT_CS] = segment(0xf000, 0xffff0000, 0xffff, 0x9b);
    p->seg[LEAT_LDTR] = segment(0, 0, 0xffff, 0x82);
    p->seg[LEAT_TR] = segment(0, 0, 0xffff, 0x8b);
    p->seg[LEAT_GDTR] = p->seg[LEAT_IDTR] = segment(0, 0, 0xffff, 0);
    p->dr7 = 0x400;
    p->dirty = p->valid = LEAT_VCPU_ALL;
    p->event = 0;
    p->irq_vector = cpu->asked_vector = -1;
    p->halted = cpu->lapic->wait_for_sipi;
}

void vcpu_reset(struct vcpu *cpu)
{
    struct leat_vcpu *p = cpu->page;
    p->star = p->lstar = p->cstar = p->sfmask = p->kernel_gs_base = 0;
    p->sysenter_cs = p->sysenter_esp = p->sysenter_eip = 0;
    p->pat = 0x0007040600070406; /* SDM vol. 3, table 12-12 */
    p->tsc_offset = cpu->lapic->tsc_offset;
    p->xcr0 = 1;
    begin_again(cpu, CR0_CACHE_OFF);
    cpu->clock_msr = 0;
    msr_reset(&cpu->msrs);
}

void vcpu_init_signal(struct vcpu *cpu)
{
    vcpu_sync(cpu, LEAT_VCPU_ALL); /* MSRs, the TSC and XCR0 stay */
    begin_again(cpu, cpu->page->cr0 & CR0_CACHE_OFF);
}

void vcpu_skip(struct vcpu *cpu, uint64_t next_rip)
{
    struct leat_vcpu *page = cpu->page;
    page->rip = next_rip;
    page->interruptibility &= ~(uint32_t)BLOCKED_UNTIL_NEXT;
    page->dirty |= LEAT_VCPU_RIP;
}

static void inject(struct vcpu *cpu, uint32_t vector, bool has_error, uint32_t error)
{
    if ((cpu->page->event & LEAT_EVENT_VALID) && (cpu->page->event >> 8 & 7) == LEAT_EVENT_NMI)
        cpu->lapic->nmi_pending = true; /* it has not got through yet, and waits */
    cpu->page->event =
        LEAT_EVENT(LEAT_EVENT_EXCEPTION, vector) | (has_error ? LEAT_EVENT_HAS_ERROR : 0);
    cpu->page->event_error = error;
}

void vcpu_inject_gp(struct vcpu *cpu)
{
    inject(cpu, VECTOR_GP, true, 0);
}
void vcpu_inject_ud(struct vcpu *cpu)
{
    inject(cpu, VECTOR_UD, false, 0);
}

void vcpu_inject_pf(struct vcpu *cpu, uint64_t address, uint32_t error)
{
    cpu->page->cr2 = address;
    cpu->page->dirty |= LEAT_VCPU_CR;
    inject(cpu, VECTOR_PF, true, error);
}

bool vcpu_may_log(struct vcpu *cpu)
{
    if (!cpu->log_budget)
        return false;
    cpu->log_budget--;
    return true;
}

static void exit_nothing(struct vcpu *cpu)
{
    (void)cpu;
}

static void exit_deadline(struct vcpu *cpu)
{
    uint64_t now = vm_now_tsc(cpu->vm);
    lapic_timer_expire(cpu->lapic, now);
    if (!cpu->timers_tsc || cpu->timers_tsc > now)
        return;
    /* the clock in ns may be a tick behind the TSC that the deadline was computed for */
    uint64_t now_ns = vm_now_ns(cpu->vm), due_ns = cpu->vm->timers.earliest_ns;
    vm_timers_run(&cpu->vm->timers, now_ns > due_ns ? now_ns : due_ns);
}

/* No hypercall is offered: what an unknown one answers on KVM, whose signature the guest sees. */
static void exit_hypercall(struct vcpu *cpu)
{
    const uint64_t enosys = (uint64_t)-1000;
    cpu->page->gpr[LEAT_RAX] = enosys;
    cpu->page->dirty |= LEAT_VCPU_GPR;
    vcpu_skip(cpu, cpu->page->next_rip);
}

/* CR8 is bits 7:4 of the TPR: SDM vol. 3, 11.8.6 */
void exit_cr8(struct vcpu *cpu)
{
    struct leat_vcpu *page = cpu->page;
    const struct leat_exit_cr8 cr8 = page->detail.cr8;
    uint64_t *reg = &page->gpr[cr8.gpr & 15];
    if (!cr8.is_read && *reg > 15) {
        vcpu_inject_gp(cpu);
        return;
    }
    if (cr8.is_read) {
        *reg = cpu->lapic->tpr >> 4;
        page->dirty |= LEAT_VCPU_GPR;
    } else {
        cpu->lapic->tpr = (uint32_t)*reg << 4;
    }
    vcpu_skip(cpu, page->next_rip);
}

static void exit_eoi(struct vcpu *cpu)
{
    lapic_virtual_eoi(cpu->lapic, cpu->page->detail.eoi.vector);
}

static void exit_triple_fault(struct vcpu *cpu)
{
    vcpu_report(cpu, "triple fault");
    vm_stop(cpu->vm, VM_END_CRASH, "triple fault");
}

static void exit_invalid(struct vcpu *cpu)
{
    vcpu_report(cpu, "the CPU refused its state");
    vm_stop(cpu->vm, VM_END_CRASH, "the CPU refused the state of a vCPU");
}

static void exit_unhandled(struct vcpu *cpu)
{
    if (vcpu_may_log(cpu)) /* one line: a guest can do this as often as it likes */
        vm_log(
            cpu->vm,
            "vCPU %u: the instruction at RIP 0x%llx (exit reason %u) is not offered; #UD given to "
            "the guest",
            cpu->index, (unsigned long long)cpu->page->rip,
            (unsigned)cpu->page->detail.unhandled.reason);
    vcpu_inject_ud(cpu);
}

void vcpu_handle_exit(struct vcpu *cpu, int64_t exit)
{
    static void (*const handlers[LEAT_EXIT_COUNT])(struct vcpu *) = {
        [LEAT_EXIT_KICK] = exit_nothing,
        [LEAT_EXIT_DEADLINE] = exit_deadline,
        [LEAT_EXIT_IO] = exit_io,
        [LEAT_EXIT_MMIO] = exit_mmio,
        [LEAT_EXIT_MSR_READ] = exit_msr_read,
        [LEAT_EXIT_MSR_WRITE] = exit_msr_write,
        [LEAT_EXIT_HYPERCALL] = exit_hypercall,
        [LEAT_EXIT_CR8] = exit_cr8,
        [LEAT_EXIT_IRQ_WINDOW] = exit_nothing,
        [LEAT_EXIT_TRIPLE_FAULT] = exit_triple_fault,
        [LEAT_EXIT_INVALID] = exit_invalid,
        [LEAT_EXIT_UNHANDLED] = exit_unhandled,
        [LEAT_EXIT_EOI] = exit_eoi,
    };
    if (vcpu_in_guest(cpu)) /* and not come out already by vcpu_handle_alone */
        __atomic_store_n(&cpu->run, cpu->run + 1, __ATOMIC_RELEASE);
    if (cpu->asked_vector >= 0 && cpu->page->irq_vector < 0)
        platform_accept(cpu->vm, cpu->index, (uint8_t)cpu->asked_vector, cpu->asked_from_pic);
    cpu->asked_vector = -1;
    if (exit >= 0 && exit < LEAT_EXIT_COUNT) {
        handlers[exit](cpu);
        return;
    }
    vcpu_report(cpu, "the kernel refused to run it");
    vm_stop(cpu->vm, VM_END_CRASH, "the kernel refused to run a vCPU");
}
