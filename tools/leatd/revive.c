// SPDX-License-Identifier: BSD-2-Clause
/* Sessions that silence has ended, and that may live again. */
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/session.h"
#include "tools/leatd/tls.h"

#define COLUMNS "hash, session, disk, mode, image, version, size, difference, profile"

enum db_result session_expire(struct leatd *leatd, const char *id)
{
    struct db_value value = db_str(id);
    enum db_result result = db_run(leatd->db,
                                   "INSERT INTO export_kept (" COLUMNS ") SELECT " COLUMNS
                                   " FROM export WHERE session = $1",
                                   &value, 1, NULL);
    if (result == DB_OK)
        result = session_end(leatd, id, SESSION_SILENT);
    return result == DB_OK
               ? db_run(leatd->db, "UPDATE session SET expired = 1 WHERE id = $1", &value, 1, NULL)
               : result;
}

// The last of the client's sessions, silent for no longer than a day, of a client that may be let in. $3: now, $4: a day ago.
static const char candidate[] =
    "SELECT session.id, name, psk FROM session JOIN client ON session.client = client.uuid"
    " WHERE hash = $1 AND session.client = $2 AND session.expires <= $3"
    " AND (ended IS NULL OR (expired = 1 AND ended > $4))"
    " AND enabled = 1 AND (client.expires = 0 OR client.expires > $3)"
    " AND NOT EXISTS (SELECT 1 FROM session AS later WHERE later.client = session.client"
    " AND later.id <> session.id AND (later.id > session.id OR later.ended IS NULL))";

// What the client may still have: assigned, with its version, and with a difference that nobody else has written since.
static const char bring_back[] =
    "INSERT INTO export (" COLUMNS ") SELECT " COLUMNS " FROM export_kept AS k WHERE session = $1"
    " AND disk IN (SELECT disk FROM assignment WHERE client = $2 OR client_group ="
    " (SELECT client_group FROM client WHERE uuid = $2))"
    " AND (image IS NULL OR EXISTS (SELECT 1 FROM image_version AS v WHERE v.image = k.image"
    " AND v.number = k.version))"
    " AND (difference IS NULL OR EXISTS (SELECT 1 FROM difference AS d WHERE d.id = k.difference"
    " AND d.dropped = 0 AND (d.session IS NULL OR d.session = k.session)))";

static enum db_result revive(struct request *request, const char *id, const char *name)
{
    struct db *db = request->leatd->db;
    uint64_t was_ended;
    struct db_value values[] = {db_str(id), db_str(request->identity)};
    struct db_value term[] = {db_str(id),
                              db_int(leatd_now() + request->leatd->config.session_term)};
    enum db_result result = db_run(db, bring_back, values, 2, NULL);
    if (result == DB_OK)
        result = db_run(db, "DELETE FROM export_kept WHERE session = $1", values, 1, NULL);
    if (result == DB_OK)
        result = db_run(db,
                        "UPDATE session SET ended = NULL, why = NULL, expired = 0, expires = $2"
                        " WHERE id = $1 AND ended IS NOT NULL",
                        term, 2, &was_ended);
    if (result == DB_OK && !was_ended)
        return db_run(db, "UPDATE session SET expires = $2 WHERE id = $1", term, 2, NULL);
    return result == DB_OK ? journal_event(request->leatd, "session", request->identity,
                                           request->address, "%s is heard again", name)
                           : result;
}

enum db_result session_forget_kept(struct leatd *leatd)
{
    struct db_value before = db_int(leatd_now() - SESSION_KEPT);
    return db_run(leatd->db,
                  "DELETE FROM export_kept WHERE session IN"
                  " (SELECT id FROM session WHERE ended <= $1)",
                  &before, 1, NULL);
}

enum db_result session_revive(struct request *request)
{
    char hash[HASH_BYTES];
    struct db_rows rows;
    int64_t now = leatd_now();
    if (!request->token || !secret_is_token(request->token, 's'))
        return DB_OK;
    secret_hash(hash, request->token);
    struct db_value values[] = {db_str(hash), db_str(request->identity), db_int(now),
                                db_int(now - SESSION_KEPT)};
    enum db_result result = db_query(request->leatd->db, candidate, values, 4, &rows);
    if (result != DB_OK)
        return result;
    if (rows.count && tls_is_key(request, db_text(&rows, 0, 2)))
        result = revive(request, db_text(&rows, 0, 0), db_text(&rows, 0, 1));
    db_rows_free(&rows);
    return result;
}
