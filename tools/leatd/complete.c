// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/complete.h"

#include "tools/leatd/leatd.h"
#include "tools/leatd/secret.h"

#include <stdio.h>
#include <string.h>

bool complete_client(struct request *request, struct record *record, bool is_new,
                     enum db_result *result)
{
    (void)request;
    (void)result;
    if (!is_new)
        return true;
    char *text = record_buffer(record);
    secret_key(text);
    *record_value(record, &object_clients, "psk") = db_str(text);
    *record_value(record, &object_clients, "chosen") = db_str("");
    return true;
}

enum db_result created_client(struct request *request, const char *key)
{
    struct db_rows rows;
    struct db_value value = db_str(key);
    enum db_result result =
        db_query(request->leatd->db, "SELECT psk FROM client WHERE uuid = $1", &value, 1, &rows);
    if (result != DB_OK)
        return result;
    cJSON_AddStringToObject(request->answer, "key", rows.count ? db_text(&rows, 0, 0) : "");
    db_rows_free(&rows);
    return DB_OK;
}

/* A version that the disk names has to be there. */
static bool check_version(struct request *request, const struct db_value *image,
                          const struct db_value *version, enum db_result *result)
{
    bool found;
    struct db_value values[] = {*image, *version};
    *result =
        db_finds(request->leatd->db, "SELECT 1 FROM image_version WHERE image = $1 AND number = $2",
                 values, 2, &found);
    if (*result == DB_OK && !found)
        request_refuse(request, 422, "there is no version %d of image %.64s", (int)version->number,
                       image->data);
    return found;
}

bool complete_disk(struct request *request, struct record *record, bool is_new,
                   enum db_result *result)
{
    if (!is_new)
        return true; // a foreign key keeps out a version that is not there
    const struct db_value *image = record_value(record, &object_disks, "image");
    const struct db_value *version = record_value(record, &object_disks, "version");
    const struct db_value *size = record_value(record, &object_disks, "size");
    if (size->number % 512) {
        request_refuse(request, 422, "size has to be a multiple of 512");
        return false;
    }
    if (image->kind == DB_NULL) {
        bool ok = !strcmp(record_value(record, &object_disks, "mode")->data, "private") &&
                  size->number && version->kind == DB_NULL;
        if (!ok)
            request_refuse(request, 422, "a disk without an image has to be private, with a size");
        return ok;
    }
    return version->kind == DB_NULL || check_version(request, image, version, result);
}

bool complete_assignment(struct request *request, struct record *record, bool is_new,
                         enum db_result *result)
{
    (void)result;
    if (!is_new)
        return true;
    bool has_client = record_value(record, &object_assignments, "client")->kind != DB_NULL;
    bool has_group = record_value(record, &object_assignments, "client_group")->kind != DB_NULL;
    if (has_client == has_group) {
        request_refuse(request, 422, "an assignment has either a client or a group");
        return false;
    }
    char *id = record_buffer(record);
    secret_id(id);
    *record_value(record, &object_assignments, "id") = db_str(id);
    return true;
}

bool complete_enrolment(struct request *request, struct record *record, bool is_new,
                        enum db_result *result)
{
    const struct object *o = &object_enrolments;
    int64_t now = leatd_now(), seconds = record_value(record, o, "seconds")->number;
    (void)result;
    if (!is_new)
        return true;
    bool has_client = record_value(record, o, "client")->kind != DB_NULL;
    if (!has_client && record_value(record, o, "client_group")->kind == DB_NULL) {
        request_refuse(request, 422, "an enrolment window needs a group, or a client");
        return false;
    }
    if (has_client && record_value(record, o, "places")->number != 1) {
        request_refuse(request, 422, "an enrolment window of one client has a count of 1");
        return false;
    }
    char *id = record_buffer(record);
    secret_id(id);
    *record_value(record, o, "id") = db_str(id);
    *record_value(record, o, "admin") = db_str(request->who);
    *record_value(record, o, "used") = db_int(0);
    *record_value(record, o, "expires") = db_int(seconds ? now + seconds : 0);
    return true;
}

bool complete_token(struct request *request, struct record *record, bool is_new,
                    enum db_result *result)
{
    (void)result;
    if (!is_new)
        return true;
    char *id = record_buffer(record);
    secret_id(id);
    *record_value(record, &object_tokens, "id") = db_str(id);
    *record_value(record, &object_tokens, "hash") = db_str(id); // until created_token has made it
    *record_value(record, &object_tokens, "admin") = db_str(request->who);
    return true;
}

enum db_result created_token(struct request *request, const char *key)
{
    char token[TOKEN_BYTES], hash[HASH_BYTES];
    secret_token(token, 'a');
    secret_hash(hash, token);
    struct db_value values[] = {db_str(hash), db_str(key)};
    enum db_result result =
        db_run(request->leatd->db, "UPDATE api_token SET hash = $1 WHERE id = $2", values, 2, NULL);
    cJSON_AddStringToObject(request->answer, "token", token);
    secret_wipe(token, sizeof token);
    return result;
}
