// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/tiny_server.h"

#include <stdlib.h>
#include <string.h>

#include "vdisk/nbd/proto.h"
#include "vdisk/vdisk.h"

uint8_t tiny_image[TINY_BYTES];
unsigned tiny_reads, tiny_writes, tiny_flushes;
struct tiny_read tiny_read_log[TINY_READS_KEPT];
uint64_t tiny_now_ns = 1000000000;
bool tiny_is_up = true, tiny_is_mute;
uint64_t tiny_size = TINY_BYTES;
uint32_t tiny_unit;
unsigned tiny_odd, tiny_connects;
const char *tiny_refuses;
uint64_t tiny_bad = UINT64_MAX;

static struct {
    bool is_used, is_new, is_ended, is_refused;
    unsigned phase;
    const struct vdisk_conn_events *events;
    void *owner;
    uint8_t *in, *out; /* from and to the engine */
    size_t in_size, out_size, out_taken;
} conn;

static void put(const void *data, size_t size)
{
    conn.out = realloc(conn.out, conn.out_size + size + 1);
    memcpy(conn.out + conn.out_size, data, size);
    conn.out_size += size;
}

void tiny_reset(void)
{
    free(conn.in);
    free(conn.out);
    memset(&conn, 0, sizeof conn);
    tiny_reads = tiny_writes = tiny_flushes = 0;
    tiny_is_up = true;
    tiny_is_mute = false;
    tiny_size = TINY_BYTES;
    tiny_unit = tiny_odd = tiny_connects = 0;
    tiny_refuses = NULL;
    tiny_bad = UINT64_MAX;
}

static void option_reply(uint32_t option, uint32_t type, const void *data, uint32_t size)
{
    uint8_t p[20];
    be64_put(p, NBD_REPLY_MAGIC);
    be32_put(p + 8, option);
    be32_put(p + 12, type);
    be32_put(p + 16, size);
    put(p, 20);
    if (size)
        put(data, size);
}

static size_t option(void)
{
    if (conn.in_size < 16 || conn.in_size < 16 + be32_get(conn.in + 12))
        return 0;
    uint32_t number = be32_get(conn.in + 8);
    if (number == NBD_OPT_GO) {
        uint8_t info[12] = {0};
        be64_put(info + 2, tiny_size);
        be16_put(info + 10, NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA);
        option_reply(number, NBD_REP_INFO, info, sizeof info);
        if (tiny_unit) {
            uint8_t sizes[14] = {0, NBD_INFO_BLOCK_SIZE};
            be32_put(sizes + 2, tiny_unit);
            be32_put(sizes + 6, tiny_unit);
            be32_put(sizes + 10, 32u << 20);
            option_reply(number, NBD_REP_INFO, sizes, sizeof sizes);
        }
        option_reply(number, NBD_REP_ACK, NULL, 0);
        conn.phase = 2;
    } else {
        option_reply(number, NBD_REP_ERR_UNSUP, NULL, 0);
    }
    return 16 + be32_get(conn.in + 12);
}

static size_t request(void)
{
    if (conn.in_size < NBD_REQUEST_BYTES)
        return 0;
    uint16_t type = be16_get(conn.in + 6);
    uint64_t offset = be64_get(conn.in + 16);
    uint32_t length = be32_get(conn.in + 24), payload = type == NBD_CMD_WRITE ? length : 0;
    if (conn.in_size < NBD_REQUEST_BYTES + payload)
        return 0;
    tiny_odd += tiny_unit && type != NBD_CMD_FLUSH && (offset | length) % tiny_unit;
    uint8_t p[NBD_SIMPLE_REPLY_BYTES] = {0};
    be32_put(p, NBD_SIMPLE_REPLY_MAGIC);
    memcpy(p + 8, conn.in + 8, 8);
    bool is_bad = type == NBD_CMD_READ && tiny_bad >= offset && tiny_bad - offset < length;
    be32_put(p + 4, is_bad ? NBD_EIO : 0);
    put(p, sizeof p);
    if (type == NBD_CMD_READ)
        tiny_read_log[tiny_reads % TINY_READS_KEPT] = (struct tiny_read){offset, length};
    if (type == NBD_CMD_READ && !is_bad)
        put(tiny_image + offset, length);
    if (type == NBD_CMD_WRITE)
        memcpy(tiny_image + offset, conn.in + NBD_REQUEST_BYTES, length);
    tiny_reads += type == NBD_CMD_READ;
    tiny_writes += type == NBD_CMD_WRITE;
    tiny_flushes += type == NBD_CMD_FLUSH;
    return NBD_REQUEST_BYTES + payload;
}

static void serve(void)
{
    for (;;) {
        size_t used = 0;
        if (conn.phase == 0 && conn.in_size >= 4) {
            conn.phase = 1;
            used = 4;
        } else if (conn.phase == 1) {
            used = option();
        } else if (conn.phase == 2 && !tiny_is_mute) {
            used = request();
        }
        if (!used)
            return;
        memmove(conn.in, conn.in + used, conn.in_size - used);
        conn.in_size -= used;
    }
}

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return tiny_now_ns;
}
static void *do_connect(void *ctx, const char *host, uint16_t port,
                        const struct vdisk_conn_events *events, void *owner)
{
    (void)ctx, (void)port;
    tiny_connects++;
    free(conn.in);
    free(conn.out);
    memset(&conn, 0, sizeof conn);
    conn.is_used = conn.is_new = true;
    conn.is_refused = tiny_refuses && !strcmp(host, tiny_refuses);
    conn.events = events;
    conn.owner = owner;
    return &conn;
}
static void do_close(void *ctx, void *c)
{
    (void)ctx, (void)c;
    conn.is_used = false;
}
static size_t do_send(void *ctx, void *c, const void *data, size_t size)
{
    (void)ctx, (void)c;
    conn.in = realloc(conn.in, conn.in_size + size + 1);
    memcpy(conn.in + conn.in_size, data, size);
    conn.in_size += size;
    if (tiny_is_up)
        serve();
    return size;
}
static size_t do_receive(void *ctx, void *c, void *data, size_t size)
{
    (void)ctx, (void)c;
    size_t n = conn.out_size - conn.out_taken;
    n = n < size ? n : size;
    if (n)
        memcpy(data, conn.out + conn.out_taken, n);
    conn.out_taken += n;
    if (conn.out_taken == conn.out_size)
        conn.out_taken = conn.out_size = 0;
    return n;
}
static uint64_t do_random(void *ctx)
{
    (void)ctx;
    return 12345;
}
static void do_log(void *ctx, const char *line)
{
    (void)ctx, (void)line;
}

const struct vdisk_platform tiny_platform = {NULL,       now_ns,    do_connect, do_close, do_send,
                                             do_receive, do_random, do_log,     NULL};

void tiny_deliver(void)
{
    if (!conn.is_used)
        return;
    if (conn.is_new) {
        conn.is_new = false;
        if (!tiny_is_up || conn.is_refused) {
            conn.events->closed(conn.owner, "connection refused");
            return;
        }
        uint8_t p[18];
        be64_put(p, NBD_MAGIC);
        be64_put(p + 8, NBD_OPTION_MAGIC);
        be16_put(p + 16, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
        put(p, sizeof p);
        conn.events->connected(conn.owner);
    } else if (conn.is_ended) {
        conn.is_ended = false;
        conn.events->closed(conn.owner, "connection reset");
    } else if (tiny_is_up) {
        serve();
    }
}

void tiny_cut(void)
{
    conn.is_ended = true;
}

void tiny_run(struct vdisk *engine, unsigned rounds)
{
    while (rounds--) {
        tiny_now_ns += 1000000;
        tiny_deliver();
        vdisk_run(engine);
    }
}

void tiny_changed(void *owner)
{
    (void)owner;
}

void tiny_fill(void)
{
    for (unsigned i = 0; i < TINY_BYTES; i++)
        tiny_image[i] = (uint8_t)(i * 2654435761u >> 13);
}
