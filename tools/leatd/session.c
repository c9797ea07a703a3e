// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/session.h"

#include "tools/leatd/busy.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/lies.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/tls.h"

#include <stdio.h>
#include <string.h>

#define REPORT_BYTES (16u << 10) // docs/server.md
#define TOKEN_NOTES 5u           // events in a minute about tokens of one address

enum db_result session_end(struct leatd *leatd, const char *id, const char *why)
{
    struct db_value values[] = {db_str(id), db_int(leatd_now()), db_str(why)};
    enum db_result result =
        db_run(leatd->db, "UPDATE session SET ended = $2, why = $3 WHERE id = $1 AND ended IS NULL",
               values, 3, NULL);
    return result == DB_OK
               ? db_run(leatd->db, "DELETE FROM export WHERE session = $1", values, 1, NULL)
               : result;
}

enum db_result session_sweep(struct leatd *leatd)
{
    struct db_rows rows;
    struct db_value now = db_int(leatd_now());
    enum db_result result =
        db_query(leatd->db,
                 "SELECT session.id, session.client, address, client.name FROM session"
                 " JOIN client ON session.client = client.uuid"
                 " WHERE ended IS NULL AND session.expires <= $1",
                 &now, 1, &rows);
    for (uint32_t i = 0; result == DB_OK && i < rows.count; i++) {
        result = session_expire(leatd, db_text(&rows, i, 0));
        if (result == DB_OK)
            result = journal_event(leatd, "session", db_text(&rows, i, 1), db_text(&rows, i, 2),
                                   "%s: " SESSION_SILENT, db_text(&rows, i, 3));
    }
    if (rows.values)
        db_rows_free(&rows);
    return result;
}

void session_add_terms(struct request *request, cJSON *answer)
{
    int64_t term = request->leatd->config.session_term;
    cJSON_AddNumberToObject(answer, "expires", (double)(leatd_now() + term));
    cJSON_AddNumberToObject(answer, "renew", (double)(term / 3 > 0 ? term / 3 : 1));
}

enum db_result session_trim(struct leatd *leatd)
{
    struct db_value most = db_int(SESSION_ENDED), reports = db_int(SESSION_REPORTS);
    enum db_result result =
        db_run(leatd->db,
               "DELETE FROM session WHERE ended IS NOT NULL AND id <= (SELECT id FROM session"
               " WHERE ended IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET $1)",
               &most, 1, NULL);
    return result == DB_OK ? db_run(leatd->db,
                                    "UPDATE session SET report = NULL WHERE report IS NOT NULL AND"
                                    " ended IS NOT NULL AND id <= (SELECT id FROM session"
                                    " WHERE ended IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET $1)",
                                    &reports, 1, NULL)
                           : result;
}

/* A row of id, client, name, expires, why, enabled, the client's expiry and key. */
static bool check_session(struct request *request, const struct db_rows *rows)
{
    int64_t now = leatd_now();
    const char *why = NULL;
    if (!rows->count)
        why = "the session is not known";
    else if (!tls_is_key(request, db_text(rows, 0, 7)))
        why = SESSION_OLD_KEY;
    else if (db_at(rows, 0, 4)->kind == DB_TEXT)
        why = db_text(rows, 0, 4);
    else if (db_number(rows, 0, 3) <= now)
        why = SESSION_SILENT;
    else if (!db_number(rows, 0, 5))
        why = "the client is disabled";
    else if (db_number(rows, 0, 6) && db_number(rows, 0, 6) <= now)
        why = "the client's permission has expired";
    if (why)
        request_refuse(request, 401, "%s", why);
    return !why;
}

/* Who comes again and again with a token that is none shall not fill the log. */
static enum db_result note_refused(struct request *request)
{
    struct leatd *leatd = request->leatd;
    if (!limit_take_address(&leatd->limit, LIMIT_TOKEN_EVENT, request->address, TOKEN_NOTES,
                            leatd_monotonic()))
        return DB_OK;
    bool is_client = strcmp(request->identity, TLS_ENROL_IDENTITY);
    return journal_refused(leatd, is_client ? request->identity : NULL, request->address,
                           "a request of %s is refused: %s", request->identity, request->sentence);
}

enum db_result session_find(struct request *request, struct session *session, bool *found)
{
    char hash[HASH_BYTES];
    struct db_rows rows;
    *found = false;
    if (!request->token || !secret_is_token(request->token, 's')) {
        request_refuse(request, 401, "the request needs the token of a session");
        return note_refused(request);
    }
    secret_hash(hash, request->token);
    struct db_value values[] = {db_str(hash), db_str(request->identity)};
    enum db_result result = db_query(
        request->leatd->db,
        "SELECT session.id, client, name, session.expires, why, enabled, client.expires, psk"
        " FROM session JOIN client ON session.client = client.uuid"
        " WHERE hash = $1 AND client = $2",
        values, 2, &rows);
    if (result != DB_OK)
        return result;
    *found = check_session(request, &rows);
    if (*found) {
        snprintf(session->id, sizeof session->id, "%s", db_text(&rows, 0, 0));
        snprintf(session->client, sizeof session->client, "%s", db_text(&rows, 0, 1));
        snprintf(session->name, sizeof session->name, "%s", db_text(&rows, 0, 2));
    }
    db_rows_free(&rows);
    return *found ? DB_OK : note_refused(request);
}

/* The exports of disks that are no longer assigned to the client end, and their leases with them. */
static enum db_result end_unassigned(struct request *request, const struct session *session)
{
    uint64_t ended;
    struct db_value values[] = {db_str(session->id), db_str(session->client)};
    enum db_result result =
        db_run(request->leatd->db,
               "DELETE FROM export WHERE session = $1 AND disk NOT IN"
               " (SELECT disk FROM assignment WHERE client = $2 OR client_group ="
               " (SELECT client_group FROM client WHERE uuid = $2))",
               values, 2, &ended);
    return result == DB_OK && ended
               ? journal_event(request->leatd, "session", session->client, request->address,
                               "%s: a disk that it had is no longer assigned to it", session->name)
               : result;
}

/* The report as text from cJSON_PrintUnformatted, or NULL if there is none. False with a refusal. */
static bool read_report(struct request *request, char **text)
{
    const cJSON *report = cJSON_GetObjectItemCaseSensitive(request->body, "report");
    *text = NULL;
    if (!report)
        return true;
    if (cJSON_IsObject(report))
        *text = cJSON_PrintUnformatted(report);
    if (*text && strlen(*text) <= REPORT_BYTES)
        return true;
    cJSON_free(*text);
    request_refuse(request, 422, "report has to be an object of at most 16 KiB");
    return false;
}

static enum db_result prolong(struct request *request, const struct session *session)
{
    int64_t now = leatd_now();
    char *report;
    if (!read_report(request, &report))
        return DB_UNDONE;
    struct db_value values[] = {db_str(session->id), db_int(now),
                                db_int(now + request->leatd->config.session_term), db_str(report),
                                db_str(request->leatd->config.server)};
    const cJSON *told = cJSON_GetObjectItemCaseSensitive(request->body, "report");
    enum db_result result = report ? lies_note(request, session, told) : DB_OK;
    if (result == DB_OK)
        result = db_run(request->leatd->db,
                        "UPDATE session SET renewed = $2, expires = $3,"
                        " report = COALESCE($4, report), server = $5 WHERE id = $1",
                        values, 5, NULL);
    cJSON_free(report);
    return result;
}

enum db_result session_renew(struct request *request)
{
    struct session session;
    bool found = false;
    enum db_result result = session_revive(request);
    if (result == DB_OK)
        result = session_find(request, &session, &found);
    if (result != DB_OK || !found)
        return result;
    result = prolong(request, &session);
    if (result == DB_OK)
        result = end_unassigned(request, &session);
    if (result != DB_OK)
        return result;
    session_add_terms(request, request_answer(request, 200));
    return busy_add(request->leatd, session.id, request->answer);
}

enum db_result session_bye(struct request *request)
{
    struct session session;
    bool found;
    enum db_result result = session_find(request, &session, &found);
    if (result != DB_OK || !found)
        return result;
    result = session_end(request->leatd, session.id, "the machine said good-bye");
    request_answer(request, 200);
    return result == DB_OK ? journal_event(request->leatd, "session", session.client,
                                           request->address, "%s has said good-bye", session.name)
                           : result;
}
