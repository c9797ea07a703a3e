// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest's x2APIC worked by the CPU: SDM vol. 3, chapter 30. The registers lie in a page of the vmm's, and what others
 * request in another one; include/leat/vcpu.h is the contract. Both are written by ring 3 at any time: they are bits, from
 * which vectors are made, and no value of them can do more than interrupt this guest wrongly.
 *
 * Posted or not, a request that the guest does not see while it runs is merged here before it goes in again.
 *
 * Bochs (2.7, 3.0) has a fault: when the host's interrupt comes while one of the guest's waits for IF, it delivers the
 * guest's, IF or not. There, unless LEAT_APIC_ALL is asked for, none is left to wait in the CPU's hands (be_careful).
 */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/trap.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frame.h"

/* Register numbers: SDM vol. 3, table 11-6 */
enum { REG_TPR = 0x08, REG_EOI = 0x0b, REG_ISR = 0x10, REG_IRR = 0x20, REG_SELF_IPI = 0x3f };
#define CLASS 0xf0u /* of a vector: its priority */

void *vmx_msr_bitmap_apic;

/* vmx_msr_bitmap's layout: SDM vol. 3, 25.6.9 */
static void pass(uint32_t reg, bool is_write)
{
    uint32_t bit = MSR_X2APIC + reg;
    ((uint8_t *)vmx_msr_bitmap_apic)[(is_write ? 2048 : 0) + bit / 8] &= (uint8_t) ~(1u << bit % 8);
}

static void pass_reads(void)
{
    /* ID, VERSION, PPR; LDR, SVR ... IRR, ESR; ICR, LVT TIMER ... ERROR, initial count; divider */
    static const struct {
        uint8_t first, last;
    } known[] = {{0x02, 0x03}, {0x0a, 0x0a}, {0x0d, 0x0d}, {0x0f, 0x28},
                 {0x30, 0x30}, {0x32, 0x38}, {0x3e, 0x3e}};
    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        for (uint32_t reg = known[i].first; reg <= known[i].last; reg++)
            pass(reg, false);
}

void vmx_apic_probe(void)
{
    struct vmx_capability *c = &vmx_capability;
    const uint32_t must = CPU2_X2APIC | CPU2_VIRTUAL_INTERRUPTS;
    uint32_t cpu2 = rdmsr(MSR_VMX_CPU2) >> 32, cpu = rdmsr(MSR_VMX_TRUE_CPU) >> 32;
    if ((cpu2 & must) != must || !(cpu & CPU_TPR_SHADOW))
        return;
    vmx_msr_bitmap_apic = page_alloc();
    if (!vmx_msr_bitmap_apic)
        return;
    c->apic_cpu2 = cpu2 & (must | CPU2_APIC_REGISTERS);
    c->apic_pin = rdmsr(MSR_VMX_TRUE_PIN) >> 32 & PIN_POSTED_INTERRUPTS;
    __builtin_memcpy(vmx_msr_bitmap_apic, vmx_msr_bitmap, LEAT_PAGE_SIZE);
    pass(REG_TPR, false);
    pass(REG_TPR, true);
    pass(REG_EOI, true);
    if (!serial_is_bochs())
        pass(REG_SELF_IPI, true);
    if (c->apic_cpu2 & CPU2_APIC_REGISTERS)
        pass_reads();
}

void vmx_apic_init(struct vmx_vcpu *v)
{
    const struct vmx_capability *c = &vmx_capability;
    if (!v->base.apic_regs || !c->apic_cpu2)
        return;
    v->base.page->apic_can = LEAT_APIC_VIRTUAL |
                             (c->apic_cpu2 & CPU2_APIC_REGISTERS ? LEAT_APIC_READS : 0) |
                             (c->apic_pin ? LEAT_APIC_POSTED : 0);
    vmcs_write(VMCS_VIRTUAL_APIC, ptr_to_phys(v->base.apic_regs).raw);
    if (c->apic_pin) {
        vmcs_write(VMCS_POSTED_REQUESTS, ptr_to_phys(v->base.apic_requests).raw);
        vmcs_write(VMCS_POSTED_VECTOR, VECTOR_POSTED);
    }
}

/* The highest vector of ISR or IRR; 0: none. */
static uint32_t highest(const struct vmx_vcpu *v, unsigned first)
{
    for (unsigned i = 8; i-- > 0;) {
        uint32_t word = VCPU_READ(v->base.apic_regs[first + i].value);
        if (word)
            return i * 32 + 31 - (uint32_t)__builtin_clz(word);
    }
    return 0;
}

static void switch_on(struct vmx_vcpu *v, bool is_on, bool is_all)
{
    const struct vmx_capability *c = &vmx_capability;
    uint32_t windows = v->cpu_controls & (CPU_IRQ_WINDOW | CPU_NMI_WINDOW), cpu = c->cpu | windows;
    if (is_on)
        cpu = (cpu & ~(CPU_CR8_LOAD | CPU_CR8_STORE)) | CPU_TPR_SHADOW;
    v->apic_on = is_on;
    v->apic_careful = !is_all && serial_is_bochs();
    vmx_set_cpu_controls(v, cpu);
    uint32_t cpu2 = vmcs_read32(VMCS_CPU_CONTROLS_2) & ~c->apic_cpu2;
    vmcs_write(VMCS_CPU_CONTROLS_2, cpu2 | (is_on ? c->apic_cpu2 : 0));
    vmcs_write(VMCS_PIN_CONTROLS, c->pin | (is_on && !v->apic_careful ? c->apic_pin : 0));
    vmcs_write(VMCS_MSR_BITMAP, ptr_to_phys(is_on ? vmx_msr_bitmap_apic : vmx_msr_bitmap).raw);
}

static void set_eoi_exits(struct vmx_vcpu *v, bool are_all)
{
    v->apic_all_eois = are_all;
    for (unsigned i = 0; i < 4; i++)
        vmcs_write(VMCS_EOI_EXITS + 2 * i,
                   are_all ? UINT64_MAX : VCPU_READ(v->base.page->eoi_exits[i]));
}

void vmx_apic_load(struct vmx_vcpu *v)
{
    struct leat_vcpu *page = v->base.page;
    uint32_t wanted = VCPU_READ(page->apic_on);
    bool is_on = wanted && v->base.apic_regs && vmx_capability.apic_cpu2;
    if (is_on != v->apic_on)
        switch_on(v, is_on, wanted == LEAT_APIC_ALL);
    if (!is_on)
        return;
    set_eoi_exits(v, false);
    vmcs_write(VMCS_INTERRUPT_STATUS, highest(v, REG_ISR) << 8 | highest(v, REG_IRR));
}

static bool is_outstanding(const struct vmx_vcpu *v)
{
    return VCPU_READ(v->base.apic_requests->outstanding) & 1;
}

/* As the CPU does for VECTOR_POSTED: SDM vol. 3, 30.6 */
static __attribute__((noinline)) void merge(struct vmx_vcpu *v)
{
    struct leat_apic_requests *r = v->base.apic_requests;
    uint32_t top = 0;
    __atomic_fetch_and(&r->outstanding, ~1u, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < 8; i++) {
        uint32_t word =
            VCPU_READ(r->vectors[i]) ? __atomic_exchange_n(&r->vectors[i], 0, __ATOMIC_SEQ_CST) : 0;
        if (!word)
            continue;
        v->base.apic_regs[REG_IRR + i].value |= word;
        top = i * 32 + 31 - (uint32_t)__builtin_clz(word);
    }
    uint32_t status = vmcs_read32(VMCS_INTERRUPT_STATUS);
    if (top > (status & 0xff))
        vmcs_write(VMCS_INTERRUPT_STATUS, (status & 0xff00) | top);
}

/* Would the CPU deliver one, were interrupts on? SDM vol. 3, 30.2.1 */
bool vmx_apic_is_pending(struct vmx_vcpu *v)
{
    if (is_outstanding(v))
        merge(v);
    uint32_t status = vmcs_read32(VMCS_INTERRUPT_STATUS), requested = status & CLASS;
    return requested > (status >> 8 & CLASS) &&
           requested > (VCPU_READ(v->base.apic_regs[REG_TPR].value) & CLASS);
}

/* What can be taken is taken at the entry, or after an exit when IF is set; for what comes after it, its EOI exits. */
static void be_careful(struct vmx_vcpu *v)
{
    uint32_t top = vmcs_read32(VMCS_INTERRUPT_STATUS) & 0xff;
    bool is_next = top && vmx_apic_is_pending(v), are_more = top && !is_next;
    for (unsigned i = 0; i < 8 && is_next; i++)
        are_more |=
            VCPU_READ(v->base.apic_regs[REG_IRR + i].value) & ~(i == top / 32 ? 1u << top % 32 : 0);
    if (are_more != v->apic_all_eois)
        set_eoi_exits(v, are_more);
    if (is_next && ((vmcs_read32(VMCS_ENTRY_EVENT) & LEAT_EVENT_VALID) || !vmx_can_interrupt()))
        vmx_set_cpu_controls(v, v->cpu_controls | CPU_IRQ_WINDOW);
}

void vmx_apic_enter(struct vmx_vcpu *v)
{
    if (is_outstanding(v))
        merge(v);
    if (v->apic_careful)
        be_careful(v);
}

void vmx_apic_notify(struct percpu *cpu)
{
    apic_send(cpu->apic_id, vmx_capability.apic_pin ? VECTOR_POSTED : VECTOR_CPU);
}

/* This exit and the next come when the instruction is done. */
int vmx_exit_eoi(struct vmx_vcpu *v, uint64_t qualification)
{
    uint8_t vector = (uint8_t)qualification;
    v->base.page->detail.eoi.vector = vector;
    return VCPU_READ(v->base.page->eoi_exits[vector / 64]) >> vector % 64 & 1 ? LEAT_EXIT_EOI
                                                                              : EXIT_RESUME;
}

/* SELF_IPI with a vector below 16, which is an error that the vmm tells the guest of. */
int vmx_exit_apic_write(struct vmx_vcpu *v, uint64_t qualification)
{
    uint32_t reg = (uint32_t)qualification >> 4 & 0xff;
    v->base.page->next_rip = v->rip;
    v->base.page->detail.msr = (struct leat_exit_msr){
        .index = MSR_X2APIC + reg, .value = VCPU_READ(v->base.apic_regs[reg].value)};
    return LEAT_EXIT_MSR_WRITE;
}
