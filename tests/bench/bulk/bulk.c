// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat-bulk: the engine reads a whole export, in this process, and throws it away, as `nbdcopy URI
 * null:` does. Prints one line of JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/leat_nbd/sockets.h"
#include "vdisk/vdisk.h"

#define FLYING 64u
#define PIECE_BYTES (256u << 10)

static struct vdisk *engine;
static struct vdisk_disk *disk;
static struct vdisk_request requests[FLYING];
static uint64_t next_offset, done_bytes, size_bytes;

static void changed(void *owner)
{
    (void)owner;
}

static void read_next(struct vdisk_request *r)
{
    uint64_t left = size_bytes - next_offset;
    if (!left)
        return;
    r->offset = next_offset;
    r->length = left < PIECE_BYTES ? left : PIECE_BYTES;
    next_offset += r->length;
    vdisk_submit(disk, r);
}

static void request_done(struct vdisk_request *r, int status)
{
    if (status != LEAT_OK) {
        fprintf(stderr, "leat-bulk: a read ended with %d\n", status);
        exit(1);
    }
    done_bytes += r->length;
    read_next(r);
}

static void wait_for_news(uint64_t when)
{
    struct pollfd fds[SOCKETS_MAX];
    int n = sockets_poll_set(fds);
    uint64_t now_ns = sockets_platform.now_ns(NULL);
    int ms = when == UINT64_MAX ? -1 : when <= now_ns ? 0 : (int)((when - now_ns) / 1000000 + 1);
    poll(fds, (nfds_t)n, sockets_have_news() ? 0 : ms);
    sockets_deliver(fds, n);
}

static uint64_t size_of_disk(void)
{
    struct leat_blk_info info;
    for (;;) {
        uint64_t when = vdisk_run(engine);
        vdisk_info(disk, &info);
        if (info.state == LEAT_BLK_FAILED)
            exit(1); /* the reason has been logged */
        if (info.size_bytes)
            return info.size_bytes;
        wait_for_news(when);
    }
}

int main(int argc, char **argv)
{
    struct vdisk_limits limits = {.cache_bytes = 64u << 20, .connections = 4};
    struct vdisk_config config = {.name = "bulk", .is_read_only = true};
    if (argc != 3 || strlen(argv[1]) >= sizeof config.host) {
        fputs("usage: leat-bulk SOCKET-PATH EXPORT\n", stderr);
        return 2;
    }
    strcpy(config.host, argv[1]);
    snprintf(config.export_name, sizeof config.export_name, "%s", argv[2]);
    engine = vdisk_create(&sockets_platform, &limits);
    disk = engine ? vdisk_attach(engine, &config, changed, NULL) : NULL;
    if (!disk) {
        fputs("leat-bulk: no memory\n", stderr);
        return 1;
    }
    uint64_t start_ns = sockets_platform.now_ns(NULL);
    size_bytes = size_of_disk();
    for (unsigned i = 0; i < FLYING; i++) {
        requests[i] = (struct vdisk_request){.op = LEAT_BLK_READ, .done = request_done};
        read_next(&requests[i]);
    }
    for (;;) {
        uint64_t when = vdisk_run(engine);
        if (done_bytes == size_bytes)
            break;
        wait_for_news(when);
    }
    double seconds = (double)(sockets_platform.now_ns(NULL) - start_ns) / 1e9;
    printf("{\"bytes\": %llu, \"seconds\": %.6f}\n", (unsigned long long)done_bytes, seconds);
    vdisk_detach(disk);
    vdisk_destroy(engine);
    return 0;
}
