// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/reply.h"

#include "tools/leatd/leatd.h"
#include "tools/leatd/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECE 32768u  // of a file, sent at once: two records of TLS
#define AHEAD 262144u // read at once by a thread

/* A file on its way. */
struct sending {
    struct work work;
    struct MHD_Connection *connection;
    struct leatd *leatd;
    int file;
    int64_t from;
    bool has_no_cache; // that could be asked without waiting
    uint8_t *ahead;    // what a thread has read, from malloc; NULL before the first time
    int64_t ahead_at;
    ssize_t ahead_bytes; // 0: nothing was read yet; below: it failed
};

static void read_ahead(struct work *work)
{
    struct sending *s = (struct sending *)work;
    ssize_t got = pread(s->file, s->ahead, AHEAD, s->ahead_at);
    s->ahead_bytes = got > 0 ? got : -1;
}

static void go_on(void *context)
{
    struct sending *s = context;
    peer_goes_on(s->connection);
    MHD_resume_connection(s->connection);
}

/* Nothing for now: the connection rests until a thread has read it. */
static ssize_t wait_for(struct sending *s, int64_t at)
{
    s->ahead = s->ahead ? s->ahead : malloc(AHEAD);
    s->ahead_at = at;
    s->work.run = read_ahead;
    if (!s->ahead)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    MHD_suspend_connection(s->connection);
    peer_rests(s->connection);
    if (work_begin(WORK_READ, &s->work, go_on, s))
        return 0;
    go_on(s);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* MHD_ContentReaderCallback. What the system has in memory is taken at once; for the disk a thread waits. */
static ssize_t read_piece(void *context, uint64_t offset, char *data, size_t most)
{
    struct sending *s = context;
    int64_t at = s->from + (int64_t)offset;
    struct iovec piece = {data, most};
    // As long as it takes what it asked for, its time is not over, however large the file.
    peer_goes_on(s->connection);
    s->leatd->progress++;
    if (s->ahead_bytes < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (at >= s->ahead_at && at < s->ahead_at + s->ahead_bytes) {
        size_t left = (size_t)(s->ahead_at + s->ahead_bytes - at);
        most = left < most ? left : most;
        memcpy(data, s->ahead + (at - s->ahead_at), most);
        return (ssize_t)most;
    }
    ssize_t got = s->has_no_cache ? -1 : preadv2(s->file, &piece, 1, at, RWF_NOWAIT);
    if (got > 0)
        return got;
    if (!got)
        return MHD_CONTENT_READER_END_WITH_ERROR; // it has become smaller
    s->has_no_cache = s->has_no_cache || errno == EOPNOTSUPP;
    return wait_for(s, at);
}

static void end_sending(void *context)
{
    struct sending *s = context;
    close(s->file);
    free(s->ahead);
    free(s);
}

static struct MHD_Response *of_file(struct MHD_Connection *connection, struct request *request)
{
    struct sending *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->leatd = request->leatd;
    s->connection = connection;
    s->file = request->answer_file - 1;
    s->from = request->range_from;
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
