// SPDX-License-Identifier: BSD-2-Clause
/* Registers of a local APIC, as xAPIC MMIO and x2APIC MSRs see them. */
#include "vmm/platform/lapic.h"

#include "vmm/layout.h"
#include "vmm/platform/lapic_timer.h"
#include "vmm/platform/platform.h"
#include "vmm/vm.h"

#define SVR_ENABLED (1u << 8)
#define LVT_MASKED (1u << 16)
#define VERSION (0x14u | (LAPIC_LVT_COUNT - 1) << 16)
#define ICR_LOGICAL (1u << 11)
#define ICR_LEVEL_ASSERT (1u << 14)
#define ICR_TRIGGER_LEVEL (1u << 15)
#define ICR_WRITABLE 0xccfffu

/* Bits of each LVT that can be written, TIMER .. ERROR: SDM vol. 3, figure 11-8 */
static const uint32_t lvt_writable[LAPIC_LVT_COUNT] = {0x700ff, 0x107ff, 0x107ff,
                                                       0x1a7ff, 0x1a7ff, 0x100ff};

static uint32_t vector_word(const struct lapic_vectors *v, uint32_t i)
{
    return (uint32_t)(v->words[i / 2] >> (i % 2 * 32));
}

uint32_t lapic_read(struct lapic *lapic, uint32_t reg)
{
    if (lapic->is_virtual && (reg == LAPIC_TPR || (reg >= LAPIC_ISR && reg < LAPIC_ESR)))
        return lapic_virtual_read(lapic, reg);
    switch (reg) {
    case LAPIC_ID:
        return lapic_is_x2apic(lapic) ? lapic->index : lapic->index << 24;
    case LAPIC_VERSION:
        return VERSION;
    case LAPIC_TPR:
        return lapic->tpr;
    case LAPIC_APR:
    case LAPIC_PPR:
        return lapic_ppr(lapic);
    case LAPIC_LDR:
        return lapic->ldr;
    case LAPIC_DFR:
        return lapic->dfr;
    case LAPIC_SVR:
        return lapic->svr;
    case LAPIC_ISR ... LAPIC_ISR + 7:
        return vector_word(&lapic->isr, reg - LAPIC_ISR);
    case LAPIC_TMR ... LAPIC_TMR + 7:
        return vector_word(&lapic->tmr, reg - LAPIC_TMR);
    case LAPIC_IRR ... LAPIC_IRR + 7:
        return vector_word(&lapic->irr, reg - LAPIC_IRR);
    case LAPIC_ESR:
        return lapic->esr;
    case LAPIC_ICR:
        return lapic->icr_low;
    case LAPIC_ICR_HIGH:
        return lapic->icr_high;
    case LAPIC_LVT_TIMER ... LAPIC_LVT_ERROR:
        return lapic->lvt[reg - LAPIC_LVT_TIMER];
    case LAPIC_TIMER_INITIAL:
        return lapic->initial_count;
    case LAPIC_TIMER_CURRENT:
        return lapic_timer_current(lapic);
    case LAPIC_TIMER_DIVIDE:
        return lapic->divide;
    default:
        return 0;
    }
}

/* SDM vol. 3, 11.6.1 */
static void send_ipi(struct lapic *lapic, uint32_t low, uint32_t destination)
{
    enum lapic_delivery mode = low >> 8 & 7;
    bool is_level = low & ICR_TRIGGER_LEVEL;
    lapic->icr_low = low & ICR_WRITABLE;
    if (mode == LAPIC_INIT && is_level && !(low & ICR_LEVEL_ASSERT))
        return; /* INIT level de-assert: nothing since the Pentium 4 */
    if (mode == LAPIC_EXTINT)
        return;
    uint8_t vector = low & 0xff;
    if (mode <= LAPIC_LOWEST && vector < 16) {
        lapic_error(lapic, LAPIC_ERROR_SEND_VECTOR);
        return;
    }
    struct vm *vm = lapic->vm;
    switch (low >> 18 & 3) {
    case 0:
        platform_deliver(vm, destination, low & ICR_LOGICAL, mode, vector, false);
        return;
    case 1:
        lapic_receive(lapic, mode, vector, false);
        return;
    default:
        for (unsigned i = 0; i < vm->cpu_count; i++) {
            struct lapic *to = &vm->platform->lapics[i];
            if (to != lapic || (low >> 18 & 3) == 2)
                lapic_receive(to, mode, vector, false);
        }
    }
}

static void write_svr(struct lapic *lapic, uint32_t value)
{
    lapic->svr = value & 0x1ff;
    if (value & SVR_ENABLED)
        return;
    for (unsigned i = 0; i < LAPIC_LVT_COUNT; i++) /* SDM vol. 3, 11.4.7.2 */
        lapic->lvt[i] |= LVT_MASKED;
}

static void write_lvt(struct lapic *lapic, unsigned i, uint32_t value)
{
    value &= lvt_writable[i];
    if (!(lapic->svr & SVR_ENABLED))
        value |= LVT_MASKED;
    if (i == 0)
        lapic_timer_set_lvt(lapic, value);
    else
        lapic->lvt[i] = value;
    if (i == LAPIC_LVT_LINT0 - LAPIC_LVT_TIMER)
        vm_kick(lapic->vm, lapic->index);
}

static void write_register(struct lapic *lapic, uint32_t reg, uint32_t value)
{
    switch (reg) {
    case LAPIC_EOI:
        lapic_eoi(lapic);
        return;
    case LAPIC_TPR:
        lapic->tpr = value & 0xff;
        return;
    case LAPIC_LDR:
        if (!lapic_is_x2apic(lapic))
            lapic->ldr = value & 0xff000000;
        return;
    case LAPIC_DFR:
        lapic->dfr = value | 0x0fffffff;
        return;
    case LAPIC_SVR:
        write_svr(lapic, value);
        return;
    case LAPIC_ESR:
        lapic->esr = lapic->esr_pending; /* a write makes the errors since the last visible */
        lapic->esr_pending = 0;
        return;
    case LAPIC_ICR:
        send_ipi(lapic, value, lapic->icr_high >> 24);
        return;
    case LAPIC_ICR_HIGH:
        lapic->icr_high = value;
        return;
    case LAPIC_LVT_TIMER ... LAPIC_LVT_ERROR:
        write_lvt(lapic, reg - LAPIC_LVT_TIMER, value);
        return;
    case LAPIC_TIMER_INITIAL:
        lapic_timer_start(lapic, value);
        return;
    case LAPIC_TIMER_DIVIDE:
        lapic_timer_set_divide(lapic, value);
        return;
    default:
        return;
    }
}

/* SDM vol. 3, table 11-6: which registers exist as MSRs */
static bool msr_exists(uint32_t reg)
{
    switch (reg) {
    case LAPIC_ID:
    case LAPIC_VERSION:
    case LAPIC_TPR:
    case LAPIC_PPR:
    case LAPIC_EOI:
    case LAPIC_LDR:
    case LAPIC_SVR:
    case LAPIC_ISR ... LAPIC_ESR:
    case LAPIC_ICR:
    case LAPIC_LVT_TIMER ... LAPIC_TIMER_CURRENT:
    case LAPIC_TIMER_DIVIDE:
    case LAPIC_SELF_IPI:
        return true;
    default:
        return false;
    }
}

static bool is_read_only(uint32_t reg)
{
    return reg == LAPIC_ID || reg == LAPIC_VERSION || reg == LAPIC_PPR || reg == LAPIC_LDR ||
           (reg >= LAPIC_ISR && reg < LAPIC_ESR) || reg == LAPIC_TIMER_CURRENT;
}

bool lapic_msr_read(struct lapic *lapic, uint32_t reg, uint64_t *value)
{
    if (!lapic_is_x2apic(lapic) || !msr_exists(reg) || reg == LAPIC_EOI || reg == LAPIC_SELF_IPI)
        return false;
    *value = lapic_read(lapic, reg);
    if (reg == LAPIC_ICR)
        *value |= (uint64_t)lapic->icr_high << 32;
    return true;
}

bool lapic_msr_write(struct lapic *lapic, uint32_t reg, uint64_t value)
{
    if (!lapic_is_x2apic(lapic))
        return false;
    if (reg == LAPIC_EOI && value == 0) { /* the most frequent by far */
        lapic_eoi(lapic);
        return true;
    }
    if (!msr_exists(reg) || is_read_only(reg))
        return false;
    if (reg == LAPIC_ICR) {
        lapic->icr_high = (uint32_t)(value >> 32);
        send_ipi(lapic, (uint32_t)value, lapic->icr_high);
        lapic_virtual_mirror(lapic, reg);
        return true;
    }
    if (value >> 32 || ((reg == LAPIC_EOI || reg == LAPIC_ESR) && value))
        return false;
    if (reg != LAPIC_SELF_IPI)
        write_register(lapic, reg, (uint32_t)value);
    else if ((value & 0xff) < 16)
        lapic_error(lapic, LAPIC_ERROR_SEND_VECTOR);
    else
        lapic_receive(lapic, LAPIC_FIXED, value & 0xff, false);
    lapic_virtual_mirror(lapic, reg);
    return true;
}

bool lapic_msr_write_alone(struct lapic *lapic, uint32_t reg, uint64_t value)
{
    if (!lapic_is_x2apic(lapic))
        return false;
    switch (reg) {
    case LAPIC_EOI:
        if (value || !lapic_eoi_is_own(lapic))
            return false;
        break;
    case LAPIC_ICR: /* to anybody, of the kind that a lock-free IRR can take */
        if ((value >> 8 & 7) != LAPIC_FIXED || (value & 0xff) < 16)
            return false;
        break;
    case LAPIC_TPR:
    case LAPIC_TIMER_INITIAL:
        break;
    case LAPIC_SELF_IPI:
        if ((value & 0xff) < 16)
            return false;
        break;
    default:
        return false;
    }
    return lapic_msr_write(lapic, reg, value);
}

uint64_t lapic_mmio_read(struct lapic *lapic, uint64_t offset, unsigned width)
{
    if (width > 4 || (offset & 15) + width > 4)
        return 0;
    return lapic_read(lapic, (uint32_t)(offset >> 4)) >> (offset & 3) * 8;
}

void lapic_mmio_write(struct lapic *lapic, uint64_t offset, unsigned width, uint64_t value)
{
    if (width != 4 || (offset & 15))
        return;
    write_register(lapic, (uint32_t)(offset >> 4), (uint32_t)value);
}

/* SDM vol. 3, 11.4.4 and figure 11-27. The registers stay at their usual place: moving them is
 * refused. */
bool lapic_set_base(struct lapic *lapic, uint64_t value)
{
    uint64_t modes = LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC;
    uint64_t from = lapic->base & modes, to = value & modes;
    if ((value & ~(modes | LAPIC_BASE_BSP)) != LAYOUT_LAPIC)
        return false;
    if (to == LAPIC_BASE_X2APIC || (from == modes && to == LAPIC_BASE_ENABLE) ||
        (from == 0 && to == modes))
        return false;
    lapic->base = LAYOUT_LAPIC | to | (lapic->index == 0 ? LAPIC_BASE_BSP : 0);
    if (from == to)
        return true;
    lapic_virtual_end(lapic);
    if (to == 0)
        lapic_reset(lapic);
    if (to == 0 && lapic->index)
        lapic->wait_for_sipi = false; /* the CPU itself goes on */
    if (to == modes) {
        lapic->ldr = (lapic->index >> 4) << 16 | 1u << (lapic->index & 15);
        lapic_virtual_begin(lapic);
    }
    return true;
}
