// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/profile.h"

#include "tools/leatd/check.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/merge.h"
#include "tools/leatd/session.h"
#include "tools/leatd/tree.h"

#include <stdio.h>
#include <stdlib.h>

/* Merged ones that no session was told of, and that are not the newest. version: image, number, size. */
static enum db_result forget_old(struct db *db, const struct db_value version[3])
{
    return db_run(db,
                  "DELETE FROM profile_merged WHERE image = $1 AND version = $2 AND state = 'old'"
                  " AND sha256 NOT IN (SELECT profile FROM export WHERE profile IS NOT NULL)",
                  version, 2, NULL);
}

static enum db_result set_state(struct db *db, const struct db_value version[3], const char *state)
{
    struct db_value values[] = {version[0], version[1], version[2], db_str(state)};
    return db_run(db,
                  "UPDATE profile_merged SET state = $4 WHERE image = $1 AND version = $2 AND"
                  " size = $3 AND state <> 'old'",
                  values, 4, NULL);
}

static enum db_result keep_merged(struct db *db, const struct db_value version[3],
                                  const char *sha256, const void *data, size_t bytes)
{
    struct db_value values[] = {version[0],     version[1],           version[2],
                                db_str(sha256), db_blob(data, bytes), db_int(leatd_now())};
    enum db_result result = set_state(db, version, "old");
    if (result == DB_OK)
        result = db_run(db,
                        "INSERT INTO profile_merged (image, version, size, sha256, data, state,"
                        " changed) VALUES ($1, $2, $3, $4, $5, 'current', $6)"
                        " ON CONFLICT (image, version, size, sha256) DO UPDATE"
                        " SET state = 'current', changed = $6",
                        values, 6, NULL);
    return result == DB_OK ? forget_old(db, version) : result;
}

static enum db_result merge(struct leatd *leatd, const struct db_value version[3],
                            char sha256[HASH_BYTES], int64_t *bytes)
{
    struct db_rows rows;
    struct merge_part parts[MERGE_PARTS];
    enum db_result result = db_query(leatd->db,
                                     "SELECT data FROM profile_part WHERE image = $1 AND"
                                     " version = $2 AND size = $3 ORDER BY id",
                                     version, 3, &rows);
    if (result != DB_OK)
        return result;
    unsigned count = rows.count < MERGE_PARTS ? rows.count : MERGE_PARTS;
    for (unsigned i = 0; i < count; i++)
        parts[i] = (struct merge_part){db_at(&rows, i, 0)->data, db_at(&rows, i, 0)->size};
    size_t size = 0;
    uint8_t *data = merge_parts(parts, count, &size);
    db_rows_free(&rows);
    sha256[0] = 0;
    *bytes = (int64_t)size;
    if (data) {
        secret_hash_data(sha256, data, size);
        result = keep_merged(leatd->db, version, sha256, data, size);
    } else {
        result = set_state(leatd->db, version, "old");
    }
    free(data);
    return result;
}

enum db_result profile_current(struct leatd *leatd, const struct db_value version[3],
                               char sha256[HASH_BYTES], int64_t *bytes)
{
    struct db_rows rows;
    struct db_value values[] = {version[0], version[1], version[2],
                                db_int(leatd_now() - PROFILE_SETTLE)};
    // Merging takes longer than all else of a hello: when a whole room starts, it is not done for each machine.
    enum db_result result =
        db_query(leatd->db,
                 "SELECT sha256, LENGTH(data) FROM profile_merged"
                 " WHERE image = $1 AND version = $2 AND size = $3"
                 " AND (state = 'current' OR (state = 'stale' AND changed > $4))",
                 values, 4, &rows);
    if (result != DB_OK)
        return result;
    bool found = rows.count;
    snprintf(sha256, HASH_BYTES, "%s", found ? db_text(&rows, 0, 0) : "");
    *bytes = found ? db_number(&rows, 0, 1) : 0;
    db_rows_free(&rows);
    return found ? DB_OK : merge(leatd, version, sha256, bytes);
}

/* Answers with the bytes of the first row, or says that there is none. */
static enum db_result answer(struct request *request, const char *query,
                             const struct db_value *values, unsigned count)
{
    struct db_rows rows;
    enum db_result result = db_query(request->leatd->db, query, values, count, &rows);
    if (result != DB_OK)
        return result;
    if (rows.count)
        request_answer_data(request, db_at(&rows, 0, 0)->data, db_at(&rows, 0, 0)->size);
    else
        request_refuse(request, 404, "there is no profile of this version yet");
    db_rows_free(&rows);
    return DB_OK;
}

static enum db_result keep_part(struct request *request, const struct session *session,
                                const struct db_value version[3], const uint8_t *data, size_t bytes,
                                uint64_t blocks)
{
    struct db *db = request->leatd->db;
    char id[ID_BYTES];
    secret_id(id);
    struct db_value values[] = {version[0],           version[1],
                                version[2],           db_str(session->client),
                                db_blob(data, bytes), db_int((int64_t)blocks),
                                db_int(leatd_now()),  db_str(id)};
    enum db_result result =
        db_run(db,
               "INSERT INTO profile_part (id, image, version, size, client, blocks, data, changed)"
               " VALUES ($8, $1, $2, $3, $4, $6, $5, $7)"
               " ON CONFLICT (image, version, size, client)"
               " DO UPDATE SET id = $8, blocks = $6, data = $5, changed = $7",
               values, 8, NULL);
    struct db_value newest[] = {version[0], version[1], version[2], db_int(MERGE_PARTS)};
    if (result == DB_OK)
        result = db_run(db,
                        "DELETE FROM profile_part WHERE image = $1 AND version = $2 AND size = $3"
                        " AND id <= (SELECT id FROM profile_part WHERE image = $1 AND version = $2"
                        " AND size = $3 ORDER BY id DESC LIMIT 1 OFFSET $4)",
                        newest, 4, NULL);
    return result == DB_OK ? set_state(db, version, "stale") : result;
}

static enum db_result put(struct request *request, const struct session *session,
                          const struct db_value version[3])
{
    size_t bytes;
    uint64_t blocks;
    const char *why;
    if (!limit_take(&request->leatd->limit, LIMIT_PROFILE, session->client, PROFILE_PUTS,
                    leatd_monotonic())) {
        request_refuse(request, 429, "too many profiles: wait a minute");
        return DB_OK;
    }
    struct merge_part sent = {request->data, request->data_size};
    uint8_t *data = merge_newest(sent, (uint64_t)version[2].number, &bytes, &blocks, &why);
    if (!data) {
        request_refuse(request, 422, "the profile cannot be used: %s", why);
        return DB_OK;
    }
    enum db_result result = keep_part(request, session, version, data, bytes, blocks);
    free(data);
    request_answer(request, 200);
    return result;
}

enum db_result profile_of_session(struct request *request)
{
    struct session session;
    struct db_rows rows;
    bool found;
    enum db_result result = session_find(request, &session, &found);
    if (result != DB_OK || !found)
        return result;
    struct db_value values[] = {db_str(session.id), db_str(request->segments[3])};
    result = db_query(request->leatd->db,
                      "SELECT image, version, size FROM export WHERE session = $1 AND disk = $2 AND"
                      " image IS NOT NULL AND mode <> '" TREE_MODE "'",
                      values, 2, &rows);
    if (result != DB_OK)
        return result;
    if (!rows.count)
        request_refuse(request, 404, "this session has no such disk with an image");
    else if (request->method == REQUEST_GET)
        result = answer(request,
                        "SELECT data FROM profile_merged AS m JOIN export ON"
                        " export.image = m.image AND export.version = m.version AND"
                        " export.size = m.size AND export.profile = m.sha256"
                        " WHERE export.session = $1 AND export.disk = $2",
                        values, 2);
    else if (request->method == REQUEST_PUT && request->data_size)
        result = put(request, &session, rows.values);
    else
        request_refuse(request, 400, "a profile can be got, or put with its bytes");
    db_rows_free(&rows);
    return result;
}

/* Of the disks' sizes, the one that a boot was last sent of. */
static enum db_result get(struct request *request, struct db_value version[3])
{
    struct db_rows rows;
    char sha256[HASH_BYTES];
    int64_t bytes;
    enum db_result result =
        db_query(request->leatd->db,
                 "SELECT size FROM profile_part WHERE image = $1 AND version = $2"
                 " ORDER BY id DESC LIMIT 1",
                 version, 2, &rows);
    if (result != DB_OK)
        return result;
    version[2] = db_int(rows.count ? db_number(&rows, 0, 0) : 0);
    db_rows_free(&rows);
    result = profile_current(request->leatd, version, sha256, &bytes);
    struct db_value values[] = {version[0], version[1], version[2], db_str(sha256)};
    return result == DB_OK ? answer(request,
                                    "SELECT data FROM profile_merged WHERE image = $1 AND"
                                    " version = $2 AND size = $3 AND sha256 = $4",
                                    values, 4)
                           : result;
}

static enum db_result reset(struct request *request, const struct db_value version[3])
{
    struct db *db = request->leatd->db;
    char object[160];
    enum db_result result =
        db_run(db, "DELETE FROM profile_part WHERE image = $1 AND version = $2", version, 2, NULL);
    if (result == DB_OK)
        result =
            db_run(db, "UPDATE profile_merged SET state = 'old' WHERE image = $1 AND version = $2",
                   version, 2, NULL);
    if (result == DB_OK)
        result = forget_old(db, version);
    snprintf(object, sizeof object, "profile %.63s/%.20s", request->segments[3],
             request->segments[5]);
    request_answer(request, 200);
    return result == DB_OK ? journal_audit(request, "remove", object, NULL, NULL) : result;
}

enum db_result profile_of_version(struct request *request, const char *image, const char *number)
{
    struct db_value version[3] = {db_str(image), db_int(strtoll(number, NULL, 10)), db_int(0)};
    if (!check_number(number))
        request_refuse(request, 404, "there is no version %.64s", number);
    else if (request->method == REQUEST_GET)
        return get(request, version);
    else if (request->method == REQUEST_DELETE)
        return reset(request, version);
    else
        request_refuse(request, 405, "a profile can be got and deleted");
    return DB_OK;
}
