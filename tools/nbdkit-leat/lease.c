// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/lease.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/nbdkit-leat/control.h"

/* Opening and closing are one at a time: a disk's file must be closed before it can be opened again.
   `table` is for the list alone, and held for moments. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER, table = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stop_asked = PTHREAD_COND_INITIALIZER;
static struct lease *leases;
static unsigned count;
static struct lease_hooks hooks;
static uint64_t limit_bytes;
static bool is_renewing, is_stopping, is_away;
static pthread_t renewer;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[768];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    hooks.log(line);
}

static int64_t seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec;
}

void lease_init(const struct lease_hooks *what, uint64_t limit)
{
    hooks = *what;
    limit_bytes = limit;
}

static struct lease *find(const char *lease, const char *token)
{
    for (struct lease *l = leases; l; l = l->next)
        if (!strcmp(l->token, token) && (!lease || !strcmp(l->grant.lease, lease)))
            return l;
    return NULL;
}

/* Out of the list; it has no users. Called with both locks. */
static void forget(struct lease *lease)
{
    struct lease **at = &leases;
    while (*at != lease)
        at = &(*at)->next;
    *at = lease->next;
    count--;
    free(lease);
}

static void note_away(bool away)
{
    if (away != is_away)
        say(away ? "leatd does not answer; what is open goes on, nothing new is opened"
                 : "leatd answers again");
    is_away = away;
}

static bool ask(const char *line, size_t length, char answer[GRANT_LINE])
{
    bool answered = length && control_ask(line, length, answer);
    pthread_mutex_lock(&table);
    note_away(!answered);
    pthread_mutex_unlock(&table);
    return answered;
}

/* Asks leatd for a new grant. 1: given; 0: refused; -1: leatd is away. */
static int ask_open(const char *token, const char *peer, bool read_only, struct grant *grant)
{
    char line[GRANT_LINE], answer[GRANT_LINE];
    struct grant_refusal refusal;
    if (!ask(line, grant_ask_open(line, token, peer, read_only), answer))
        return -1;
    switch (grant_read(answer, grant, &refusal)) {
    case GRANT_GIVEN:
        return 1;
    case GRANT_NONSENSE:
        say("%s", refusal.sentence);
        return 0;
    default:
        if (!strcmp(refusal.reason, "later"))
            return -1;
        say("an export is refused to %s: %s%s%s%s", *peer ? peer : "a local client",
            refusal.sentence, refusal.holder[0] ? " (held by " : "", refusal.holder,
            refusal.holder[0] ? ")" : "");
        return 0;
    }
}

/* One that was given before leatd went away, to the same address. */
static struct lease *still_good(const char *token, const char *peer)
{
    pthread_mutex_lock(&table);
    struct lease *lease = find(NULL, token);
    if (lease && (strcmp(lease->peer, peer) || atomic_load(&lease->is_gone) ||
                  (!lease->users && lease->grant.expires <= seconds(CLOCK_REALTIME))))
        lease = NULL;
    pthread_mutex_unlock(&table);
    return lease;
}

/* The entry of a new grant: there already when the client has another connection, or had one. */
static struct lease *entry_of(const struct grant *grant, const char *token, const char *peer)
{
    pthread_mutex_lock(&table);
    struct lease *lease = find(grant->lease, token);
    if (lease && atomic_load(&lease->is_gone))
        lease = NULL; /* that one ends by itself */
    if (lease) {
        lease->grant.expires = grant->expires;
    } else if (count < LEASES_MAX && (lease = calloc(1, sizeof *lease))) {
        lease->grant = *grant;
        strcpy(lease->token, token);
        snprintf(lease->peer, sizeof lease->peer, "%s", peer);
        lease->renew_at = seconds(CLOCK_MONOTONIC) + grant->renew;
        lease->next = leases;
        leases = lease;
        count++;
    }
    pthread_mutex_unlock(&table);
    if (!lease)
        say("%s gets no disk: %u are open, and no more are held", grant->client, LEASES_MAX);
    return lease;
}

static bool open_disk(struct lease *lease)
{
    char error[DIFF_ERROR];
    if (lease->is_open)
        return true;
    if (disk_open(&lease->disk, &lease->grant, limit_bytes, error)) {
        say("disk %s of %s cannot be opened: %s", lease->grant.disk, lease->grant.client, error);
        return false;
    }
    lease->is_open = true;
    return true;
}

/* leatd must know that a new difference's file is there before anything is written to it: when it is
   lost after that, nobody makes it anew. */
static bool confirm(struct lease *lease)
{
    char line[GRANT_LINE], answer[GRANT_LINE];
    struct grant_refusal refusal;
    if (!lease->grant.is_new || lease->grant.read_only)
        return true;
    size_t length = grant_ask_renew(line, lease->grant.lease, 0, 0, true);
    if (!ask(line, length, answer) ||
        grant_read_renewed(answer, &lease->grant.expires, &refusal) != GRANT_GIVEN) {
        say("disk %s of %s is not served: leatd has not confirmed its new difference",
            lease->grant.disk, lease->grant.client);
        return false;
    }
    lease->grant.is_new = false;
    return true;
}

static void tell_closed(struct lease *lease)
{
    char line[GRANT_LINE], answer[GRANT_LINE];
    lease->is_close_owed = !ask(line, grant_ask_close(line, lease->grant.lease), answer);
}

/* The last user has gone: its disk is closed, and leatd told. Kept only while leatd is away. Called with the
   turn, without the table. */
static void retire(struct lease *lease)
{
    int error = lease->is_open ? disk_close(&lease->disk) : 0;
    lease->is_open = false;
    if (error)
        say("disk %s of %s: closing it failed: %s", lease->grant.disk, lease->grant.client,
            strerror(-error));
    if (!atomic_load(&lease->is_gone))
        tell_closed(lease);
    if (!lease->is_close_owed) {
        pthread_mutex_lock(&table);
        forget(lease);
        pthread_mutex_unlock(&table);
    }
}

struct lease *lease_open(const char *token, const char *peer, bool read_only)
{
    struct grant grant;
    if (!grant_is_token(token)) {
        say("an export is refused to %s: no export name that leatd issues",
            *peer ? peer : "a local client");
        return NULL;
    }
    pthread_mutex_lock(&turn);
    int given = ask_open(token, peer, read_only, &grant);
    struct lease *lease = NULL;
    if (given > 0)
        lease = entry_of(&grant, token, peer);
    else if (given < 0)
        lease = still_good(token, peer);
    if (lease) {
        lease->users++;
        lease->is_close_owed = false;
        if (!open_disk(lease) || !confirm(lease)) {
            if (!--lease->users)
                retire(lease);
            lease = NULL;
        }
    }
    pthread_mutex_unlock(&turn);
    return lease;
}

void lease_close(struct lease *lease)
{
    pthread_mutex_lock(&turn);
    if (!--lease->users)
        retire(lease);
    pthread_mutex_unlock(&turn);
}

/* What is to be renewed, or closed, next: copied, because leatd is asked without the locks. */
static bool next_due(int64_t now, char lease[GRANT_LEASE], uint64_t *read, uint64_t *written)
{
    bool found = false;
    pthread_mutex_lock(&table);
    for (struct lease *l = leases; l && !found; l = l->next)
        if (l->users && !atomic_load(&l->is_gone) && l->renew_at <= now) {
            strcpy(lease, l->grant.lease);
            *read = l->read;
            *written = l->written;
            found = true;
        }
    pthread_mutex_unlock(&table);
    return found;
}

static void take_away(struct lease *lease, const char *why)
{
    if (atomic_exchange(&lease->is_gone, true))
        return;
    say("disk %s of %s is taken away: %s", lease->grant.disk, lease->grant.client, why);
    hooks.gone(lease);
}

static void note_renewed(const char *name, const char *answer)
{
    int64_t expires, now = seconds(CLOCK_MONOTONIC);
    struct grant_refusal refusal;
    enum grant_answer result = grant_read_renewed(answer, &expires, &refusal);
    bool later = result == GRANT_REFUSED && !strcmp(refusal.reason, "later");
    pthread_mutex_lock(&table);
    for (struct lease *l = leases; l; l = l->next) {
        if (strcmp(l->grant.lease, name))
            continue;
        l->renew_at = now + (later || result == GRANT_NONSENSE ? 1 : l->grant.renew);
        if (result == GRANT_GIVEN)
            l->grant.expires = expires;
        else if (result == GRANT_REFUSED && !later)
            take_away(l, refusal.sentence);
    }
    pthread_mutex_unlock(&table);
}

static void renew_due(int64_t now)
{
    char line[GRANT_LINE], answer[GRANT_LINE], lease[GRANT_LEASE];
    uint64_t read, written;
    while (next_due(now, lease, &read, &written)) {
        if (!ask(line, grant_ask_renew(line, lease, read, written, false), answer))
            return; /* again in a second */
        note_renewed(lease, answer);
    }
}

/* Closes that leatd has not heard of yet; what has expired meanwhile needs none. */
static void close_owed(void)
{
    pthread_mutex_lock(&turn);
    int64_t now = seconds(CLOCK_REALTIME);
    for (struct lease *l = leases, *next; l; l = next) {
        next = l->next;
        if (l->users || !l->is_close_owed)
            continue;
        if (l->grant.expires > now)
            tell_closed(l);
        else
            l->is_close_owed = false;
        if (l->is_close_owed)
            break;
        pthread_mutex_lock(&table);
        forget(l);
        pthread_mutex_unlock(&table);
    }
    pthread_mutex_unlock(&turn);
}

static void *renew_all(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&table);
    while (!is_stopping) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&stop_asked, &table, &until);
        if (is_stopping)
            break;
        pthread_mutex_unlock(&table);
        renew_due(seconds(CLOCK_MONOTONIC));
        close_owed();
        pthread_mutex_lock(&table);
    }
    pthread_mutex_unlock(&table);
    return NULL;
}

bool lease_start_renewing(void)
{
    is_renewing = !pthread_create(&renewer, NULL, renew_all, NULL);
    return is_renewing;
}

void lease_stop_renewing(void)
{
    pthread_mutex_lock(&table);
    is_stopping = true;
    pthread_cond_signal(&stop_asked);
    pthread_mutex_unlock(&table);
    if (is_renewing)
        pthread_join(renewer, NULL);
    control_close();
}
