// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/upload.h"

#include "tools/leatd/check.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/upload_file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define TOTAL_MOST ((int64_t)1 << 46)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct upload *queue, **queue_end = &queue, *finished;
static pthread_t thread;
static int event = -1; // an eventfd: the loop has something to finish
static bool runs, stops;

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

enum db_result upload_piece(struct request *request, const char *name)
{
    struct upload *u;
    int64_t at, count, total;
    if (!good_name(request, name))
        return DB_OK;
    if (!upload_range(request->content_range, &at, &count, &total)) {
        request_refuse(request, 400, "the request needs Content-Range: bytes FIRST-LAST/TOTAL");
        return DB_OK;
    }
    if (request->data_size && request->data_size != (size_t)count) {
        request_refuse(request, 400, "Content-Range and the body are not of the same size");
        return DB_OK;
    }
    free(request->upload); // the transaction has been repeated
    request->upload = u = calloc(1, sizeof *u);
    if (!u) {
        request_refuse(request, 503, "there is no memory for the piece");
        return DB_OK;
    }
    *u = (struct upload){.folder = request->leatd->config.images,
                         .data = request->data_size ? request->data : NULL,
                         .at = at,
                         .count = count,
                         .total = total};
    snprintf(u->name, sizeof u->name, "%s", name);
    return at ? DB_OK : note(request, "upload", name);
}

enum db_result upload_show(struct request *request, const char *name)
{
    int64_t received;
    bool whole;
    if (!good_name(request, name))
        return DB_OK;
    if (!upload_file_look(request->leatd->config.images, name, &received, &whole)) {
        request_refuse(request, 404, "there is no file %s in the image folder", name);
        return DB_OK;
    }
    cJSON *answer = request_answer(request, 200);
    cJSON_AddStringToObject(answer, "name", name);
    cJSON_AddNumberToObject(answer, "received", (double)received);
    cJSON_AddBoolToObject(answer, "whole", whole);
    return DB_OK;
}

enum db_result upload_drop(struct request *request, const char *name)
{
    if (!good_name(request, name))
        return DB_OK;
    if (!upload_file_drop(request->leatd->config.images, name)) {
        request_refuse(request, 404, "there is no file %s that is not whole yet", name);
        return DB_OK;
    }
    request_answer(request, 200);
    return note(request, "drop", name);
}

static void *work(void *context)
{
    (void)context;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!queue && !stops)
            pthread_cond_wait(&more, &lock);
        struct upload *u = queue;
        if (!u)
            break;
        queue = u->next;
        if (!queue)
            queue_end = &queue;
        pthread_mutex_unlock(&lock);
        upload_file_write(u);
        pthread_mutex_lock(&lock);
        u->next = finished;
        finished = u;
        eventfd_write(event, 1);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

int upload_file(void)
{
    return event;
}

void upload_finish(void)
{
    eventfd_t count;
    pthread_mutex_lock(&lock);
    struct upload *u = finished;
    finished = NULL;
    if (u)
        eventfd_read(event, &count);
    pthread_mutex_unlock(&lock);
    while (u) {
        struct upload *next = u->next;
        u->done(u->context);
        u = next;
    }
}

static bool start(void)
{
    if (event < 0)
        event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return event >= 0 && !pthread_create(&thread, NULL, work, NULL);
}

bool upload_begin(struct upload *upload, void (*done)(void *context), void *context)
{
    upload->done = done;
    upload->context = context;
    pthread_mutex_lock(&lock);
    runs = runs || start();
    upload->next = NULL;
    if (runs) {
        *queue_end = upload;
        queue_end = &upload->next;
        pthread_cond_signal(&more);
    }
    pthread_mutex_unlock(&lock);
    return runs;
}

void upload_stop(void)
{
    pthread_mutex_lock(&lock);
    stops = true;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
    if (runs)
        pthread_join(thread, NULL);
    upload_finish();
}

void upload_answer(struct request *request)
{
    const struct upload *u = request->upload;
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
