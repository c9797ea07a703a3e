// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/manage.h"

#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/servers.h"
#include "tools/leatd/session.h"

#include <stdio.h>
#include <string.h>

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
    bool found;
    char object[64], why[100];
    struct db_value value = db_str(id);
    enum db_result result =
        db_finds(request->leatd->db, "SELECT 1 FROM session WHERE id = $1 AND ended IS NULL",
                 &value, 1, &found);
    if (result != DB_OK)
        return result;
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
    char text[KEY_TEXT_BYTES] = "", object[96];
    bool is_new = request->method == REQUEST_POST;
    if (is_new)
        secret_key(text);
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
