// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/request.h"

#include "tools/leatd/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 100
#define PAGE_MOST 1000

static void forget_answer(struct request *request)
{
    cJSON_Delete(request->answer);
    free(request->answer_data);
    request->answer = NULL;
    request->answer_data = NULL;
    request->answer_size = 0;
    request->sentence[0] = 0;
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

bool request_page(struct request *request, const char *limit, const char *after)
{
    char *end = NULL;
    request->limit = PAGE;
    request->after = after;
    if (limit)
        request->limit = strtol(limit, &end, 10);
    if (!limit || (end != limit && !*end && request->limit >= 1 && request->limit <= PAGE_MOST))
        return true;
    request_refuse(request, 400, "limit has to be a number from 1 to %d", PAGE_MOST);
    return false;
}

void request_free(struct request *request)
{
    forget_answer(request);
}
