// SPDX-License-Identifier: BSD-2-Clause
/* POST /client/v1/hello: who may start, and what it gets. */
#include "tools/leatd/greeting.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/offer.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/servers.h"
#include "tools/leatd/session.h"
#include "tools/leatd/start.h"
#include "tools/leatd/tls.h"

#include <stdio.h>
#include <string.h>

// In a minute. A client that is refused asks six times; many that are not known may be behind one address.
#define HELLOS_OF_CLIENT 30u
#define HELLOS_OF_ADDRESS 600u

/* An earlier session of the client that has not ended: it ends, or *cloned seconds remain until it may. */
static enum db_result clear_way(struct request *request, const struct greeting *hello,
                                int64_t *cloned)
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
                             lives ? "the machine has started again" : SESSION_SILENT);
    db_rows_free(&rows);
    return result;
}

static enum db_result insert_session(struct request *request, const struct greeting *hello,
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

/* A client that is refused again and again shall not fill the log. */
static bool may_note(struct request *request, const char *client)
{
    return limit_take(&request->leatd->limit, LIMIT_REFUSED_EVENT, client, GREETING_NOTES,
                      leatd_monotonic());
}

#define NO_DISKS "No disk is assigned to this machine: ask your administrator."

/* The session that was begun is gone again. */
static enum db_result refuse_without_disks(struct request *request, const struct greeting *hello,
                                           const char *session, const char *name)
{
    struct db_value value = db_str(session);
    greeting_refuse(request, 403, "no disks", GREETING_WAIT, NO_DISKS);
    enum db_result result =
        db_run(request->leatd->db, "DELETE FROM session WHERE id = $1", &value, 1, NULL);
    return result == DB_OK && may_note(request, hello->uuid)
               ? journal_event(request->leatd, "refused", hello->uuid, request->address,
                               "%s: " NO_DISKS, name)
               : result;
}

static enum db_result open_session(struct request *request, const struct greeting *hello,
                                   const char *name)
{
    char id[ID_BYTES], token[TOKEN_BYTES];
    secret_id(id);
    secret_token(token, 's');
    db_may_lag(request->leatd->db);
    enum db_result result = insert_session(request, hello, id, token);
    if (result != DB_OK)
        return result;
    cJSON *answer = request_answer(request, 200);
    cJSON_AddStringToObject(answer, "state", "ok");
    cJSON_AddStringToObject(answer, "session", token);
    session_add_terms(request, answer);
    cJSON_AddStringToObject(answer, "name", name);
    result = servers_offer(request->leatd, hello->uuid, cJSON_AddArrayToObject(answer, "servers"));
    cJSON *disks = cJSON_AddArrayToObject(answer, "disks");
    if (result == DB_OK)
        result = offer_disks(request, id, hello->uuid, disks);
    if (result == DB_OK)
        result = start_add_menu(request->leatd, hello->uuid, answer);
    if (result != DB_OK || cJSON_GetArraySize(disks))
        return result == DB_OK ? journal_event(request->leatd, "session", hello->uuid,
                                               request->address, "%s has started", name)
                               : result;
    return refuse_without_disks(request, hello, id, name);
}

static enum db_result refuse_client(struct request *request, const struct greeting *hello,
                                    const char *name, const char *state, int64_t wait,
                                    const char *sentence)
{
    greeting_refuse(request, strcmp(state, "cloned") ? 403 : 409, state, wait, sentence);
    if (!may_note(request, hello->uuid))
        return DB_OK;
    return journal_refused(request->leatd, hello->uuid, request->address, "%s: %s", name, sentence);
}

static enum db_result admit(struct request *request, const struct greeting *hello,
                            const struct db_rows *client)
{
    const char *name = db_text(client, 0, 0);
    int64_t expires = db_number(client, 0, 2), cloned;
    if (!db_number(client, 0, 1))
        return refuse_client(request, hello, name, "disabled", GREETING_WAIT,
                             "This machine is disabled: ask your administrator.");
    if (expires && expires <= leatd_now())
        return refuse_client(request, hello, name, "expired", GREETING_WAIT,
                             "This machine's permission has expired: ask your administrator.");
    enum db_result result = clear_way(request, hello, &cloned);
    if (result != DB_OK)
        return result;
    if (cloned)
        return refuse_client(
            request, hello, name, "cloned", cloned < GREETING_WAIT ? cloned : GREETING_WAIT,
            "Another machine with this identity is running: ask your administrator.");
    return open_session(request, hello, name);
}

static enum db_result answer_enrolment(struct request *request, const struct greeting *hello,
                                       const struct db_rows *client)
{
    if (!client->count)
        return greeting_unknown(request, 404, hello);
    greeting_known(request);
    return DB_OK;
}

static enum db_result hello_checked(struct request *request, const struct greeting *hello)
{
    struct db_rows client;
    struct db_value uuid = db_str(hello->uuid);
    bool enrols = !strcmp(request->identity, TLS_ENROL_IDENTITY);
    if (!enrols && strcmp(request->identity, hello->uuid)) {
        request_refuse(request, 403, "the uuid is another one than the key's");
        if (!may_note(request, request->identity))
            return DB_OK;
        return journal_refused(request->leatd, request->identity, request->address,
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

/* The identity of enrolment is everybody's, so there the address counts; who has shown a key is not kept out by others. */
static bool within_limits(struct request *request)
{
    struct limit *limit = &request->leatd->limit;
    int64_t now = leatd_monotonic();
    return strcmp(request->identity, TLS_ENROL_IDENTITY)
               ? limit_take(limit, LIMIT_HELLO_CLIENT, request->identity, HELLOS_OF_CLIENT, now)
               : limit_take_address(limit, LIMIT_HELLO_ADDRESS, request->address, HELLOS_OF_ADDRESS,
                                    now);
}

enum db_result session_hello(struct request *request)
{
    struct greeting hello;
    if (!within_limits(request)) {
        greeting_refuse(request, 429, "later", GREETING_WAIT,
                        "This machine asks too often: it has to wait.");
        return DB_OK;
    }
    if (!greeting_read(request, &hello))
        return DB_OK;
    enum db_result result = hello_checked(request, &hello);
    cJSON_free(hello.hardware);
    return result;
}
