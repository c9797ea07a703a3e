// SPDX-License-Identifier: BSD-2-Clause
/*
 * The 8254 timer and the speaker gate (port 0x61) through which channel 2 is watched. Counters are
 * computed from the clock when they are looked at; only channel 0 has a timer, for IRQ 0. With the
 * VM's lock held.
 */
#ifndef VMM_PLATFORM_PIT_H
#define VMM_PLATFORM_PIT_H

#include <leat/types.h>
#include "vmm/timer.h"

struct vm;

#define PIT_HZ 1193182ull

struct pit_channel {
    uint8_t mode;   /* 0..5 */
    uint8_t access; /* 1 low byte, 2 high byte, 3 both */
    bool is_bcd;
    bool gate;         /* input; always high but for channel 2 */
    bool is_null;      /* programmed, no count written yet */
    uint32_t reload;   /* 1..65536 */
    uint64_t start_ns; /* when the count began */
    uint8_t write_low;
    bool write_high_next, read_high_next;
    bool is_latched, is_status_latched;
    uint16_t latch;
    uint8_t status;
};

struct pit {
    struct vm *vm;
    struct pit_channel channels[3];
    bool speaker_on;
    struct vm_timer tick; /* channel 0 */
    uint64_t tick_count;  /* edges since start_ns, of the periodic modes */
};

int pit_init(struct pit *pit, struct vm *vm);
void pit_reset(void *pit);

/* bus callbacks: ports 0x40..0x43; port 0x61 */
uint64_t pit_read(void *pit, uint64_t offset, unsigned width);
void pit_write(void *pit, uint64_t offset, unsigned width, uint64_t value);
uint64_t pit_gate_read(void *pit, uint64_t offset, unsigned width);
void pit_gate_write(void *pit, uint64_t offset, unsigned width, uint64_t value);

#endif
