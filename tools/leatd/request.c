// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/request.h"

#include "tools/leatd/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 100
#define PAGE_MOST 1000

static void forget_answer(struct request *request)
{
    cJSON_Delete(request->answer);
    free(request->answer_data);
    request->answer = NULL;
    request->answer_data = NULL;
    request->answer_size = 0;
    if (request->answer_file)
        close(request->answer_file - 1);
    request->answer_file = 0;
    request->range_from = request->range_total = 0;
    request->sentence[0] = 0;
    request->cookie[0] = 0;
}

void request_refuse(struct request *request, int status, const char *format, ...)
{
    char sentence[REQUEST_SENTENCE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    sentence[check_cut(sentence, sizeof sentence - 2)] = 0;
    cJSON *answer = request_answer(request, status);
    cJSON_AddStringToObject(answer, "error", sentence);
    memcpy(request->sentence, sentence, sizeof sentence);
}

cJSON *request_answer(struct request *request, int status)
{
    forget_answer(request);
    request->status = status;
    request->answer = cJSON_CreateObject();
    return request->answer;
}

/* "bytes=N-" with a number: N; else 0, the whole. */
static int64_t range_of(const char *range)
{
    char number[20];
    if (!range || strncmp(range, "bytes=", 6))
        return 0;
    size_t digits = strcspn(range + 6, "-");
    snprintf(number, sizeof number, "%.*s", (int)(digits < 19 ? digits : 0), range + 6);
    return check_number(number) && !strcmp(range + 6 + digits, "-") ? strtoll(number, NULL, 10) : 0;
}

/* The status and where the answer begins; false with a refusal. No JSON is left. */
static bool begin_range(struct request *request, int64_t size)
{
    int64_t from = range_of(request->range);
    if (from >= size && from) {
        request_refuse(request, 416, "it has %lld bytes and no more", (long long)size);
        request->range_total = size;
        return false;
    }
    request_answer(request, from ? 206 : 200);
    cJSON_Delete(request->answer);
    request->answer = NULL;
    request->range_from = from;
    request->range_total = size;
    request->answer_size = (size_t)(size - from);
    return true;
}

void request_answer_data(struct request *request, const void *data, size_t size)
{
    if (!begin_range(request, (int64_t)size))
        return;
    request->answer_data = malloc(request->answer_size + 1);
    if (request->answer_data)
        memcpy(request->answer_data, (const char *)data + request->range_from,
               request->answer_size);
    else
        request_refuse(request, 503, "no memory");
}

void request_answer_file(struct request *request, int file, int64_t size)
{
    if (begin_range(request, size))
        request->answer_file = file + 1;
    else
        close(file);
}

bool request_path(struct request *request, char *path)
{
    static const char allowed[] =
        "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
    unsigned count = 0;
    if (path[0] != '/' || path[strspn(path, allowed)])
        return false;
    while (*path) {
        *path++ = 0;
        if (!*path || *path == '/' || count == REQUEST_SEGMENTS)
            return false;
        request->segments[count++] = path;
        path += strcspn(path, "/");
    }
    request->segments[count] = NULL;
    return true;
}

void request_query(struct request *request, const char *name, const char *value)
{
    value = value ? value : "";
    if (!strcmp(name, "limit"))
        request->limit =
            check_number(value) && strtoll(value, NULL, 10) ? strtoll(value, NULL, 10) : -1;
    else if (!strcmp(name, "after"))
        request->after = value;
    else if (request->filter_count++ < REQUEST_FILTERS)
        request->filters[request->filter_count - 1] = (struct request_filter){name, value};
}

/* What goes into a query of the database is UTF-8: PostgreSQL takes nothing else. */
static bool is_text(const char *text)
{
    return check_text(text, strlen(text));
}

bool request_page(struct request *request)
{
    bool good =
        request->filter_count <= REQUEST_FILTERS && (!request->after || is_text(request->after));
    for (unsigned i = 0; good && i < request->filter_count; i++)
        good = is_text(request->filters[i].name) && is_text(request->filters[i].value);
    if (!good)
        request_refuse(request, 400, "the query has too many parts, or one that is not UTF-8");
    else if (request->limit < 0 || request->limit > PAGE_MOST)
        request_refuse(request, 400, "limit has to be a number from 1 to %d", PAGE_MOST);
    if (!request->limit)
        request->limit = PAGE;
    return !request->status;
}

void *request_wait(struct request *request, enum work_lane lane, size_t size,
                   void (*run)(struct work *work))
{
    work_free(request->work);
    request->work = calloc(1, size);
    request->lane = lane;
    request->waits = request->work;
    if (request->work)
        request->work->run = run;
    else
        request_refuse(request, 503, "there is no memory for it");
    return request->work;
}

void request_repeat(struct request *request)
{
    if (request->waits)
        work_free(request->work);
    if (request->waits)
        request->work = NULL;
    request->waits = false;
    forget_answer(request);
    request->status = 0;
}

void *request_done(const struct request *request, void (*run)(struct work *work))
{
    bool is_done = request->work && !request->waits && request->work->run == run;
    return is_done ? request->work : NULL;
}

void request_free(struct request *request)
{
    forget_answer(request);
    secret_wipe(request->joined, sizeof request->joined);
    secret_wipe(request->cookie, sizeof request->cookie);
    work_free(request->work);
    request->work = NULL;
}
