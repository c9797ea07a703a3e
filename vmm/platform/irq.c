// SPDX-License-Identifier: BSD-2-Clause
/* The interrupt bus: from lines and messages to local APICs. */
#include "vmm/irq.h"

#include "vmm/platform/platform.h"

#define ISA_LINES 16
#define PIT_GSI 2 /* ISA IRQ 0 arrives at pin 2: interrupt source override of the MADT */

void irq_set_line(struct vm *vm, unsigned gsi, bool is_high)
{
    struct platform *p = vm->platform;
    if (gsi < ISA_LINES)
        pic_set_line(&p->pic, gsi, is_high);
    ioapic_set_line(&p->ioapic, gsi == 0 ? PIT_GSI : gsi, is_high);
}

/* SDM vol. 3, 11.11.1 and 11.11.2 */
void irq_send_msi(struct vm *vm, uint64_t address, uint32_t data)
{
    if ((address & ~0xfffffull) != LAYOUT_LAPIC)
        return;
    uint32_t destination = address >> 12 & 0xff;
    bool is_logical = address & 4;
    bool is_lowest = address & 8;
    enum lapic_delivery mode = data >> 8 & 7;
    if (is_lowest && mode == LAPIC_FIXED)
        mode = LAPIC_LOWEST;
    if (mode == LAPIC_SIPI || mode == LAPIC_INIT)
        return; /* a device must not restart CPUs */
    platform_deliver(vm, destination, is_logical, mode, data & 0xff, data & 1u << 15);
}

/* SDM vol. 3, 11.6.2.4: the CPU of the lowest priority among those that are meant. Equal ones take
   turns. */
static struct lapic *lowest_of(struct vm *vm, uint32_t destination, bool is_logical)
{
    struct platform *p = vm->platform;
    struct lapic *best = NULL;
    for (unsigned i = 1; i <= vm->cpu_count; i++) {
        struct lapic *l = &p->lapics[(p->lowest_last + i) % vm->cpu_count];
        if (lapic_matches(l, destination, is_logical) &&
            (!best || lapic_ppr(l) >> 4 < lapic_ppr(best) >> 4))
            best = l;
    }
    if (best)
        p->lowest_last = best->index;
    return best;
}

bool platform_deliver(struct vm *vm, uint32_t destination, bool is_logical,
                      enum lapic_delivery mode, uint8_t vector, bool is_level)
{
    struct lapic *lapics = vm->platform->lapics;
    bool is_any = false;
    if (mode == LAPIC_LOWEST) {
        struct lapic *one = lowest_of(vm, destination, is_logical);
        if (one)
            lapic_receive(one, mode, vector, is_level);
        return one != NULL;
    }
    for (unsigned i = 0; i < vm->cpu_count; i++) {
        if (!lapic_matches(&lapics[i], destination, is_logical))
            continue;
        lapic_receive(&lapics[i], mode, vector, is_level);
        is_any = true;
    }
    return is_any;
}

void platform_eoi_broadcast(struct vm *vm, uint8_t vector)
{
    ioapic_eoi(&vm->platform->ioapic, vector);
}

int platform_pending(struct vm *vm, unsigned cpu, bool *from_pic)
{
    struct platform *p = vm->platform;
    *from_pic = false;
    if (lapic_takes_extint(&p->lapics[cpu]) && pic_is_pending(&p->pic)) {
        *from_pic = true;
        return pic_vector(&p->pic);
    }
    return lapic_pending(&p->lapics[cpu]);
}

void platform_accept(struct vm *vm, unsigned cpu, uint8_t vector, bool from_pic)
{
    struct platform *p = vm->platform;
    if (from_pic)
        pic_accept(&p->pic, vector);
    else
        lapic_accept(&p->lapics[cpu], vector);
}

void platform_extint(struct vm *vm)
{
    for (unsigned i = 0; i < vm->cpu_count; i++)
        if (lapic_takes_extint(&vm->platform->lapics[i]))
            vm_kick(vm, i);
}
