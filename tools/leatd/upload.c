// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/upload.h"

#include "tools/leatd/brought.h"
#include "tools/leatd/check.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/upload_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOTAL_MOST ((int64_t)1 << 46)

/* A number of at most 18 digits and what has to stand behind it. */
static bool take(const char **text, const char *end, int64_t *number)
{
    char digits[20];
    size_t size = strspn(*text, "0123456789");
    if (size >= sizeof digits || strncmp(*text + size, end, strlen(end)))
        return false;
    memcpy(digits, *text, size);
    digits[size] = 0;
    *text += size + strlen(end);
    *number = strtoll(digits, NULL, 10);
    return check_number(digits);
}

bool upload_range(const char *text, int64_t *at, int64_t *count, int64_t *total)
{
    int64_t last;
    if (!text || strncmp(text, "bytes ", 6))
        return false;
    text += 6;
    if (!take(&text, "-", at) || !take(&text, "/", &last) || !take(&text, "", total) || *text)
        return false;
    *count = last - *at + 1;
    return *at <= last && last < *total && *total <= TOTAL_MOST;
}

static bool good_name(struct request *request, const char *name)
{
    size_t size = strlen(name), end = strlen(UPLOAD_SUFFIX);
    if (check_name(name) && (size < end || strcmp(name + size - end, UPLOAD_SUFFIX)))
        return true;
    request_refuse(request, 422, "a file's name has to be 1 to 63 of a-z 0-9 . _ -, without %s",
                   UPLOAD_SUFFIX);
    return false;
}

static enum db_result note(struct request *request, const char *action, const char *name)
{
    char object[96];
    snprintf(object, sizeof object, "file %.64s", name);
    return journal_audit(request, action, object, NULL, NULL);
}

static void answer(struct request *request, const struct upload *u)
{
    if (u->outcome == UPLOAD_DONE) {
        request_answer(request, 200);
        cJSON_AddStringToObject(request->answer, "name", u->name);
        cJSON_AddBoolToObject(request->answer, "whole", u->whole);
    } else if (u->outcome == UPLOAD_EXISTS) {
        request_refuse(request, 409, "a file %s is in the image folder already", u->name);
    } else if (u->outcome == UPLOAD_ELSEWHERE) {
        request_refuse(request, 409, "%s goes on at byte %lld", u->name, (long long)u->received);
    } else if (u->outcome == UPLOAD_FULL) {
        request_refuse(request, 507, "the image folder's disk has no room for %s", u->name);
    } else {
        request_refuse(request, 507, "%s cannot be written: %s", u->name, strerror(u->error));
    }
    cJSON_AddNumberToObject(request->answer, "received", (double)u->received);
}

static void write_piece(struct work *work)
{
    upload_file_write((struct upload *)work);
}

/* A file that is looked at, or dropped. */
struct look {
    struct work work;
    struct leatd *leatd; // the loop's
    const char *folder;
    char name[NAME_BYTES];
    int64_t received;
    bool found, whole;
    struct brought_drop drop; // the row, as it was
    struct brought_hold hold;
    int error; // errno
};

static void look(struct work *work)
{
    struct look *l = (struct look *)work;
    l->found = upload_file_look(l->folder, l->name, &l->received, &l->whole);
}

static void drop(struct work *work)
{
    struct look *l = (struct look *)work;
    l->error = brought_holds(&l->hold)
                   ? upload_file_drop(l->folder, l->name, l->drop.whole, &l->found)
                   : ETIMEDOUT; // another server may have taken over
}

static struct look *ask(struct request *request, const char *name, enum work_lane lane,
                        void (*run)(struct work *work))
{
    struct look *l = request_wait(request, lane, sizeof *l, run);
    if (!l)
        return NULL;
    l->folder = request->leatd->config.images;
    snprintf(l->name, sizeof l->name, "%s", name);
    return l;
}

/* Whether nothing has the name. False: it is looked for, or the request is refused. */
static bool is_free(struct request *request, const char *name)
{
    const struct look *l = request_done(request, look);
    if (!l) {
        ask(request, name, WORK_LOOK, look);
        return false;
    }
    if (l->whole) {
        int64_t received = l->received;
        request_refuse(request, 409, "a file %s is in the image folder already", name);
        cJSON_AddNumberToObject(request->answer, "received", (double)received);
    }
    return !l->whole;
}

enum db_result upload_claim(struct request *request)
{
    enum db_result result = DB_OK;
    const char *name = request->body ? json_text(request->body, "name") : NULL;
    if (!name)
        request_refuse(request, 400, "the request needs a name");
    else if (good_name(request, name) && is_free(request, name) &&
             brought_claim(request, name, true, &result))
        cJSON_AddStringToObject(request_answer(request, 201), "name", name);
    return result;
}

/*
 * The name is claimed before anything is there, and the whole file before it has the name, so that it is known as the import's
 * also if leatd is killed then. What has the name already is somebody else's. False: not yet, or refused, or *result.
 */
static bool begin_piece(struct request *request, const char *name, int64_t at, bool is_last,
                        enum db_result *result)
{
    if ((!at || is_last) && !is_free(request, name))
        return false;
    return at && !is_last ? brought_touch(request, name, result)
                          : brought_claim(request, name, is_last, result);
}

static bool good_piece(struct request *request, int64_t *at, int64_t *count, int64_t *total)
{
    if (!upload_range(request->content_range, at, count, total))
        request_refuse(request, 400, "the request needs Content-Range: bytes FIRST-LAST/TOTAL");
    else if (request->data_size && request->data_size != (size_t)*count)
        request_refuse(request, 400, "Content-Range and the body are not of the same size");
    else
        return true;
    return false;
}

enum db_result upload_piece(struct request *request, const char *name)
{
    struct upload *u = request_done(request, write_piece);
    enum db_result result = DB_OK;
    int64_t at, count, total;
    if (u) {
        answer(request, u);
        bool was_last = u->at + u->count == u->total;
        // Also when it is: of two last pieces the one that failed may have said that it is not.
        return was_last ? brought_set_whole(request->leatd, name, u->whole) : DB_OK;
    }
    if (!good_name(request, name) || !good_piece(request, &at, &count, &total) ||
        !begin_piece(request, name, at, at + count == total, &result))
        return result;
    u = request_wait(request, WORK_WRITE, sizeof *u, write_piece);
    if (!u)
        return DB_OK;
    u->folder = request->leatd->config.images;
    u->data = request->data_size ? request->data : NULL;
    u->at = at;
    u->count = count;
    u->total = total;
    snprintf(u->name, sizeof u->name, "%s", name);
    return at ? DB_OK : note(request, "upload", name);
}

enum db_result upload_show(struct request *request, const char *name)
{
    const struct look *l = request_done(request, look);
    enum db_result result = DB_OK;
    if (!l) {
        if (good_name(request, name))
            ask(request, name, WORK_LOOK, look);
        return DB_OK;
    }
    if (!l->found) {
        request_refuse(request, 404, "there is no file %s in the image folder", name);
        return DB_OK;
    }
    // Who asks goes on with it: it may not be removed before the rest of the import is there.
    if (!brought_touch(request, name, &result))
        return result;
    cJSON *answer = request_answer(request, 200);
    cJSON_AddStringToObject(answer, "name", name);
    cJSON_AddNumberToObject(answer, "received", (double)l->received);
    cJSON_AddBoolToObject(answer, "whole", l->whole);
    return DB_OK;
}

static void end_drop(struct work *work)
{
    ((struct look *)work)->leatd->drops--;
}

/* First the row says that it is to be removed, and no version can have it from then on. */
static enum db_result begin_drop(struct request *request, const char *name)
{
    struct brought_drop about = {0};
    enum db_result result = brought_drop(request->leatd, name, &about);
    if (result == DB_OK && about.is_busy)
        request_refuse(request, 409, "%s is being removed already", name);
    struct look *l =
        result == DB_OK && !about.is_busy ? ask(request, name, WORK_WRITE, drop) : NULL;
    if (!l)
        return result;
    l->drop = about;
    l->hold = brought_hold(request->leatd);
    l->leatd = request->leatd;
    l->leatd->drops++;
    l->work.drop = end_drop;
    return DB_OK;
}

enum db_result upload_drop(struct request *request, const char *name)
{
    const struct look *l = request_done(request, drop);
    if (!l)
        return good_name(request, name) ? begin_drop(request, name) : DB_OK;
    bool is_there = l->drop.found || l->found;
    enum db_result result = DB_OK;
    if (l->drop.found)
        result = l->error ? brought_leave(request->leatd, name)
                          : brought_forget(request->leatd, name, l->drop.whole);
    if (result != DB_OK)
        return result;
    if (l->error)
        request_refuse(request, 503, "%s cannot be removed: %s%s", name, strerror(l->error),
                       l->drop.found ? "; the server tries it again" : "");
    else if (is_there)
        request_answer(request, 200);
    else
        request_refuse(request, 404,
                       "there is no file %s that is not whole yet, or that no version has", name);
    return is_there ? note(request, "drop", name) : DB_OK;
}
