// SPDX-License-Identifier: BSD-2-Clause
/*
 * HTTP/1.1 (RFC 9112) as far as leatd speaks it: a request's head, and the head of the answer to it. What comes is hostile:
 * lines, their number and their length are bounded; an answer without Content-Length, with a Transfer-Encoding or with two
 * different lengths is refused.
 */
#ifndef CLIENT_HTTP_H
#define CLIENT_HTTP_H

#include "lib/text.h"

#define HTTP_LINE_BYTES 1024u
#define HTTP_LINES 64u

struct http_request {
    const char *method, *path; /* checked: no blanks, no control characters */
    const char *host;
    const char *token; /* NULL: none */
    uint64_t from;     /* the first byte that is wanted; 0: all */
    size_t body_size;
};

void http_put_request(struct text *text, const struct http_request *request);

struct http_answer {
    unsigned status;
    uint64_t length; /* of the body */
    uint64_t from;   /* of a 206: the first byte that the body has */
    bool closes;     /* the connection is of no use after it */
};

struct http_head { /* what has been read; private but for answer and is_whole */
    struct http_answer answer;
    bool is_whole, has_length, has_range, has_status;
    unsigned lines;
    size_t used;
    char line[HTTP_LINE_BYTES];
};

void http_begin(struct http_head *head);
/* Takes bytes until the head is whole; returns how many. *why: NULL, or why this is no answer; then nothing more may be
   taken. */
size_t http_take(struct http_head *head, const char *data, size_t size, const char **why);

#endif
