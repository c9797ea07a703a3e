// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/identity.h"

#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define LOOK_MS 200 // between two looks at the row of somebody who may be alive

/* Who has the name. */
struct claim {
    struct leatd *leatd;
    bool is_last; // it was watched long enough
    bool is_held;
    char instance[ID_BYTES], watched[ID_BYTES], exports[120];
    int64_t beat, watched_beat;
};

/*
 * What says for sure that the last holder is dead: it had a lock on the same file (device, number) of the same running kernel,
 * and this process has it now. A kernel is named by its boot id; where /proc hides it (ProcSubset= of systemd) by what the
 * unit has put into the environment.
 */
static void find_place(struct leatd *leatd, int lock)
{
    char boot[64] = "";
    struct stat about;
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    const char *said = getenv("LEATD_BOOT");
    if (file && fgets(boot, sizeof boot, file))
        boot[strcspn(boot, "\n")] = 0;
    if (file)
        fclose(file);
    if (!boot[0] && said)
        snprintf(boot, sizeof boot, "%s", said);
    for (char *c = boot, *to = boot; (*to = *c); c++)
        to += *c != '-';
    if (boot[0] && !fstat(lock, &about))
        snprintf(leatd->place, sizeof leatd->place, "%s %llx:%llx", boot,
                 (unsigned long long)about.st_dev, (unsigned long long)about.st_ino);
}

static bool is_same_boot(const char *place, const char *other)
{
    size_t size = strcspn(place, " ");
    return size && !strncmp(place, other, size + 1);
}

/* Of a row's place. A SQLite database is used by processes of one kernel alone. */
static bool is_dead(const struct leatd *leatd, const char *place)
{
    bool is_local = !strncmp(leatd->config.database, "sqlite:", 7);
    return leatd->place[0] && (!strcmp(place, leatd->place) ||
                               (is_local && place[0] && !is_same_boot(place, leatd->place)));
}

// Not alive before its first note: who has been away is found by the newest of these.
static const char new_name[] =
    "INSERT INTO server (name, started, alive, instance, beat, place) VALUES ($1, $2,"
    " (SELECT COALESCE(MAX(alive), $2) FROM server), $3, 0, $4)";
static const char known_name[] =
    "UPDATE server SET started = $2, instance = $3, beat = 0, place = $4 WHERE name = $1";

static enum db_result take(struct leatd *leatd, const char *statement)
{
    struct db_value values[] = {db_str(leatd->config.server), db_int(leatd_now()),
                                db_str(leatd->instance), db_str(leatd->place)};
    return db_run(leatd->db, statement, values, 4, NULL);
}

static enum db_result try_claim(void *context)
{
    struct claim *c = context;
    struct leatd *leatd = c->leatd;
    struct db_rows rows;
    struct db_value name = db_str(leatd->config.server);
    enum db_result result =
        db_query(leatd->db, "SELECT instance, beat, place, exports FROM server WHERE name = $1",
                 &name, 1, &rows);
    if (result != DB_OK)
        return result;
    snprintf(c->instance, sizeof c->instance, "%s", rows.count ? db_text(&rows, 0, 0) : "");
    snprintf(c->exports, sizeof c->exports, "%s", rows.count ? db_text(&rows, 0, 3) : "");
    c->beat = rows.count ? db_number(&rows, 0, 1) : 0;
    bool is_same = !strcmp(c->instance, c->watched) && c->beat == c->watched_beat;
    c->is_held =
        c->instance[0] && !is_dead(leatd, db_text(&rows, 0, 2)) && !(c->is_last && is_same);
    if (!c->is_held)
        result = take(leatd, rows.count ? known_name : new_name);
    db_rows_free(&rows);
    return result == DB_CONFLICT ? DB_RETRY : result; // another one has just begun to have it
}

static bool fail(struct claim *c, char *error)
{
    snprintf(
        error, DB_ERROR_BYTES,
        "the name %.63s of this server is another leatd's of the same database, which is alive "
        "(%.60s): give each a name of its own, [state] server",
        c->leatd->config.server, c->exports[0] ? c->exports : "it names no addresses");
    return false;
}

bool identity_claim(struct leatd *leatd, int lock, char *error)
{
    struct claim c = {.leatd = leatd};
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000l};
    int64_t patience = servers_lost(&leatd->config), begun = leatd_monotonic();
    secret_id(leatd->instance);
    find_place(leatd, lock);
    for (bool is_first = true;; is_first = false) {
        c.is_last = leatd_monotonic() - begun > patience;
        if (db_transact(leatd->db, try_claim, &c) != DB_OK) {
            snprintf(error, DB_ERROR_BYTES, "%.250s", db_error(leatd->db));
            return false;
        }
        if (!c.is_held)
            return true;
        if (is_first) {
            leatd_log("the name %s is another leatd's, which did not end by itself: looking for "
                      "%lld s whether it is alive",
                      leatd->config.server, (long long)patience);
            memcpy(c.watched, c.instance, sizeof c.watched);
            c.watched_beat = c.beat;
        } else if (strcmp(c.instance, c.watched) || c.beat != c.watched_beat) {
            return fail(&c, error);
        }
        nanosleep(&look, NULL);
    }
}

bool identity_holds(struct leatd *leatd, const char *instance, int64_t beat)
{
    // A note that could not be committed has counted here and not there; another process that is a copy of this one
    // (a virtual machine that was cloned as it ran) has counted there and not here.
    if (strcmp(instance, leatd->instance) || beat > leatd->beat)
        leatd->is_ousted = true;
    else
        leatd->beat = beat + 1;
    return !leatd->is_ousted;
}

static enum db_result note_ousted(void *context)
{
    struct leatd *leatd = context;
    return journal_event(leatd, "server", NULL, "local",
                         "another leatd has taken the name %s of this server: this one has ended",
                         leatd->config.server);
}

static enum db_result release(void *context)
{
    struct leatd *leatd = context;
    struct db_value values[] = {db_str(leatd->config.server), db_str(leatd->instance)};
    return db_run(leatd->db, "UPDATE server SET instance = '' WHERE name = $1 AND instance = $2",
                  values, 2, NULL);
}

void identity_end(struct leatd *leatd)
{
    db_transact(leatd->db, leatd->is_ousted ? note_ousted : release, leatd);
}
