// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/notif.h"
#include "kernel/assert.h"
#include "kernel/kmem.h"
#include "kernel/percpu.h"
#include "kernel/syscall.h"

static void notif_destroy(struct object *object)
{
    KASSERT(list_empty(&notif_of(object)->waiters)); /* a waiter holds a reference */
    kfree(object);
}

static const struct object_type notif_type = {OBJECT_NOTIF, "notif", notif_destroy};

int notif_create(struct quota *payer, struct notif **out)
{
    struct notif *notif = object_new(&notif_type, sizeof(*notif), payer, 1);
    if (!notif)
        return LEAT_ENOMEM;
    list_init(&notif->waiters);
    *out = notif;
    return LEAT_OK;
}

void notif_signal(struct notif *notif, uint64_t bits)
{
    notif->pending |= bits & NOTIF_VALID_BITS;
    struct list *next;
    for (struct list *at = notif->waiters.next; at != &notif->waiters; at = next) {
        struct thread *waiter = LIST_ENTRY(at, struct thread, wait_link);
        next = at->next;
        uint64_t met = notif->pending & waiter->wait_mask;
        if (!met)
            continue;
        /* Handed over here, so that nobody who comes later can take them away. */
        notif->pending &= ~met;
        waiter->wait_result = met;
        list_remove(&waiter->wait_link);
        thread_wake(waiter);
    }
}

int64_t notif_wait(struct notif *notif, uint64_t mask, uint64_t deadline_ns)
{
    struct thread *self = this_cpu()->current;
    uint64_t met = notif->pending & mask;
    if (met) {
        notif->pending &= ~met;
        return (int64_t)met;
    }
    if (deadline_ns == 0)
        return LEAT_EAGAIN;

    self->wait_mask = mask;
    self->wait_result = 0;
    list_push_back(&notif->waiters, &self->wait_link);
    enum wake_reason reason =
        thread_block(deadline_ns == LEAT_FOREVER ? TIMER_NEVER : clock_ns_to_tsc(deadline_ns));
    list_remove(&self->wait_link);
    if (self->wait_result) {
        if (reason != WAKE_KILLED)
            return (int64_t)self->wait_result;  /* also when the deadline passed meanwhile */
        notif_signal(notif, self->wait_result); /* somebody else's now */
    }
    return reason == WAKE_KILLED ? LEAT_EDEAD : LEAT_ETIMEDOUT;
}

SYSCALL(notif_create)
{
    struct notif *notif;
    int error = notif_create(self->domain->quota, &notif);
    return error != LEAT_OK ? error
                            : syscall_give(self, &notif->object,
                                           LEAT_RIGHT_SIGNAL | LEAT_RIGHT_WAIT | LEAT_RIGHT_GRANT);
}

SYSCALL(notif_signal)
{
    if (args[1] & ~NOTIF_VALID_BITS)
        return LEAT_EINVAL;
    notif_signal(notif_of(object), args[1]);
    return LEAT_OK;
}

SYSCALL(notif_wait)
{
    if (args[1] == 0 || (args[1] & ~NOTIF_VALID_BITS))
        return LEAT_EINVAL;
    return notif_wait(notif_of(object), args[1], args[2]);
}
