// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/layer_server.h"

#include <stdlib.h>
#include <string.h>

#include "vdisk/nbd/proto.h"

#define CONNS 8u
#define BASE_ID 5u
#define DEPTH_ID 6u
#define HELD 16u
#define OUT_BYTES (4u << 20)

struct layer_export layer_exports[LAYER_EXPORTS];
bool layer_tells_depth, layer_holds_status;
uint64_t layer_now_ns;
char layer_log[4096];

static struct conn {
    bool is_used, is_new, is_ended;
    unsigned phase, export;
    bool has_depth;
    uint8_t held[HELD][NBD_REQUEST_BYTES]; /* questions that are not answered yet */
    unsigned held_count;
    const struct vdisk_conn_events *events;
    void *owner;
    uint8_t in[1 << 20], *out;
    size_t in_size, out_size, out_taken;
} conns[CONNS];

void layer_reset(void)
{
    for (unsigned i = 0; i < CONNS; i++)
        free(conns[i].out);
    memset(conns, 0, sizeof conns);
    memset(layer_exports, 0, sizeof layer_exports);
    for (unsigned i = 0; i < LAYER_EXPORTS; i++)
        layer_exports[i].size = sizeof layer_exports[i].data;
    for (size_t i = 0; i < sizeof layer_exports[0].data; i++)
        layer_exports[0].data[i] = (uint8_t)(i * 2654435761u >> 13);
    layer_tells_depth = true;
    layer_holds_status = false;
    layer_log[0] = 0;
    layer_now_ns = 1000000000;
}

static void put(struct conn *c, const void *data, size_t size)
{
    if (size)
        memcpy(c->out + c->out_size, data, size);
    c->out_size += size;
}

static void put32(struct conn *c, uint32_t value)
{
    uint8_t p[4];
    be32_put(p, value);
    put(c, p, 4);
}

static void option_reply(struct conn *c, uint32_t option, uint32_t type, const void *data,
                         uint32_t size)
{
    uint8_t p[20];
    be64_put(p, NBD_REPLY_MAGIC);
    be32_put(p + 8, option);
    be32_put(p + 12, type);
    be32_put(p + 16, size);
    put(c, p, sizeof p);
    put(c, data, size);
}

static void context(struct conn *c, uint32_t id, const char *name)
{
    uint8_t p[64];
    be32_put(p, id);
    memcpy(p + 4, name, strlen(name));
    option_reply(c, NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, p, 4 + (uint32_t)strlen(name));
}

static void go(struct conn *c, const uint8_t *data)
{
    const char *name = (const char *)data + 4;
    c->export = name[0] == 'i' ? 0 : 1 + (unsigned)(name[1] - '0');
    const struct layer_export *x = &layer_exports[c->export];
    uint8_t info[12] = {0};
    be64_put(info + 2, x->size);
    be16_put(info + 10,
             (uint16_t)(NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_WRITE_ZEROES |
                        NBD_FLAG_SEND_TRIM | (x->is_read_only ? NBD_FLAG_READ_ONLY : 0)));
    option_reply(c, NBD_OPT_GO, NBD_REP_INFO, info, sizeof info);
    if (x->min_block) {
        uint8_t sizes[14] = {0, NBD_INFO_BLOCK_SIZE};
        be32_put(sizes + 2, x->min_block);
        be32_put(sizes + 6, x->min_block);
        be32_put(sizes + 10, 32u << 20);
        option_reply(c, NBD_OPT_GO, NBD_REP_INFO, sizes, sizeof sizes);
    }
    option_reply(c, NBD_OPT_GO, NBD_REP_ACK, NULL, 0);
    c->phase = 2;
}

static size_t option(struct conn *c)
{
    if (c->in_size < 16 || c->in_size < 16 + be32_get(c->in + 12))
        return 0;
    uint32_t number = be32_get(c->in + 8), size = be32_get(c->in + 12);
    const uint8_t *data = c->in + 16;
    if (number == NBD_OPT_GO) {
        go(c, data);
    } else if (number == NBD_OPT_SET_META_CONTEXT) {
        c->has_depth = layer_tells_depth && be32_get(data + 4 + be32_get(data)) == 2;
        context(c, BASE_ID, NBD_BASE_ALLOCATION);
        if (c->has_depth)
            context(c, DEPTH_ID, NBD_ALLOCATION_DEPTH);
        option_reply(c, number, NBD_REP_ACK, NULL, 0);
    } else {
        option_reply(c, number, NBD_REP_ACK, NULL, 0);
    }
    return 16 + size;
}

static void chunk(struct conn *c, const uint8_t *asked, uint16_t flags, uint16_t type,
                  uint32_t size)
{
    uint8_t p[NBD_STRUCTURED_REPLY_BYTES];
    be32_put(p, NBD_STRUCTURED_REPLY_MAGIC);
    be16_put(p + 4, flags);
    be16_put(p + 6, type);
    memcpy(p + 8, asked + 8, 8);
    be32_put(p + 16, size);
    put(c, p, sizeof p);
}

static bool holds(const struct layer_export *x, uint64_t block)
{
    return block < LAYER_BLOCKS && x->has_block[block];
}

static const uint8_t *block_at(const struct layer_export *x, uint64_t block)
{
    static const uint8_t another[LAYER_BLOCK] = "another image";
    uint64_t at = block < LAYER_BLOCKS ? block : 0;
    if (x->is_of_another && !holds(x, block))
        return another;
    return (holds(x, block) ? x->data : layer_exports[0].data) + at * LAYER_BLOCK;
}

/* All data by one context; by the other, an extent for each block, and one for what is behind them. */
static void status(struct conn *c, const uint8_t *asked)
{
    struct layer_export *x = &layer_exports[c->export];
    uint64_t offset = be64_get(asked + 16);
    uint32_t length = be32_get(asked + 24);
    uint32_t blocks = (length + LAYER_BLOCK - 1) / LAYER_BLOCK;
    blocks = blocks < LAYER_BLOCKS ? blocks : LAYER_BLOCKS;
    x->statuses++;
    chunk(c, asked, c->has_depth ? 0 : NBD_REPLY_FLAG_DONE, NBD_REPLY_BLOCK_STATUS, 12);
    put32(c, BASE_ID);
    put32(c, length);
    put32(c, 0);
    if (!c->has_depth)
        return;
    chunk(c, asked, NBD_REPLY_FLAG_DONE, NBD_REPLY_BLOCK_STATUS, 4 + 8 * blocks);
    put32(c, DEPTH_ID);
    for (uint32_t i = 0; i < blocks; i++) {
        put32(c, i + 1 < blocks ? LAYER_BLOCK : length - i * LAYER_BLOCK);
        put32(c, holds(x, offset / LAYER_BLOCK + i) ? 1 : 2);
    }
}

static void read_blocks(struct conn *c, uint64_t offset, uint32_t length)
{
    struct layer_export *x = &layer_exports[c->export];
    uint8_t place[8];
    be64_put(place, offset);
    if (x->bad && x->bad * LAYER_BLOCK >= offset && x->bad * LAYER_BLOCK - offset < length) {
        uint8_t error[6] = {0};
        be32_put(error, NBD_EIO);
        chunk(c, c->in, NBD_REPLY_FLAG_DONE, NBD_REPLY_ERROR, sizeof error);
        put(c, error, sizeof error);
        return;
    }
    chunk(c, c->in, NBD_REPLY_FLAG_DONE, NBD_REPLY_OFFSET_DATA, 8 + length);
    put(c, place, sizeof place);
    for (uint64_t at = offset; at < offset + length; at += 512)
        put(c, block_at(x, at / LAYER_BLOCK) + at % LAYER_BLOCK, 512);
    x->reads++;
    x->read_bytes += length;
}

/* Copy on write. */
static void write_blocks(struct layer_export *x, uint64_t offset, uint32_t length,
                         const uint8_t *data)
{
    for (uint64_t at = offset; at < offset + length; at += 512) {
        uint64_t block = at / LAYER_BLOCK;
        if (!x->has_block[block])
            memcpy(x->data + block * LAYER_BLOCK, block_at(x, block), LAYER_BLOCK);
        x->has_block[block] = true;
        if (data)
            memcpy(x->data + at, data + (at - offset), 512);
        else
            memset(x->data + at, 0, 512);
    }
    x->writes++;
}

static size_t request(struct conn *c)
{
    if (c->in_size < NBD_REQUEST_BYTES)
        return 0;
    uint16_t type = be16_get(c->in + 6);
    uint64_t offset = be64_get(c->in + 16);
    uint32_t length = be32_get(c->in + 24), payload = type == NBD_CMD_WRITE ? length : 0;
    if (c->in_size < NBD_REQUEST_BYTES + payload)
        return 0;
    if (type == NBD_CMD_READ)
        read_blocks(c, offset, length);
    else if (type == NBD_CMD_BLOCK_STATUS && layer_holds_status && c->export)
        memcpy(c->held[c->held_count++ % HELD], c->in, NBD_REQUEST_BYTES);
    else if (type == NBD_CMD_BLOCK_STATUS)
        status(c, c->in);
    if (type == NBD_CMD_WRITE)
        write_blocks(&layer_exports[c->export], offset, length, c->in + NBD_REQUEST_BYTES);
    else if (type == NBD_CMD_WRITE_ZEROES || type == NBD_CMD_TRIM)
        write_blocks(&layer_exports[c->export], offset, length, NULL);
    if (type != NBD_CMD_READ && type != NBD_CMD_BLOCK_STATUS)
        chunk(c, c->in, NBD_REPLY_FLAG_DONE, NBD_REPLY_NONE, 0);
    return NBD_REQUEST_BYTES + payload;
}

static void serve(struct conn *c)
{
    while (c->held_count && !layer_holds_status)
        status(c, c->held[--c->held_count]);
    for (;;) {
        size_t used = 0;
        if (c->out_size > OUT_BYTES / 2)
            return;
        if (c->phase == 0 && c->in_size >= 4)
            c->phase = 1, used = 4;
        else if (c->phase == 1)
            used = option(c);
        else if (c->phase == 2)
            used = request(c);
        if (!used)
            return;
        memmove(c->in, c->in + used, c->in_size - used);
        c->in_size -= used;
    }
}

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return layer_now_ns;
}

static void *do_connect(void *ctx, const char *host, uint16_t port,
                        const struct vdisk_conn_events *events, void *owner)
{
    (void)ctx, (void)host, (void)port;
    for (unsigned i = 0; i < CONNS; i++) {
        struct conn *c = &conns[i];
        if (c->is_used)
            continue;
        free(c->out);
        memset(c, 0, sizeof *c);
        c->out = malloc(OUT_BYTES);
        c->is_used = c->is_new = true;
        c->export = LAYER_EXPORTS;
        c->events = events;
        c->owner = owner;
        return c;
    }
    return NULL;
}

static void do_close(void *ctx, void *c)
{
    (void)ctx;
    ((struct conn *)c)->is_used = false;
}

static size_t do_send(void *ctx, void *to, const void *data, size_t size)
{
    struct conn *c = to;
    (void)ctx;
    size = size < sizeof c->in - c->in_size ? size : sizeof c->in - c->in_size;
    memcpy(c->in + c->in_size, data, size);
    c->in_size += size;
    return size;
}

static size_t do_receive(void *ctx, void *from, void *data, size_t size)
{
    struct conn *c = from;
    (void)ctx;
    size_t n = c->out_size - c->out_taken;
    n = n < size ? n : size;
    memcpy(data, c->out + c->out_taken, n);
    c->out_taken += n;
    if (c->out_taken == c->out_size)
        c->out_taken = c->out_size = 0;
    return n;
}

static uint64_t do_random(void *ctx)
{
    (void)ctx;
    return 12345;
}

static void do_log(void *ctx, const char *line)
{
    (void)ctx;
    size_t used = strlen(layer_log);
    if (used + strlen(line) + 2 < sizeof layer_log)
        strcat(strcat(layer_log, line), "\n");
}

const struct vdisk_platform layer_platform = {NULL,       now_ns,    do_connect, do_close, do_send,
                                              do_receive, do_random, do_log,     NULL};

void layer_deliver(void)
{
    for (struct conn *c = conns; c < conns + CONNS; c++) {
        if (!c->is_used)
            continue;
        if (c->is_new) {
            uint8_t p[18];
            c->is_new = false;
            be64_put(p, NBD_MAGIC);
            be64_put(p + 8, NBD_OPTION_MAGIC);
            be16_put(p + 16, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
            put(c, p, sizeof p);
            c->events->connected(c->owner);
        } else if (c->is_ended || (c->export < LAYER_EXPORTS && layer_exports[c->export].is_away)) {
            c->is_ended = false;
            c->events->closed(c->owner, "connection reset");
        } else {
            serve(c);
        }
    }
}

void layer_cut(unsigned export)
{
    for (struct conn *c = conns; c < conns + CONNS; c++)
        c->is_ended |= c->is_used && c->export == export;
}
