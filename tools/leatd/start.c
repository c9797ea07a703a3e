// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/start.h"

#include "tools/leatd/busy.h"
#include "tools/leatd/check.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/profile.h"
#include "tools/leatd/session.h"
#include "tools/leatd/startfile.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHOSEN 64u // disks of one start: LEAT_CLIENT_ENTRIES of include/leat/client.h
#define CHOSEN_BYTES (CHOSEN * NAME_BYTES)
#define CHOSEN_TIMES 20u // in a minute

/* FILE of docs/server.md; null without a hash. */
static void add_file(cJSON *shown, const char *name, const char *disk, const char *sha256,
                     int64_t size)
{
    char path[128];
    if (!sha256[0]) {
        cJSON_AddNullToObject(shown, name);
        return;
    }
    cJSON *file = cJSON_AddObjectToObject(shown, name);
    snprintf(path, sizeof path, "/client/v1/file/%s/%s", disk, name);
    cJSON_AddStringToObject(file, "path", path);
    cJSON_AddNumberToObject(file, "size", (double)size);
    cJSON_AddStringToObject(file, "sha256", sha256);
}

enum db_result start_add_files(struct leatd *leatd, const char *disk,
                               const struct db_value version[3], cJSON *shown,
                               char profile[HASH_BYTES])
{
    struct db_rows rows;
    int64_t bytes = 0;
    enum db_result result =
        db_query(leatd->db,
                 "SELECT kernel_sha256, kernel_size, initrd_sha256, initrd_size,"
                 " cmdline FROM image_version WHERE image = $1 AND number = $2",
                 version, 2, &rows);
    if (result != DB_OK)
        return result;
    bool is_image = rows.count;
    add_file(shown, "kernel", disk, is_image ? db_text(&rows, 0, 0) : "",
             is_image ? db_number(&rows, 0, 1) : 0);
    add_file(shown, "initrd", disk, is_image ? db_text(&rows, 0, 2) : "",
             is_image ? db_number(&rows, 0, 3) : 0);
    cJSON_AddStringToObject(shown, "cmdline", is_image ? db_text(&rows, 0, 4) : "");
    db_rows_free(&rows);
    profile[0] = 0;
    if (is_image)
        result = profile_current(leatd, version, profile, &bytes);
    add_file(shown, "profile", disk, profile, bytes);
    return result;
}

/* Is the name one of those that the text has, separated by blanks? */
static bool is_among(const char *text, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = text; *at; at += strcspn(at, " "), at += *at == ' ')
        if (!strncmp(at, name, size) && (!at[size] || at[size] == ' '))
            return true;
    return false;
}

/* What was chosen last, else what the assignments say, else the first; of what the menu has, if it has anything. */
static const char *find_default(const cJSON *disks, const char *chosen)
{
    const char *best = NULL;
    unsigned best_worth = 0;
    const cJSON *disk;
    cJSON_ArrayForEach(disk, disks)
    {
        const char *name = json_text(disk, "name");
        bool in_menu = !strcmp(json_text(disk, "start"), "menu");
        unsigned worth = 1 + (in_menu && is_among(chosen, name) ? 4u : 0) + (in_menu ? 8u : 0) +
                         (cJSON_IsTrue(cJSON_GetObjectItem(disk, "default")) ? 2u : 0);
        if (worth <= best_worth)
            continue;
        best = name;
        best_worth = worth;
    }
    return best;
}

enum db_result start_add_menu(struct leatd *leatd, const char *client, cJSON *answer)
{
    struct db_rows rows;
    struct db_value value = db_str(client);
    enum db_result result =
        db_query(leatd->db,
                 "SELECT chosen, menu_timeout FROM client LEFT JOIN client_group ON"
                 " client_group = client_group.name WHERE uuid = $1",
                 &value, 1, &rows);
    if (result != DB_OK)
        return result;
    bool of_group = rows.count && db_at(&rows, 0, 1)->kind == DB_INT;
    int64_t timeout = of_group ? db_number(&rows, 0, 1) : leatd->config.menu_timeout;
    cJSON *menu = cJSON_AddObjectToObject(answer, "menu");
    cJSON_AddNumberToObject(menu, "timeout", (double)timeout);
    json_add_text(
        menu, "default",
        find_default(cJSON_GetObjectItem(answer, "disks"), rows.count ? db_text(&rows, 0, 0) : ""));
    db_rows_free(&rows);
    return DB_OK;
}

/* A kernel or initrd that is opened. */
struct opening {
    struct work work;
    const struct config *config;
    char path[256];
    int64_t size;
    int file; // -1: it is not there
};

static void open_start(struct work *work)
{
    struct opening *o = (struct opening *)work;
    o->file = startfile_open(o->config, o->path, o->size);
}

static void close_start(struct work *work)
{
    const struct opening *o = (const struct opening *)work;
    if (o->file >= 0)
        close(o->file);
}

/* NULL: it is begun, or the request refused. If the version was changed meanwhile, the other file is opened. */
static struct opening *find_opened(struct request *request, const char *path, int64_t size)
{
    struct opening *o = request_done(request, open_start);
    if (o && o->size == size && !strcmp(o->path, path))
        return o;
    o = request_wait(request, WORK_LOOK, sizeof *o, open_start);
    if (!o)
        return NULL;
    o->config = &request->leatd->config;
    snprintf(o->path, sizeof o->path, "%s", path);
    o->size = size;
    o->file = -1;
    o->work.drop = close_start;
    return NULL;
}

static void send_file(struct request *request, const char *path, int64_t size)
{
    struct opening *opened = find_opened(request, path, size);
    if (!opened)
        return;
    if (opened->file >= 0) {
        request_answer_file(request, opened->file, size);
        opened->file = -1;
        opened->path[0] = 0; // if the transaction is repeated, it is opened once more
        return;
    }
    leatd_log("%s of the image folder is not there any more, or is another file now", path);
    request_refuse(request, 404, "the server does not have the file any more");
}

enum db_result start_file(struct request *request)
{
    struct session session;
    struct db_rows rows;
    bool found, is_kernel = !strcmp(request->segments[4], "kernel");
    enum db_result result = session_find(request, &session, &found);
    if (result != DB_OK || !found)
        return result;
    struct db_value values[] = {db_str(session.id), db_str(request->segments[3])};
    result =
        db_query(request->leatd->db,
                 "SELECT kernel, kernel_size, initrd, initrd_size FROM export JOIN image_version"
                 " AS v ON export.image = v.image AND export.version = v.number"
                 " WHERE session = $1 AND disk = $2",
                 values, 2, &rows);
    if (result != DB_OK)
        return result;
    const char *path = rows.count ? db_text(&rows, 0, is_kernel ? 0 : 2) : "";
    if (path[0])
        send_file(request, path, db_number(&rows, 0, is_kernel ? 1 : 3));
    else
        request_refuse(request, 404, "this session has no disk with such a file");
    db_rows_free(&rows);
    return DB_OK;
}

/* The names of the list, each a disk of the session, separated by blanks. False with a refusal. */
static bool read_chosen(struct request *request, const struct db_rows *exports,
                        char text[CHOSEN_BYTES])
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(request->body, "disks"), *item;
    size_t used = 0;
    text[0] = 0;
    bool good = cJSON_IsArray(list) && cJSON_GetArraySize(list) <= (int)CHOSEN;
    for (item = good ? list->child : NULL; item && good; item = item->next) {
        const char *name = cJSON_GetStringValue(item);
        bool is_own = false;
        for (uint32_t i = 0; name && i < exports->count; i++)
            is_own |= !strcmp(db_text(exports, i, 0), name);
        good = is_own && !is_among(text, name);
        if (good)
            used +=
                (size_t)snprintf(text + used, CHOSEN_BYTES - used, "%s%s", used ? " " : "", name);
    }
    if (!good)
        request_refuse(request, 422, "disks has to be an array of disks that this session has");
    return good;
}

static enum db_result keep_chosen(struct request *request, const struct session *session,
                                  const char *chosen)
{
    struct db_value values[] = {db_str(session->client), db_str(chosen)};
    db_may_lag(request->leatd->db);
    enum db_result result = db_run(
        request->leatd->db, "UPDATE client SET chosen = $2 WHERE uuid = $1", values, 2, NULL);
    cJSON *answer = request_answer(request, 200);
    if (result == DB_OK)
        result = busy_add(request->leatd, session->id, answer);
    return result == DB_OK
               ? journal_event(request->leatd, "session", session->client, request->address,
                               "%s starts %s", session->name, chosen[0] ? chosen : "nothing")
               : result;
}

enum db_result start_chosen(struct request *request)
{
    struct session session;
    struct db_rows rows;
    char chosen[CHOSEN_BYTES];
    bool found;
    enum db_result result = session_find(request, &session, &found);
    if (result != DB_OK || !found)
        return result;
    if (!limit_take(&request->leatd->limit, LIMIT_CHOSEN, session.client, CHOSEN_TIMES,
                    leatd_monotonic())) {
        request_refuse(request, 429, "too many choices: wait a minute");
        return DB_OK;
    }
    struct db_value value = db_str(session.id);
    result = db_query(request->leatd->db, "SELECT DISTINCT disk FROM export WHERE session = $1",
                      &value, 1, &rows);
    if (result != DB_OK)
        return result;
    if (read_chosen(request, &rows, chosen))
        result = keep_chosen(request, &session, chosen);
    db_rows_free(&rows);
    return result;
}
