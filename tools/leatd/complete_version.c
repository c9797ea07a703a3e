// SPDX-License-Identifier: BSD-2-Clause
/* Rules of a new or changed image version, whose files a thread looks at first. */
#include "tools/leatd/complete.h"

#include "tools/leatd/brought.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/probe.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/tree.h"

#include <stdio.h>
#include <string.h>

/* The number behind the highest that the image has. False: there is no such image. */
static bool next_number(struct request *request, struct record *record, enum db_result *result)
{
    struct db_rows rows;
    struct db_value *image = record_value(record, &object_versions, "image");
    *result = db_query(request->leatd->db,
                       "SELECT (SELECT COALESCE(MAX(number), 0) FROM image_version"
                       " WHERE image = image.name) FROM image WHERE name = $1",
                       image, 1, &rows);
    if (*result != DB_OK)
        return false;
    bool found = rows.count;
    if (found)
        *record_value(record, &object_versions, "number") = db_int(db_number(&rows, 0, 0) + 1);
    else
        request_refuse(request, 404, "there is no image %.64s", image->data);
    db_rows_free(&rows);
    return found;
}

static bool is_hash(const struct db_value *value)
{
    uint8_t hash[32];
    return value->kind == DB_NULL || secret_unhex(hash, sizeof hash, value->data);
}

static const char *const boot_files[] = {"kernel", "initrd"};

/* The text of a field that was given and is not null; else NULL. */
static const char *given_text(struct record *record, const char *column)
{
    const struct object *o = &object_versions;
    const struct db_value *value = record_value(record, o, column);
    return record->given[object_field(o, column)] && value->kind == DB_TEXT ? value->data : NULL;
}

static void ask_tree(struct probe_tree *tree, struct record *record)
{
    const struct object *o = &object_versions;
    const struct db_value *root = record_value(record, o, "root_hash");
    const struct db_value *file = record_value(record, o, "hash_source");
    tree->is_given = root->kind == DB_TEXT && file->kind == DB_TEXT;
    if (!tree->is_given)
        return;
    snprintf(tree->root, sizeof tree->root, "%s", root->data);
    snprintf(tree->source, sizeof tree->source, "%s", file->data);
    tree->blocks = record_value(record, o, "root_blocks")->number;
}

static const char *const version_files[] = {"source", "hash_source", "kernel", "initrd"};

/* Asks for the files to be looked at. False: there is nothing to look at, or no memory. */
static bool ask_probe(struct request *request, struct record *record, bool is_new,
                      enum db_result *result)
{
    if (!is_new && !given_text(record, "kernel") && !given_text(record, "initrd"))
        return false;
    struct probe *p = request_wait(request, WORK_HASH, sizeof *p, probe_run);
    if (!p)
        return false;
    const struct object *o = &object_versions;
    p->config = &request->leatd->config;
    p->has_source = is_new;
    if (is_new) {
        snprintf(p->source, sizeof p->source, "%s", record_value(record, o, "source")->data);
        snprintf(p->format, sizeof p->format, "%s", record_value(record, o, "format")->data);
        p->size = record_value(record, o, "size")->number;
        ask_tree(&p->tree, record);
    }
    for (unsigned i = 0; i < 2; i++) {
        const char *path = given_text(record, boot_files[i]);
        p->files[i].is_given = path;
        snprintf(p->files[i].path, sizeof p->files[i].path, "%s", path ? path : "");
    }
    *result = DB_UNDONE;
    for (unsigned i = 0; i < 4; i++) {
        const char *name = given_text(record, version_files[i]);
        enum db_result found = name ? brought_is(request->leatd, name, &p->was_brought[i]) : DB_OK;
        *result = found == DB_OK ? *result : found;
    }
    return true;
}

/* A kernel or an initrd that was given: its size and hash as the file has them now. False with a refusal. */
static bool take_file(struct request *request, struct record *record, const char *name,
                      const struct probe_file *file)
{
    const struct object *o = &object_versions;
    char column[24];
    if (!record->given[object_field(o, name)])
        return true;
    bool is_there = given_text(record, name);
    if (is_there && (!file || !file->good)) {
        request_refuse(request, 422, "%s %s", name, file ? file->why : "has not been looked at");
        return false;
    }
    snprintf(column, sizeof column, "%s_size", name);
    *record_value(record, o, column) = is_there ? db_int(file->size) : db_str(NULL);
    record->given[object_field(o, column)] = true;
    snprintf(column, sizeof column, "%s_sha256", name);
    *record_value(record, o, column) = db_str(is_there ? file->sha256 : NULL);
    record->given[object_field(o, column)] = true;
    return true;
}

/* root_hash, root_blocks and hash_source fit each other and an image of that size. False with a refusal. */
static bool check_tree(struct request *request, struct record *record, const struct probe *probe)
{
    const struct db_value *root = record_value(record, &object_versions, "root_hash");
    const struct db_value *blocks = record_value(record, &object_versions, "root_blocks");
    const struct db_value *file = record_value(record, &object_versions, "hash_source");
    int64_t size = probe->size;
    if (!is_hash(root) || (root->kind == DB_NULL) != (blocks->kind == DB_NULL))
        request_refuse(request, 422,
                       "root_hash has to be 64 small hexadecimal digits, with root_blocks");
    else if (root->kind != DB_NULL && blocks->number != size / TREE_BLOCK + (size % TREE_BLOCK > 0))
        request_refuse(request, 422, "root_blocks is not the image's size in blocks of 4096 bytes");
    else if (root->kind != DB_NULL && size % TREE_BLOCK)
        request_refuse(request, 422,
                       "the image's size is no multiple of 4096, so that no hash covers its end");
    else if (file->kind != DB_NULL && root->kind == DB_NULL)
        request_refuse(request, 422, "hash_source needs root_hash and root_blocks");
    else if (file->kind != DB_NULL && !probe->tree.good)
        request_refuse(request, 422, "hash_source %s", probe->tree.why);
    else
        return true;
    return false;
}

/* The name of the version's file of that number; NULL also if one before it is the same file. */
static const char *next_file(struct record *record, unsigned number)
{
    const char *name = given_text(record, version_files[number]);
    for (unsigned i = 0; name && i < number; i++) {
        const char *other = given_text(record, version_files[i]);
        if (other && !strcmp(other, name))
            return NULL;
    }
    return name;
}

/* The files are the version's from now on. */
static bool keep_files(struct request *request, struct record *record, const struct probe *probe,
                       enum db_result *result)
{
    for (unsigned i = 0; i < 4; i++)
        if (!brought_keep(request, next_file(record, i), probe && probe->was_brought[i], result))
            return false;
    return true;
}

bool complete_version(struct request *request, struct record *record, bool is_new,
                      enum db_result *result)
{
    const struct probe *probe = request_done(request, probe_run);
    if (!probe && ask_probe(request, record, is_new, result))
        return false;
    for (unsigned i = 0; i < 2 && !request->status; i++)
        take_file(request, record, boot_files[i], probe ? &probe->files[i] : NULL);
    if (request->status || !is_new)
        return !request->status && keep_files(request, record, probe, result);
    const struct object *o = &object_versions;
    record_value(record, o, "size")->number = probe->size;
    if (!probe->good) {
        request_refuse(request, 422, "source %s", probe->why);
        return false;
    }
    return check_tree(request, record, probe) && next_number(request, record, result) &&
           keep_files(request, record, probe, result);
}
