// SPDX-License-Identifier: BSD-2-Clause
/* Three threads that send interrupts to one vCPU without a lock, each the next when its last was taken. If one is lost
   nothing moves any more, and an alarm ends the test after two minutes. One at a time. */
#ifndef TESTS_UNIT_IRQ_SENDERS_H
#define TESTS_UNIT_IRQ_SENDERS_H

#include "vmm/platform/lapic.h"

/* Thread i sends vector 0x40 + i * step, so many times. */
void senders_start(struct lapic *to, unsigned step, uint32_t rounds);
/* The vCPU has taken it. */
void senders_taken(uint8_t vector);
/* Is there a vector that was not taken? If not, the threads have ended. */
bool senders_go_on(void);

#endif
