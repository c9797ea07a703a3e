// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/offer.h"

#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/start.h"
#include "tools/leatd/tree.h"

#include <stdio.h>
#include <string.h>

/* One assigned disk, as it will be offered. */
struct disk {
    const char *name, *mode, *label, *start;
    struct db_value image, version; // NULL: none
    int64_t size, iops, bandwidth, memory, cpus;
    int64_t root_blocks; // of its image's hash tree; 0: it has none that it can be verified by
    bool is_default;
    char difference[ID_BYTES]; // "" none
    char profile[HASH_BYTES];  // likewise
};

/* The columns of assigned. */
enum { NAME, MODE, IMAGE, VERSION, SIZE, IOPS, BANDWIDTH, LABEL, DEFAULT, MEMORY, CPUS, START };

static const char assigned[] =
    "SELECT disk.name, mode, image, version, size, iops, bandwidth, label, is_default, memory, "
    "cpus,"
    " start_mode FROM assignment JOIN disk ON assignment.disk = disk.name"
    " WHERE assignment.client = $1 OR assignment.client_group ="
    " (SELECT client_group FROM client WHERE uuid = $1)"
    " ORDER BY place, assignment.client IS NULL, assignment.id";

static const char newest[] = "SELECT number FROM image_version WHERE image = $1 AND"
                             " state = 'published' ORDER BY number DESC LIMIT 1";

/* The version that the disk names, or the newest published one; *found false: there is none. */
static enum db_result find_version(struct db *db, struct disk *disk, bool *found)
{
    struct db_rows rows;
    *found = true;
    if (disk->image.kind == DB_NULL || disk->version.kind == DB_INT)
        return DB_OK;
    enum db_result result = db_query(db, newest, &disk->image, 1, &rows);
    if (result != DB_OK)
        return result;
    *found = rows.count;
    if (rows.count)
        disk->version = db_int(db_number(&rows, 0, 0));
    db_rows_free(&rows);
    return DB_OK;
}

/* A disk is as large as it says, and never smaller than its image. */
static enum db_result find_size(struct db *db, struct disk *disk)
{
    struct db_rows rows;
    struct db_value values[] = {disk->image, disk->version};
    enum db_result result = db_query(
        db, "SELECT size FROM image_version WHERE image = $1 AND number = $2", values, 2, &rows);
    if (result != DB_OK)
        return result;
    if (rows.count && db_number(&rows, 0, 0) > disk->size)
        disk->size = db_number(&rows, 0, 0);
    db_rows_free(&rows);
    return DB_OK;
}

static enum db_result insert_difference(struct db *db, struct disk *disk, struct db_value owner)
{
    secret_id(disk->difference);
    struct db_value values[] = {
        db_str(disk->difference), db_str(disk->name), owner, disk->image, disk->version,
        db_int(disk->size),       db_int(leatd_now())};
    return db_run(
        db,
        "INSERT INTO difference (id, disk, client, image, version, size, dropped, created)"
        " VALUES ($1, $2, $3, $4, $5, $6, 0, $7)",
        values, 7, NULL);
}

/* The difference that the disk's mode asks for, with the version that it was begun over; none leaves the disk as it is. */
static enum db_result find_difference(struct db *db, struct disk *disk, const char *owner)
{
    struct db_rows rows;
    struct db_value values[] = {db_str(disk->name), db_str(owner ? owner : "")};
    enum db_result result = db_query(db,
                                     "SELECT id, version, size FROM difference WHERE disk = $1"
                                     " AND COALESCE(client, '') = $2 AND dropped = 0",
                                     values, 2, &rows);
    if (result != DB_OK)
        return result;
    if (rows.count) {
        snprintf(disk->difference, sizeof disk->difference, "%s", db_text(&rows, 0, 0));
        disk->version = *db_at(&rows, 0, 1);
        disk->size = db_number(&rows, 0, 2);
    }
    db_rows_free(&rows);
    return DB_OK;
}

/* Version, size and difference: those of the difference that is there, whatever became of its version, or new ones. */
static enum db_result settle(struct db *db, struct disk *disk, const char *client, bool *found)
{
    bool is_private = !strcmp(disk->mode, "private");
    bool writes = is_private || !strcmp(disk->mode, "server");
    const char *owner = is_private ? NULL : client;
    enum db_result result = writes ? find_difference(db, disk, owner) : DB_OK;
    *found = true;
    if (result != DB_OK || disk->difference[0])
        return result;
    result = find_version(db, disk, found);
    if (result != DB_OK || !*found)
        return result;
    result = find_size(db, disk);
    return result == DB_OK && writes ? insert_difference(db, disk, db_str(owner)) : result;
}

static enum db_result note_missing(struct request *request, const char *client,
                                   const struct disk *disk)
{
    if (!limit_take(&request->leatd->limit, LIMIT_REFUSED_EVENT, client, 5, leatd_monotonic()))
        return DB_OK;
    return journal_event(request->leatd, "refused", client, request->address,
                         "disk %s has no published version", disk->name);
}

enum { THE_DISK, ITS_BASE, ITS_TREE };

/* An export of the session; its name goes into the object under the key. */
static enum db_result insert_export(struct db *db, const char *session, const struct disk *disk,
                                    unsigned what, cJSON *shown)
{
    static const char *const keys[] = {"export", "base", "tree"};
    const char *const modes[] = {disk->mode, "read-only", TREE_MODE};
    char token[TOKEN_BYTES], hash[HASH_BYTES];
    secret_token(token, 'x');
    secret_hash(hash, token);
    bool has_difference = what == THE_DISK && disk->difference[0];
    bool has_profile = what != ITS_TREE && disk->profile[0];
    struct db_value values[] = {
        db_str(hash),
        db_str(session),
        db_str(disk->name),
        db_str(modes[what]),
        disk->image,
        disk->version,
        db_int(what == ITS_TREE ? tree_bytes(disk->root_blocks) : disk->size),
        db_str(has_difference ? disk->difference : NULL),
        db_str(has_profile ? disk->profile : NULL)};
    cJSON_AddStringToObject(shown, keys[what], token);
    return db_run(db,
                  "INSERT INTO export (hash, session, disk, mode, image, version, size, difference,"
                  " profile) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                  values, 9, NULL);
}

/* How the client can name and check the content of the image version. */
static enum db_result add_version(struct db *db, struct disk *disk, cJSON *shown)
{
    struct db_rows rows;
    struct db_value values[] = {disk->image, disk->version};
    enum db_result result = db_query(db,
                                     "SELECT content, root_hash, root_blocks, hash_source FROM"
                                     " image_version WHERE image = $1 AND number = $2",
                                     values, 2, &rows);
    if (result != DB_OK)
        return result;
    bool known = rows.count, has_tree = known && db_text(&rows, 0, 3)[0];
    int64_t blocks = has_tree ? db_number(&rows, 0, 2) : 0;
    if (has_tree && tree_is_for(disk->mode, disk->size, blocks))
        disk->root_blocks = blocks;
    json_add_text(shown, "content", known ? db_at(&rows, 0, 0)->data : NULL);
    json_add_text(shown, "root_hash", disk->root_blocks ? db_at(&rows, 0, 1)->data : NULL);
    cJSON_AddItemToObject(shown, "root_blocks",
                          disk->root_blocks ? cJSON_CreateNumber((double)blocks)
                                            : cJSON_CreateNull());
    db_rows_free(&rows);
    return DB_OK;
}

static void add_rest(const struct disk *disk, cJSON *shown)
{
    cJSON_AddStringToObject(shown, "name", disk->name);
    cJSON_AddStringToObject(shown, "label", disk->label[0] ? disk->label : disk->name);
    cJSON_AddBoolToObject(shown, "default", disk->is_default);
    cJSON_AddStringToObject(shown, "mode", disk->mode);
    cJSON_AddNumberToObject(shown, "size", (double)disk->size);
    cJSON_AddStringToObject(shown, "start", disk->start);
    cJSON_AddNumberToObject(shown, "iops", (double)disk->iops);
    cJSON_AddNumberToObject(shown, "bandwidth", (double)disk->bandwidth);
    cJSON_AddNumberToObject(shown, "memory", (double)disk->memory);
    cJSON_AddNumberToObject(shown, "cpus", (double)disk->cpus);
}

static enum db_result offer(struct request *request, const char *session, const char *client,
                            struct disk *disk, cJSON *disks)
{
    struct db *db = request->leatd->db;
    bool found;
    enum db_result result = settle(db, disk, client, &found);
    if (result == DB_OK && !found)
        return note_missing(request, client, disk);
    cJSON *shown = cJSON_CreateObject();
    cJSON_AddItemToArray(disks, shown);
    if (result == DB_OK)
        result = add_version(db, disk, shown);
    struct db_value version[] = {disk->image, disk->version, db_int(disk->size)};
    if (result == DB_OK)
        result = start_add_files(request->leatd, disk->name, version, shown, disk->profile);
    if (result == DB_OK)
        result = insert_export(db, session, disk, THE_DISK, shown);
    if (result == DB_OK && !strcmp(disk->mode, "server"))
        result = insert_export(db, session, disk, ITS_BASE, shown);
    else
        cJSON_AddNullToObject(shown, "base");
    if (result == DB_OK && disk->root_blocks)
        result = insert_export(db, session, disk, ITS_TREE, shown);
    else
        cJSON_AddNullToObject(shown, "tree");
    add_rest(disk, shown);
    return result;
}

static bool offered(const cJSON *disks, const char *name)
{
    const cJSON *disk;
    cJSON_ArrayForEach(disk, disks) if (!strcmp(json_text(disk, "name"), name)) return true;
    return false;
}

enum db_result offer_disks(struct request *request, const char *session, const char *client,
                           cJSON *disks)
{
    struct db_rows rows;
    struct db_value value = db_str(client);
    enum db_result result = db_query(request->leatd->db, assigned, &value, 1, &rows);
    if (result != DB_OK)
        return result;
    for (uint32_t i = 0; i < rows.count && result == DB_OK; i++) {
        struct disk disk = {.name = db_text(&rows, i, NAME),
                            .mode = db_text(&rows, i, MODE),
                            .label = db_text(&rows, i, LABEL),
                            .image = *db_at(&rows, i, IMAGE),
                            .version = *db_at(&rows, i, VERSION),
                            .size = db_number(&rows, i, SIZE),
                            .iops = db_number(&rows, i, IOPS),
                            .bandwidth = db_number(&rows, i, BANDWIDTH),
                            .memory = db_number(&rows, i, MEMORY),
                            .cpus = db_number(&rows, i, CPUS),
                            .start = db_text(&rows, i, START),
                            .is_default = db_number(&rows, i, DEFAULT) != 0};
        if (!offered(disks, disk.name))
            result = offer(request, session, client, &disk, disks);
    }
    db_rows_free(&rows);
    return result;
}
