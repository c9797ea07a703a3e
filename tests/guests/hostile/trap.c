/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/hostile/hostile.h"

#define FIRST_INTERRUPT 32

uint64_t trap_resume;
unsigned trap_count;
extern const uint8_t trap_entries[256][16];

struct frame {
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
void trap_handle(struct frame *frame);

void trap_handle(struct frame *frame)
{
    if (frame->vector >= FIRST_INTERRUPT || frame->vector == 2)
        return; /* somebody's interrupt: we do not care */
    if (trap_resume) {
        frame->rip = trap_resume;
        trap_count++;
        return;
    }
    say("unexpected exception %u, error %x, at %x", frame->vector, frame->error, frame->rip);
    static const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } nothing = {0, 0};
    __asm__ volatile("lidt %0\n\tud2" ::"m"(nothing));
}

void trap_init(void)
{
    static uint64_t idt[256][2];
    for (unsigned i = 0; i < 256; i++) {
        uint64_t at = (uint64_t)(uintptr_t)trap_entries[i];
        idt[i][0] = (at & 0xffff) | 0x10ull << 16 | 0x8e00ull << 32 | (at >> 16 & 0xffff) << 48;
        idt[i][1] = at >> 32;
    }
    const struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};
    __asm__ volatile("lidt %0" ::"m"(pointer));
}
