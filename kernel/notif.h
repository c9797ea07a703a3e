// SPDX-License-Identifier: BSD-2-Clause
/* Notifications: a word of 64 pending bits, and a line of threads that wait for some of them. */
#ifndef KERNEL_NOTIF_H
#define KERNEL_NOTIF_H

#include "kernel/list.h"
#include "kernel/object.h"

#define NOTIF_VALID_BITS (UINT64_MAX >> 1) /* bit 63 is reserved: results are signed */

struct thread;

struct notif {
    struct object object;
    uint64_t pending;
    struct list waiters; /* threads, first come first */
};

int notif_create(struct quota *payer, struct notif **notif); /* LEAT_OK or LEAT_ENOMEM */

/* Ors bits in and wakes the waiters that they meet. Never blocks; from interrupts too. */
void notif_signal(struct notif *notif, uint64_t bits);

/* As LEAT_SYS_NOTIF_WAIT, of the current thread. Also LEAT_EDEAD: the thread has been killed. */
int64_t notif_wait(struct notif *notif, uint64_t mask, uint64_t deadline_ns);

static inline struct notif *notif_of(struct object *object)
{
    return (struct notif *)object;
}

#endif
