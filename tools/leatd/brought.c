// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/brought.h"

#include "tools/leatd/leatd.h"
#include "tools/leatd/servers.h"

#define TOUCH 3600 // seconds between two notes that a file goes on arriving

// A version without a row of its files has them from before there were rows, or by hand.
#define NO_VERSION                                                                                 \
    " AND NOT EXISTS (SELECT 1 FROM image_version AS v WHERE v.source = brought.name OR"           \
    " v.hash_source = brought.name OR v.kernel = brought.name OR v.initrd = brought.name)"

static bool refuse_dropping(struct request *request, const char *name)
{
    request_refuse(request, 409, "%.64s is being removed: import it again", name);
    return false;
}

bool brought_claim(struct request *request, const char *name, bool whole, enum db_result *result)
{
    uint64_t changed;
    struct db_value values[] = {db_str(name), db_int(leatd_now()), db_int(whole)};
    *result = db_run(request->leatd->db,
                     "INSERT INTO brought (name, since, dropping, whole) VALUES ($1, $2, 0, $3)"
                     " ON CONFLICT (name) DO UPDATE SET since = $2, whole = $3"
                     " WHERE brought.dropping = 0",
                     values, 3, &changed);
    return *result == DB_OK && (changed || refuse_dropping(request, name));
}

bool brought_touch(struct request *request, const char *name, enum db_result *result)
{
    struct db *db = request->leatd->db;
    bool is_dropping = false;
    struct db_value values[] = {db_str(name), db_int(leatd_now()), db_int(leatd_now() - TOUCH)};
    *result = db_run(db,
                     "UPDATE brought SET since = $2 WHERE name = $1 AND dropping = 0"
                     " AND since < $3",
                     values, 3, NULL);
    if (*result == DB_OK)
        *result = db_finds(db, "SELECT 1 FROM brought WHERE name = $1 AND dropping <> 0", values, 1,
                           &is_dropping);
    return *result == DB_OK && (!is_dropping || refuse_dropping(request, name));
}

enum db_result brought_set_whole(struct leatd *leatd, const char *name, bool whole)
{
    struct db_value values[] = {db_str(name), db_int(whole)};
    return db_run(leatd->db, "UPDATE brought SET whole = $2 WHERE name = $1", values, 2, NULL);
}

enum db_result brought_is(struct leatd *leatd, const char *name, bool *is)
{
    struct db_value value = db_str(name);
    return db_finds(leatd->db, "SELECT 1 FROM brought WHERE name = $1", &value, 1, is);
}

bool brought_keep(struct request *request, const char *name, bool was_brought,
                  enum db_result *result)
{
    uint64_t changed;
    bool is_there;
    struct db_value value = db_str(name);
    if (!name)
        return true;
    *result = db_run(request->leatd->db, "DELETE FROM brought WHERE name = $1 AND dropping = 0",
                     &value, 1, &changed);
    if (*result == DB_OK)
        *result = brought_is(request->leatd, name, &is_there); // one that is being removed
    if (*result != DB_OK)
        return false;
    if ((!was_brought || changed) && !is_there)
        return true;
    *result = DB_UNDONE;
    return refuse_dropping(request, name);
}

struct brought_hold brought_hold(const struct leatd *leatd)
{
    int64_t seconds = leatd->has_others ? servers_away(&leatd->config) : BROUGHT_KEPT;
    return (struct brought_hold){leatd_now(), leatd_monotonic(), seconds};
}

/* By both clocks: the one stands still while the machine sleeps, the other may be set to any time. */
bool brought_holds(const struct brought_hold *hold)
{
    int64_t wall = leatd_now() - hold->wall;
    return wall >= 0 && wall < hold->seconds && leatd_monotonic() - hold->monotonic < hold->seconds;
}

enum db_result brought_drop(struct leatd *leatd, const char *name, struct brought_drop *drop)
{
    uint64_t changed = 0;
    struct db_rows rows = {0};
    struct db_value values[] = {db_str(name), db_str(leatd->instance)};
    enum db_result result = db_run(leatd->db,
                                   "UPDATE brought SET dropping = 2, remover = $2 WHERE name = $1"
                                   " AND dropping = 0" NO_VERSION,
                                   values, 2, &changed);
    if (result == DB_OK)
        result = db_query(leatd->db, "SELECT dropping, whole FROM brought WHERE name = $1", values,
                          1, &rows);
    if (result != DB_OK)
        return result;
    drop->found = changed;
    drop->is_busy = !changed && rows.count && db_number(&rows, 0, 0);
    drop->whole = changed && rows.count && db_number(&rows, 0, 1);
    db_rows_free(&rows);
    return DB_OK;
}

enum db_result brought_leave(struct leatd *leatd, const char *name)
{
    struct db_value values[] = {db_str(name), db_str(leatd->instance)};
    return db_run(leatd->db,
                  "UPDATE brought SET dropping = 1 WHERE name = $1 AND dropping = 2"
                  " AND remover = $2",
                  values, 2, NULL);
}

enum db_result brought_forget(struct leatd *leatd, const char *name, bool whole)
{
    struct db_value values[] = {db_str(name), db_str(leatd->instance), db_int(whole)};
    enum db_result result = db_run(leatd->db,
                                   "DELETE FROM brought WHERE name = $1 AND dropping = 2"
                                   " AND remover = $2 AND whole = $3",
                                   values, 3, NULL);
    return result == DB_OK ? brought_leave(leatd, name) : result;
}

enum db_result brought_trim(struct leatd *leatd)
{
    struct db_value values[] = {db_int(leatd_now() - BROUGHT_KEPT), db_str(leatd->instance)};
    return db_run(leatd->db,
                  "UPDATE brought SET dropping = 1, remover = $2 WHERE dropping = 0"
                  " AND since < $1" NO_VERSION,
                  values, 2, NULL);
}

enum db_result brought_take_over(struct leatd *leatd)
{
    struct db_value own = db_str(leatd->instance);
    enum db_result result =
        db_run(leatd->db,
               "UPDATE brought SET dropping = 1, remover = $1 WHERE dropping <> 0 AND remover <> $1"
               " AND NOT EXISTS (SELECT 1 FROM server WHERE server.instance = brought.remover"
               " AND server.instance <> '' AND server.lost = 0)",
               &own, 1, NULL);
    if (result != DB_OK || leatd->drops)
        return result;
    return db_run(leatd->db, "UPDATE brought SET dropping = 1 WHERE dropping = 2 AND remover = $1",
                  &own, 1, NULL);
}
