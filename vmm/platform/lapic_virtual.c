// SPDX-License-Identifier: BSD-2-Clause
/*
 * A local APIC that the CPU works itself. It takes interrupts from IRR and ends them without an exit, so IRR, ISR and TPR
 * lie in the pages that the CPU uses, and others send by a request bit there.
 *
 * What must be seen of an interrupt when it ends, because the IO-APIC waits for its EOI, must not be taken
 * before the kernel knows that: levels go into irr and tmr as ever, and the vCPU is made to come out. So does whoever had
 * not seen yet that the APIC is virtual. Before the next entry all that goes into the pages.
 */
#include "vmm/platform/lapic.h"

#include "vmm/platform/platform.h"
#include "vmm/vm.h"

#define WORDS 8u /* of 32 bits, in a register set */

static uint32_t word_of(const struct lapic_vectors *v, unsigned i)
{
    return (uint32_t)(__atomic_load_n(&v->words[i / 2], __ATOMIC_RELAXED) >> (i % 2 * 32));
}

static void put(struct lapic *lapic, uint32_t reg, uint32_t value)
{
    __atomic_store_n(&lapic->shared->reg[reg].value, value, __ATOMIC_RELAXED);
}

uint32_t lapic_virtual_read(const struct lapic *lapic, uint32_t reg)
{
    return __atomic_load_n(&lapic->shared->reg[reg].value, __ATOMIC_RELAXED);
}

int lapic_virtual_highest(const struct lapic *lapic, uint32_t base)
{
    for (unsigned i = WORDS; i-- > 0;) {
        uint32_t word = lapic_virtual_read(lapic, base + i);
        if (word)
            return (int)(i * 32 + 31) - __builtin_clz(word);
    }
    return -1;
}

void lapic_share(struct lapic *lapic, struct leat_apic *pages, enum leat_apic_on mode)
{
    lapic->mode = mode;
    lapic->shared = pages;
}

/* Registers that the guest reads but does not write by itself there, ICR apart */
static void mirror_all(struct lapic *lapic)
{
    static const uint8_t regs[] = {
        LAPIC_ID,        LAPIC_VERSION,       LAPIC_LDR,         LAPIC_SVR,       LAPIC_ESR,
        LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL,   LAPIC_LVT_PERF,    LAPIC_LVT_LINT0, LAPIC_LVT_LINT1,
        LAPIC_LVT_ERROR, LAPIC_TIMER_INITIAL, LAPIC_TIMER_DIVIDE};
    for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
        put(lapic, regs[i], lapic_read(lapic, regs[i]));
}

void lapic_virtual_mirror(struct lapic *lapic, uint32_t reg)
{
    if (!lapic->is_virtual || reg == LAPIC_SELF_IPI)
        return;
    if (reg != LAPIC_ICR) {
        mirror_all(lapic);
        return;
    }
    put(lapic, LAPIC_ICR, lapic->icr_low);
    lapic->shared->reg[LAPIC_ICR].value_high = lapic->icr_high;
}

void lapic_virtual_begin(struct lapic *lapic)
{
    struct leat_apic_requests *r;
    if (!lapic->shared)
        return;
    r = &lapic->shared->requests;
    for (unsigned i = 0; i < WORDS; i++) {
        __atomic_store_n(&r->vectors[i], 0, __ATOMIC_RELAXED);
        put(lapic, LAPIC_ISR + i, word_of(&lapic->isr, i));
        put(lapic, LAPIC_TMR + i, word_of(&lapic->tmr, i));
        put(lapic, LAPIC_IRR + i, 0); /* irr is merged before the entry */
    }
    put(lapic, LAPIC_TPR, lapic->tpr);
    put(lapic, LAPIC_PPR, lapic_ppr(lapic));
    lapic->is_stale = true;
    __atomic_store_n(&lapic->is_virtual, true, __ATOMIC_RELEASE);
    lapic_virtual_mirror(lapic, LAPIC_ICR);
    mirror_all(lapic);
}

void lapic_virtual_end(struct lapic *lapic)
{
    __atomic_store_n(&lapic->is_virtual, false, __ATOMIC_RELEASE);
}

/* A bit that is set already has been told of, and so has a set of bits that is outstanding: the vCPU looks at all of them
   after it has taken `outstanding` back. */
void lapic_virtual_post(struct lapic *lapic, uint8_t vector)
{
    struct leat_apic_requests *r = &lapic->shared->requests;
    uint32_t bit = 1u << vector % 32;
    if (__atomic_fetch_or(&r->vectors[vector / 32], bit, __ATOMIC_SEQ_CST) & bit)
        return;
    if (!(__atomic_fetch_or(&r->outstanding, 1, __ATOMIC_SEQ_CST) & 1))
        vm_post(lapic->vm, lapic->index);
}

/* Into the page's IRR, with their trigger modes, and those into the bitmap of the EOIs that exit. */
static void merge(struct lapic *lapic, struct leat_vcpu *page)
{
    for (unsigned i = 0; i < WORDS / 2; i++) {
        uint64_t waiting = __atomic_exchange_n(&lapic->irr.words[i], 0, __ATOMIC_ACQ_REL);
        uint64_t levels = __atomic_load_n(&lapic->tmr.words[i], __ATOMIC_RELAXED);
        for (unsigned half = 0; half < 2; half++) {
            uint32_t reg = 2 * i + half, bits = (uint32_t)(waiting >> half * 32);
            put(lapic, LAPIC_IRR + reg, lapic_virtual_read(lapic, LAPIC_IRR + reg) | bits);
            put(lapic, LAPIC_TMR + reg, (uint32_t)(levels >> half * 32));
        }
        page->eoi_exits[i] = levels;
    }
}

void lapic_virtual_prepare(struct lapic *lapic, struct leat_vcpu *page)
{
    enum leat_apic_on on = lapic->is_virtual ? lapic->mode : LEAT_APIC_OFF;
    if (page->apic_on != on) {
        page->apic_on = on;
        page->dirty |= LEAT_VCPU_APIC;
    }
    if (on && (lapic->is_stale || lapic_highest(&lapic->irr) >= 0)) {
        merge(lapic, page);
        lapic->is_stale = false;
        page->dirty |= LEAT_VCPU_APIC;
    }
}

void lapic_virtual_eoi(struct lapic *lapic, uint8_t vector)
{
    if (lapic->tmr.words[vector / 64] >> (vector % 64) & 1)
        platform_eoi_broadcast(lapic->vm, vector);
}
