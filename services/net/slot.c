// SPDX-License-Identifier: BSD-2-Clause
#include "services/net/slot.h"
#include "services/net/platform.h"

#include <string.h>

#include "lwip/dns.h"
#include "lwip/ip.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

_Static_assert(TCP_WND <= LEAT_NET_RX_BYTES, "what the window lets in has a place in the ring");

#define KEEP_IDLE_MS 10000u
#define KEEP_INTERVAL_MS 5000u
#define KEEP_COUNT 4u
#define SYN_INTERVAL_MS 1000
/* lwIP alone may take a minute: a SYN that waits for ARP is not repeated. */
#define CONNECT_TIMEOUT_NS 15000000000ull
#define TX_CHUNK_BYTES 16384u    /* of one tcp_write: it takes all or nothing */
#define RECVED_MAX_BYTES 0xffffu /* of one tcp_recved: its argument has 16 bits */

/* Whose connection it was is known by the argument of callbacks that there are none of. */
static void detach(struct slot *slot)
{
    struct tcp_pcb *pcb = slot->pcb;

    slot->pcb = NULL;
    tcp_arg(pcb, slot->account);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
}

static void set_closed(struct slot *slot, int32_t status)
{
    slot->state = SLOT_CLOSED;
    slot->owes_closed = true;
    slot->closed_status = status;
}

static void end_connection(struct slot *slot, bool orderly, int32_t status)
{
    struct tcp_pcb *pcb = slot->pcb;

    if (pcb) {
        orderly = orderly && slot_count_lingering(slot->account) < SLOT_MAX_LINGERING;
        detach(slot);
        if (!orderly || tcp_close(pcb) != ERR_OK)
            tcp_abort(pcb);
    }
    set_closed(slot, status);
}

static int32_t status_of(err_t error)
{
    switch (error) {
    case ERR_OK:
    case ERR_CLSD:
        return LEAT_OK;
    case ERR_ABRT: /* lwIP gave up: no answer to SYN, to data, or to keep-alive */
    case ERR_TIMEOUT:
        return LEAT_ETIMEDOUT;
    case ERR_MEM:
    case ERR_BUF:
        return LEAT_ENOMEM;
    default:
        return LEAT_EIO;
    }
}

static void fail_later(struct slot *slot, int32_t status)
{
    if (!slot->is_failed) {
        slot->is_failed = true;
        slot->failure = status;
    }
}

/* -- lwIP's callbacks -- */

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *chain, err_t error)
{
    struct slot *slot = arg;

    (void)pcb;
    (void)error;
    if (!chain) {
        slot->peer_ended = true;
        return ERR_OK;
    }
    for (const struct pbuf *part = chain; part; part = part->next) {
        /* Only a client that moved its index backwards can have taken the room away. */
        if (leat_ring_write(&slot->rx, part->payload, part->len) != part->len) {
            fail_later(slot, LEAT_EPROTO);
            break;
        }
        slot->rx_held += part->len;
    }
    slot->is_rx_touched = true;
    pbuf_free(chain);
    return ERR_OK;
}

static void on_error(void *arg, err_t error)
{
    struct slot *slot = arg;

    slot->pcb = NULL; /* lwIP has freed it */
    set_closed(slot, status_of(error));
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct slot *slot = arg;

    (void)pcb;
    (void)error;
    slot->state = SLOT_OPEN;
    slot->owes_connected = true;
    return ERR_OK;
}

/* -- connecting -- */

static void open_connection(struct slot *slot, const ip_addr_t *address)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_V4);

    if (!pcb) {
        set_closed(slot, LEAT_ENOMEM);
        return;
    }
    slot->pcb = pcb;
    slot->state = SLOT_CONNECTING;
    slot->deadline_ns = net_now_ns() + CONNECT_TIMEOUT_NS;
    tcp_arg(pcb, slot);
    tcp_recv(pcb, on_received);
    tcp_err(pcb, on_error);
    tcp_nagle_disable(pcb);
    ip_set_option(pcb, SOF_KEEPALIVE);
    pcb->keep_idle = KEEP_IDLE_MS;
    pcb->keep_intvl = KEEP_INTERVAL_MS;
    pcb->keep_cnt = KEEP_COUNT;
    pcb->rto = SYN_INTERVAL_MS / TCP_SLOW_INTERVAL; /* RFC 6298, 2.1; lwIP starts with 3 s */
    pcb->sv = pcb->rto;

    err_t error = tcp_connect(pcb, address, slot->port, on_connected);
    if (error != ERR_OK)
        end_connection(slot, false, error == ERR_RTE ? LEAT_EAGAIN : status_of(error));
}

/* The slot may have moved on to another host by the time the answer comes. */
static void on_resolved(const char *name, const ip_addr_t *address, void *arg)
{
    struct slot *slot = arg;

    slot->account->resolving--;
    if (slot->state != SLOT_RESOLVING || strcmp(name, slot->host) != 0)
        return;
    if (address) {
        open_connection(slot, address);
    } else {
        net_log("host '%s': no name server knows it, or none answers", slot->host);
        set_closed(slot, LEAT_ENOENT);
    }
}

static void resolve(struct slot *slot)
{
    ip_addr_t address;

    slot->state = SLOT_RESOLVING;
    if (dns_getserver(0)->addr == 0 && !ipaddr_aton(slot->host, &address)) {
        net_log("host '%s': there is no name server; give its address, or dns=", slot->host);
        set_closed(slot, LEAT_ENOENT);
        return;
    }
    if (slot->account->resolving == LEAT_NET_SLOTS) {
        set_closed(slot, LEAT_ENOMEM);
        return;
    }
    switch (dns_gethostbyname(slot->host, &address, on_resolved, slot)) {
    case ERR_OK:
        open_connection(slot, &address);
        break;
    case ERR_INPROGRESS:
        slot->account->resolving++;
        break;
    case ERR_MEM:
        set_closed(slot, LEAT_ENOMEM);
        break;
    default:
        set_closed(slot, LEAT_ENOENT);
    }
}

static void reset_ring(void *shared)
{
    struct leat_ring *ring = shared;

    __atomic_store_n(&ring->producer_waits, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->consumer_waits, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->tail, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->head, 0, __ATOMIC_RELEASE);
}

void slot_connect(struct slot *slot, uint32_t generation, bool network_is_up)
{
    slot->generation = generation;
    slot->rx_held = 0;
    slot->peer_ended = slot->is_failed = false;
    slot->is_tx_blocked = slot->is_rx_touched = slot->is_tx_touched = false;
    memcpy(slot->host, slot->shared->host, sizeof(slot->host));
    slot->port = *(volatile uint16_t *)&slot->shared->port;
    reset_ring(slot->shared->tx);
    reset_ring(slot->shared->rx);
    leat_ring_join(&slot->tx, slot->shared->tx, LEAT_NET_TX_BYTES, 1, false);
    leat_ring_join(&slot->rx, slot->shared->rx, LEAT_NET_RX_BYTES, 1, true);

    if (!memchr(slot->host, 0, sizeof(slot->host)) || !slot->host[0] || !slot->port) {
        slot->host[0] = 0;
        set_closed(slot, LEAT_EINVAL);
    } else if (!network_is_up) {
        set_closed(slot, LEAT_EAGAIN);
    } else {
        resolve(slot);
    }
}

void slot_close(struct slot *slot)
{
    if (slot->state != SLOT_CLOSED)
        end_connection(slot, slot->state == SLOT_OPEN, LEAT_OK);
}

void slot_forget(struct slot *slot)
{
    if (slot->pcb) {
        struct tcp_pcb *pcb = slot->pcb;
        detach(slot);
        tcp_abort(pcb);
    }
    slot->state = SLOT_CLOSED;
    slot->owes_connected = slot->owes_closed = false;
}

/* -- bytes -- */

uint32_t slot_count_lingering(struct slot_account *account)
{
    uint32_t count = 0;

    account->queued = 0;
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        if (pcb->callback_arg == account) {
            account->queued += pcb->snd_queuelen;
            count++;
        }
    }
    return count;
}

void slot_count(struct slot *slot)
{
    if (slot->pcb)
        slot->account->queued += slot->pcb->snd_queuelen;
}

static void open_window(struct slot *slot, uint32_t bytes)
{
    slot->rx_held -= bytes;
    while (bytes > 0) {
        uint32_t part = bytes < RECVED_MAX_BYTES ? bytes : RECVED_MAX_BYTES;
        tcp_recved(slot->pcb, (u16_t)part);
        bytes -= part;
    }
}

static void serve_rx(struct slot *slot)
{
    uint32_t filled = LEAT_NET_RX_BYTES - leat_ring_writable(&slot->rx);

    if (slot->rx.is_broken || filled > slot->rx_held)
        fail_later(slot, LEAT_EPROTO);
    else if (filled < slot->rx_held)
        open_window(slot, slot->rx_held - filled);
}

static void serve_tx(struct slot *slot)
{
    bool wrote = false;

    slot->is_tx_blocked = false;
    for (;;) {
        uint32_t count = 0, room = tcp_sndbuf(slot->pcb), queued = slot->pcb->snd_queuelen;
        const void *bytes = leat_ring_piece(&slot->tx, &count);

        if (!bytes)
            break;
        if (room == 0 || slot->account->queued >= SLOT_MAX_QUEUED) {
            slot->is_tx_blocked = true;
            break;
        }
        if (count > room)
            count = room;
        if (count > TX_CHUNK_BYTES)
            count = TX_CHUNK_BYTES;
        err_t error = tcp_write(slot->pcb, bytes, (u16_t)count, TCP_WRITE_FLAG_COPY);
        if (error == ERR_MEM) {
            slot->is_tx_blocked = true; /* tried again at the next packet or tick */
            break;
        }
        if (error != ERR_OK) {
            fail_later(slot, status_of(error));
            break;
        }
        slot->account->queued += slot->pcb->snd_queuelen - queued;
        leat_ring_advance(&slot->tx, count);
        wrote = slot->is_tx_touched = true;
    }
    if (slot->tx.is_broken)
        fail_later(slot, LEAT_EPROTO);
    if (wrote)
        tcp_output(slot->pcb);
}

void slot_serve(struct slot *slot)
{
    /* lwIP's timer runs while there is a connection, so that we come here often enough. */
    if (slot->state == SLOT_CONNECTING && net_now_ns() >= slot->deadline_ns)
        fail_later(slot, LEAT_ETIMEDOUT);
    if (slot->state == SLOT_OPEN && !slot->is_failed)
        serve_rx(slot);
    if (slot->state == SLOT_OPEN && !slot->is_failed && !slot->peer_ended)
        serve_tx(slot);
    /* Any call into lwIP may have ended the connection by on_error. */
    if (slot->state == SLOT_CLOSED)
        return;
    if (slot->is_failed) {
        if (slot->failure == LEAT_EPROTO)
            net_log("connection to %s: the client has broken its rings", slot->host);
        end_connection(slot, false, slot->failure);
    } else if (slot->peer_ended) {
        /* What is still in the ring stays there for the client; to lwIP it is consumed, or it would
           answer the peer's end with a reset. */
        open_window(slot, slot->rx_held);
        end_connection(slot, true, LEAT_OK);
    }
}

bool slot_must_signal(struct slot *slot)
{
    bool must = false;

    if (slot->is_rx_touched)
        must |= leat_ring_must_signal(&slot->rx);
    if (slot->is_tx_touched)
        must |= leat_ring_must_signal(&slot->tx);
    slot->is_rx_touched = slot->is_tx_touched = false;
    return must;
}

/* The ring is not full, so that lib/ring would not call this waiting; but the window may be shut. It is
   enough to be woken by the client's reads when half of the window is used up: before that, more segments
   come anyway and make us look. A peer without window scaling has a window of 64 KiB. */
static bool rx_may_sleep(struct slot *slot)
{
    if (slot->rx_held < TCP_WND_MAX(slot->pcb) / 2)
        return true;
    __atomic_store_n(&slot->rx.shared->producer_waits, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return LEAT_NET_RX_BYTES - leat_ring_writable(&slot->rx) == slot->rx_held &&
           !slot->rx.is_broken;
}

bool slot_may_sleep(struct slot *slot)
{
    if (slot->state != SLOT_OPEN)
        return true;
    if (!rx_may_sleep(slot))
        return false;
    if (slot->is_tx_blocked)
        return true;
    return leat_ring_may_sleep(&slot->tx) && !slot->tx.is_broken;
}
