// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/nbd_peer.h"

#include <string.h>

struct nbd_peer peer;

static uint64_t peer_now(void *ctx)
{
    (void)ctx;
    return peer.now;
}
static void *peer_connect(void *ctx, const char *host, uint16_t port,
                          const struct vdisk_conn_events *events, void *owner)
{
    (void)ctx, (void)host, (void)port;
    peer.events = events;
    peer.owner = owner;
    return &peer;
}
static void peer_close(void *ctx, void *conn)
{
    (void)ctx, (void)conn;
    peer.closes++;
}
static size_t peer_send(void *ctx, void *conn, const void *data, size_t size)
{
    (void)ctx, (void)conn;
    if (peer.out)
        memcpy(peer.out + peer.out_size, data, size);
    peer.out_size += size;
    return size;
}
static size_t peer_receive(void *ctx, void *conn, void *data, size_t size)
{
    (void)ctx, (void)conn;
    size_t n = peer.in_size - peer.in_taken;
    n = n < size ? n : size;
    n = n < peer.piece ? n : peer.piece;
    if (n)
        memcpy(data, peer.in + peer.in_taken, n);
    peer.in_taken += n;
    return n;
}
static uint64_t peer_random(void *ctx)
{
    (void)ctx;
    return 0;
}
static void peer_log(void *ctx, const char *line)
{
    (void)ctx, (void)line;
}

const struct vdisk_platform peer_platform = {
    NULL, peer_now, peer_connect, peer_close, peer_send, peer_receive, peer_random, peer_log, NULL};
