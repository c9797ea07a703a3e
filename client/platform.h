// SPDX-License-Identifier: BSD-2-Clause
/*
 * All that the client needs from the world around it: the process of services/client, the test program of
 * tests/server and the unit tests each implement it once. One thread works a client and its platform; nothing
 * here blocks or calls back.
 */
#ifndef CLIENT_PLATFORM_H
#define CLIENT_PLATFORM_H

#include <stddef.h>
#include <stdint.h>

/* By which pre-shared key a connection is made (docs/server.md, "Trust"). */
enum client_identity {
    CLIENT_OWN,   /* the machine's own */
    CLIENT_ENROL, /* the one that everybody knows */
};

enum client_conn_state {
    CLIENT_CONN_CONNECTING,
    CLIENT_CONN_OPEN,    /* TCP's connection stands; send takes nothing until TLS's does */
    CLIENT_CONN_ENDED,   /* what had arrived before can still be received */
    CLIENT_CONN_REFUSED, /* the same: the server had the proof of our key, and gave none of its own */
};

struct client_platform {
    void *ctx;
    uint64_t (*now_ns)(void *ctx); /* monotonic */
    /* Starts a TCP connection with TLS in it. host is valid during the call only. Returns what is closed exactly
       once, or NULL: there is none now. */
    void *(*connect)(void *ctx, const char *host, uint16_t port, enum client_identity identity);
    /* ENDED, REFUSED: *why is one short phrase. */
    enum client_conn_state (*state)(void *ctx, void *conn, const char **why);
    /* Bytes taken or given; 0: none now. */
    size_t (*send)(void *ctx, void *conn, const void *data, size_t size);
    size_t (*receive)(void *ctx, void *conn, void *data, size_t size);
    void (*close)(void *ctx, void *conn);
    uint64_t (*random)(void *ctx); /* for jitter, not for keys */
    void (*log)(void *ctx, const char *line);
    void (*sha256)(const void *data, size_t size, uint8_t out[32]);
};

#endif
