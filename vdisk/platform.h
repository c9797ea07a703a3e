// SPDX-License-Identifier: BSD-2-Clause
/*
 * All that the streaming engine needs from the world around it. The service, leat-nbd and the
 * simulator each implement this once; the engine makes no other call but malloc, free and the
 * mem/str functions of the C library.
 *
 * One thread works an engine and its platform. No function here blocks, and none calls back into
 * the engine: the connection's callbacks come only from the platform's own loop, which calls
 * vdisk_run() (vdisk.h) after it has delivered what happened.
 */
#ifndef VDISK_PLATFORM_H
#define VDISK_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

/* What the platform tells about one connection. After `closed`, or after the engine's close(), it
   tells nothing more about it. */
struct vdisk_conn_events {
    void (*connected)(void *owner);
    /* Bytes have arrived, or there is room to send again, or both. Spurious calls are harmless. */
    void (*progress)(void *owner);
    /* The connection ended or could not be made; why: one short phrase ("connection refused").
       Bytes that had arrived before can still be received until the engine calls close(). */
    void (*closed)(void *owner, const char *why);
};

/*
 * TLS, by the platform's own means and with its own keys, which the engine never sees. start() turns
 * a connection over to TLS, as the client: from then on send and receive carry what is inside. The
 * handshake goes on by itself: until it is done send takes and receive gives nothing, then
 * `progress` comes; a failure is told by `closed`, with a reason. server_name: what the server's
 * certificate must be for, unless the keys say otherwise. NULL: started; else why not, for people.
 */
struct vdisk_tls {
    const char *(*start)(const struct vdisk_tls *tls, void *conn, const char *server_name);
};

struct vdisk_platform {
    void *ctx;
    /* Monotonic time in nanoseconds. Cheap: called once for each vdisk_run. */
    uint64_t (*now_ns)(void *ctx);
    /* Starts a TCP connection. host: a name or dotted address, valid during the call only. Returns
       a handle that the engine closes exactly once, or NULL when none is free (the engine tries
       again later). */
    void *(*connect)(void *ctx, const char *host, uint16_t port,
                     const struct vdisk_conn_events *events, void *owner);
    void (*close)(void *ctx, void *conn);
    /* Bytes taken or given, 0: none now. */
    size_t (*send)(void *ctx, void *conn, const void *data, size_t size);
    size_t (*receive)(void *ctx, void *conn, void *data, size_t size);
    /* 64 random bits; used for jitter and cookies, not for keys. */
    uint64_t (*random)(void *ctx);
    /* One line for people, without a newline. */
    void (*log)(void *ctx, const char *line);
    /* SHA-256 of the salt and the data behind each other; NULL: there is none, then no disk can have a
       root hash. */
    void (*sha256)(const void *salt, size_t salt_size, const void *data, size_t size,
                   uint8_t out[32]);
};

#endif
