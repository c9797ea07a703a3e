// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/virtio/blkclient.h"

#include <string.h>
#include "lib/assert.h"

#define NO_PIECE UINT32_MAX

static enum leat_blk_state load_state(const struct leat_blk_channel *channel)
{
    return (enum leat_blk_state)__atomic_load_n(&channel->info.state, __ATOMIC_ACQUIRE);
}

int blk_client_get_info(const struct leat_blk_channel *channel, struct blk_client_info *info)
{
    memset(info, 0, sizeof(*info));
    info->state = load_state(channel);
    info->features = __atomic_load_n(&channel->info.features, __ATOMIC_RELAXED);
    info->block_size = __atomic_load_n(&channel->info.block_size, __ATOMIC_RELAXED);
    info->optimal_size = __atomic_load_n(&channel->info.optimal_size, __ATOMIC_RELAXED);
    info->size_bytes = __atomic_load_n(&channel->info.size_bytes, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < sizeof(info->why) - 1; i++) {
        char c = __atomic_load_n(&channel->info.why[i], __ATOMIC_RELAXED);
        if (!c)
            break;
        info->why[i] = c >= ' ' && c <= '~' ? c : '?';
    }
    if (info->state != LEAT_BLK_READY && info->state != LEAT_BLK_STALLED)
        return LEAT_OK;
    bool is_good =
        (info->block_size == 512 || info->block_size == 4096) && info->size_bytes <= INT64_MAX;
    if (is_good) /* a rest that no request can name is not part of the disk */
        info->size_bytes &= ~(uint64_t)(info->block_size - 1);
    return is_good ? LEAT_OK : LEAT_EPROTO;
}

void blk_client_init(struct blk_client *client, struct leat_blk_channel *channel,
                     void (*signal)(void *ctx), void *ctx)
{
    memset(client, 0, sizeof(*client));
    client->channel = channel;
    client->signal = signal;
    client->ctx = ctx;
    leat_ring_join(&client->requests, channel->requests, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_request), true);
    leat_ring_join(&client->completions, channel->completions, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_completion), false);
    blk_area_init(&client->area);
    for (uint32_t i = 0; i < LEAT_BLK_RING_COUNT; i++)
        client->pieces[i].next_free = i + 1 < LEAT_BLK_RING_COUNT ? i + 1 : NO_PIECE;
}

static bool has_data(const struct blk_client_request *request)
{
    return request->op == LEAT_BLK_READ || request->op == LEAT_BLK_WRITE;
}

enum copy_way { COPY_NOTHING, COPY_FROM_GUEST, COPY_TO_GUEST };

/* Moves a place in the segments on by `length` bytes, copying on the way. */
static void copy_segments(const struct vq_segment *segments, unsigned *segment, uint64_t *at,
                          uint64_t length, uint8_t *data, enum copy_way way)
{
    while (length) {
        const struct vq_segment *s = &segments[*segment];
        if (*at >= s->length) {
            *at -= s->length;
            ++*segment;
            continue;
        }
        uint64_t n = s->length - *at < length ? s->length - *at : length;
        if (way == COPY_FROM_GUEST)
            memcpy(data, s->host + *at, n);
        else if (way == COPY_TO_GUEST)
            memcpy(s->host + *at, data, n);
        if (way != COPY_NOTHING)
            data += n;
        *at += n;
        length -= n;
    }
}

/* Sends one piece of `length` bytes; false: no room now. */
static bool send_piece(struct blk_client *client, struct blk_client_request *request,
                       uint64_t length)
{
    uint32_t id = client->free_piece;
    if (id == NO_PIECE)
        return false;
    struct blk_client_piece *piece = &client->pieces[id];
    piece->data = BLK_AREA_NONE;
    piece->length = 0;
    if (has_data(request)) {
        piece->length = (uint32_t)length;
        piece->data = blk_area_take(&client->area, piece->length);
        if (piece->data == BLK_AREA_NONE)
            return false;
        piece->segment = request->segment;
        piece->segment_at = request->segment_at;
        copy_segments(request->segments, &request->segment, &request->segment_at, length,
                      client->channel->data + piece->data,
                      request->op == LEAT_BLK_WRITE ? COPY_FROM_GUEST : COPY_NOTHING);
    }
    const struct leat_blk_request entry = {
        .id = id,
        .op = request->op,
        .flags = request->flags,
        .offset = request->offset + request->sent,
        .length = length,
        .data = has_data(request) ? piece->data : 0,
    };
    /* There is a slot: the ring has as many as there are pieces. Unless the server lies about its
     * index. */
    if (leat_ring_put(&client->requests, &entry) != LEAT_OK) {
        if (has_data(request))
            blk_area_give(&client->area, piece->data, piece->length);
        client->is_broken = true;
        return false;
    }
    client->free_piece = piece->next_free;
    client->pieces_out++;
    client->needs_signal = true;
    piece->request = request;
    request->pieces++;
    request->sent += length;
    return true;
}

/* Sends what there is room for; false: some is left. */
static bool send_all(struct blk_client *client, struct blk_client_request *request)
{
    if (!has_data(request)) {
        if (!request->has_started && request->status == LEAT_OK)
            request->has_started = send_piece(client, request, request->length);
        return request->has_started || request->status != LEAT_OK;
    }
    while (request->sent < request->length && request->status == LEAT_OK) {
        uint64_t left = request->length - request->sent;
        if (!send_piece(client, request, left < LEAT_BLK_MAX_REQUEST ? left : LEAT_BLK_MAX_REQUEST))
            return false;
    }
    return true;
}

static void finish_if_done(struct blk_client_request *request)
{
    if (!request->is_waiting && !request->pieces)
        request->done(request, request->status);
}

/* Sends what waits, in order, until there is no room. */
static void send_waiting(struct blk_client *client)
{
    while (client->first) {
        struct blk_client_request *request = client->first;
        if (!send_all(client, request))
            return;
        client->first = request->next;
        if (!client->first)
            client->last = NULL;
        request->is_waiting = false;
        finish_if_done(request);
    }
}

static void fail_waiting(struct blk_client *client)
{
    for (struct blk_client_request *r = client->first; r; r = r->next)
        if (r->status == LEAT_OK)
            r->status = LEAT_EIO;
    send_waiting(client);
}

/* Nothing that the server says counts any more: all ends with an error. */
static void fail_all(struct blk_client *client)
{
    fail_waiting(client);
    for (uint32_t i = 0; i < LEAT_BLK_RING_COUNT; i++) {
        struct blk_client_request *request = client->pieces[i].request;
        if (!request)
            continue;
        client->pieces[i].request = NULL;
        client->pieces_out--;
        request->pieces--;
        request->status = LEAT_EIO;
        finish_if_done(request);
    }
}

void blk_client_submit(struct blk_client *client, struct blk_client_request *request)
{
    LEAT_ASSERT(!has_data(request) || request->length);
    request->sent = 0;
    request->pieces = 0;
    request->status = LEAT_OK;
    request->is_waiting = request->is_abandoned = request->has_started = false;
    request->segment = 0;
    request->segment_at = request->skip;
    request->next = NULL;
    if (client->is_broken || load_state(client->channel) == LEAT_BLK_FAILED) {
        request->done(request, LEAT_EIO);
        return;
    }
    if (!client->first && send_all(client, request))
        return;
    request->is_waiting = true;
    if (client->last)
        client->last->next = request;
    else
        client->first = request;
    client->last = request;
}

static void complete(struct blk_client *client, const struct leat_blk_completion *completion)
{
    if (completion->id >= LEAT_BLK_RING_COUNT || !client->pieces[completion->id].request) {
        client->is_broken = true;
        return;
    }
    uint32_t id = (uint32_t)completion->id;
    struct blk_client_piece *piece = &client->pieces[id];
    struct blk_client_request *request = piece->request;
    if (completion->status != LEAT_OK) {
        if (request->status == LEAT_OK)
            request->status = completion->status < 0 ? completion->status : LEAT_EIO;
    } else if (request->op == LEAT_BLK_READ && !request->is_abandoned) {
        unsigned segment = piece->segment;
        uint64_t at = piece->segment_at;
        copy_segments(request->segments, &segment, &at, piece->length,
                      client->channel->data + piece->data, COPY_TO_GUEST);
    }
    if (piece->data != BLK_AREA_NONE)
        blk_area_give(&client->area, piece->data, piece->length);
    piece->request = NULL;
    piece->next_free = client->free_piece;
    client->free_piece = id;
    client->pieces_out--;
    request->pieces--;
    finish_if_done(request);
}

void blk_client_poll(struct blk_client *client)
{
    struct leat_blk_completion completion;
    bool any = false;
    while (!client->is_broken && leat_ring_get(&client->completions, &completion) == LEAT_OK) {
        complete(client, &completion);
        any = true;
    }
    if (client->completions.is_broken || client->requests.is_broken)
        client->is_broken = true;
    if (client->is_broken)
        fail_all(client);
    else if (load_state(client->channel) == LEAT_BLK_FAILED)
        fail_waiting(client);
    else if (any)
        send_waiting(client);
    if (any && leat_ring_must_signal(&client->completions))
        client->signal(client->ctx);
}

void blk_client_flush(struct blk_client *client)
{
    if (!client->needs_signal)
        return;
    client->needs_signal = false;
    if (leat_ring_must_signal(&client->requests))
        client->signal(client->ctx);
}

void blk_client_abandon(struct blk_client *client)
{
    for (uint32_t i = 0; i < LEAT_BLK_RING_COUNT; i++)
        if (client->pieces[i].request)
            client->pieces[i].request->is_abandoned = true;
    fail_waiting(client);
}

bool blk_client_may_sleep(struct blk_client *client)
{
    if (client->is_broken)
        return !client->pieces_out && !client->first;
    return leat_ring_may_sleep(&client->completions);
}
