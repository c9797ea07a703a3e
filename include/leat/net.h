// SPDX-License-Identifier: BSD-2-Clause
/*
 * The net channel: a client (vdisk, the process `client`) has TCP connections that net (server) carries. Each connection
 * has a slot: two byte rings, and a small record. Commands and events are small ring entries. Net never sees what the
 * bytes mean. There are up to four clients, each by a start entry of role "net", or attached later; what one does leaves
 * the others their part.
 */
#ifndef LEAT_NET_H
#define LEAT_NET_H

#include <leat/ring.h>

#define LEAT_NET_SLOTS 16u
#define LEAT_NET_RING_COUNT 128u
#define LEAT_NET_TX_BYTES (256u << 10) /* byte ring client -> net, each slot */
#define LEAT_NET_RX_BYTES (512u << 10) /* byte ring net -> client, each slot */

enum leat_net_op { /* client -> net */
    LEAT_NET_CONNECT = 1, /* slot must be closed; host and port of the slot's record are read once; both
                             byte rings are reset by net before it answers */
    LEAT_NET_CLOSE = 2,   /* answered by CLOSED; bytes still in the tx ring are dropped */
};
enum leat_net_event_kind { /* net -> client */
    LEAT_NET_CONNECTED = 1,
    LEAT_NET_CLOSED = 2,   /* status: LEAT_OK by request or by the peer's orderly end, LEAT_EIO reset,
                              LEAT_ETIMEDOUT, LEAT_ENOENT host unknown, LEAT_EAGAIN no network yet; what
                              had arrived before is still in the rx ring */
    LEAT_NET_LINK = 3,     /* the network's state changed: see leat_net_info */
};

struct leat_net_command { /* 16 bytes */
    uint32_t op, slot;
    uint32_t generation; /* comes back in the events of this connection */
    uint32_t reserved;
};
struct leat_net_event { /* 16 bytes */
    uint32_t kind, slot;
    uint32_t generation;
    int32_t status;
};

enum leat_net_state {
    LEAT_NET_NO_CARD = 0, LEAT_NET_NO_LINK = 1, LEAT_NET_NO_ADDRESS = 2, LEAT_NET_UP = 3,
};
struct leat_net_info { /* written by net */
    uint32_t state;
    uint32_t ipv4; /* network byte order; 0: none */
    uint8_t mac[6];
    uint8_t reserved[2];
    char why[160]; /* one line for people */
};

struct leat_net_slot {
    char host[128]; /* name or dotted address */
    uint16_t port;  /* host byte order */
    uint16_t reserved[3];
    _Alignas(4096) uint8_t tx[LEAT_NET_TX_BYTES + LEAT_PAGE_SIZE]; /* struct leat_ring, bytes */
    _Alignas(4096) uint8_t rx[LEAT_NET_RX_BYTES + LEAT_PAGE_SIZE];
};

struct leat_net_channel {
    struct leat_net_info info;
    _Alignas(4096) uint8_t commands[LEAT_PAGE_SIZE]; /* struct leat_ring */
    _Alignas(4096) uint8_t events[LEAT_PAGE_SIZE];   /* struct leat_ring */
    struct leat_net_slot slots[LEAT_NET_SLOTS];
};

_Static_assert(LEAT_RING_BYTES(LEAT_NET_RING_COUNT, sizeof(struct leat_net_command)) <= LEAT_PAGE_SIZE &&
               LEAT_RING_BYTES(LEAT_NET_RING_COUNT, sizeof(struct leat_net_event)) <= LEAT_PAGE_SIZE,
               "rings fit");

#endif
