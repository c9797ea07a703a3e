// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/platform/pit.h"

#include <string.h>

#include "vmm/irq.h"
#include "vmm/vm.h"

#define NS 1000000000ull
#define PIT_IRQ 0
#define MIN_TICK_NS 100000ull /* a guest that asks for more than 10 kHz gets 10 kHz */

static uint64_t ticks_since(struct pit *pit, const struct pit_channel *c)
{
    uint64_t ns = vm_now_ns(pit->vm) - c->start_ns;
    return (uint64_t)((unsigned __int128)ns * PIT_HZ / NS);
}

static uint64_t ticks_to_ns(uint64_t ticks)
{
    return (uint64_t)(((unsigned __int128)ticks * NS + PIT_HZ - 1) / PIT_HZ);
}

static bool is_periodic(const struct pit_channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

/* The counting element now: 8254 data sheet, "mode definitions". */
static uint16_t count_now(struct pit *pit, const struct pit_channel *c)
{
    uint64_t t = ticks_since(pit, c);
    uint32_t left;
    if (!c->gate && c->mode != 1 && c->mode != 5)
        t = 0;
    if (c->mode == 3)
        left = c->reload - (uint32_t)(t * 2 % c->reload);
    else if (c->mode == 2)
        left = c->reload - (uint32_t)(t % c->reload);
    else
        left = (uint32_t)(c->reload - t); /* counts on below zero */
    uint16_t n = (uint16_t)left;
    if (!c->is_bcd)
        return n;
    n %= 10000;
    return (uint16_t)(n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

static bool output_now(struct pit *pit, const struct pit_channel *c)
{
    uint64_t t = ticks_since(pit, c);
    switch (c->mode) {
    case 0:
    case 1:
        return !c->is_null && c->gate && t >= c->reload;
    case 2:
        return !c->gate || t % c->reload != c->reload - 1;
    case 3:
        return !c->gate || t % c->reload < (c->reload + 1) / 2;
    default:
        return t != c->reload;
    }
}

static void tick_arm(struct pit *pit)
{
    struct pit_channel *c = &pit->channels[0];
    uint64_t ns = ticks_to_ns((pit->tick_count + 1) * c->reload);
    vm_timer_set(&pit->vm->timers, &pit->tick, c->start_ns + ns);
}

static void tick(void *context)
{
    struct pit *pit = context;
    struct pit_channel *c = &pit->channels[0];
    irq_set_line(pit->vm, PIT_IRQ, false);
    irq_set_line(pit->vm, PIT_IRQ, true);
    if (!is_periodic(c))
        return;
    uint64_t passed = ticks_since(pit, c) / c->reload;
    uint64_t step = MIN_TICK_NS * PIT_HZ / NS / c->reload;
    pit->tick_count = passed > pit->tick_count + 1 ? passed : pit->tick_count + 1;
    pit->tick_count += step;
    tick_arm(pit);
}

static void load(struct pit *pit, unsigned index, uint32_t count)
{
    struct pit_channel *c = &pit->channels[index];
    if (c->is_bcd)
        count =
            (count >> 12) * 1000 + (count >> 8 & 15) * 100 + (count >> 4 & 15) * 10 + (count & 15);
    c->reload = count ? count : c->is_bcd ? 10000 : 65536;
    c->is_null = false;
    c->start_ns = vm_now_ns(pit->vm);
    if (index != 0)
        return;
    pit->tick_count = 0;
    irq_set_line(pit->vm, PIT_IRQ, is_periodic(c));
    tick_arm(pit);
}

int pit_init(struct pit *pit, struct vm *vm)
{
    memset(pit, 0, sizeof(*pit));
    pit->vm = vm;
    int error = vm_timer_add(&vm->timers, &pit->tick, tick, pit);
    pit_reset(pit);
    return error;
}

void pit_reset(void *device)
{
    struct pit *pit = device;
    for (unsigned i = 0; i < 3; i++)
        pit->channels[i] = (struct pit_channel){
            .mode = 3, .access = 3, .gate = i != 2, .is_null = true, .reload = 65536};
    pit->speaker_on = false;
    vm_timer_set(&pit->vm->timers, &pit->tick, 0);
}

static void latch_count(struct pit *pit, struct pit_channel *c)
{
    if (c->is_latched)
        return;
    c->is_latched = true;
    c->latch = count_now(pit, c);
}

static void read_back(struct pit *pit, uint8_t value)
{
    for (unsigned i = 0; i < 3; i++) {
        struct pit_channel *c = &pit->channels[i];
        if (!(value >> (i + 1) & 1))
            continue;
        if (!(value & 0x20))
            latch_count(pit, c);
        if (!(value & 0x10) && !c->is_status_latched) {
            c->is_status_latched = true;
            c->status = (uint8_t)(output_now(pit, c) << 7 | c->is_null << 6 | c->access << 4 |
                                  c->mode << 1 | c->is_bcd);
        }
    }
}

static void write_control(struct pit *pit, uint8_t value)
{
    unsigned index = value >> 6;
    if (index == 3) {
        read_back(pit, value);
        return;
    }
    struct pit_channel *c = &pit->channels[index];
    if (!(value & 0x30)) {
        latch_count(pit, c);
        return;
    }
    bool gate = c->gate;
    uint8_t mode = value >> 1 & 7;
    *c = (struct pit_channel){.mode = mode > 5 ? mode & 3 : mode,
                              .access = value >> 4 & 3,
                              .is_bcd = value & 1,
                              .gate = gate,
                              .is_null = true,
                              .reload = 65536,
                              .start_ns = vm_now_ns(pit->vm)};
    if (index == 0) {
        vm_timer_set(&pit->vm->timers, &pit->tick, 0);
        irq_set_line(pit->vm, PIT_IRQ, c->mode != 0);
    }
}

void pit_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct pit *pit = device;
    uint8_t byte = (uint8_t)value;
    (void)width;
    if (offset == 3) {
        write_control(pit, byte);
        return;
    }
    struct pit_channel *c = &pit->channels[offset];
    if (c->access == 1) {
        load(pit, (unsigned)offset, byte);
    } else if (c->access == 2) {
        load(pit, (unsigned)offset, (uint32_t)byte << 8);
    } else if (!c->write_high_next) {
        c->write_low = byte;
        c->write_high_next = true;
    } else {
        c->write_high_next = false;
        load(pit, (unsigned)offset, (uint32_t)byte << 8 | c->write_low);
    }
}

uint64_t pit_read(void *device, uint64_t offset, unsigned width)
{
    struct pit *pit = device;
    (void)width;
    if (offset == 3)
        return 0xff;
    struct pit_channel *c = &pit->channels[offset];
    if (c->is_status_latched) {
        c->is_status_latched = false;
        return c->status;
    }
    uint16_t n = c->is_latched ? c->latch : count_now(pit, c);
    bool is_high = c->access == 2 || (c->access == 3 && c->read_high_next);
    if (c->access == 3)
        c->read_high_next = !c->read_high_next;
    if (c->access != 3 || is_high)
        c->is_latched = false;
    return is_high ? n >> 8 : n & 0xff;
}

/* Port 0x61: bit 0 gate of channel 2, bit 1 speaker, bit 4 refresh toggle, bit 5 output of
 * channel 2. */
uint64_t pit_gate_read(void *device, uint64_t offset, unsigned width)
{
    struct pit *pit = device;
    (void)offset;
    (void)width;
    struct pit_channel *c = &pit->channels[2];
    uint64_t refresh =
        vm_now_ns(pit->vm) / 15085 & 1; /* toggles about every 15 us, as on a PC/AT */
    return c->gate | (unsigned)pit->speaker_on << 1 | refresh << 4 |
           (unsigned)output_now(pit, c) << 5;
}

void pit_gate_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct pit *pit = device;
    (void)offset;
    (void)width;
    struct pit_channel *c = &pit->channels[2];
    bool gate = value & 1;
    if (gate && !c->gate)
        c->start_ns = vm_now_ns(pit->vm); /* a rising gate starts or restarts the count */
    c->gate = gate;
    pit->speaker_on = value & 2;
}
