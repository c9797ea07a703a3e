// SPDX-License-Identifier: BSD-2-Clause
/* POST /client/v1/hello: who may start, and what it gets. */
#include "tools/leatd/check.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/offer.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/session.h"
#include "tools/leatd/tls.h"

#include <stdio.h>
#include <string.h>

#define WAIT 10 // seconds until a client that was refused may ask again
#define HARDWARE_BYTES 2000u
// In a minute. A client that is refused asks six times; many may be behind one address.
#define HELLOS_OF_CLIENT 30u
#define HELLOS_OF_ADDRESS 600u
#define NOTES 5u // events in a minute about one client, or one address

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
    session_add_terms(request, answer);
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
    struct db_value value = db_str(id);
    return db_run(request->leatd->db, "DELETE FROM session WHERE id = $1", &value, 1, NULL);
}

/* A client that is refused again and again shall not fill the log. */
static bool may_note(struct request *request, const char *client)
{
    return limit_take(&request->leatd->limit, LIMIT_REFUSED_EVENT, client, NOTES,
                      leatd_monotonic());
}

static enum db_result refuse_client(struct request *request, const struct hello *hello,
                                    const char *name, const char *state, int64_t wait,
                                    const char *sentence)
{
    refuse_state(request, strcmp(state, "cloned") ? 403 : 409, state, wait, sentence);
    if (!may_note(request, hello->uuid))
        return DB_OK;
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

static enum db_result answer_enrolment(struct request *request, const struct hello *hello,
                                       const struct db_rows *client)
{
    struct leatd *leatd = request->leatd;
    if (client->count) {
        cJSON *answer = request_answer(request, 200);
        cJSON_AddStringToObject(answer, "state", "known");
        cJSON_AddNumberToObject(answer, "wait", WAIT);
        return DB_OK;
    }
    refuse_state(request, 404, "unknown", WAIT,
                 "This machine is not known to the server: ask your administrator.");
    if (!limit_take_address(&leatd->limit, LIMIT_UNKNOWN_EVENT, request->address, NOTES,
                            leatd_monotonic()))
        return DB_OK;
    return journal_event(leatd, "refused", NULL, request->address,
                         "a machine that is not known: %s", hello->uuid);
}

static enum db_result hello_checked(struct request *request, const struct hello *hello)
{
    struct db_rows client;
    struct db_value uuid = db_str(hello->uuid);
    bool enrols = !strcmp(request->identity, TLS_ENROL_IDENTITY);
    if (!enrols && strcmp(request->identity, hello->uuid)) {
        request_refuse(request, 403, "the uuid is another one than the key's");
        if (!may_note(request, request->identity))
            return DB_OK;
        return journal_event(request->leatd, "refused", request->identity, request->address,
                             "a hello for %s with the key of %s", hello->uuid, request->identity);
    }
    enum db_result result = db_query(
        request->leatd->db, "SELECT name, enabled, expires, psk FROM client WHERE uuid = $1", &uuid,
        1, &client);
    if (result != DB_OK)
        return result;
    if (enrols || !client.count)
        result = answer_enrolment(request, hello, &client);
    else if (!tls_is_key(request, db_text(&client, 0, 3)))
        request_refuse(request, 401, SESSION_OLD_KEY);
    else
        result = admit(request, hello, &client);
    db_rows_free(&client);
    return result;
}

/* The identity of enrolment is everybody's, so there the address alone counts. */
static bool within_limits(struct request *request)
{
    struct limit *limit = &request->leatd->limit;
    int64_t now = leatd_monotonic();
    return limit_take_address(limit, LIMIT_HELLO_ADDRESS, request->address, HELLOS_OF_ADDRESS,
                              now) &&
           (!strcmp(request->identity, TLS_ENROL_IDENTITY) ||
            limit_take(limit, LIMIT_HELLO_CLIENT, request->identity, HELLOS_OF_CLIENT, now));
}

enum db_result session_hello(struct request *request)
{
    struct hello hello;
    if (!within_limits(request)) {
        refuse_state(request, 429, "later", WAIT, "This machine asks too often: it has to wait.");
        return DB_OK;
    }
    if (!read_hello(request, &hello))
        return DB_OK;
    enum db_result result = hello_checked(request, &hello);
    cJSON_free(hello.hardware);
    return result;
}
