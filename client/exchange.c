// SPDX-License-Identifier: BSD-2-Clause
#include "client/exchange.h"

#include <string.h>

#define MAX_ERROR_BYTES (64u << 10) /* of an answer that nobody reads to its end */

void exchange_init(struct exchange *x, const struct client_platform *platform)
{
    memset(x, 0, sizeof *x);
    x->platform = platform;
}

static uint64_t now_ns(const struct exchange *x)
{
    return x->platform->now_ns(x->platform->ctx);
}

static void hang_up(struct exchange *x)
{
    if (x->conn)
        x->platform->close(x->platform->ctx, x->conn);
    x->conn = NULL;
}

void exchange_stop(struct exchange *x)
{
    hang_up(x);
    x->state = EXCHANGE_IDLE;
}

static void fail(struct exchange *x, const char *why)
{
    struct text text;
    text_begin(&text, x->why_text, sizeof x->why_text);
    text_put_bytes(&text, why, strnlen(why, sizeof x->why_text - 1));
    x->why = x->why_text;
    hang_up(x);
    x->state = EXCHANGE_FAILED;
}

/* From the beginning, on the connection that is there or a new one. */
static void begin(struct exchange *x)
{
    const struct client_platform *p = x->platform;
    http_begin(&x->answer_head);
    x->sent = x->got = 0;
    x->error[0] = 0;
    x->answer = (struct http_answer){0};
    x->moved_ns = now_ns(x);
    x->state = EXCHANGE_BUSY;
    x->is_reused = x->conn != NULL;
    if (!x->conn)
        x->conn = p->connect(p->ctx, x->server.host, x->server.port, x->request.identity);
    if (!x->conn)
        fail(x, "no connection can be made now");
}

static void put_head(struct exchange *x)
{
    const struct exchange_request *r = &x->request;
    const struct http_request head = {
        .method = r->method,
        .path = r->path,
        .host = x->server.host,
        .token = r->token,
        .from = r->from,
        .body_size = r->body_size,
    };
    struct text text;
    text_begin(&text, x->head, sizeof x->head);
    http_put_request(&text, &head);
    x->head_size = text.is_cut ? 0 : text.used;
}

void exchange_start(struct exchange *x, const struct client_server *server,
                    const struct exchange_request *request)
{
    const char *why;
    const struct client_platform *p = x->platform;
    bool is_same = x->conn && x->request.identity == request->identity &&
                   x->server.port == server->port && !strcmp(x->server.host, server->host);
    if (!is_same || p->state(p->ctx, x->conn, &why) != CLIENT_CONN_OPEN)
        hang_up(x);
    x->server = *server;
    x->request = *request;
    x->is_retried = x->is_refused = false;
    x->why = NULL;
    x->end_ns = request->limit_ns ? now_ns(x) + request->limit_ns : UINT64_MAX;
    put_head(x);
    if (x->head_size)
        begin(x);
    else
        fail(x, "the request is too long");
}

static void moved(struct exchange *x)
{
    x->moved_ns = now_ns(x);
}

static void send_some(struct exchange *x)
{
    const struct client_platform *p = x->platform;
    size_t all = x->head_size + x->request.body_size;
    while (x->sent < all) {
        bool is_head = x->sent < x->head_size;
        const char *from =
            is_head ? x->head + x->sent : (const char *)x->request.body + (x->sent - x->head_size);
        size_t n = p->send(p->ctx, x->conn, from, (is_head ? x->head_size : all) - x->sent);
        if (!n)
            return;
        x->sent += n;
        moved(x);
    }
}

static bool is_wanted(const struct exchange *x)
{
    return x->answer.status == 200 || x->answer.status == 206;
}

static void take_body(struct exchange *x, const char *data, size_t size)
{
    if (is_wanted(x)) {
        memcpy((char *)x->request.into + x->got, data, size);
    } else if (x->got < sizeof x->error - 1) {
        size_t n = sizeof x->error - 1 - (size_t)x->got;
        n = n < size ? n : size;
        memcpy(x->error + x->got, data, n);
        x->error[x->got + n] = 0;
    }
    x->got += size;
}

static const char *judge_head(struct exchange *x)
{
    x->answer = x->answer_head.answer;
    if (x->answer.status == 206 && (!x->request.from || x->answer.from != x->request.from))
        return "its answer begins at another byte than was asked for";
    if (x->answer.length > (is_wanted(x) ? x->request.room : MAX_ERROR_BYTES))
        return "its answer is too long";
    return NULL;
}

/* NULL, or why it is no answer. */
static const char *take(struct exchange *x, const char *data, size_t size)
{
    const char *why = NULL;
    if (!x->answer_head.is_whole) {
        size_t n = http_take(&x->answer_head, data, size, &why);
        data += n;
        size -= n;
        if (!why && x->answer_head.is_whole)
            why = judge_head(x);
    }
    if (why || !x->answer_head.is_whole)
        return why;
    if (size > x->answer.length - x->got)
        return "it says more than it was asked";
    take_body(x, data, size);
    return NULL;
}

static void finish(struct exchange *x)
{
    /* An answer before the request was sent whole leaves the rest of it on the way. */
    if (x->answer.closes || x->sent < x->head_size + x->request.body_size)
        hang_up(x);
    x->state = EXCHANGE_DONE;
}

static void receive_some(struct exchange *x)
{
    const struct client_platform *p = x->platform;
    char data[4096];
    size_t n;
    while (x->state == EXCHANGE_BUSY && (n = p->receive(p->ctx, x->conn, data, sizeof data)) > 0) {
        const char *why = take(x, data, n);
        moved(x);
        if (why)
            fail(x, why);
        else if (x->answer_head.is_whole && x->got == x->answer.length)
            finish(x);
    }
}

static void lost(struct exchange *x, const char *why)
{
    bool is_untouched = !x->answer_head.lines && !x->answer_head.used;
    if (x->is_reused && is_untouched && !x->is_retried) {
        x->is_retried = true;
        hang_up(x);
        begin(x);
        return;
    }
    fail(x, why);
}

/* TLS takes the first byte when its handshake is over. */
static bool is_shaking(const struct exchange *x)
{
    return !x->is_reused && !x->sent;
}

static uint64_t step_end(const struct exchange *x)
{
    uint64_t shake_ns = x->request.shake_ns ? x->request.shake_ns : EXCHANGE_SHAKE_NS;
    uint64_t end = x->moved_ns + (is_shaking(x) ? shake_ns : EXCHANGE_SILENCE_NS);
    return end < x->end_ns ? end : x->end_ns;
}

enum exchange_state exchange_run(struct exchange *x)
{
    const struct client_platform *p = x->platform;
    const char *why = NULL;
    if (x->state != EXCHANGE_BUSY)
        return x->state;
    enum client_conn_state state = p->state(p->ctx, x->conn, &why);
    if (state == CLIENT_CONN_OPEN)
        send_some(x);
    if (state != CLIENT_CONN_CONNECTING)
        receive_some(x);
    x->is_refused = state == CLIENT_CONN_REFUSED;
    if (x->state == EXCHANGE_BUSY && why)
        lost(x, why);
    if (x->state == EXCHANGE_BUSY && now_ns(x) >= step_end(x))
        fail(x, "no answer in time");
    return x->state;
}

void exchange_watch(struct exchange *x)
{
    const struct client_platform *p = x->platform;
    const char *why;
    char byte;
    if (x->conn && x->state != EXCHANGE_BUSY &&
        (p->receive(p->ctx, x->conn, &byte, 1) ||
         p->state(p->ctx, x->conn, &why) != CLIENT_CONN_OPEN))
        hang_up(x);
}

void exchange_pass(struct exchange *from, struct exchange *to)
{
    if (to->conn || from->state == EXCHANGE_BUSY)
        return;
    to->conn = from->conn;
    to->server = from->server;
    to->request.identity = from->request.identity;
    from->conn = NULL;
}

uint64_t exchange_deadline(const struct exchange *x)
{
    return x->state == EXCHANGE_BUSY ? step_end(x) : UINT64_MAX;
}
