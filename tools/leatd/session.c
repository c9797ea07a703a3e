// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/session.h"

#include "tools/leatd/check.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/offer.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/tls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT 10 // seconds until a client that was refused may ask again
#define HARDWARE_BYTES 2000u
#define OLD_KEY "the key that the connection was made with is worth nothing any more"

/* What a hello says, checked. */
struct hello {
    char uuid[UUID_BYTES], macs[MACS_BYTES];
    const char *version;
    char *hardware; // JSON, from cJSON_PrintUnformatted; NULL if there is none
};

static void refuse_state(struct request *request, int status, const char *state, int64_t wait,
                         const char *sentence)
{
    request_refuse(request, status, "%s", sentence);
    cJSON_AddStringToObject(request->answer, "state", state);
    cJSON_AddNumberToObject(request->answer, "wait", (double)wait);
}

static bool read_macs(char *out, const cJSON *list)
{
    size_t used = 0;
    const cJSON *item;
    out[0] = 0;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > 8)
        return false;
    cJSON_ArrayForEach(item, list)
    {
        if (used)
            out[used++] = ' ';
        if (!cJSON_IsString(item) || !check_mac(out + used, item->valuestring))
            return false;
        used += 17;
    }
    return true;
}

/* False with a refusal. */
static bool read_hello(struct request *request, struct hello *hello)
{
    const cJSON *body = request->body;
    const char *uuid = body ? json_text(body, "uuid") : NULL;
    const cJSON *hardware = cJSON_GetObjectItemCaseSensitive(body, "hardware");
    const char *why = NULL;
    hello->version = body ? json_text(body, "version") : NULL;
    hello->hardware = NULL;
    if (!uuid || !check_uuid(hello->uuid, uuid))
        why = "a hello needs a uuid";
    else if (!read_macs(hello->macs, cJSON_GetObjectItemCaseSensitive(body, "macs")))
        why = "a hello needs macs, an array of at most eight addresses";
    else if (!hello->version || strlen(hello->version) > 63)
        why = "a hello needs the version of Leat";
    else if (hardware && !cJSON_IsObject(hardware))
        why = "hardware has to be an object";
    else if (hardware)
        hello->hardware = cJSON_PrintUnformatted(hardware);
    if (hello->hardware && strlen(hello->hardware) > HARDWARE_BYTES) {
        cJSON_free(hello->hardware);
        why = "hardware is too long";
    }
    if (why)
        request_refuse(request, 400, "%s", why);
    return !why;
}

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
        result = session_end(leatd, db_text(&rows, i, 0), "nothing was heard of it any more");
        if (result == DB_OK)
            result = journal_event(leatd, "session", db_text(&rows, i, 1), db_text(&rows, i, 2),
                                   "%s: nothing was heard of it any more", db_text(&rows, i, 3));
    }
    if (rows.values)
        db_rows_free(&rows);
    return result;
}

/* An earlier session of the client that has not ended: it ends, or *cloned seconds remain until it may. */
static enum db_result clear_way(struct request *request, const struct hello *hello, int64_t *cloned)
{
    struct db_rows rows;
    struct db_value client = db_str(hello->uuid);
    int64_t now = leatd_now();
    enum db_result result = db_query(
        request->leatd->db,
        "SELECT id, expires, address, macs FROM session WHERE client = $1 AND ended IS NULL",
        &client, 1, &rows);
    *cloned = 0;
    if (result != DB_OK || !rows.count)
        return result;
    bool lives = db_number(&rows, 0, 1) > now;
    bool same = !strcmp(db_text(&rows, 0, 2), request->address) &&
                !strcmp(db_text(&rows, 0, 3), hello->macs);
    if (lives && !same)
        *cloned = db_number(&rows, 0, 1) - now;
    else
        result = session_end(request->leatd, db_text(&rows, 0, 0),
                             lives ? "the machine has started again"
                                   : "nothing was heard of it any more");
    db_rows_free(&rows);
    return result;
}

static enum db_result insert_session(struct request *request, const struct hello *hello,
                                     const char *id, const char *token)
{
    char hash[HASH_BYTES];
    int64_t now = leatd_now();
    secret_hash(hash, token);
    struct db_value values[] = {db_str(id),
                                db_str(hash),
                                db_str(hello->uuid),
                                db_int(now),
                                db_int(now + request->leatd->config.session_term),
                                db_str(request->address),
                                db_str(hello->macs),
                                db_str(hello->version),
                                db_str(hello->hardware ? hello->hardware : "{}"),
                                db_str(request->leatd->config.server)};
    return db_run(request->leatd->db,
                  "INSERT INTO session (id, hash, client, started, renewed, expires, address, macs,"
                  " leat_version, hardware, server)"
                  " VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8, $9, $10)",
                  values, 10, NULL);
}

static void add_terms(struct request *request, cJSON *answer)
{
    int64_t term = request->leatd->config.session_term;
    cJSON_AddNumberToObject(answer, "expires", (double)(leatd_now() + term));
    cJSON_AddNumberToObject(answer, "renew", (double)(term / 3 > 0 ? term / 3 : 1));
}

static enum db_result open_session(struct request *request, const struct hello *hello,
                                   const char *name)
{
    const struct config *config = &request->leatd->config;
    char id[ID_BYTES], token[TOKEN_BYTES];
    secret_id(id);
    secret_token(token, 's');
    enum db_result result = insert_session(request, hello, id, token);
    if (result != DB_OK)
        return result;
    cJSON *answer = request_answer(request, 200);
    cJSON_AddStringToObject(answer, "state", "ok");
    cJSON_AddStringToObject(answer, "session", token);
    add_terms(request, answer);
    cJSON_AddStringToObject(answer, "name", name);
    cJSON *servers = cJSON_AddArrayToObject(answer, "servers");
    for (uint32_t i = 0; i < config->server_count; i++)
        cJSON_AddItemToArray(servers, cJSON_CreateString(config->servers[i]));
    cJSON *disks = cJSON_AddArrayToObject(answer, "disks");
    result = offer_disks(request, id, hello->uuid, disks);
    if (result != DB_OK || cJSON_GetArraySize(disks))
        return result == DB_OK ? journal_event(request->leatd, "session", hello->uuid,
                                               request->address, "%s has started", name)
                               : result;
    refuse_state(request, 403, "no disks", WAIT,
                 "No disk is assigned to this machine: ask your administrator.");
    return session_end(request->leatd, id, "no disk is assigned");
}

static enum db_result refuse_client(struct request *request, const struct hello *hello,
                                    const char *name, const char *state, int64_t wait,
                                    const char *sentence)
{
    refuse_state(request, strcmp(state, "cloned") ? 403 : 409, state, wait, sentence);
    return journal_event(request->leatd, "refused", hello->uuid, request->address, "%s: %s", name,
                         sentence);
}

static enum db_result admit(struct request *request, const struct hello *hello,
                            const struct db_rows *client)
{
    const char *name = db_text(client, 0, 0);
    int64_t expires = db_number(client, 0, 2), cloned;
    if (!db_number(client, 0, 1))
        return refuse_client(request, hello, name, "disabled", WAIT,
                             "This machine is disabled: ask your administrator.");
    if (expires && expires <= leatd_now())
        return refuse_client(request, hello, name, "expired", WAIT,
                             "This machine's permission has expired: ask your administrator.");
    enum db_result result = clear_way(request, hello, &cloned);
    if (result != DB_OK)
        return result;
    if (cloned)
        return refuse_client(
            request, hello, name, "cloned", cloned < WAIT ? cloned : WAIT,
            "Another machine with this identity is running: ask your administrator.");
    return open_session(request, hello, name);
}

static void answer_enrolment(struct request *request, const struct db_rows *client)
{
    if (!client->count) {
        refuse_state(request, 404, "unknown", WAIT,
                     "This machine is not known to the server: ask your administrator.");
        return;
    }
    cJSON *answer = request_answer(request, 200);
    cJSON_AddStringToObject(answer, "state", "known");
    cJSON_AddNumberToObject(answer, "wait", WAIT);
}

static enum db_result hello_checked(struct request *request, const struct hello *hello)
{
    struct db_rows client;
    struct db_value uuid = db_str(hello->uuid);
    bool enrols = !strcmp(request->identity, TLS_ENROL_IDENTITY);
    if (!enrols && strcmp(request->identity, hello->uuid)) {
        request_refuse(request, 403, "the uuid is another one than the key's");
        return journal_event(request->leatd, "refused", request->identity, request->address,
                             "a hello for %s with the key of %s", hello->uuid, request->identity);
    }
    enum db_result result = db_query(
        request->leatd->db, "SELECT name, enabled, expires, psk FROM client WHERE uuid = $1", &uuid,
        1, &client);
    if (result != DB_OK)
        return result;
    if (enrols || !client.count)
        answer_enrolment(request, &client);
    else if (!tls_is_key(request, db_text(&client, 0, 3)))
        request_refuse(request, 401, OLD_KEY);
    else
        result = admit(request, hello, &client);
    db_rows_free(&client);
    return result;
}

enum db_result session_hello(struct request *request)
{
    struct hello hello;
    if (!read_hello(request, &hello))
        return DB_OK;
    enum db_result result = hello_checked(request, &hello);
    cJSON_free(hello.hardware);
    return result;
}

/* A row of id, client, name, expires, why, enabled, the client's expiry and key. */
static bool check_session(struct request *request, const struct db_rows *rows)
{
    int64_t now = leatd_now();
    const char *why = NULL;
    if (!rows->count)
        why = "the session is not known";
    else if (!tls_is_key(request, db_text(rows, 0, 7)))
        why = OLD_KEY;
    else if (db_at(rows, 0, 4)->kind == DB_TEXT)
        why = db_text(rows, 0, 4);
    else if (db_number(rows, 0, 3) <= now)
        why = "nothing was heard of it any more";
    else if (!db_number(rows, 0, 5))
        why = "the client is disabled";
    else if (db_number(rows, 0, 6) && db_number(rows, 0, 6) <= now)
        why = "the client's permission has expired";
    if (why)
        request_refuse(request, 401, "%s", why);
    return !why;
}

enum db_result session_find(struct request *request, struct session *session, bool *found)
{
    char hash[HASH_BYTES];
    struct db_rows rows;
    *found = false;
    if (!request->token || !secret_is_token(request->token, 's')) {
        request_refuse(request, 401, "the request needs the token of a session");
        return DB_OK;
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
    return DB_OK;
}

enum db_result session_renew(struct request *request)
{
    struct session session;
    bool found;
    enum db_result result = session_find(request, &session, &found);
    if (result != DB_OK || !found)
        return result;
    int64_t now = leatd_now();
    struct db_value values[] = {db_str(session.id), db_int(now),
                                db_int(now + request->leatd->config.session_term)};
    result = db_run(request->leatd->db,
                    "UPDATE session SET renewed = $2, expires = $3 WHERE id = $1", values, 3, NULL);
    add_terms(request, request_answer(request, 200));
    return result;
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
