// SPDX-License-Identifier: BSD-2-Clause
/*
 * Further connections to an export, where the server allows several (NBD_FLAG_CAN_MULTI_CONN: what
 * one connection has written and flushed, all others see). They are made when the first one has
 * much to do, and carry whatever there is; a flush covers what has been acknowledged on any of them.
 *
 * One that cannot be made is no harm. But when one that worked is lost, the server may have
 * restarted and forgotten what was not flushed, also of the others': then the whole link is lost,
 * and replayed as always.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define BUSY_COMMANDS 4u /* in flight on one connection: another one is worth its while */
#define RETRY_NS 30000000000ull

static uint32_t wanted(const struct vdisk_export *e)
{
    uint32_t most = verify_is_tree(e) ? 1 : e->engine->limits.connections;
    if (!(e->identity.flags & e->session.handshake.result.flags & NBD_FLAG_CAN_MULTI_CONN))
        return 0;
    return most > 1 ? most - 1 : 0;
}

static bool is_same(const struct nbd_export *a, const struct nbd_export *b)
{
    return a->size_bytes == b->size_bytes && a->flags == b->flags && a->min_block == b->min_block &&
           a->max_block == b->max_block && a->has_block_status == b->has_block_status &&
           a->has_depth == b->has_depth && a->has_structured_replies == b->has_structured_replies;
}

struct nbd_session *link_room(struct vdisk_export *e, uint32_t bytes)
{
    struct nbd_session *best = nbd_session_has_room(&e->session, bytes) ? &e->session : NULL;
    e->is_busy |= e->session.in_flight >= BUSY_COMMANDS;
    for (uint32_t i = 0; i < e->conn_count; i++) {
        struct nbd_session *s = &e->conns[i].session;
        if (e->conns[i].is_good && nbd_session_has_room(s, bytes) &&
            (!best || s->bytes_in_flight + s->in_flight < best->bytes_in_flight + best->in_flight))
            best = s;
    }
    return best;
}

/* All of them, one after the other is not worth the wait. */
static void start(struct vdisk_export *e)
{
    if (!e->conns) {
        e->conns = calloc(wanted(e), sizeof e->conns[0]);
        e->conn_count = e->conns ? wanted(e) : 0;
        for (uint32_t i = 0; i < e->conn_count; i++)
            nbd_session_init(&e->conns[i].session, e->engine->platform, &e->session.patience);
    }
    for (uint32_t i = 0; i < e->conn_count; i++) {
        struct nbd_session *s = &e->conns[i].session;
        if (s->state == NBD_CLOSED)
            nbd_session_start(s, &e->session.target, e->engine->now_ns);
    }
    e->conns_when_ns = e->engine->now_ns + RETRY_NS;
}

static void greet(struct vdisk_export *e, struct conn *c)
{
    if (is_same(&c->session.handshake.result, &e->session.handshake.result)) {
        c->is_good = true;
        return;
    }
    link_say(e, "a further connection to the server shows another export; it is not used", "");
    nbd_session_close(&c->session);
}

const char *conns_run(struct vdisk_export *e)
{
    if (e->is_busy && wanted(e) && e->engine->now_ns >= e->conns_when_ns)
        start(e);
    e->is_busy = false;
    for (uint32_t i = 0; i < e->conn_count; i++) {
        struct conn *c = &e->conns[i];
        if (c->session.state == NBD_CLOSED)
            continue;
        nbd_session_run(&c->session, e->engine->now_ns);
        if (c->session.state == NBD_LOST && c->is_good)
            return c->session.why;
        if (c->session.state == NBD_LOST)
            nbd_session_close(&c->session);
        else if (c->session.state == NBD_READY && !c->is_good)
            greet(e, c);
    }
    return NULL;
}

uint64_t conns_deadline(const struct vdisk_export *e)
{
    uint64_t when = UINT64_MAX;
    for (uint32_t i = 0; i < e->conn_count; i++) {
        uint64_t its = nbd_session_deadline(&e->conns[i].session);
        if (its < when)
            when = its;
    }
    return when;
}

void conns_close(struct vdisk_export *e)
{
    for (uint32_t i = 0; i < e->conn_count; i++) {
        struct nbd_session *s = &e->conns[i].session;
        nbd_session_close(s);
        e->conns[i].is_good = false;
        for (struct nbd_command *c; (c = nbd_session_take_back(s));)
            if (c->lost)
                c->lost(c);
    }
    e->conns_when_ns = 0;
}
