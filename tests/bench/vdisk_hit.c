// SPDX-License-Identifier: BSD-2-Clause
/*
 * For callgrind: 1,000 reads of 4 KiB that hit the RAM cache. Functions to ask for: bench_engine
 * (the engine alone) and bench_channel (with the block channel, as the service does it for each
 * request).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tiny_server.h"
#include "vdisk/service/channel.h"

#define ROUNDS 1000u

static struct leat_blk_channel *shared;
static struct channel channel;
static struct vdisk *engine;
static unsigned done;

static void request_done(struct vdisk_request *r, int status)
{
    (void)r;
    done += status == LEAT_OK;
}

static void no_signal(void *ctx)
{
    (void)ctx;
}

void bench_engine(void);
__attribute__((noinline)) void bench_engine(void)
{
    struct vdisk_request r = {.op = LEAT_BLK_READ, .length = 4096, .data = shared->data};
    r.done = request_done;
    for (unsigned i = 0; i < ROUNDS; i++) {
        r.offset = i * 7 % 512 * 4096;
        vdisk_submit(channel.disk, &r);
    }
}

void bench_channel(void);
__attribute__((noinline)) void bench_channel(void)
{
    struct leat_blk_completion c;
    struct leat_ring_end requests, completions;
    leat_ring_join(&requests, shared->requests, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_request), true);
    leat_ring_join(&completions, shared->completions, LEAT_BLK_RING_COUNT,
                   sizeof(struct leat_blk_completion), false);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct leat_blk_request r = {
            .op = LEAT_BLK_READ, .offset = i * 7 % 512 * 4096, .length = 4096};
        leat_ring_put(&requests, &r);
        channel_serve(&channel);
        vdisk_run(engine);
        channel_flush(&channel);
        channel_may_sleep(&channel);
        done += leat_ring_get(&completions, &c) == LEAT_OK && c.status == LEAT_OK;
    }
}

int main(void)
{
    struct vdisk_limits limits = {.cache_bytes = 16u << 20};
    struct vdisk_config config = {.name = "vm/root", .host = "h", .port = 1};
    struct vdisk_request r = {.op = LEAT_BLK_READ, .length = 2u << 20};
    shared = aligned_alloc(4096, sizeof *shared);
    memset(shared, 0, sizeof *shared);
    engine = vdisk_create(&tiny_platform, &limits);
    channel_begin(&channel, engine, &config, shared, no_signal, NULL);
    r.data = shared->data;
    r.done = request_done;
    vdisk_submit(channel.disk, &r);
    for (int i = 0; i < 16; i++) {
        tiny_deliver();
        vdisk_run(engine);
    }
    bench_engine();
    bench_channel();
    printf("%u of %u reads done\n", done, 1 + 2 * ROUNDS);
    return done == 1 + 2 * ROUNDS ? 0 : 1;
}
