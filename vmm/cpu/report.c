// SPDX-License-Identifier: BSD-2-Clause
/* What is known of a vCPU, in a few lines for people. */
#include "vmm/cpu/vcpu.h"

#define X(v) ((unsigned long long)(v))

static void report_registers(struct vcpu *cpu)
{
    const struct leat_vcpu *p = cpu->page;
    const uint64_t *r = p->gpr;
    vm_log(cpu->vm, "  RAX %016llx RBX %016llx RCX %016llx RDX %016llx", X(r[LEAT_RAX]),
           X(r[LEAT_RBX]), X(r[LEAT_RCX]), X(r[LEAT_RDX]));
    vm_log(cpu->vm, "  RSI %016llx RDI %016llx RBP %016llx RSP %016llx", X(r[LEAT_RSI]),
           X(r[LEAT_RDI]), X(r[LEAT_RBP]), X(r[LEAT_RSP]));
    vm_log(cpu->vm, "  R8  %016llx R9  %016llx R10 %016llx R11 %016llx", X(r[8]), X(r[9]), X(r[10]),
           X(r[11]));
    vm_log(cpu->vm, "  R12 %016llx R13 %016llx R14 %016llx R15 %016llx", X(r[12]), X(r[13]),
           X(r[14]), X(r[15]));
    vm_log(cpu->vm, "  CR0 %llx CR2 %llx CR3 %llx CR4 %llx EFER %llx", X(p->cr0), X(p->cr2),
           X(p->cr3), X(p->cr4), X(p->efer));
    vm_log(cpu->vm, "  CS %04x base %llx access %x, SS %04x access %x, TR %04x, IDT %llx + %x",
           p->seg[LEAT_CS].selector, X(p->seg[LEAT_CS].base), p->seg[LEAT_CS].access,
           p->seg[LEAT_SS].selector, p->seg[LEAT_SS].access, p->seg[LEAT_TR].selector,
           X(p->seg[LEAT_IDTR].base), p->seg[LEAT_IDTR].limit);
}

static void report_interrupts(struct vcpu *cpu)
{
    struct lapic *l = cpu->lapic;
    bool is_virtual = l->is_virtual;
    int irr = is_virtual ? lapic_virtual_highest(l, LAPIC_IRR) : lapic_highest(&l->irr);
    int isr = is_virtual ? lapic_virtual_highest(l, LAPIC_ISR) : lapic_highest(&l->isr);
    vm_log(cpu->vm,
           "  APIC base %llx%s: TPR %x, highest pending %d, highest in service %d; timer %s",
           X(l->base), is_virtual ? ", worked by the CPU" : "", lapic_read(l, LAPIC_TPR), irr, isr,
           l->deadline_tsc ? "armed" : "off");
}

void vcpu_report_exits(struct vcpu *cpu)
{
    const uint64_t *c = cpu->page->counts;
    vm_log(cpu->vm,
           "  exits: %llu in all, %llu to the VMM; host IRQ %llu, IRQ window %llu, CPUID %llu, HLT "
           "%llu, I/O %llu, doorbell %llu",
           X(c[LEAT_COUNT_TOTAL]), X(c[LEAT_COUNT_TO_VMM]), X(c[LEAT_COUNT_HOST_IRQ]),
           X(c[LEAT_COUNT_IRQ_WINDOW]), X(c[LEAT_COUNT_CPUID]), X(c[LEAT_COUNT_HLT]),
           X(c[LEAT_COUNT_IO]), X(c[LEAT_COUNT_DOORBELL]));
    vm_log(cpu->vm,
           "  MMIO %llu, RDMSR %llu, WRMSR %llu, CR %llu, XSETBV %llu, hypercall %llu, exception "
           "%llu, PAUSE %llu, other %llu",
           X(c[LEAT_COUNT_MMIO]), X(c[LEAT_COUNT_MSR_READ]), X(c[LEAT_COUNT_MSR_WRITE]),
           X(c[LEAT_COUNT_CR]), X(c[LEAT_COUNT_XSETBV]), X(c[LEAT_COUNT_HYPERCALL]),
           X(c[LEAT_COUNT_EXCEPTION]), X(c[LEAT_COUNT_PAUSE]), X(c[LEAT_COUNT_OTHER]));
}

void vcpu_report_brief(struct vcpu *cpu, const char *why)
{
    const struct leat_vcpu *p = cpu->page;
    const struct leat_trace_entry *last = &p->trace[(p->trace_next - 1) & 15];
    /* while the vCPU runs, what the page holds is of its last return */
    bool is_exact = !vcpu_in_guest(cpu) && vcpu_sync(cpu, LEAT_VCPU_CR | LEAT_VCPU_SEG);
    vm_log(cpu->vm, "vCPU %u: %s", cpu->index, why);
    vm_log(
        cpu->vm,
        "  RIP %llx RFLAGS %llx %s%s; last exit %u, detail %llx %llx %llx; the CPU's last exit at "
        "RIP %llx, reason %u",
        X(p->rip), X(p->rflags),
        cpu->lapic->wait_for_sipi ? "not started"
        : p->halted               ? "halted"
                                  : "running",
        is_exact ? "" : " (registers as of its last return)", p->exit, X(p->detail.raw[0]),
        X(p->detail.raw[1]), X(p->detail.raw[2]), X(last->rip), last->reason & 0xffff);
    report_interrupts(cpu);
}

void vcpu_report(struct vcpu *cpu, const char *why)
{
    const struct leat_vcpu *p = cpu->page;
    vcpu_report_brief(cpu, why);
    report_registers(cpu);
    vcpu_report_exits(cpu);
    for (unsigned i = 0; i < 16; i++) {
        const struct leat_trace_entry *t = &p->trace[(p->trace_next + i) & 15];
        if (t->rip || t->reason)
            vm_log(cpu->vm, "  exit %u before the last: reason %u, qualification %llx, RIP %llx",
                   15 - i, t->reason & 0xffff, X(t->qualification), X(t->rip));
    }
}
