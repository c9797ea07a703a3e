// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/nbd/session.h"

#include <stdio.h>
#include <string.h>

#include "vdisk/nbd/proto.h"

#define PING_BYTES 512u
#define AGE_FACTOR                                                                                 \
    4u /* the oldest command may be this much older than the silence that is allowed */

static void on_connected(void *owner)
{
    struct nbd_session *s = owner;
    if (s->state == NBD_CONNECTING)
        s->state = NBD_NEGOTIATING;
}

static void on_progress(void *owner)
{
    (void)owner; /* nbd_session_run follows and looks for itself */
}

static void on_closed(void *owner, const char *why)
{
    struct nbd_session *s = owner;
    s->is_conn_closed = true;
    snprintf(s->why, sizeof s->why, "%s", why);
}

static const struct vdisk_conn_events conn_events = {on_connected, on_progress, on_closed};

void nbd_session_init(struct nbd_session *s, const struct vdisk_platform *platform,
                      const struct nbd_patience *patience)
{
    memset(s, 0, sizeof *s);
    s->platform = platform;
    s->patience = *patience;
    list_init(&s->queue);
    list_init(&s->flying);
}

bool nbd_session_start(struct nbd_session *s, const struct nbd_target *target, uint64_t now_ns)
{
    s->target = *target;
    s->is_conn_closed = false;
    s->why[0] = 0;
    void *conn =
        s->platform->connect(s->platform->ctx, target->host, target->port, &conn_events, s);
    if (!conn)
        return false;
    nbd_stream_init(&s->stream, s->platform, conn);
    nbd_handshake_init(&s->handshake, target->export_name, target->tls != NULL,
                       target->wants_depth);
    memset(&s->reply, 0, sizeof s->reply);
    s->queue_sent = 0;
    s->serial = s->platform->random(s->platform->ctx) / NBD_SESSION_SLOTS;
    s->started_ns = s->moved_ns = now_ns;
    s->moved_seen = 0;
    s->state = NBD_CONNECTING;
    return true;
}

void nbd_session_lose(struct nbd_session *s, const char *why)
{
    if (s->state == NBD_CLOSED || s->state == NBD_LOST)
        return;
    s->platform->close(s->platform->ctx, s->stream.conn);
    s->state = NBD_LOST;
    memset(&s->reply, 0, sizeof s->reply);
    if (why != s->why)
        snprintf(s->why, sizeof s->why, "%s", why);
}

void nbd_session_close(struct nbd_session *s)
{
    if (s->state == NBD_READY && s->queue_sent == 0 &&
        nbd_stream_room(&s->stream) >= NBD_REQUEST_BYTES) {
        uint8_t request[NBD_REQUEST_BYTES] = {0};
        be32_put(request, NBD_REQUEST_MAGIC);
        be16_put(request + 6, NBD_CMD_DISC);
        nbd_stream_put(&s->stream, request, sizeof request);
        nbd_stream_push(&s->stream);
    }
    if (s->state != NBD_CLOSED && s->state != NBD_LOST)
        s->platform->close(s->platform->ctx, s->stream.conn);
    s->state = NBD_CLOSED;
}

bool nbd_session_has_room(const struct nbd_session *s, uint32_t bytes)
{
    return s->state == NBD_READY && s->in_flight < NBD_SESSION_SLOTS &&
           (s->in_flight == 0 || s->bytes_in_flight + bytes <= NBD_SESSION_WINDOW);
}

static uint32_t payload_bytes(const struct nbd_command *c)
{
    return c->type == NBD_CMD_READ || c->type == NBD_CMD_WRITE ? c->length : 0;
}

void nbd_session_send(struct nbd_session *s, struct nbd_command *c, uint64_t now_ns)
{
    uint32_t slot = 0;
    while (s->slots[slot])
        slot++;
    s->slots[slot] = c;
    c->cookie = s->serial++ * NBD_SESSION_SLOTS + slot;
    c->sent_ns = now_ns;
    c->is_sent = false;
    c->error = 0;
    c->piece_count = 0;
    c->described = c->depth_described = 0;
    s->in_flight++;
    s->bytes_in_flight += payload_bytes(c);
    list_push_back(&s->queue, &c->node);
}

/* A cookie names a slot and must be the one of the command in it. One whose request is still being
 * sent cannot have been answered. */
struct nbd_command *nbd_session_find(struct nbd_session *s, uint64_t cookie)
{
    struct nbd_command *c = s->slots[cookie % NBD_SESSION_SLOTS];
    return c && c->cookie == cookie && c->is_sent ? c : NULL;
}

static void forget(struct nbd_session *s, struct nbd_command *c)
{
    s->slots[c->cookie % NBD_SESSION_SLOTS] = NULL;
    s->in_flight--;
    s->bytes_in_flight -= payload_bytes(c);
    list_remove(&c->node);
}

void nbd_session_finish(struct nbd_session *s, struct nbd_command *c)
{
    forget(s, c);
    c->done(c, c->error);
}

struct nbd_command *nbd_session_take_back(struct nbd_session *s)
{
    struct list *from = list_is_empty(&s->flying) ? &s->queue : &s->flying;
    if (list_is_empty(from))
        return NULL;
    struct nbd_command *c = LIST_ENTRY(from->next, struct nbd_command, node);
    forget(s, c);
    return c == &s->ping ? nbd_session_take_back(s) : c; /* there is only one */
}

/* Puts as much of the command as fits; true: all of it. */
static bool put_command(struct nbd_session *s, struct nbd_command *c)
{
    if (s->queue_sent == 0) {
        if (nbd_stream_room(&s->stream) < NBD_REQUEST_BYTES && !nbd_stream_push(&s->stream))
            return false;
        uint8_t request[NBD_REQUEST_BYTES];
        be32_put(request, NBD_REQUEST_MAGIC);
        be16_put(request + 4, c->flags);
        be16_put(request + 6, c->type);
        be64_put(request + 8, c->cookie);
        be64_put(request + 16, c->offset);
        be32_put(request + 24, c->length);
        s->queue_sent = (uint32_t)nbd_stream_put(&s->stream, request, sizeof request);
    }
    if (c->type != NBD_CMD_WRITE)
        return true;
    for (;;) {
        uint32_t done = s->queue_sent - NBD_REQUEST_BYTES;
        if (done == c->length)
            return true;
        size_t n = nbd_stream_put(&s->stream, c->data + done, c->length - done);
        s->queue_sent += (uint32_t)n;
        if (n == 0)
            return false;
    }
}

static void send_queue(struct nbd_session *s)
{
    while (!list_is_empty(&s->queue)) {
        struct nbd_command *c = LIST_ENTRY(s->queue.next, struct nbd_command, node);
        if (!put_command(s, c))
            break;
        s->queue_sent = 0;
        c->is_sent = true;
        list_remove(&c->node);
        list_push_back(&s->flying, &c->node);
    }
    nbd_stream_push(&s->stream);
}

static uint64_t oldest_ns(const struct nbd_session *s)
{
    const struct list *from = list_is_empty(&s->flying) ? &s->queue : &s->flying;
    return LIST_ENTRY(from->next, struct nbd_command, node)->sent_ns;
}

uint64_t nbd_session_deadline(const struct nbd_session *s)
{
    if (s->state == NBD_CONNECTING || s->state == NBD_NEGOTIATING)
        return s->started_ns + s->patience.connect_ns;
    if (s->state != NBD_READY)
        return UINT64_MAX;
    if (!s->in_flight)
        return s->moved_ns + s->patience.idle_ns;
    uint64_t oldest = oldest_ns(s);
    uint64_t silent = (s->moved_ns > oldest ? s->moved_ns : oldest) + s->patience.silence_ns;
    uint64_t aged = oldest + AGE_FACTOR * s->patience.silence_ns;
    return silent < aged ? silent : aged;
}

static void pong(struct nbd_command *command, uint32_t error)
{
    (void)command, (void)error; /* an error is an answer too */
}

/* The smallest read that the server allows; its data goes nowhere. */
static void ping(struct nbd_session *s, uint64_t now_ns)
{
    static uint8_t nowhere[NBD_PAGE_BYTES];
    static uint8_t *const pages[] = {[0 ... 15] = nowhere}; /* 64 KiB: the largest minimum */
    const struct nbd_export *x = &s->handshake.result;
    s->ping.type = NBD_CMD_READ;
    s->ping.length = x->min_block > PING_BYTES ? x->min_block : PING_BYTES;
    if (s->ping.length > x->size_bytes)
        s->ping.length = (uint32_t)x->size_bytes;
    s->ping.pages = pages;
    s->ping.done = pong;
    s->moved_ns = now_ns;
    if (!s->ping.length)
        return;
    nbd_session_send(s, &s->ping, now_ns);
    send_queue(s);
    s->moved_seen = s->stream.moved;
}

static void judge_silence(struct nbd_session *s, uint64_t now_ns)
{
    if (s->stream.moved != s->moved_seen) {
        s->moved_seen = s->stream.moved;
        s->moved_ns = now_ns;
    }
    if (now_ns < nbd_session_deadline(s))
        return;
    if (s->state == NBD_CONNECTING)
        nbd_session_lose(s, "no answer to the connection request");
    else if (s->state == NBD_NEGOTIATING)
        nbd_session_lose(s, "the server does not finish the NBD negotiation");
    else if (!s->in_flight)
        ping(s, now_ns);
    else
        nbd_session_lose(s, "the server owes answers and is silent");
}

/* What lies behind the agreement was said in plain text, by whomever. */
static void secure(struct nbd_session *s)
{
    const struct vdisk_tls *tls = s->target.tls;
    const char *why = nbd_stream_has_more(&s->stream)
                          ? "the server goes on in plain text after it agreed to TLS"
                          : tls->start(tls, s->stream.conn, s->target.host);
    if (why)
        nbd_session_lose(s, why);
    else
        nbd_handshake_secured(&s->handshake, &s->stream);
}

static void negotiate(struct nbd_session *s)
{
    enum nbd_step step = nbd_handshake_step(&s->handshake, &s->stream);
    if (step == NBD_SECURE)
        secure(s);
    if (s->state != NBD_NEGOTIATING)
        return;
    if (step == NBD_FAILED)
        nbd_session_lose(s, s->handshake.why);
    else if (step == NBD_DONE)
        s->state = NBD_READY;
    else
        nbd_stream_push(&s->stream);
}

void nbd_session_run(struct nbd_session *s, uint64_t now_ns)
{
    bool was_closed = s->is_conn_closed;
    if (s->state == NBD_NEGOTIATING)
        negotiate(s);
    if (s->state == NBD_READY) {
        nbd_reply_run(s);
        if (s->state == NBD_READY)
            send_queue(s);
    }
    if (was_closed) {
        s->is_conn_closed = false;
        nbd_session_lose(s, s->why);
    }
    if (s->state != NBD_CLOSED && s->state != NBD_LOST)
        judge_silence(s, now_ns);
}
