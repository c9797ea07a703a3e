// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/reply.h"

#include "tools/leatd/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE 32768u // of a file, read at once: two records of TLS

/* A file on its way. */
struct sending {
    struct MHD_Connection *connection;
    int file;
    int64_t from;
};

/* MHD_ContentReaderCallback. */
static ssize_t read_piece(void *context, uint64_t at, char *data, size_t most)
{
    const struct sending *s = context;
    ssize_t got = pread(s->file, data, most, s->from + (int64_t)at);
    // As long as it takes what it asked for, its time is not over, however large the file.
    peer_answered(s->connection);
    return got > 0 ? got : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void end_sending(void *context)
{
    struct sending *s = context;
    close(s->file);
    free(s);
}

static struct MHD_Response *of_file(struct MHD_Connection *connection, struct request *request)
{
    struct sending *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    *s = (struct sending){connection, request->answer_file - 1, request->range_from};
    struct MHD_Response *response =
        MHD_create_response_from_callback(request->answer_size, PIECE, read_piece, s, end_sending);
    if (response)
        request->answer_file = 0;
    else
        free(s);
    return response;
}

static struct MHD_Response *of_memory(struct request *request, const char **kind)
{
    char *text = request->answer_data;
    size_t size = request->answer_size;
    if (!text) {
        text = request->answer ? cJSON_PrintUnformatted(request->answer) : NULL;
        size = text ? strlen(text) : 0;
        *kind = "application/json";
    }
    request->answer_data = NULL;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(text);
    return response;
}

/* RFC 9110, section 14.4. */
static void add_range(struct MHD_Response *response, const struct request *request)
{
    char text[80];
    long long total = request->range_total, from = request->range_from;
    if (request->status == 206)
        snprintf(text, sizeof text, "bytes %lld-%lld/%lld", from, total - 1, total);
    else if (request->status == 416)
        snprintf(text, sizeof text, "bytes */%lld", total);
    else
        return;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, text);
}

enum MHD_Result reply(struct MHD_Connection *connection, struct request *request)
{
    const char *kind = "application/octet-stream";
    struct MHD_Response *response =
        request->answer_file ? of_file(connection, request) : of_memory(request, &kind);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, kind);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (request->cookie[0])
        MHD_add_response_header(response, MHD_HTTP_HEADER_SET_COOKIE, request->cookie);
    add_range(response, request);
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)request->status, response);
    MHD_destroy_response(response);
    return result;
}
