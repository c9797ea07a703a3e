// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/profile.h"

#include "tools/leatd/check.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum db_result get(struct request *request, const struct db_value *version)
{
    struct db_rows rows;
    enum db_result result =
        db_query(request->leatd->db, "SELECT data FROM profile WHERE image = $1 AND version = $2",
                 version, 2, &rows);
    if (result != DB_OK)
        return result;
    if (!rows.count) {
        request_refuse(request, 404, "there is no profile of this version yet");
    } else {
        request_answer(request, 200);
        cJSON_Delete(request->answer);
        request->answer = NULL;
        request->answer_size = db_at(&rows, 0, 0)->size;
        request->answer_data = malloc(request->answer_size + 1);
        if (request->answer_data)
            memcpy(request->answer_data, db_at(&rows, 0, 0)->data, request->answer_size);
        else
            request_refuse(request, 503, "no memory");
    }
    db_rows_free(&rows);
    return DB_OK;
}

static enum db_result put(struct request *request, const struct db_value *version)
{
    struct db_value values[] = {version[0], version[1], db_blob(request->data, request->data_size),
                                db_int(leatd_now())};
    request_answer(request, 200);
    return db_run(request->leatd->db,
                  "INSERT INTO profile (image, version, data, changed) VALUES ($1, $2, $3, $4)"
                  " ON CONFLICT (image, version) DO UPDATE SET data = $3, changed = $4",
                  values, 4, NULL);
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
                      "SELECT image, version FROM export WHERE session = $1 AND disk = $2 AND"
                      " image IS NOT NULL",
                      values, 2, &rows);
    if (result != DB_OK)
        return result;
    if (!rows.count)
        request_refuse(request, 404, "this session has no such disk with an image");
    else if (request->method == REQUEST_GET)
        result = get(request, rows.values);
    else if (request->method == REQUEST_PUT && request->data_size)
        result = put(request, rows.values);
    else
        request_refuse(request, 400, "a profile can be got, or put with its bytes");
    db_rows_free(&rows);
    return result;
}

enum db_result profile_of_version(struct request *request, const char *image, const char *number)
{
    struct db_value values[] = {db_str(image), db_int(strtoll(number, NULL, 10))};
    char object[160];
    if (!check_number(number)) {
        request_refuse(request, 404, "there is no version %.64s", number);
        return DB_OK;
    }
    if (request->method == REQUEST_GET)
        return get(request, values);
    if (request->method != REQUEST_DELETE) {
        request_refuse(request, 405, "a profile can be got and deleted");
        return DB_OK;
    }
    enum db_result result =
        db_run(request->leatd->db, "DELETE FROM profile WHERE image = $1 AND version = $2", values,
               2, NULL);
    snprintf(object, sizeof object, "profile %.63s/%.20s", image, number);
    request_answer(request, 200);
    return result == DB_OK ? journal_audit(request, "remove", object, NULL, NULL) : result;
}
