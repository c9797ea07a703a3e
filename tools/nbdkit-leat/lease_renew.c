// SPDX-License-Identifier: BSD-2-Clause
/* The thread that renews leases, and tells leatd of those that have ended. */
#include <stdlib.h>
#include <string.h>

#include "tools/nbdkit-leat/control.h"
#include "tools/nbdkit-leat/lease_inside.h"

static bool is_renewing;
static pthread_t renewer;

/* What is to be renewed next: copied, because leatd is asked without the lock. */
static bool next_due(int64_t now, char name[GRANT_LEASE], uint64_t *read, uint64_t *written)
{
    struct lease *l;
    pthread_mutex_lock(&lease_table.lock);
    while ((l = lease_due(now)) && (!l->users || atomic_load(&l->is_gone)))
        lease_due_at(l, LEASE_FOR_EVER);
    if (l) {
        strcpy(name, l->grant.lease);
        *read = l->read;
        *written = l->written;
    }
    pthread_mutex_unlock(&lease_table.lock);
    return l;
}

static void renew_due(void)
{
    char name[GRANT_LEASE];
    uint64_t read, written;
    int64_t now = lease_seconds(CLOCK_MONOTONIC);
    while (next_due(now, name, &read, &written)) {
        if (!lease_ask_renew(name, read, written))
            return; /* again in a second */
        lease_close_named(name);
    }
}

/* Forgets what has ended, and is known to leatd or has expired, as far as the first that leatd has to be told of, or all. Returns
   whether there is one, and its name. */
static bool sweep(char name[GRANT_LEASE], bool all)
{
    int64_t now = lease_seconds(CLOCK_REALTIME);
    bool is_owed = false;
    pthread_mutex_lock(&lease_table.lock);
    for (struct lease **at = &lease_table.ended, *l; (l = *at) && (all || !is_owed);) {
        bool has_ended = !l->users && !l->is_open && !l->is_changing;
        bool is_done = has_ended && (!l->is_close_owed || l->grant.expires <= now);
        if (has_ended && !is_done && !is_owed) {
            strcpy(name, l->grant.lease);
            is_owed = true;
        }
        if (!is_done && !l->users) {
            at = &l->next_ended;
            continue;
        }
        *at = l->next_ended;
        l->is_listed = false;
        if (is_done) {
            lease_table_remove(l);
            free(l);
        }
    }
    pthread_mutex_unlock(&lease_table.lock);
    return is_owed;
}

/* One that somebody uses again meanwhile is renewed at once. */
static void note_closed(const char *name)
{
    pthread_mutex_lock(&lease_table.lock);
    struct lease *l = lease_table_find(LEASE_BY_NAME, name);
    for (; l; l = lease_table_next(LEASE_BY_NAME, l)) {
        l->is_close_owed = false;
        lease_due_at(l, 0);
    }
    pthread_mutex_unlock(&lease_table.lock);
}

static void close_owed(void)
{
    char name[GRANT_LEASE];
    for (bool all = true; sweep(name, all); all = false) {
        if (!lease_ask_close(name))
            return;
        note_closed(name);
    }
}

static bool wait_a_second(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&lease_table.lock);
    if (!lease_table.is_stopping)
        pthread_cond_clockwait(&lease_table.due, &lease_table.lock, CLOCK_MONOTONIC, &until);
    bool goes_on = !lease_table.is_stopping;
    pthread_mutex_unlock(&lease_table.lock);
    return goes_on;
}

static void *renew_all(void *unused)
{
    (void)unused;
    control_reserve(); /* leases do not run out because many clients ask for something */
    while (wait_a_second()) {
        renew_due();
        lease_pause();
        close_owed();
    }
    return NULL;
}

bool lease_start_renewing(unsigned most)
{
    lease_table.most = most;
    is_renewing = !pthread_create(&renewer, NULL, renew_all, NULL);
    return is_renewing;
}

void lease_stop_renewing(void)
{
    pthread_mutex_lock(&lease_table.lock);
    lease_table.is_stopping = true;
    pthread_cond_signal(&lease_table.due);
    pthread_mutex_unlock(&lease_table.lock);
    if (is_renewing)
        pthread_join(renewer, NULL);
    close_owed(); /* of connections that have ended with nbdkit */
    control_close();
}
