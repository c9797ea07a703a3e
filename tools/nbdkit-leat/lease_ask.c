// SPDX-License-Identifier: BSD-2-Clause
/* What leatd is asked about leases, and what its answers change. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tools/nbdkit-leat/control.h"
#include "tools/nbdkit-leat/lease_inside.h"

#define ANSWER_SECONDS 5
#define AWAY_SECONDS 1 /* while leatd is away, for what somebody waits for */

void lease_say(const char *format, ...)
{
    char line[768];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    lease_table.hooks.log(line);
}

int64_t lease_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec;
}

int64_t lease_milliseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* When leatd was asked: from then on counts what it gives, on the clock that nobody sets, and that
   does not stand still while the server sleeps. */
struct asked {
    int64_t wall, monotonic;
};

static struct asked ask_now(void)
{
    return (struct asked){lease_milliseconds(CLOCK_REALTIME), lease_milliseconds(CLOCK_BOOTTIME)};
}

static int64_t until_of(const struct asked *asked, int64_t expires, bool pauses)
{
    return pauses ? asked->monotonic + expires * 1000 - asked->wall : LEASE_FOR_EVER;
}

/* While leatd is away every lease is due: so it is looked for every second. Threads come here in any order. */
static void note_state(const struct control_state *state)
{
    static unsigned changes; /* of the newest */
    pthread_mutex_lock(&lease_table.lock);
    bool was_away = lease_table.is_away, is_news = (int)(state->changes - changes) > 0;
    bool away = is_news ? state->is_away : was_away;
    changes = is_news ? state->changes : changes;
    lease_table.is_away = away;
    if (away && !was_away)
        lease_all_due();
    pthread_mutex_unlock(&lease_table.lock);
    if (away != was_away)
        lease_say("%s", away ? "leatd does not answer; what is open goes on, nothing new is opened"
                             : "leatd answers again");
}

static bool ask(const char *line, size_t length, unsigned seconds, char answer[GRANT_LINE])
{
    struct control_state state;
    if (!length)
        return false;
    bool answered = control_ask(line, length, seconds, answer, &state);
    note_state(&state);
    if (!answered && !state.is_away)
        lease_say("leatd has left a request without answer, while it answers others");
    return answered;
}

static unsigned patience(void)
{
    pthread_mutex_lock(&lease_table.lock);
    bool away = lease_table.is_away;
    pthread_mutex_unlock(&lease_table.lock);
    return away ? AWAY_SECONDS : ANSWER_SECONDS;
}

int lease_ask_open(const char *token, const char *peer, bool read_only, struct grant *grant,
                   int64_t *until)
{
    struct asked asked = ask_now();
    char line[GRANT_LINE], answer[GRANT_LINE];
    struct grant_refusal refusal;
    if (!ask(line, grant_ask_open(line, token, peer, read_only), patience(), answer))
        return -1;
    switch (grant_read(answer, grant, &refusal)) {
    case GRANT_GIVEN:
        grant->pauses = grant->pauses && grant->difference[0];
        *until = until_of(&asked, grant->expires, grant->pauses);
        return 1;
    case GRANT_NONSENSE:
        lease_say("%s", refusal.sentence);
        return 0;
    default:
        if (!strcmp(refusal.reason, "later"))
            return -1;
        lease_say("an export is refused to %s: %s%s%s%s", *peer ? peer : "a local client",
                  refusal.sentence, refusal.holder[0] ? " (held by " : "", refusal.holder,
                  refusal.holder[0] ? ")" : "");
        return 0;
    }
}

bool lease_ask_confirm(struct lease *lease)
{
    char line[GRANT_LINE], answer[GRANT_LINE];
    struct grant_refusal refusal;
    int64_t expires;
    size_t length = grant_ask_renew(line, lease->grant.lease, 0, 0, true);
    if (ask(line, length, patience(), answer) &&
        grant_read_renewed(answer, &expires, NULL, &refusal) == GRANT_GIVEN)
        return true;
    lease_say("disk %s of %s is not served: leatd has not confirmed its new difference",
              lease->grant.disk, lease->grant.client);
    return false;
}

static void take_away(struct lease *lease, const char *why)
{
    if (atomic_exchange(&lease->is_gone, true))
        return;
    lease_say("disk %s of %s is taken away: %s", lease->grant.disk, lease->grant.client, why);
    lease_table.hooks.gone(lease);
}

static void note_term(struct lease *lease, const struct asked *asked, int64_t expires, bool pauses)
{
    lease->grant.expires = expires;
    lease->grant.pauses = pauses && lease->grant.difference[0];
    atomic_store(&lease->until, until_of(asked, expires, lease->grant.pauses));
}

static void note_renewed(const char *name, const struct asked *asked, const char *answer)
{
    int64_t expires, now = lease_seconds(CLOCK_MONOTONIC);
    bool pauses;
    struct grant_refusal refusal;
    enum grant_answer result = grant_read_renewed(answer, &expires, &pauses, &refusal);
    bool later = result == GRANT_REFUSED && !strcmp(refusal.reason, "later");
    pthread_mutex_lock(&lease_table.lock);
    struct lease *l = lease_table_find(LEASE_BY_NAME, name);
    for (; l; l = lease_table_next(LEASE_BY_NAME, l)) {
        lease_due_at(l, now + (later || result == GRANT_NONSENSE ? 1 : l->grant.renew));
        if (result == GRANT_GIVEN)
            note_term(l, asked, expires, pauses);
        else if (result == GRANT_REFUSED && !later)
            take_away(l, refusal.sentence);
    }
    pthread_cond_broadcast(&lease_table.changed);
    pthread_mutex_unlock(&lease_table.lock);
}

bool lease_ask_renew(const char *name, uint64_t read, uint64_t written)
{
    char line[GRANT_LINE], answer[GRANT_LINE];
    struct asked asked = ask_now();
    if (!ask(line, grant_ask_renew(line, name, read, written, false), ANSWER_SECONDS, answer))
        return false;
    note_renewed(name, &asked, answer);
    return true;
}

bool lease_ask_close(const char *name)
{
    char line[GRANT_LINE], answer[GRANT_LINE];
    return ask(line, grant_ask_close(line, name), ANSWER_SECONDS, answer);
}
