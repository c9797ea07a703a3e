// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/lease.h"

#include "tools/leatd/control_wire.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/json.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/source.h"
#include "tools/leatd/tree.h"

#include <stdio.h>
#include <string.h>

#define RENEW_SHARED 5   // seconds
#define EXPORT_NOTES 20u // events in a minute about names from one address
#define CLOCKS                                                                                     \
    2 // that another server's clock may be apart: what it gave is its own for so long more

/* The columns of find_export. */
enum {
    SESSION,
    CLIENT,
    NAME,
    ADDRESS,
    LIVES,
    ENABLED,
    DISK,
    MODE,
    SIZE,
    DIFFERENCE,
    SOURCE,
    FORMAT,
    IMAGE,
    MADE,
    OUSTED
};

/* Whether another process has this server's name, $3, and not this one, $4: then that one gives leases. */
#define ANOTHER "SELECT COUNT(*) FROM server WHERE name = $3 AND instance <> $4"

static const char find_export[] =
    "SELECT session.id, session.client, client.name, address,"
    " CASE WHEN ended IS NULL AND session.expires > $2 THEN 1 ELSE 0 END,"
    " CASE WHEN enabled = 1 AND (client.expires = 0 OR client.expires > $2) THEN 1 ELSE 0 END,"
    " disk, mode, export.size, difference,"
    " CASE WHEN mode = '" TREE_MODE "' THEN hash_source ELSE source END,"
    " CASE WHEN mode = '" TREE_MODE "' THEN 'raw' ELSE format END, export.image,"
    " COALESCE((SELECT made FROM difference AS d WHERE d.id = export.difference), 1), (" ANOTHER ")"
    " FROM export JOIN session ON export.session = session.id"
    " JOIN client ON session.client = client.uuid"
    " LEFT JOIN image_version ON export.image = image_version.image"
    " AND export.version = image_version.number WHERE export.hash = $1";

static void refuse(cJSON *answer, const char *reason, const char *sentence)
{
    cJSON_AddStringToObject(answer, "error", sentence);
    cJSON_AddStringToObject(answer, "reason", reason);
}

/* A term of the lease, and when the plugin has to ask for the next. With several servers it has to hear soon that a writer
   has gone to another one. */
static void add_terms(struct leatd *leatd, cJSON *answer)
{
    int64_t term = leatd->config.lease_term, renew = term / 3 > 0 ? term / 3 : 1;
    if (leatd->has_others && renew > RENEW_SHARED)
        renew = RENEW_SHARED;
    cJSON_AddNumberToObject(answer, "expires", (double)(leatd_now() + term));
    cJSON_AddNumberToObject(answer, "renew", (double)renew);
    cJSON_AddStringToObject(answer, "away",
                            leatd->has_others ? CONTROL_AWAY_PAUSE : CONTROL_AWAY_HOLD);
}

static bool is_loopback(const char *address)
{
    return !strncmp(address, "127.", 4) || !strcmp(address, "::1");
}

/* A peer without an address has come over a Unix socket of this host. */
static bool is_peer(const char *peer, const char *address)
{
    if (!strncmp(peer, "::ffff:", 7) && strchr(peer, '.'))
        peer += 7;
    return peer[0] ? !strcmp(peer, address) : is_loopback(address);
}

static enum db_result refuse_open(struct leatd *leatd, cJSON *answer, const char *reason,
                                  const struct db_rows *found, const char *peer, const char *why)
{
    const char *address = peer[0] ? peer : "local";
    refuse(answer, reason, "there is no such export for this client");
    // Who tries names at random shall not fill the log.
    if (!limit_take_address(&leatd->limit, LIMIT_EXPORT_EVENT, address, EXPORT_NOTES,
                            leatd_monotonic()))
        return DB_OK;
    return journal_refused(leatd, found->count ? db_text(found, 0, CLIENT) : NULL, address,
                           "%s: an export name that %s",
                           found->count ? db_text(found, 0, NAME) : "unknown", why);
}

static void describe(struct leatd *leatd, const struct db_rows *found, bool read_only,
                     cJSON *answer)
{
    const struct config *config = &leatd->config;
    const char *source = db_text(found, 0, SOURCE), *difference = db_text(found, 0, DIFFERENCE);
    char path[CONFIG_PATH_BYTES + 1100];
    cJSON_AddStringToObject(answer, "client", db_text(found, 0, NAME));
    cJSON_AddStringToObject(answer, "disk", db_text(found, 0, DISK));
    cJSON_AddStringToObject(answer, "mode", db_text(found, 0, MODE));
    cJSON_AddBoolToObject(answer, "read_only", read_only || !difference[0]);
    if (source[0] && source_is_uri(source)) {
        cJSON_AddStringToObject(answer, "uri", source);
    } else if (source[0]) {
        source_path(config, source, path, sizeof path);
        cJSON_AddStringToObject(answer, "path", path);
    }
    if (source[0])
        cJSON_AddStringToObject(answer, "format", db_text(found, 0, FORMAT));
    cJSON_AddNumberToObject(answer, "size", (double)db_number(found, 0, SIZE));
    if (difference[0]) {
        snprintf(path, sizeof path, "%s/%s", config->differences, difference);
        cJSON_AddStringToObject(answer, "difference", path);
        cJSON_AddBoolToObject(answer, "new", !db_number(found, 0, MADE));
    }
    add_terms(leatd, answer);
}

static enum db_result insert_lease(struct leatd *leatd, const char *target, const char *hash,
                                   const struct db_rows *found, char *id)
{
    int64_t now = leatd_now();
    secret_id(id);
    struct db_value values[] = {db_str(target),
                                db_str(id),
                                db_str(db_text(found, 0, SESSION)),
                                db_str(hash),
                                db_str(db_text(found, 0, DISK)),
                                db_int(db_text(found, 0, DIFFERENCE)[0] != 0),
                                db_int(now),
                                db_int(now + leatd->config.lease_term),
                                db_str(leatd->config.server)};
    enum db_result result = db_run(
        leatd->db,
        "INSERT INTO lease (target, id, session, export, disk, writer, taken, expires, server,"
        " bytes_read, bytes_written) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)",
        values, 9, NULL);
    struct db_value writer[] = {db_str(target), db_str(db_text(found, 0, SESSION))};
    if (result == DB_OK) // who wrote it before has an old state in memory: as in revive.c
        result = db_run(leatd->db,
                        "DELETE FROM export WHERE difference = $1 AND session <> $2 AND"
                        " session = (SELECT session FROM difference WHERE id = $1)",
                        writer, 2, NULL);
    if (result == DB_OK) // the target of a read-only export is no difference
        result =
            db_run(leatd->db, "UPDATE difference SET session = $2 WHERE id = $1", writer, 2, NULL);
    const char *what = strcmp(db_text(found, 0, MODE), TREE_MODE) ? "" : "the hash tree of ";
    return result == DB_OK ? journal_event(leatd, "lease", db_text(found, 0, CLIENT),
                                           db_text(found, 0, ADDRESS), "%s opens %sdisk %s",
                                           db_text(found, 0, NAME), what, db_text(found, 0, DISK))
                           : result;
}

static enum db_result prolong(struct leatd *leatd, const char *id)
{
    struct db_value values[] = {db_str(id), db_int(leatd_now() + leatd->config.lease_term)};
    return db_run(leatd->db, "UPDATE lease SET expires = $2 WHERE id = $1", values, 2, NULL);
}

static enum db_result refuse_busy(struct leatd *leatd, const struct db_rows *found,
                                  const char *holder, cJSON *answer)
{
    char sentence[160];
    snprintf(sentence, sizeof sentence, "disk %.63s is in use by %.63s", db_text(found, 0, DISK),
             holder);
    refuse(answer, CONTROL_REASON_BUSY, sentence);
    cJSON_AddStringToObject(answer, "holder", holder);
    if (!limit_take(&leatd->limit, LIMIT_BUSY_EVENT, db_text(found, 0, CLIENT), 5,
                    leatd_monotonic()))
        return DB_OK;
    return journal_refused(leatd, db_text(found, 0, CLIENT), db_text(found, 0, ADDRESS), "%s: %s",
                           db_text(found, 0, NAME), sentence);
}

/* Who has the target: the columns of find_holder. */
enum { LEASE, HOLDER, EXPIRES, HOLDER_NAME, SERVER };

static const char find_holder[] =
    "SELECT lease.id, session, lease.expires, client.name, lease.server"
    " FROM lease JOIN session ON lease.session = session.id"
    " JOIN client ON session.client = client.uuid WHERE target = $1";

/* A client that writes goes on at another server: the one that it had is told that its lease is gone. */
static enum db_result note_move(struct leatd *leatd, const struct db_rows *found, const char *from)
{
    return journal_event(leatd, "lease", db_text(found, 0, CLIENT), db_text(found, 0, ADDRESS),
                         "%s goes on with disk %s at server %s, after server %s",
                         db_text(found, 0, NAME), db_text(found, 0, DISK), leatd->config.server,
                         from);
}

static enum db_result replace(struct leatd *leatd, const struct db_rows *found, const char *target,
                              const char *hash, char *id)
{
    struct db_value value = db_str(target);
    enum db_result result =
        db_run(leatd->db, "DELETE FROM lease WHERE target = $1", &value, 1, NULL);
    return result == DB_OK ? insert_lease(leatd, target, hash, found, id) : result;
}

/* The lease of the target: this session's again, a new one, or somebody else's. id "" after a refusal. */
static enum db_result take(struct leatd *leatd, const struct db_rows *found, const char *hash,
                           char *id, cJSON *answer)
{
    struct db_rows held;
    const char *difference = db_text(found, 0, DIFFERENCE), *own = leatd->config.server;
    const char *target = difference[0] ? difference : hash;
    if (!difference[0]) // a lease that keeps nobody out
        db_may_lag(leatd->db);
    struct db_value value = db_str(target);
    enum db_result result = db_query(leatd->db, find_holder, &value, 1, &held);
    id[0] = 0;
    if (result != DB_OK)
        return result;
    bool is_own = held.count && !strcmp(db_text(&held, 0, HOLDER), db_text(found, 0, SESSION));
    bool is_here = held.count && !strcmp(db_text(&held, 0, SERVER), own);
    int64_t until = held.count ? db_number(&held, 0, EXPIRES) + (is_here ? 0 : CLOCKS) : 0;
    if (is_own && (is_here || !difference[0])) {
        snprintf(id, ID_BYTES, "%s", db_text(&held, 0, LEASE));
        result = prolong(leatd, id);
    } else if (!is_own && until > leatd_now()) {
        result = refuse_busy(leatd, found, db_text(&held, 0, HOLDER_NAME), answer);
    } else {
        result = replace(leatd, found, target, hash, id);
        if (result == DB_OK && is_own)
            result = note_move(leatd, found, db_text(&held, 0, SERVER));
    }
    db_rows_free(&held);
    return result;
}

static enum db_result open_found(struct leatd *leatd, const struct db_rows *found, const char *hash,
                                 const char *peer, bool read_only, cJSON *answer)
{
    char id[ID_BYTES];
    if (!found->count)
        return refuse_open(leatd, answer, CONTROL_REASON_TOKEN, found, peer,
                           "is nobody's, or no longer");
    if (!db_number(found, 0, LIVES) || !db_number(found, 0, ENABLED))
        return refuse_open(leatd, answer, CONTROL_REASON_TOKEN, found, peer, "has expired");
    if (!is_peer(peer, db_text(found, 0, ADDRESS)))
        return refuse_open(leatd, answer, CONTROL_REASON_PEER, found, peer, "is somebody else's");
    enum db_result result = take(leatd, found, hash, id, answer);
    if (result != DB_OK || !id[0])
        return result;
    cJSON_AddStringToObject(answer, "lease", id);
    describe(leatd, found, read_only, answer);
    return DB_OK;
}

enum db_result lease_open(struct leatd *leatd, const cJSON *request, cJSON *answer)
{
    struct db_rows found;
    char hash[HASH_BYTES];
    const char *token = json_text(request, "token"), *peer = json_text(request, "peer");
    if (!token || !peer || strlen(peer) > 63) {
        refuse(answer, CONTROL_REASON_REQUEST, "an open needs token and peer");
        return DB_OK;
    }
    bool read_only = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(request, "read_only"));
    secret_hash(hash, token);
    struct db_value values[] = {db_str(hash), db_int(leatd_now()), db_str(leatd->config.server),
                                db_str(leatd->instance)};
    enum db_result result = db_query(leatd->db, find_export, values, 4, &found);
    if (result != DB_OK)
        return result;
    leatd->is_ousted |= found.count && db_number(&found, 0, OUSTED);
    result =
        leatd->is_ousted ? DB_UNDONE : open_found(leatd, &found, hash, peer, read_only, answer);
    db_rows_free(&found);
    return result;
}

/* A lease of a session that lives; false with a refusal, or with *result other than DB_OK. */
static bool find_lease(struct leatd *leatd, const cJSON *request, cJSON *answer, const char **id,
                       enum db_result *result)
{
    bool found;
    *id = json_text(request, "lease");
    *result = DB_OK;
    if (!*id) {
        refuse(answer, CONTROL_REASON_REQUEST, "the request needs a lease");
        return false;
    }
    struct db_value values[] = {db_str(*id), db_int(leatd_now()), db_str(leatd->config.server),
                                db_str(leatd->instance)};
    *result = db_finds(leatd->db,
                       "SELECT 1 FROM lease JOIN session ON lease.session = session.id"
                       " JOIN client ON session.client = client.uuid WHERE lease.id = $1"
                       " AND ended IS NULL AND session.expires > $2 AND enabled = 1"
                       " AND (client.expires = 0 OR client.expires > $2)"
                       " AND (" ANOTHER ") = 0",
                       values, 4, &found);
    if (*result == DB_OK && !found)
        refuse(answer, CONTROL_REASON_GONE, "the lease has been taken away");
    return found;
}

static int64_t sum(const cJSON *request, const char *name)
{
    int64_t number;
    return json_integer(cJSON_GetObjectItemCaseSensitive(request, name), &number) && number > 0
               ? number
               : 0;
}

/* The plugin has the difference's file open: whoever opens it later must find it. */
static enum db_result note_made(struct leatd *leatd, const char *id, const cJSON *request)
{
    struct db_value value = db_str(id);
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(request, "made")))
        return DB_OK;
    return db_run(leatd->db,
                  "UPDATE difference SET made = 1 WHERE made = 0 AND"
                  " id = (SELECT target FROM lease WHERE id = $1)",
                  &value, 1, NULL);
}

enum db_result lease_renew(struct leatd *leatd, const cJSON *request, cJSON *answer)
{
    enum db_result result;
    const char *id;
    if (!find_lease(leatd, request, answer, &id, &result))
        return result;
    struct db_value values[] = {db_str(id), db_int(leatd_now() + leatd->config.lease_term),
                                db_int(sum(request, "read")), db_int(sum(request, "written"))};
    // A plugin that has been started anew begins to count at 0 again.
    result = db_run(leatd->db,
                    "UPDATE lease SET expires = $2,"
                    " bytes_read = CASE WHEN bytes_read < $3 THEN $3 ELSE bytes_read END,"
                    " bytes_written = CASE WHEN bytes_written < $4 THEN $4 ELSE bytes_written END"
                    " WHERE id = $1",
                    values, 4, NULL);
    add_terms(leatd, answer);
    return result == DB_OK ? note_made(leatd, id, request) : result;
}

enum db_result lease_close(struct leatd *leatd, const cJSON *request, cJSON *answer)
{
    enum db_result result;
    const char *id;
    find_lease(leatd, request, answer, &id, &result);
    return result; // a living session keeps it until it expires: its client may only have lost its connection
}

enum db_result lease_sweep(struct leatd *leatd)
{
    struct db_value values[] = {db_int(leatd_now()), db_str(leatd->config.server),
                                db_int(leatd_now() - CLOCKS)};
    return db_run(leatd->db,
                  "DELETE FROM lease WHERE expires <= $1 AND (server = $2 OR expires <= $3)",
                  values, 3, NULL);
}
