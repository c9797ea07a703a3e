// SPDX-License-Identifier: BSD-2-Clause
/*
 * Writes. Each is copied into a record, which stays in the log until the server has said that it is
 * durable: a server that restarts may have lost what it acknowledged but had not flushed, so after
 * a reconnect all of the log is sent again, before any read.
 *
 * Order. NBD servers may work on requests in any order; here two records that overlap are never
 * under way at the same time: the later waits for the earlier one's answer (`blockers`). So the
 * order of submission is the order on the server, at first and in every replay, and the cache,
 * which follows at the acknowledgement, agrees with it.
 *
 * FUA. Such a write leaves the log at once, and an older, unflushed one below it could be replayed
 * over it. If there is one, the write is made durable by a flush instead, which empties the log of
 * both.
 */
#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define DEFAULT_LOG_BYTES (32ull << 20)
#define MAX_RECORDS 2048u
#define PART_BYTES                                                                                 \
    (1u << 20) /* of a write in one NBD request; trim and zeroes: what the server allows */

static void part_done(struct nbd_command *command, uint32_t error);
static void flush_done(struct nbd_command *command, uint32_t error);

void wlog_init(struct vdisk_export *e)
{
    list_init(&e->log);
    list_init(&e->open);
    list_init(&e->ready);
    list_init(&e->write_wait);
    list_init(&e->flush_wait);
    list_init(&e->flush_now);
    e->flush.type = NBD_CMD_FLUSH;
    e->flush.done = flush_done;
    e->flush.owner = e;
}

static uint64_t bound_bytes(const struct vdisk_export *e)
{
    uint64_t bound = e->engine->limits.log_bytes;
    return bound ? bound : DEFAULT_LOG_BYTES;
}

static bool has_flush(const struct vdisk_export *e)
{
    return e->identity.flags & NBD_FLAG_SEND_FLUSH;
}

static bool overlap(const struct write_record *a, const struct write_record *b)
{
    return a->offset < b->offset + b->length && b->offset < a->offset + a->length;
}

static uint64_t memory_of(const struct write_record *w)
{
    return sizeof *w + (w->type == NBD_CMD_WRITE ? w->length : 0);
}

/* Opens a record that is at the end of the log: counts what it must wait for. */
static void open_record(struct vdisk_export *e, struct write_record *w)
{
    w->blockers = 0;
    w->done = 0;
    w->is_acked = false;
    for (struct list *n = e->open.next; n != &e->open; n = n->next)
        if (overlap(LIST_ENTRY(n, struct write_record, open_node), w))
            w->blockers++;
    list_push_back(&e->open, &w->open_node);
    if (!w->blockers)
        list_push_back(&e->ready, &w->ready_node);
}

static void drop_record(struct vdisk_export *e, struct write_record *w)
{
    list_remove(&w->log_node);
    list_remove(&w->open_node);
    list_remove(&w->ready_node);
    e->log_bytes -= memory_of(w);
    e->log_count--;
    if (w->is_acked)
        e->acked_count--;
    if (w->is_replayed)
        e->replay_left--;
    tenant_put(w->tenant);
    free(w);
}

/* False: no room or no memory now. */
static bool add_record(struct vdisk_export *e, struct vdisk_request *r)
{
    struct write_record shape = {
        .offset = r->offset, .length = r->length, .client_length = r->length};
    if (r->op == LEAT_BLK_WRITE)
        edges_widen(e, &shape);
    uint64_t bytes = sizeof shape + (r->op == LEAT_BLK_WRITE ? shape.length : 0);
    if (e->log_count && (e->log_count >= MAX_RECORDS || e->log_bytes + bytes > bound_bytes(e)))
        return false;
    struct write_record *w = malloc(bytes);
    if (!w)
        return false;
    memcpy(w, &shape, sizeof shape);
    list_init(&w->ready_node);
    w->type = r->op == LEAT_BLK_WRITE     ? NBD_CMD_WRITE
              : r->op == LEAT_BLK_DISCARD ? NBD_CMD_TRIM
                                          : NBD_CMD_WRITE_ZEROES;
    w->wants_fua = r->flags & LEAT_BLK_FUA;
    if (w->wants_fua && (e->identity.flags & NBD_FLAG_SEND_FUA))
        w->command.flags |= NBD_CMD_FLAG_FUA;
    if (r->op == LEAT_BLK_WRITE_ZEROES && (r->flags & LEAT_BLK_NO_HOLE))
        w->command.flags |= NBD_CMD_FLAG_NO_HOLE;
    w->request = r;
    w->tenant = tenant_get(r->disk->tenant);
    w->export = e;
    if (w->type == NBD_CMD_WRITE)
        memcpy(w->data + w->lead, r->data, r->length);
    w->command.type = w->type;
    w->command.done = part_done;
    w->command.owner = w;
    e->log_bytes += bytes;
    e->log_count++;
    list_push_back(&e->log, &w->log_node);
    open_record(e, w);
    return true;
}

void wlog_submit(struct vdisk_export *e, struct vdisk_request *r)
{
    extents_written(e, r->offset, r->length);
    layers_written(e, r->offset, r->length);
    if (!list_is_empty(&e->write_wait) || !add_record(e, r))
        list_push_back(&e->write_wait, &r->node);
}

static void admit_waiting(struct vdisk_export *e)
{
    while (!list_is_empty(&e->write_wait)) {
        struct vdisk_request *r = LIST_ENTRY(e->write_wait.next, struct vdisk_request, node);
        if (!add_record(e, r))
            return;
        list_remove(&r->node);
    }
}

/* A FUA write may leave the log only if nothing older in it overlaps. */
static bool may_leave(const struct vdisk_export *e, const struct write_record *w)
{
    if (!(w->command.flags & NBD_CMD_FLAG_FUA))
        return false;
    for (const struct list *n = w->log_node.prev; n != &e->log; n = n->prev)
        if (overlap(LIST_ENTRY(n, struct write_record, log_node), w))
            return false;
    return true;
}

static void close_record(struct vdisk_export *e, struct write_record *w)
{
    for (struct list *n = w->open_node.next; n != &e->open; n = n->next) {
        struct write_record *later = LIST_ENTRY(n, struct write_record, open_node);
        if (overlap(w, later) && --later->blockers == 0)
            list_push_back(&e->ready, &later->ready_node);
    }
    list_remove(&w->open_node);
    if (w->is_replayed) {
        w->is_replayed = false;
        e->replay_left--;
    }
}

/*
 * A client's write fails with the server's error. One that the server had accepted before, and now
 * refuses in a replay, stays in the log: the link is given up, and the replay is tried again until
 * it is accepted.
 */
static void record_failed(struct vdisk_export *e, struct write_record *w, uint32_t error)
{
    struct vdisk_request *r = w->request;
    vdisk_log(e->engine, "vdisk: %s:%u export '%s': write of %llu bytes at %llu: server error %u",
              e->host, e->port, e->shown, (unsigned long long)w->length,
              (unsigned long long)w->offset, (unsigned)error);
    if (w->is_known) {
        e->is_replay_refused = true;
        return;
    }
    cache_change(&e->engine->cache, e->id, w->offset + w->lead, w->client_length, CACHE_UNKNOWN,
                 NULL);
    drop_record(e, w);
    if (r)
        disk_complete(r, LEAT_EIO);
}

static void record_acked(struct vdisk_export *e, struct write_record *w)
{
    struct vdisk_request *r = w->request;
    if (!w->is_known) {
        enum cache_change change = w->type == NBD_CMD_WRITE          ? CACHE_WRITTEN
                                   : w->type == NBD_CMD_WRITE_ZEROES ? CACHE_ZEROED
                                                                     : CACHE_UNKNOWN;
        cache_change(&e->engine->cache, e->id, w->offset + w->lead, w->client_length, change,
                     w->data + w->lead);
        w->is_known = true;
    }
    w->request = NULL;
    w->is_acked = true;
    w->ack_number = ++e->ack_counter;
    e->acked_count++;
    if (!has_flush(e) || (w->wants_fua && may_leave(e, w))) {
        drop_record(e, w);
    } else if (w->wants_fua && r) {
        list_push_back(&e->flush_wait, &r->node);
        r = NULL;
    }
    if (r)
        disk_complete(r, LEAT_OK);
}

void wlog_part_failed(struct write_record *w, uint32_t error)
{
    close_record(w->export, w);
    record_failed(w->export, w, error);
}

static void part_done(struct nbd_command *command, uint32_t error)
{
    struct write_record *w = command->owner;
    struct vdisk_export *e = w->export;
    sharing_landed(w->tenant, SHARE_UP, &w->flight, error);
    if (error) {
        wlog_part_failed(w, error);
        return;
    }
    w->done += command->length;
    if (w->done < w->length) {
        list_push_front(&e->ready, &w->ready_node);
        return;
    }
    close_record(e, w);
    record_acked(e, w);
}

static void drop_durable(struct vdisk_export *e, uint64_t mark)
{
    for (struct list *n = e->log.next, *next; n != &e->log; n = next) {
        next = n->next;
        struct write_record *w = LIST_ENTRY(n, struct write_record, log_node);
        if (w->is_acked && w->ack_number <= mark)
            drop_record(e, w);
    }
}

static void flush_done(struct nbd_command *command, uint32_t error)
{
    struct vdisk_export *e = command->owner;
    e->is_flushing = false;
    if (error) {
        e->flush_retry_ns = e->engine->now_ns + SECOND_NS;
        vdisk_log(e->engine, "vdisk: %s:%u export '%s': flush: server error %u", e->host, e->port,
                  e->shown, (unsigned)error);
    } else {
        drop_durable(e, e->flush_mark);
    }
    int status = error ? LEAT_EIO : LEAT_OK;
    struct list covered = e->flush_now;
    if (list_is_empty(&e->flush_now)) {
        list_init(&covered);
    } else { /* completions may submit flushes: work on a list of their own */
        covered.next->prev = covered.prev->next = &covered;
        list_init(&e->flush_now);
    }
    struct list *node;
    while ((node = list_pop(&covered)))
        disk_complete(LIST_ENTRY(node, struct vdisk_request, node), status);
}

void wlog_flush(struct vdisk_export *e, struct vdisk_request *r)
{
    if (e->acked_count == 0 && !e->replay_left) { /* all that was completed is durable */
        disk_complete(r, LEAT_OK);
        return;
    }
    list_push_back(&e->flush_wait, &r->node);
}

static bool wants_flush(const struct vdisk_export *e)
{
    if (!list_is_empty(&e->flush_wait))
        return true;
    bool is_full = e->log_bytes > bound_bytes(e) / 2 || e->log_count > MAX_RECORDS / 2 ||
                   !list_is_empty(&e->write_wait) || e->wants_drain || list_is_empty(&e->disks);
    return is_full && e->acked_count && e->engine->now_ns >= e->flush_retry_ns;
}

static bool send_flush(struct vdisk_export *e)
{
    if (e->link != LINK_UP || e->is_flushing || !wants_flush(e))
        return false;
    struct nbd_session *s = link_room(e, 0);
    if (!s)
        return false;
    struct list *node;
    while ((node = list_pop(&e->flush_wait)))
        list_push_back(&e->flush_now, node);
    e->is_flushing = true;
    e->flush_mark = e->ack_counter;
    nbd_session_send(s, &e->flush, e->engine->now_ns);
    return true;
}

static bool send_part(struct vdisk_export *e)
{
    if (list_is_empty(&e->ready))
        return false;
    struct write_record *w = LIST_ENTRY(e->ready.next, struct write_record, ready_node);
    if (w->edges)
        return edges_read(e, w);
    uint64_t left = w->length - w->done;
    uint32_t most = e->identity.max_block, part = sharing_piece(e->engine, SHARE_UP, PART_BYTES);
    uint32_t unit = e->identity.min_block > e->block_size ? e->identity.min_block : e->block_size;
    part = part > unit ? part - part % unit : unit; /* no sector is cut in two */
    if (w->type == NBD_CMD_WRITE && most > part)
        most = part;
    uint32_t length = left < most ? (uint32_t)left : most;
    uint32_t payload = w->type == NBD_CMD_WRITE ? length : 0;
    struct nbd_session *s = link_room(e, payload);
    if (!s || (payload && !sharing_may_send(e, w->tenant, SHARE_UP, payload)))
        return false;
    sharing_sent(w->tenant, SHARE_UP, &w->flight, payload);
    list_remove(&w->ready_node);
    w->command.offset = w->offset + w->done;
    w->command.length = length;
    w->command.data = w->data + w->done;
    nbd_session_send(s, &w->command, e->engine->now_ns);
    return true;
}

bool wlog_pump(struct vdisk_export *e)
{
    bool any = false;
    if (wlog_is_drained(e))
        e->wants_drain = false;
    admit_waiting(e);
    while (send_part(e))
        any = true;
    return send_flush(e) || any;
}

void wlog_rewind(struct vdisk_export *e)
{
    if (e->is_flushing) { /* those who were covered by the lost flush wait for the next one */
        e->is_flushing = false;
        while (!list_is_empty(&e->flush_now)) {
            struct list *last = e->flush_now.prev;
            list_remove(last);
            list_push_front(&e->flush_wait, last);
        }
    }
    for (struct list *n = e->log.next; n != &e->log; n = n->next) {
        struct write_record *w = LIST_ENTRY(n, struct write_record, log_node);
        sharing_landed(w->tenant, SHARE_UP, &w->flight, true);
        if (!w->is_acked)
            list_remove(&w->open_node);
        list_remove(&w->ready_node);
    }
    list_init(&e->open);
    list_init(&e->ready);
    e->replay_left = 0;
    e->is_replay_refused = false;
    e->acked_count = 0;
    for (struct list *n = e->log.next; n != &e->log; n = n->next) {
        struct write_record *w = LIST_ENTRY(n, struct write_record, log_node);
        open_record(e, w);
        w->is_replayed = true;
        e->replay_left++;
    }
}

void wlog_fail_all(struct vdisk_export *e)
{
    while (!list_is_empty(&e->log)) {
        struct write_record *w = LIST_ENTRY(e->log.next, struct write_record, log_node);
        struct vdisk_request *r = w->request;
        drop_record(e, w);
        if (r)
            disk_complete(r, LEAT_EIO);
    }
    struct list *lists[] = {&e->write_wait, &e->flush_wait, &e->flush_now};
    for (unsigned i = 0; i < 3; i++) {
        struct list *node;
        while ((node = list_pop(lists[i])))
            disk_complete(LIST_ENTRY(node, struct vdisk_request, node), LEAT_EIO);
    }
}

void wlog_forget(struct vdisk_export *e, struct vdisk_request *r)
{
    list_remove(&r->node); /* it waits for room or for a flush; or it is in no list */
    for (struct list *n = e->open.next; n != &e->open; n = n->next) {
        struct write_record *w = LIST_ENTRY(n, struct write_record, open_node);
        if (w->request == r)
            w->request = NULL;
    }
}

bool wlog_is_drained(const struct vdisk_export *e)
{
    return list_is_empty(&e->log) && list_is_empty(&e->write_wait);
}

uint64_t wlog_deadline(const struct vdisk_export *e)
{
    uint64_t now_ns = e->engine->now_ns;
    if (!list_is_empty(&e->write_wait)) /* it may be memory that was short */
        return now_ns + SECOND_NS / 10;
    return e->acked_count && e->flush_retry_ns > now_ns ? e->flush_retry_ns : UINT64_MAX;
}
