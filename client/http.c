// SPDX-License-Identifier: BSD-2-Clause
#include "client/http.h"

#include <string.h>
#include <strings.h>

void http_put_request(struct text *text, const struct http_request *request)
{
    text_put(text, request->method);
    text_put(text, " ");
    text_put(text, request->path);
    text_put(text, " HTTP/1.1\r\nHost: ");
    text_put(text, request->host);
    if (request->token) {
        text_put(text, "\r\nAuthorization: Bearer ");
        text_put(text, request->token);
    }
    if (request->from) {
        text_put(text, "\r\nRange: bytes=");
        text_put_number(text, request->from);
        text_put(text, "-");
    }
    if (strcmp(request->method, "GET") != 0) {
        text_put(text, "\r\nContent-Length: ");
        text_put_number(text, request->body_size);
    }
    text_put(text, "\r\n\r\n");
}

void http_begin(struct http_head *head)
{
    head->answer = (struct http_answer){0};
    head->is_whole = head->has_length = head->has_range = head->has_status = false;
    head->lines = 0;
    head->used = 0;
}

/* Reads digits, moves *at behind them. False: none, or more than fits. */
static bool take_number(const char **at, uint64_t *number)
{
    const char *first = *at;
    *number = 0;
    for (; **at >= '0' && **at <= '9'; ++*at)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(**at - '0'), number))
            return false;
    return *at != first;
}

/* RFC 9112, section 4: "HTTP/1.1 200 OK". An interim answer was not asked for. */
static const char *take_status(struct http_head *head, const char *line)
{
    static const char version[] = "HTTP/1.";
    uint64_t status;
    head->has_status = true;
    if (strncmp(line, version, sizeof version - 1) != 0)
        return "it does not speak HTTP";
    head->answer.closes = line[sizeof version - 1] == '0';
    line += sizeof version;
    if ((line[-1] != '0' && line[-1] != '1') || *line++ != ' ' || !take_number(&line, &status) ||
        status < 200 || status > 599 || (*line && *line != ' '))
        return "its answer has no status";
    head->answer.status = (unsigned)status;
    return NULL;
}

static const char *take_length(struct http_head *head, const char *value)
{
    uint64_t length;
    if (!take_number(&value, &length) || *value ||
        (head->has_length && head->answer.length != length))
        return "its answer's length makes no sense";
    head->has_length = true;
    head->answer.length = length;
    return NULL;
}

/* RFC 9110, section 14.4: "bytes FIRST-LAST/WHOLE". */
static const char *take_range(struct http_head *head, const char *value)
{
    uint64_t last;
    if (head->has_range || strncasecmp(value, "bytes ", 6) != 0)
        return "its answer's range makes no sense";
    value += 6;
    if (!take_number(&value, &head->answer.from) || *value++ != '-' ||
        !take_number(&value, &last) || last < head->answer.from || *value != '/')
        return "its answer's range makes no sense";
    head->has_range = true;
    return NULL;
}

static const char *take_field(struct http_head *head, char *line)
{
    char *value = strchr(line, ':');
    if (!value || value == line)
        return "its answer has a line that is no field";
    *value++ = 0;
    value += strspn(value, " \t");
    for (size_t n = strlen(value); n && (value[n - 1] == ' ' || value[n - 1] == '\t'); n--)
        value[n - 1] = 0;
    if (!strcasecmp(line, "Content-Length"))
        return take_length(head, value);
    if (!strcasecmp(line, "Transfer-Encoding"))
        return "its answer is encoded in a way that was not asked for";
    if (!strcasecmp(line, "Content-Range"))
        return take_range(head, value);
    if (!strcasecmp(line, "Connection") && !strcasecmp(value, "close"))
        head->answer.closes = true;
    return NULL;
}

static const char *end_head(struct http_head *head)
{
    head->is_whole = true;
    if (head->answer.status == 204 && !head->has_length)
        head->has_length = true;
    if (!head->has_status || !head->has_length)
        return "its answer does not say how long it is";
    return (head->answer.status == 206) != head->has_range ? "its answer's range makes no sense"
                                                           : NULL;
}

static const char *take_line(struct http_head *head)
{
    if (head->used && head->line[head->used - 1] == '\r')
        head->used--;
    head->line[head->used] = 0;
    if (memchr(head->line, 0, head->used))
        return "its answer has a byte that no answer may have";
    if (!head->used)
        return end_head(head);
    head->used = 0;
    if (++head->lines > HTTP_LINES)
        return "its answer has too many lines";
    return head->has_status ? take_field(head, head->line) : take_status(head, head->line);
}

size_t http_take(struct http_head *head, const char *data, size_t size, const char **why)
{
    size_t taken = 0;
    *why = NULL;
    while (taken < size && !head->is_whole && !*why) {
        char c = data[taken++];
        if (c == '\n')
            *why = take_line(head);
        else if (head->used + 1 < sizeof head->line)
            head->line[head->used++] = c;
        else
            *why = "its answer has a line that is too long";
    }
    return taken;
}
