// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/manage.h"

#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/servers.h"
#include "tools/leatd/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool manage_knows(const char *path)
{
    return !strcmp(path, "sessions") || !strcmp(path, "differences");
}

static enum db_result done(struct request *request, const char *action, const char *object)
{
    request_answer(request, 200);
    return journal_audit(request, action, object, NULL, NULL);
}

static enum db_result end_session(struct request *request, const char *id)
{
    struct db_rows rows;
    char object[64], why[100];
    struct db_value value = db_str(id);
    enum db_result result =
        db_query(request->leatd->db, "SELECT id FROM session WHERE id = $1 AND ended IS NULL",
                 &value, 1, &rows);
    if (result != DB_OK)
        return result;
    bool found = rows.count;
    db_rows_free(&rows);
    if (!found) {
        request_refuse(request, 404, "there is no session %.40s that lives", id);
        return DB_OK;
    }
    snprintf(object, sizeof object, "session %.40s", id);
    snprintf(why, sizeof why, "%s has ended it", request->who);
    result = session_end(request->leatd, id, why);
    return result == DB_OK ? done(request, "end", object) : result;
}

/* Nobody may have it open, and no session may name it any more: a client could be about to open it. */
static enum db_result drop_difference(struct request *request, const char *id)
{
    char object[64];
    uint64_t changed;
    struct db_value value = db_str(id);
    enum db_result result =
        db_run(request->leatd->db,
               "UPDATE difference SET dropped = 1 WHERE id = $1 AND dropped = 0 AND"
               " NOT EXISTS (SELECT 1 FROM export WHERE difference = $1)",
               &value, 1, &changed);
    if (result != DB_OK)
        return result;
    if (!changed) {
        request_refuse(request, 409,
                       "there is no such difference, or a session uses it: end that first");
        return DB_OK;
    }
    snprintf(object, sizeof object, "difference %.40s", id);
    return done(request, "drop", object);
}

enum db_result manage_remove(struct request *request, const char *path, const char *id)
{
    return strcmp(path, "sessions") ? drop_difference(request, id) : end_session(request, id);
}

/* What silence has ended does not live again: whoever had the old key may have its tokens. */
static enum db_result forget_silent(struct db *db, const char *uuid)
{
    struct db_value value = db_str(uuid);
    enum db_result result =
        db_run(db, "UPDATE session SET expired = 0 WHERE client = $1", &value, 1, NULL);
    return result == DB_OK ? db_run(db,
                                    "DELETE FROM export_kept WHERE session IN"
                                    " (SELECT id FROM session WHERE client = $1)",
                                    &value, 1, NULL)
                           : result;
}

/* With DELETE it has none from now on: it may be enrolled. */
static enum db_result set_key(struct request *request, const char *uuid, const char *session)
{
    uint8_t key[KEY_BYTES];
    char text[KEY_TEXT_BYTES] = "", object[96];
    bool is_new = request->method == REQUEST_POST;
    secret_random(key, sizeof key);
    if (is_new)
        secret_hex(text, key, sizeof key);
    struct db_value values[] = {db_str(uuid), db_str(text)};
    enum db_result result =
        db_run(request->leatd->db, "UPDATE client SET psk = $2 WHERE uuid = $1", values, 2, NULL);
    if (result == DB_OK && session[0])
        result = session_end(request->leatd, session,
                             is_new ? "the client has got a new key"
                                    : "the client's key was taken away");
    if (result == DB_OK)
        result = forget_silent(request->leatd->db, uuid);
    snprintf(object, sizeof object, "client %.64s", uuid);
    if (result == DB_OK)
        result = done(request, is_new ? "new key" : "no key", object);
    if (result == DB_OK && is_new)
        cJSON_AddStringToObject(request->answer, "key", text);
    secret_wipe(key, sizeof key);
    secret_wipe(text, sizeof text);
    return result;
}

enum db_result manage_key(struct request *request, const char *client)
{
    struct db_rows rows;
    struct db_value value = db_str(client);
    enum db_result result =
        db_query(request->leatd->db,
                 "SELECT uuid, session.id FROM client LEFT JOIN session ON session.client = uuid"
                 " AND ended IS NULL WHERE uuid = $1 OR name = $1",
                 &value, 1, &rows);
    if (result != DB_OK)
        return result;
    if (rows.count)
        result = set_key(request, db_text(&rows, 0, 0), db_text(&rows, 0, 1));
    else
        request_refuse(request, 404, "there is no client %.64s", client);
    db_rows_free(&rows);
    return result;
}

enum db_result manage_status(struct request *request)
{
    const struct config *config = &request->leatd->config;
    struct db_rows rows;
    static const char *const names[] = {"clients", "images", "disks", "sessions", "leases"};
    enum db_result result =
        db_query(request->leatd->db,
                 "SELECT (SELECT COUNT(*) FROM client), (SELECT COUNT(*) FROM image),"
                 " (SELECT COUNT(*) FROM disk), (SELECT COUNT(*) FROM session WHERE ended IS NULL),"
                 " (SELECT COUNT(*) FROM lease)",
                 NULL, 0, &rows);
    if (result != DB_OK)
        return result;
    cJSON *answer = request_answer(request, 200);
    cJSON_AddStringToObject(answer, "version", LEATD_VERSION);
    cJSON_AddStringToObject(answer, "server", config->server);
    cJSON_AddStringToObject(answer, "administrator", request->who);
    cJSON_AddStringToObject(answer, "images_folder", config->images);
    cJSON_AddStringToObject(answer, "differences_folder", config->differences);
    result = servers_show(request->leatd, cJSON_AddArrayToObject(answer, "servers"));
    cJSON *counts = cJSON_AddObjectToObject(answer, "counts");
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        cJSON_AddNumberToObject(counts, names[i], (double)db_number(&rows, 0, i));
    db_rows_free(&rows);
    return result;
}

struct cleaning {
    struct leatd *leatd;
    struct db_rows rows;
    const char *gone;
};

static enum db_result find_dropped(void *context)
{
    struct cleaning *c = context;
    return db_query(c->leatd->db, "SELECT id FROM difference WHERE dropped = 1", NULL, 0, &c->rows);
}

static enum db_result forget(void *context)
{
    struct cleaning *c = context;
    struct db_value value = db_str(c->gone);
    return db_run(c->leatd->db, "DELETE FROM difference WHERE id = $1 AND dropped = 1", &value, 1,
                  NULL);
}

static bool remove_file(const char *folder, const char *id, const char *end)
{
    char path[CONFIG_PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/%s%s", folder, id, end);
    if (!unlink(path) || errno == ENOENT)
        return true;
    leatd_log("%s cannot be removed: %s", path, strerror(errno));
    return false;
}

/* What was removed stays so after a loss of power. */
static bool sync_folder(const char *folder)
{
    int file = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = file >= 0 && !fsync(file);
    if (!ok)
        leatd_log("%s cannot be synced: %s", folder, strerror(errno));
    if (file >= 0)
        close(file);
    return ok;
}

void manage_clean(struct leatd *leatd)
{
    struct cleaning c = {.leatd = leatd};
    const char *folder = leatd->config.differences;
    if (db_transact(leatd->db, find_dropped, &c) != DB_OK)
        return;
    // The file first, and what the plugin was making: a row without a file is forgotten at the next try, a file without a
    // row never.
    for (uint32_t i = 0; i < c.rows.count; i++) {
        c.gone = db_text(&c.rows, i, 0);
        if (remove_file(folder, c.gone, "") && remove_file(folder, c.gone, ".new") &&
            sync_folder(folder))
            db_transact(leatd->db, forget, &c);
    }
    db_rows_free(&c.rows);
}
