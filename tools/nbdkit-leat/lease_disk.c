// SPDX-License-Identifier: BSD-2-Clause
/* The disk of a lease: opened and closed with is_changing set, and the table's lock let go meanwhile. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tools/nbdkit-leat/lease_inside.h"

#define BUSY_MS 100 /* between tries of a file that another server has open */

static void lock(void)
{
    pthread_mutex_lock(&lease_table.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&lease_table.lock);
}

static void end_change(struct lease *lease, bool is_open)
{
    lock();
    lease->is_open = is_open;
    lease->is_changing = false;
    pthread_cond_broadcast(&lease_table.changed);
}

/* What was written and not flushed may be lost: who is still on must not take it for done. */
static void spoil(struct lease *lease)
{
    if (!lease->users || atomic_exchange(&lease->is_gone, true))
        return;
    lease_table.hooks.gone(lease);
}

void lease_close_disk(struct lease *lease)
{
    lease->is_changing = true;
    unlock();
    int error = disk_close(&lease->disk);
    if (error)
        lease_say("disk %s of %s: closing it failed: %s", lease->grant.disk, lease->grant.client,
                  strerror(-error));
    end_change(lease, false);
    if (error)
        spoil(lease);
}

bool lease_shall_close(struct lease *lease)
{
    return atomic_load(&lease->is_gone) ||
           (atomic_load(&lease->is_paused) && !lease_has_time(lease));
}

void lease_close_if_unused(struct lease *lease)
{
    if (lease_shall_close(lease) && lease->is_open && !lease->is_changing &&
        !atomic_load(&lease->inside))
        lease_close_disk(lease);
}

/* With several servers another one may be about to let go of the file. */
static int open_in_time(struct lease *lease, char error[DIFF_ERROR])
{
    int64_t end = lease_milliseconds(CLOCK_MONOTONIC) + LEASE_PAUSE_SECONDS * 1000;
    for (;;) {
        int number = disk_open(&lease->disk, &lease->grant, lease_table.limit, error);
        if (number != -EBUSY || !lease->grant.pauses || lease_is_over(lease) ||
            lease_milliseconds(CLOCK_MONOTONIC) >= end)
            return number;
        usleep(BUSY_MS * 1000);
    }
}

/* A new difference is confirmed before anything is written to it: when its file is lost after that, nobody makes
   it anew. */
bool lease_open_disk(struct lease *lease)
{
    char error[DIFF_ERROR];
    struct grant *grant = &lease->grant;
    bool is_new = grant->is_new && !grant->read_only;
    lease->is_changing = true;
    unlock();
    bool is_open = !open_in_time(lease, error);
    if (!is_open)
        lease_say("disk %s of %s cannot be opened: %s", grant->disk, grant->client, error);
    if (is_open && is_new && !lease_ask_confirm(lease)) {
        disk_close(&lease->disk);
        is_open = false;
    }
    end_change(lease, is_open);
    if (is_open)
        grant->is_new = false;
    lease_close_if_unused(lease);
    return lease->is_open;
}

/* From the start again after each: the table may have changed meanwhile. */
void lease_close_named(const char *name)
{
    lock();
    for (struct lease *l = lease_table_find(LEASE_BY_NAME, name), *next; l; l = next) {
        bool was_open = l->is_open && !l->is_changing;
        lease_close_if_unused(l);
        next = was_open && !l->is_open ? lease_table_find(LEASE_BY_NAME, name)
                                       : lease_table_next(LEASE_BY_NAME, l);
    }
    unlock();
}

/* The calling thread alone forgets leases, so each stays in its place, and new ones come to the front. */
void lease_close_unused(void)
{
    lock();
    for (struct lease *l = lease_table.first; l; l = l->next)
        lease_close_if_unused(l);
    unlock();
}
