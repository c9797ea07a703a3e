// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/notif.h"
#include "kernel/assert.h"
#include "kernel/kmem.h"
#include "kernel/percpu.h"
#include "kernel/thread.h"

static void notif_destroy(struct object *object)
{
    KASSERT(list_empty(&notif_of(object)->waiters)); /* a waiter holds a reference */
    kfree(object);
}

static const struct object_type notif_type = {OBJECT_NOTIF, "notif", notif_destroy};

int notif_create(struct quota *payer, struct notif **out)
{
    if (quota_charge(payer, 1) != LEAT_OK)
        return LEAT_ENOMEM;
    struct notif *notif = kzalloc(sizeof(*notif));
    if (!notif) {
        quota_uncharge(payer, 1);
        return LEAT_ENOMEM;
    }
    object_init(&notif->object, &notif_type, payer, 1);
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
