// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/lease_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lease_init(const struct lease_hooks *hooks, uint64_t limit)
{
    lease_table.hooks = *hooks;
    lease_table.limit = limit;
}

static void lock(void)
{
    pthread_mutex_lock(&lease_table.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&lease_table.lock);
}

/* Those that are gone end by themselves. */
static struct lease *find(const char *name, const char *token)
{
    struct lease *l = lease_table_find(LEASE_BY_TOKEN, token);
    while (l && ((name && strcmp(l->grant.lease, name)) || atomic_load(&l->is_gone)))
        l = lease_table_next(LEASE_BY_TOKEN, l);
    return l;
}

static struct lease *use(struct lease *lease)
{
    lease->users++;
    lease->is_close_owed = false;
    if (lease->renew_at == LEASE_FOR_EVER)
        lease_due_at(lease, 0);
    return lease;
}

/* One that was given before leatd went away, to the same address, and still has time. */
static struct lease *use_still_good(const char *token, const char *peer, bool is_away)
{
    lock();
    struct lease *lease = is_away || lease_table.is_away ? find(NULL, token) : NULL;
    if (lease && (strcmp(lease->peer, peer) || lease_is_over(lease) ||
                  (!lease->users && lease->grant.expires <= lease_seconds(CLOCK_REALTIME))))
        lease = NULL;
    if (lease)
        use(lease);
    unlock();
    return lease;
}

static struct lease *add(const struct grant *grant, int64_t until, const char *token,
                         const char *peer)
{
    struct lease *lease = calloc(1, sizeof *lease);
    if (!lease)
        return NULL;
    lease->grant = *grant;
    lease->until = until;
    strcpy(lease->token, token);
    snprintf(lease->peer, sizeof lease->peer, "%s", peer);
    lease->renew_at = lease_seconds(CLOCK_MONOTONIC) + grant->renew;
    if (lease_table_add(lease))
        return lease;
    free(lease);
    return NULL;
}

/* The entry of a new grant: there already when the client has another connection, or had one. */
static struct lease *use_given(const struct grant *grant, int64_t until, const char *token,
                               const char *peer)
{
    lock();
    struct lease *lease = find(grant->lease, token);
    if (lease) {
        lease->grant.expires = grant->expires;
        atomic_store(&lease->until, until);
    } else {
        lease = add(grant, until, token, peer);
    }
    if (lease)
        use(lease);
    unlock();
    if (!lease)
        lease_say("%s gets no disk: %u are open, and no more are held (LimitNOFILE)", grant->client,
                  lease_table.count);
    return lease;
}

/* Another lease of this process that has the same difference open, and either of the two writes. */
static struct lease *in_the_way(const struct lease *lease)
{
    const struct grant *g = &lease->grant;
    struct lease *l = lease_table_find(LEASE_BY_DIFFERENCE, g->difference);
    while (l &&
           (l == lease || (!l->is_open && !l->is_changing) || (l->grant.read_only && g->read_only)))
        l = lease_table_next(LEASE_BY_DIFFERENCE, l);
    return l;
}

static bool is_leaving(const struct lease *lease)
{
    return atomic_load(&lease->is_gone) || !lease->users;
}

/* With the lock; it is let go while leatd is asked. */
static void ask_for(const struct lease *lease)
{
    char name[GRANT_LEASE];
    uint64_t read = lease->read, written = lease->written;
    strcpy(name, lease->grant.lease);
    unlock();
    if (lease_ask_renew(name, read, written))
        lease_close_named(name);
    lock();
}

/* False: it is not to be had in this time. A lease that is in the way may have been taken away without our
   having heard of it (its machine has started again): leatd is asked, once. */
static bool make_ready(struct lease *lease, const struct timespec *until)
{
    bool has_asked = false;
    while (!atomic_load(&lease->is_gone)) {
        if (lease->is_changing) {
            pthread_cond_wait(&lease_table.changed, &lease_table.lock);
            continue;
        }
        const struct lease *other = lease->is_open ? NULL : in_the_way(lease);
        if (!other)
            return lease_resume(lease);
        bool is_moment = other->is_changing || is_leaving(other);
        if (!is_moment && has_asked) {
            lease_say("disk %s of %s cannot be opened: %s has its difference open",
                      lease->grant.disk, lease->grant.client, other->grant.client);
            return false;
        }
        if (!is_moment) {
            has_asked = true;
            ask_for(other);
        } else if (pthread_cond_clockwait(&lease_table.changed, &lease_table.lock, CLOCK_MONOTONIC,
                                          until)) {
            lease_say("disk %s of %s cannot be opened: whoever had it open does not end",
                      lease->grant.disk, lease->grant.client);
            return false;
        }
    }
    return false;
}

struct lease *lease_open(const char *token, const char *peer, bool read_only)
{
    struct grant grant;
    struct timespec until;
    int64_t timed;
    if (!grant_is_token(token)) {
        lease_say("an export is refused to %s: no export name that leatd issues",
                  *peer ? peer : "a local client");
        return NULL;
    }
    struct lease *lease = use_still_good(token, peer, false);
    int given = lease ? 0 : lease_ask_open(token, peer, read_only, &grant, &timed);
    if (given > 0)
        lease = use_given(&grant, timed, token, peer);
    else if (given < 0)
        lease = use_still_good(token, peer, true);
    if (!lease)
        return NULL;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LEASE_WAIT_SECONDS;
    lock();
    bool is_ready = make_ready(lease, &until);
    unlock();
    if (is_ready)
        return lease;
    lease_close(lease);
    return NULL;
}

static void list_ended(struct lease *lease)
{
    if (lease->is_listed)
        return;
    lease->is_listed = true;
    lease->next_ended = lease_table.ended;
    lease_table.ended = lease;
}

/* The last user has gone: its disk is closed, and the renewing thread tells leatd. */
static void retire(struct lease *lease)
{
    list_ended(lease);
    if (lease->is_changing) /* then whoever closes it already comes by here, or leatd knows */
        return;
    if (lease->is_open)
        lease_close_disk(lease);
    if (!lease->users)
        lease->is_close_owed = !atomic_load(&lease->is_gone);
    pthread_cond_signal(&lease_table.due);
}

void lease_close(struct lease *lease)
{
    lock();
    if (!--lease->users)
        retire(lease);
    unlock();
}

bool lease_enter(struct lease *lease)
{
    do {
        atomic_fetch_add(&lease->inside, 1);
        if (!atomic_load(&lease->is_gone) && !lease_is_over(lease))
            return true;
        lease_leave(lease);
    } while (lease_await(lease));
    return false;
}

void lease_leave(struct lease *lease)
{
    if (atomic_fetch_sub(&lease->inside, 1) > 1 || !lease_shall_close(lease))
        return;
    lock();
    lease_close_if_unused(lease);
    unlock();
}
