// SPDX-License-Identifier: BSD-2-Clause
/* Local APIC: state, priorities, acceptance. Registers are in lapic_regs.c, the timer in
 * lapic_timer.c. */
#include "vmm/platform/lapic.h"

#include <string.h>

#include "vmm/layout.h"
#include "vmm/platform/platform.h"
#include "vmm/vm.h"

#define SVR_ENABLED (1u << 8)
#define LVT_MASKED (1u << 16)

int lapic_highest(const struct lapic_vectors *v)
{
    for (int i = 3; i >= 0; i--) {
        uint64_t word = __atomic_load_n(&v->words[i], __ATOMIC_ACQUIRE);
        if (word)
            return i * 64 + 63 - __builtin_clzll(word);
    }
    return -1;
}

static void set(struct lapic_vectors *v, uint8_t n)
{
    __atomic_fetch_or(&v->words[n / 64], 1ull << (n % 64), __ATOMIC_RELEASE);
}
static void clear(struct lapic_vectors *v, uint8_t n)
{
    __atomic_fetch_and(&v->words[n / 64], ~(1ull << (n % 64)), __ATOMIC_RELEASE);
}
static bool test(const struct lapic_vectors *v, uint8_t n)
{
    return __atomic_load_n(&v->words[n / 64], __ATOMIC_RELAXED) >> (n % 64) & 1;
}
/* Registers that another CPU's thread looks at while their owner may write them. */
static uint32_t look(const uint32_t *reg)
{
    return __atomic_load_n(reg, __ATOMIC_RELAXED);
}
static uint64_t look_base(const struct lapic *lapic)
{
    return __atomic_load_n(&lapic->base, __ATOMIC_RELAXED);
}

static bool is_virtual(const struct lapic *lapic)
{
    return __atomic_load_n(&lapic->is_virtual, __ATOMIC_ACQUIRE);
}

void lapic_init(struct lapic *lapic, struct vm *vm, unsigned index)
{
    struct leat_apic *shared = lapic->shared;
    enum leat_apic_on mode = lapic->mode;
    memset(lapic, 0, sizeof(*lapic));
    lapic->shared = shared;
    lapic->mode = mode;
    lapic->vm = vm;
    lapic->index = index;
    lapic_reset(lapic);
    lapic->base = LAYOUT_LAPIC | LAPIC_BASE_ENABLE | (index == 0 ? LAPIC_BASE_BSP : 0);
}

/* SDM vol. 3, 11.4.7.1 */
void lapic_reset(struct lapic *lapic)
{
    memset(&lapic->irr, 0, sizeof(lapic->irr));
    memset(&lapic->isr, 0, sizeof(lapic->isr));
    memset(&lapic->tmr, 0, sizeof(lapic->tmr));
    lapic->tpr = lapic->esr = lapic->esr_pending = lapic->icr_low = lapic->icr_high = 0;
    lapic->divide = lapic->initial_count = 0;
    lapic->ldr = lapic_is_x2apic(lapic) ? (lapic->index >> 4) << 16 | 1u << (lapic->index & 15) : 0;
    lapic->dfr = UINT32_MAX;
    lapic->svr = 0xff;
    for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++)
        lapic->lvt[i] = LVT_MASKED;
    lapic->deadline_tsc = lapic->period_tsc = 0;
    lapic->nmi_pending = lapic->init_pending = lapic->sipi_pending = false;
    lapic->held_class = 0;
    lapic->wait_for_sipi = lapic->index != 0;
    if (lapic->is_virtual)
        lapic_virtual_begin(lapic);
}

static inline uint32_t ppr(int isr, uint32_t tpr)
{
    uint32_t in_service = isr < 0 ? 0 : (uint32_t)isr & 0xf0;
    return (tpr & 0xf0) >= in_service ? tpr : in_service;
}

/* Of one that is not virtual; at each entry. */
static inline __attribute__((always_inline)) uint32_t own_ppr(const struct lapic *lapic)
{
    return ppr(lapic_highest(&lapic->isr), look(&lapic->tpr));
}

/* SDM vol. 3, 11.8.3.1 */
uint32_t lapic_ppr(const struct lapic *lapic)
{
    if (is_virtual(lapic))
        return ppr(lapic_virtual_highest(lapic, LAPIC_ISR), lapic_virtual_read(lapic, LAPIC_TPR));
    return own_ppr(lapic);
}

void lapic_hold(struct lapic *lapic, int asked)
{
    uint32_t held = lapic->is_virtual ? 0 : own_ppr(lapic) & 0xf0;
    if (asked >= 0 && ((uint32_t)asked & 0xf0) > held)
        held = (uint32_t)asked & 0xf0;
    __atomic_store_n(&lapic->held_class, held, __ATOMIC_RELAXED);
}

int lapic_pending(const struct lapic *lapic)
{
    int irr = lapic->is_virtual ? -1 : lapic_highest(&lapic->irr);
    if (irr < 0)
        return -1;
    return ((uint32_t)irr & 0xf0) > (own_ppr(lapic) & 0xf0) ? irr : -1;
}

void lapic_accept(struct lapic *lapic, uint8_t vector)
{
    clear(&lapic->irr, vector);
    set(&lapic->isr, vector);
}

void lapic_eoi(struct lapic *lapic)
{
    int vector = lapic_highest(&lapic->isr);
    if (vector < 0)
        return;
    clear(&lapic->isr, (uint8_t)vector);
    if (test(&lapic->tmr, (uint8_t)vector))
        platform_eoi_broadcast(lapic->vm, (uint8_t)vector);
}

bool lapic_eoi_is_own(const struct lapic *lapic)
{
    int vector = lapic_highest(&lapic->isr);
    return vector < 0 || !test(&lapic->tmr, (uint8_t)vector);
}

void lapic_error(struct lapic *lapic, uint32_t bit)
{
    uint32_t lvt = lapic->lvt[LAPIC_LVT_ERROR - LAPIC_LVT_TIMER];
    lapic->esr_pending |= bit;
    if (!(lvt & LVT_MASKED) && (lvt & 0xff) >= 16)
        lapic_receive(lapic, LAPIC_FIXED, lvt & 0xff, false);
}

static void receive_vector(struct lapic *lapic, uint8_t vector, bool is_level)
{
    if (!(look_base(lapic) & LAPIC_BASE_ENABLE) || !(look(&lapic->svr) & SVR_ENABLED))
        return;
    if (vector < 16) {
        lapic_error(lapic, LAPIC_ERROR_RECEIVE_VECTOR);
        return;
    }
    if (is_level)
        set(&lapic->tmr, vector);
    else if (test(&lapic->tmr, vector))
        clear(&lapic->tmr, vector);
    if (!is_level && is_virtual(lapic)) {
        lapic_virtual_post(lapic, vector);
        return;
    }
    set(&lapic->irr, vector);
    /* What the CPU is busy with comes first and ends by an exit, after which it looks again. The
       fence is half of vm_kick's: held_class is of the run that is seen to be under way. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((vector & 0xf0u) > look(&lapic->held_class))
        vm_kick(lapic->vm, lapic->index);
}

void lapic_receive(struct lapic *lapic, enum lapic_delivery mode, uint8_t vector, bool is_level)
{
    switch (mode) {
    case LAPIC_FIXED:
    case LAPIC_LOWEST:
        receive_vector(lapic, vector, is_level);
        return;
    case LAPIC_NMI:
        __atomic_store_n(&lapic->nmi_pending, true, __ATOMIC_RELEASE);
        break;
    case LAPIC_INIT:
        lapic->init_pending = true;
        lapic->sipi_pending = false;
        break;
    case LAPIC_SIPI:
        if (!lapic->wait_for_sipi && !lapic->init_pending)
            return;
        lapic->sipi_pending = true;
        lapic->sipi_vector = vector;
        break;
    default: /* there is no system management mode; ExtINT comes over LINT0 only */
        return;
    }
    vm_kick(lapic->vm, lapic->index);
}

bool lapic_matches(const struct lapic *lapic, uint32_t destination, bool is_logical)
{
    uint64_t base = look_base(lapic);
    uint32_t ldr = look(&lapic->ldr);
    if (!(base & LAPIC_BASE_ENABLE))
        return false;
    if (base & LAPIC_BASE_X2APIC) {
        /* 0xff of an MSI or IO-APIC entry is broadcast as well: no guest has 255 CPUs */
        if (destination == UINT32_MAX || destination == 0xff)
            return true;
        if (!is_logical)
            return destination == lapic->index;
        return destination >> 16 == ldr >> 16 && (destination & ldr & 0xffff);
    }
    if ((destination & 0xff) == 0xff)
        return true;
    if (!is_logical)
        return destination == lapic->index;
    uint32_t own = ldr >> 24;
    if (look(&lapic->dfr) >> 28 == 0xf) /* flat model: SDM vol. 3, 11.6.2.2 */
        return own & destination & 0xff;
    return (own ^ destination) >> 4 == 0 && (own & destination & 0xf);
}

bool lapic_takes_extint(const struct lapic *lapic)
{
    if (!(lapic->base & LAPIC_BASE_ENABLE))
        return lapic->index == 0; /* the INTR pin goes straight to the CPU: SDM vol. 3, 11.4.3 */
    uint32_t lint0 = lapic->lvt[LAPIC_LVT_LINT0 - LAPIC_LVT_TIMER];
    return !(lint0 & LVT_MASKED) && (lint0 >> 8 & 7) == LAPIC_EXTINT;
}
