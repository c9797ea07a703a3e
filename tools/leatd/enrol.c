// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/enrol.h"

#include "tools/leatd/greeting.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/tls.h"

#include <stdio.h>
#include <string.h>

#define ATTEMPTS 600u // of an address in a minute: a room may be behind one
#define KEPT 86400    // seconds that a window is shown after it has closed

/* A machine that wants to be a client. */
struct applicant {
    struct greeting greeting;
    char key[KEY_TEXT_BYTES];
    struct db_rows client; // name, psk, enabled, client_group; no row: it is not known
};

/* The window that lets it in: its own first, then the one that was opened first. A client that lost its key is let in by
   a window of its own group: else whoever knows its UUID could be it, with the window of a quarantine. */
static enum db_result find_window(struct request *request, const struct applicant *a,
                                  struct db_rows *window)
{
    struct db_value values[] = {db_int(leatd_now()), db_str(a->greeting.uuid),
                                db_int(a->client.count),
                                a->client.count ? *db_at(&a->client, 0, 3) : db_str(NULL)};
    return db_query(request->leatd->db,
                    "SELECT id, client_group, admin FROM enrolment WHERE used < places"
                    " AND (expires = 0 OR expires > $1) AND (client = $2 OR (client IS NULL"
                    " AND ($3 = 0 OR client_group = $4)))"
                    " ORDER BY client IS NULL, id LIMIT 1",
                    values, 4, window);
}

/* "pc-" and the first MAC address; the UUID where there is none, or somebody has that name. */
static enum db_result make_name(struct request *request, const struct applicant *a,
                                char name[NAME_BYTES])
{
    bool is_taken = true;
    size_t used = (size_t)snprintf(name, NAME_BYTES, "pc-");
    for (const char *c = a->greeting.macs; *c && *c != ' '; c++)
        if (*c != ':')
            name[used++] = *c;
    name[used] = 0;
    struct db_value value = db_str(name);
    enum db_result result =
        a->greeting.macs[0] ? db_finds(request->leatd->db, "SELECT 1 FROM client WHERE name = $1",
                                       &value, 1, &is_taken)
                            : DB_OK;
    if (is_taken)
        snprintf(name, NAME_BYTES, "%s", a->greeting.uuid);
    return result;
}

static enum db_result make_client(struct request *request, const struct applicant *a,
                                  const struct db_value *group, char name[NAME_BYTES])
{
    enum db_result result = make_name(request, a, name);
    struct db_value values[] = {db_str(a->greeting.uuid), db_str(name),   *group,
                                db_str(a->greeting.macs), db_str(a->key), db_int(leatd_now())};
    return result == DB_OK
               ? db_run(request->leatd->db,
                        "INSERT INTO client (uuid, name, client_group, macs, psk, enabled, expires,"
                        " note, created, chosen) VALUES ($1, $2, $3, $4, $5, 1, 0, 'enrolled', $6,"
                        " '')",
                        values, 6, NULL)
               : result;
}

static enum db_result give_key(struct request *request, const struct applicant *a,
                               const struct db_value *group, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%s", db_text(&a->client, 0, 0));
    struct db_value values[] = {db_str(a->greeting.uuid), db_str(a->key), *group};
    return db_run(request->leatd->db,
                  "UPDATE client SET psk = $2, client_group = COALESCE(client_group, $3)"
                  " WHERE uuid = $1",
                  values, 3, NULL);
}

static enum db_result note_enrolled(struct request *request, const struct applicant *a,
                                    const char *name, const char *window, const char *admin)
{
    char object[96];
    struct db_value id = db_str(window);
    enum db_result result = db_run(
        request->leatd->db, "UPDATE enrolment SET used = used + 1 WHERE id = $1", &id, 1, NULL);
    snprintf(request->who, sizeof request->who, "%.63s", admin);
    snprintf(object, sizeof object, "client %s", a->greeting.uuid);
    if (result == DB_OK)
        result = journal_audit(request, "enrol", object, NULL, NULL);
    if (result == DB_OK)
        result = journal_event(request->leatd, "enrolled", a->greeting.uuid, request->address,
                               "%s is enrolled, in a window of %s", name, admin);
    request->leatd->keys_changed = true;
    greeting_known(request);
    return result;
}

static enum db_result let_in(struct request *request, const struct applicant *a,
                             const struct db_rows *window)
{
    char name[NAME_BYTES];
    const struct db_value *group = db_at(window, 0, 1);
    enum db_result result =
        a->client.count ? give_key(request, a, group, name) : make_client(request, a, group, name);
    if (result == DB_CONFLICT) { // somebody has the UUID as a name
        request_refuse(request, 409, "the machine cannot be enrolled: its name is taken");
        return DB_UNDONE;
    }
    return result == DB_OK
               ? note_enrolled(request, a, name, db_text(window, 0, 0), db_text(window, 0, 2))
               : result;
}

/* Of a client that is known; nobody learns whether it has a key, only that this one is not it. */
static enum db_result refuse_known(struct request *request, const struct applicant *a,
                                   const char *sentence)
{
    struct leatd *leatd = request->leatd;
    greeting_refuse(request, 403, "known", GREETING_WAIT, sentence);
    if (!limit_take(&leatd->limit, LIMIT_REFUSED_EVENT, a->greeting.uuid, GREETING_NOTES,
                    leatd_monotonic()))
        return DB_OK;
    return journal_refused(leatd, a->greeting.uuid, request->address, "enrolment as %s: %s",
                           db_text(&a->client, 0, 0), sentence);
}

/* By their hashes, so that the time it takes tells nothing. */
static bool is_same(const char *key, const char *other)
{
    char hashes[2][HASH_BYTES];
    secret_hash(hashes[0], key);
    secret_hash(hashes[1], other);
    return !strcmp(hashes[0], hashes[1]);
}

static enum db_result judge(struct request *request, const struct applicant *a)
{
    struct db_rows window;
    bool is_known = a->client.count;
    const char *key = is_known ? db_text(&a->client, 0, 1) : "";
    if (is_known && key[0] && is_same(key, a->key)) { // it has not got the answer to its first try
        greeting_known(request);
        return DB_OK;
    }
    if (is_known && (key[0] || !db_number(&a->client, 0, 2)))
        return refuse_known(request, a,
                            key[0] ? "Another key is kept for this machine: ask your administrator."
                                   : "This machine is disabled: ask your administrator.");
    enum db_result result = find_window(request, a, &window);
    if (result != DB_OK)
        return result;
    if (window.count)
        result = let_in(request, a, &window);
    else if (is_known)
        result = refuse_known(request, a,
                              "This machine has no key yet, and no enrolment is open: ask your "
                              "administrator.");
    else
        result = greeting_unknown(request, 403, &a->greeting);
    db_rows_free(&window);
    return result;
}

/* False with a refusal. */
static bool read_key(struct request *request, char key[KEY_TEXT_BYTES])
{
    uint8_t bytes[KEY_BYTES];
    const char *text = json_text(request->body, "key");
    bool good = text && secret_unhex(bytes, sizeof bytes, text) &&
                memcmp(bytes, request->leatd->enrol_key, sizeof bytes);
    if (good)
        snprintf(key, KEY_TEXT_BYTES, "%s", text);
    else
        request_refuse(request, 400, "an enrolment needs a key of 64 small hexadecimal digits");
    secret_wipe(bytes, sizeof bytes);
    return good;
}

static enum db_result enrol_checked(struct request *request, struct applicant *a)
{
    struct db_value uuid = db_str(a->greeting.uuid);
    enum db_result result = db_query(
        request->leatd->db, "SELECT name, psk, enabled, client_group FROM client WHERE uuid = $1",
        &uuid, 1, &a->client);
    if (result != DB_OK)
        return result;
    result = judge(request, a);
    db_rows_free(&a->client);
    return result;
}

enum db_result enrol(struct request *request)
{
    struct applicant a = {0};
    enum db_result result = DB_OK;
    if (strcmp(request->identity, TLS_ENROL_IDENTITY)) {
        request_refuse(request, 403, "a client that has a key is enrolled already");
        return DB_OK;
    }
    if (!limit_take_address(&request->leatd->limit, LIMIT_ENROL, request->address, ATTEMPTS,
                            leatd_monotonic())) {
        greeting_refuse(request, 429, "later", GREETING_WAIT,
                        "This machine asks too often: it has to wait.");
        return DB_OK;
    }
    if (!greeting_read(request, &a.greeting))
        return DB_OK;
    if (read_key(request, a.key))
        result = enrol_checked(request, &a);
    cJSON_free(a.greeting.hardware);
    secret_wipe(a.key, sizeof a.key);
    return result;
}

enum db_result enrol_trim(struct leatd *leatd)
{
    struct db_value before = db_int(leatd_now() - KEPT);
    return db_run(leatd->db, "DELETE FROM enrolment WHERE expires > 0 AND expires <= $1", &before,
                  1, NULL);
}
