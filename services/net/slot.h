// SPDX-License-Identifier: BSD-2-Clause
/*
 * One TCP connection of a client: a slot of its net channel, and lwIP's connection behind it.
 *
 *   CLOSED --connect--> RESOLVING --> CONNECTING --> OPEN
 *      ^                    |              |          |
 *      +---- close, failure, the peer's end or reset --+
 *
 * Flow control: lwIP's receive window is as large as the receive ring, and is opened only by what
 * the client has taken out of the ring. So whatever arrives has its place, and no packet waits in
 * between. Bytes to send are copied into lwIP as far as its send buffer has room; the rest waits in
 * the ring.
 *
 * lwIP's callbacks only note what happened; slot_serve acts on it, outside of lwIP.
 */
#ifndef SERVICES_NET_SLOT_H
#define SERVICES_NET_SLOT_H

#include <leat/net.h>
#include "lib/ring.h"

struct tcp_pcb;

/* What the slots of one client have of lwIP's pools together. All clients share those, and each leaves enough for the
   others: SLOT_MAX_LINGERING and the slots make a quarter of lwIP's connections, LEAT_NET_SLOTS a quarter of its name
   lookups, and SLOT_MAX_QUEUED three quarters of the segments. */
struct slot_account {
    uint32_t resolving; /* lookups that lwIP has not answered; they outlive their connections */
    uint32_t queued;    /* pbufs with bytes that are not acknowledged, as slot_count found them */
};

#define SLOT_MAX_LINGERING 4u /* closed, but the peer has not agreed yet; one more is reset */
#define SLOT_MAX_QUEUED 1536u

enum slot_state { SLOT_CLOSED = 0, SLOT_RESOLVING, SLOT_CONNECTING, SLOT_OPEN };

struct slot { /* zeroed memory is a closed slot; shared and account are set by the client */
    struct leat_net_slot *shared;
    struct slot_account *account;
    enum slot_state state;
    uint32_t generation; /* the client's number of the current or the last connection */
    struct tcp_pcb *pcb; /* NULL unless CONNECTING or OPEN */
    char host[sizeof(((struct leat_net_slot *)0)->host)]; /* private copy, terminated */
    uint16_t port;
    struct leat_ring_end tx, rx;
    uint64_t deadline_ns; /* of CONNECTING */
    uint32_t rx_held;     /* bytes in the rx ring that lwIP's window still counts */
    bool peer_ended;      /* the peer's FIN has come */
    bool is_failed;       /* to be ended with failure as soon as no callback is under way */
    int32_t failure;      /* enum leat_error */
    bool is_tx_blocked;   /* lwIP takes no more before something is acknowledged */
    bool is_rx_touched, is_tx_touched; /* since slot_must_signal was asked */
    /* events that the client has not got yet, in this order */
    bool owes_connected, owes_closed;
    int32_t closed_status;
};

/* LEAT_NET_CONNECT. Reads host and port once. Failure becomes a CLOSED event. */
void slot_connect(struct slot *slot, uint32_t generation, bool network_is_up);

/* LEAT_NET_CLOSE, or the client's end: orderly if all received bytes were consumed, else with a
   reset. The CLOSED event has LEAT_OK. Does nothing on a closed slot. */
void slot_close(struct slot *slot);

/* Resets the connection and forgets it; no event. The shared memory is not touched. */
void slot_forget(struct slot *slot);

/* Begins a count of what the client has queued, by what its closed connections have. Returns their number. */
uint32_t slot_count_lingering(struct slot_account *account);
/* Adds what the slot has. */
void slot_count(struct slot *slot);

/* After both: moves bytes both ways and acts on what lwIP reported. */
void slot_serve(struct slot *slot);

/* Must the client be signalled for what its rings had since the last call? */
bool slot_must_signal(struct slot *slot);

/* Announces that we sleep until the client does something. False: there is work already. */
bool slot_may_sleep(struct slot *slot);

#endif
