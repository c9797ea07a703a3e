// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/care.h"

#include "tools/leatd/auth.h"
#include "tools/leatd/brought.h"
#include "tools/leatd/clean.h"
#include "tools/leatd/enrol.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/lease.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/servers.h"
#include "tools/leatd/session.h"
#include "tools/leatd/tls.h"

struct job {
    struct leatd *leatd;
    enum db_result (*body)(void *context);
    void *context;
    bool always, cared;
    int64_t wall, monotonic; // when care was taken
};

/* Away by either clock: the monotonic one stands still while the machine sleeps, the other may be set to any time. */
static bool was_away(const struct leatd *leatd, int64_t wall, int64_t monotonic)
{
    int64_t most = servers_away(&leatd->config);
    return monotonic - leatd->cared_monotonic > most || wall - leatd->cared_wall > most ||
           wall < leatd->cared_wall;
}

static enum db_result look_after(struct leatd *leatd, bool away)
{
    // In this order: nothing expires because leatd was away.
    enum db_result result = servers_alive(leatd, away);
    if (result == DB_OK)
        result = session_sweep(leatd);
    if (result == DB_OK)
        result = lease_sweep(leatd);
    if (result == DB_OK)
        result = session_trim(leatd);
    if (result == DB_OK)
        result = session_forget_kept(leatd);
    if (result == DB_OK)
        result = auth_trim(leatd);
    if (result == DB_OK)
        result = enrol_trim(leatd);
    if (result == DB_OK)
        result = brought_trim(leatd);
    return result == DB_OK ? journal_trim(leatd) : result;
}

static enum db_result careful(void *context)
{
    struct job *job = context;
    limit_undo(&job->leatd->limit, 0); // of a try before this one
    // Here and not before the transaction: it may have waited long for the database.
    job->wall = leatd_now();
    job->monotonic = leatd_monotonic();
    bool away = was_away(job->leatd, job->wall, job->monotonic);
    enum db_result result = DB_OK;
    job->cared = job->always || away;
    if (job->cared)
        result = look_after(job->leatd, away && job->leatd->cared_wall);
    return result == DB_OK && job->body ? job->body(job->context) : result;
}

static enum db_result transact(struct job *job)
{
    limit_begin(&job->leatd->limit);
    enum db_result result = db_transact(job->leatd->db, careful, job);
    if (result != DB_OK)
        limit_undo(&job->leatd->limit, LIMIT_EVENTS);
    if (result == DB_OK && job->cared) {
        job->leatd->cared_wall = job->wall;
        job->leatd->cared_monotonic = job->monotonic;
    }
    return result;
}

enum db_result care_transact(struct leatd *leatd, enum db_result (*body)(void *context),
                             void *context)
{
    return transact(&(struct job){.leatd = leatd, .body = body, .context = context});
}

void care_tick(struct leatd *leatd)
{
    int64_t step = servers_away(&leatd->config) / 3;
    struct job job = {.leatd = leatd, .always = true};
    if (transact(&job) != DB_OK) {
        leatd_log("sessions and leases cannot be looked after: %s", db_error(leatd->db));
        leatd->next_tick = leatd_monotonic() + 1;
        return;
    }
    leatd->next_tick = leatd_monotonic() + (step ? step : 1);
    clean_begin(leatd);
    tls_write_keys(leatd);
}
