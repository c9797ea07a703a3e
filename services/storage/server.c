// SPDX-License-Identifier: BSD-2-Clause
#include "services/storage/server.h"

#include <stdio.h>
#include <string.h>

static void push(struct server_queue *queue, struct server_request *r)
{
    r->next = NULL;
    if (queue->first)
        queue->last->next = r;
    else
        queue->first = r;
    queue->last = r;
}

static struct server_request *pop(struct server_queue *queue)
{
    struct server_request *r = queue->first;

    if (r)
        queue->first = r->next;
    return r;
}

/* LEAT_OK, or why the request is refused. */
static int judge(const struct server *s, const struct leat_blk_request *q)
{
    if (q->op == LEAT_BLK_FLUSH)
        return LEAT_OK;
    if ((q->op != LEAT_BLK_READ && q->op != LEAT_BLK_WRITE) || q->length == 0 ||
        q->length % s->sector_bytes || q->offset % s->sector_bytes || q->length > s->size_bytes ||
        q->offset > s->size_bytes - q->length || q->length > LEAT_BLK_MAX_REQUEST ||
        q->data > LEAT_BLK_DATA_BYTES - q->length)
        return LEAT_EINVAL;
    return LEAT_OK;
}

static void device_failed(struct server *s)
{
    struct leat_blk_info *info = &s->shared->info;

    if (s->has_failed || s->guard.driver->info(s->guard.state, s->guard.unit))
        return;
    s->has_failed = s->must_tell = true;
    snprintf(info->why, sizeof info->why, "the local disk does not answer any more");
    __atomic_store_n(&info->state, LEAT_BLK_FAILED, __ATOMIC_RELEASE);
}

static void end_piece(struct server_piece *p, bool is_ok)
{
    struct server *s = p->server;
    struct server_request *r = p->request;

    if (!is_ok) {
        r->status = LEAT_EIO;
        r->is_sent = true; /* the rest of it is not tried */
        device_failed(s);
    } else if (r->asked.op == LEAT_BLK_READ) {
        memcpy(s->shared->data + p->area_offset, p->command.data, p->bytes);
    }
    p->next = s->free_pieces;
    s->free_pieces = p;
    r->pieces--;
    if (r->is_sent && r->pieces == 0 && s->waiting.first != r)
        push(&s->done, r);
}

static void piece_done(struct block_command *command, bool is_ok)
{
    struct server_piece *p = command->owner;

    p->server->under_way--;
    end_piece(p, is_ok);
}

static void send_piece(struct server *s, struct server_request *r)
{
    static const uint8_t ops[] = {
        [LEAT_BLK_READ] = BLOCK_READ,
        [LEAT_BLK_WRITE] = BLOCK_WRITE,
        [LEAT_BLK_FLUSH] = BLOCK_FLUSH,
    };
    struct server_piece *p = s->free_pieces;
    struct block_command *c = &p->command;
    bool is_flush = r->asked.op == LEAT_BLK_FLUSH;
    uint64_t left = is_flush ? 0 : r->asked.length - r->sent;
    uint32_t bytes = left < SERVER_PIECE_BYTES ? (uint32_t)left : SERVER_PIECE_BYTES;

    s->free_pieces = p->next;
    p->request = r;
    p->bytes = bytes;
    p->area_offset = r->asked.data + r->sent;
    c->op = ops[r->asked.op];
    c->fua = r->asked.op == LEAT_BLK_WRITE && (r->asked.flags & LEAT_BLK_FUA);
    c->sectors = bytes / s->sector_bytes;
    c->lba = is_flush ? 0 : s->guard.first + (r->asked.offset + r->sent) / s->sector_bytes;
    if (c->op == BLOCK_WRITE)
        memcpy(c->data, s->shared->data + p->area_offset, p->bytes);
    r->sent += bytes;
    r->is_sent = is_flush || r->sent == r->asked.length;
    r->pieces++;
    s->under_way++;
    if (guard_submit(&s->guard, c) != LEAT_OK)
        piece_done(c, false);
}

static void send_waiting(struct server *s)
{
    while (s->waiting.first && s->free_pieces) {
        struct server_request *r = s->waiting.first;

        if (!r->is_sent)
            send_piece(s, r);
        if (!r->is_sent)
            continue;
        pop(&s->waiting);
        if (r->pieces == 0) /* it has failed meanwhile */
            push(&s->done, r);
    }
}

void server_serve(struct server *s)
{
    struct leat_blk_request asked;

    while (s->free_requests && leat_ring_get(&s->requests, &asked) == LEAT_OK) {
        struct server_request *r = s->free_requests;
        s->free_requests = r->next;
        s->is_touched = true;
        *r = (struct server_request){.asked = asked, .status = judge(s, &asked)};
        push(r->status == LEAT_OK ? &s->waiting : &s->done, r);
    }
    send_waiting(s);
}

void server_flush(struct server *s)
{
    bool must = s->must_tell;

    while (s->done.first) {
        struct server_request *r = s->done.first;
        struct leat_blk_completion completion = {.id = r->asked.id, .status = r->status};
        if (leat_ring_put(&s->completions, &completion) != LEAT_OK)
            break;
        s->is_touched = true;
        pop(&s->done);
        r->next = s->free_requests;
        s->free_requests = r;
    }
    if (s->is_touched) {
        must |= leat_ring_must_signal(&s->completions);
        must |= leat_ring_must_signal(&s->requests);
        s->is_touched = false;
    }
    s->must_tell = false;
    if (must)
        s->signal(s->ctx);
}

bool server_is_busy(const struct server *s)
{
    return s->under_way != 0;
}

bool server_may_sleep(struct server *s)
{
    bool may = true;

    if (s->done.first && !s->completions.is_broken)
        may &= leat_ring_may_sleep(&s->completions);
    if (s->free_requests && !s->requests.is_broken)
        may &= leat_ring_may_sleep(&s->requests);
    return may;
}

static void announce(struct server *s, const struct block_device_info *info)
{
    struct leat_blk_info *told = &s->shared->info;

    told->features = LEAT_BLK_CAN_FLUSH | LEAT_BLK_CAN_FUA;
    told->features |= info->is_read_only ? LEAT_BLK_READ_ONLY : 0;
    told->size_bytes = s->size_bytes;
    told->block_size = info->sector_bytes;
    told->optimal_size = SERVER_PIECE_BYTES;
    __atomic_store_n(&told->state, LEAT_BLK_READY, __ATOMIC_RELEASE);
    s->must_tell = true;
}

void server_begin(struct server *s, const struct guard *guard, const struct block_device_info *info,
                  struct leat_blk_channel *shared, const struct server_buffers *buffers,
                  void (*signal)(void *ctx), void *ctx)
{
    memset(s, 0, sizeof *s);
    s->guard = *guard;
    s->sector_bytes = info->sector_bytes;
    s->size_bytes = guard->sectors * info->sector_bytes;
    s->shared = shared;
    s->signal = signal;
    s->ctx = ctx;
    leat_ring_join(&s->requests, shared->requests, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_request), false);
    leat_ring_join(&s->completions, shared->completions, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_completion), true);
    for (unsigned i = 0; i < LEAT_BLK_RING_COUNT; i++) {
        s->slots[i].next = s->free_requests;
        s->free_requests = &s->slots[i];
    }
    for (uint64_t i = 0; i < SERVER_PIECES_MOST && (i + 1) * SERVER_PIECE_BYTES <= buffers->size;
         i++) {
        struct server_piece *p = &s->pieces[i];
        p->server = s;
        p->command.owner = p;
        p->command.done = piece_done;
        p->command.data = buffers->va + i * SERVER_PIECE_BYTES;
        p->command.data_hpa = buffers->hpa + i * SERVER_PIECE_BYTES;
        p->next = s->free_pieces;
        s->free_pieces = p;
    }
    announce(s, info);
}
