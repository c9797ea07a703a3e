// SPDX-License-Identifier: BSD-2-Clause
/* The net service: wires card, stack and clients to the process's notification. */
#include "lib/channel.h"
#include "lib/clock.h"
#include "lib/ctl.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/start.h"
#include "lib/sys.h"
#include "services/net/nic.h"
#include "services/net/report.h"
#include "services/net/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frames that lwIP gets before the clients get their bytes: enough to pay for the round, few enough
   to stay in the cache. */
#define RX_BUDGET 64u
#define TICK_NS 1000000000ull /* the card's link and counters are looked at once a second */

struct peer { /* of a client */
    struct leat_start_entry entry;
    struct client *client; /* NULL: free */
    uint64_t cookie;       /* of LEAT_CTL_ATTACH; 0: from the start block */
};

static struct {
    struct leat_loop loop;
    struct leat_loop_timer timer, tick;
    const struct leat_start_entry *mmio, *irq;
    struct nic nic;
    struct stack stack;
    struct peer peers[STACK_MAX_CLIENTS];
    bool has_card, irq_came, irq_is_masked;
} net;

/* -- the card -- */

static uint32_t mmio_read(void *context, uint32_t reg)
{
    return *(volatile uint32_t *)((uint8_t *)context + reg);
}

static void mmio_write(void *context, uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)((uint8_t *)context + reg) = value;
}

static void delay_us(void *context, uint32_t us)
{
    uint64_t end_ns = leat_clock_ns() + us * 1000ull;

    (void)context;
    while (leat_clock_ns() < end_ns)
        __builtin_ia32_pause();
}

static void on_irq(void *context)
{
    (void)context;
    net.irq_came = true;
}

static void link_changed(void)
{
    net_address_set_link(&net.stack.address, net.nic.card.link_up, net.nic.card.link_mbit);
}

static void take_interrupt(void)
{
    uint32_t events = e1000_interrupt(&net.nic.card);

    net.irq_came = false;
    net.irq_is_masked = true;
    if (events & E1000_EVENT_GONE)
        leat_fatal("the network card answers no more");
    if (events & E1000_EVENT_LINK)
        link_changed();
    if (events & E1000_EVENT_SENT)
        nic_resume_output(&net.nic);
}

static void on_tick(void *context)
{
    (void)context;
    if (e1000_link_update(&net.nic.card))
        link_changed();
    leat_loop_timer_set(&net.loop, &net.tick, leat_clock_ns() + TICK_NS);
}

/* Returns NULL, or why there is no card to work with. */
static const char *start_card(void)
{
    static char why[128];
    const struct leat_start_entry *dma = leat_start_find("dma", NULL);

    net.mmio = leat_start_find("mmio", "nic");
    net.irq = leat_start_find("irq", "nic");
    if (!net.mmio)
        return "this machine has no network card that Leat knows";
    uint16_t vendor = (uint16_t)(net.mmio->arg[1] >> 16), device = (uint16_t)net.mmio->arg[1];
    if (!net.irq || !dma || net.mmio->size < E1000_REGISTER_BYTES) {
        snprintf(why, sizeof(why), "network card %04x:%04x: no interrupt, DMA memory or registers",
                 vendor, device);
        return why;
    }
    if (!e1000_is_supported(vendor, device)) {
        snprintf(why, sizeof(why), "network card %04x:%04x: no driver for it", vendor, device);
        return why;
    }
    int64_t dma_hpa = leat_mem_phys(dma->handle, 0);
    if (dma_hpa < 0) {
        snprintf(why, sizeof(why), "network card %04x:%04x: DMA memory has no address (error %d)",
                 vendor, device, (int)dma_hpa);
        return why;
    }
    const struct e1000_platform platform = {(void *)net.mmio->va, mmio_read, mmio_write, delay_us};
    const struct e1000_dma area = {(uint8_t *)dma->va, (uint64_t)dma_hpa, dma->size};
    int error = nic_start(&net.nic, &platform, &area);
    if (error != LEAT_OK) {
        snprintf(why, sizeof(why), "network card %04x:%04x does not start (error %d)", vendor,
                 device, error);
        return why;
    }
    const uint8_t *mac = net.nic.card.mac;
    leat_log("network card %04x:%04x, address %02x:%02x:%02x:%02x:%02x:%02x, %u receive buffers",
             vendor, device, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
             net.nic.card.buffer_count);
    net.has_card = true;
    return NULL;
}

/* -- clients -- */

static void signal_client(void *context)
{
    const struct peer *peer = context;

    leat_signal_peer(&peer->entry);
}

/* All work is done in the round before each sleep; the bits only wake us. */
static void on_client(void *context)
{
    (void)context;
}

/* NULL: it is served; else why not. */
static const char *serve_client(const struct leat_start_entry *entry, uint64_t cookie)
{
    struct peer *peer = net.peers;

    if (!entry->va || entry->size < sizeof(struct leat_net_channel))
        return "its channel is too small";
    while (peer < net.peers + STACK_MAX_CLIENTS && peer->client)
        peer++;
    if (peer == net.peers + STACK_MAX_CLIENTS)
        return "the network service has as many clients as it can serve";
    if (leat_loop_on(&net.loop, entry->my_bits, on_client, NULL) != LEAT_OK)
        return "no room for its signals";
    peer->entry = *entry;
    peer->cookie = cookie;
    peer->client =
        stack_add_client(&net.stack, (struct leat_net_channel *)entry->va, signal_client, peer);
    return NULL;
}

static void add_client(const struct leat_start_entry *entry, uint64_t cookie)
{
    const char *why = serve_client(entry, cookie);

    if (!why)
        return;
    leat_log("client '%.63s' cannot have a network: %s", entry->name, why);
    if (cookie)
        leat_channel_release(entry);
}

static void remove_client(uint64_t cookie)
{
    for (uint32_t i = 0; i < STACK_MAX_CLIENTS; i++) {
        struct peer *peer = &net.peers[i];
        if (!peer->client || peer->cookie != cookie)
            continue;
        client_stop(peer->client);
        peer->client = NULL;
        leat_loop_off(&net.loop, peer->entry.my_bits);
        leat_channel_release(&peer->entry);
    }
    leat_ctl_send(LEAT_CTL_DETACHED, NULL, cookie, 0);
}

/* -- the supervisor -- */

static void on_ctl(const struct leat_ctl *message)
{
    switch (message->op) {
    case LEAT_CTL_ATTACH:
        if (strcmp(message->entry.role, "net") == 0)
            add_client(&message->entry, message->arg[0]);
        break;
    case LEAT_CTL_DETACH:
        remove_client(message->arg[0]);
        break;
    case LEAT_CTL_QUERY:
        net_report(&net.stack, net.has_card ? &net.nic : NULL, message->arg[0]);
        break;
    case LEAT_CTL_STOP:
        if (net.has_card)
            e1000_stop(&net.nic.card);
        exit(0);
    default:
        break;
    }
}

static void send_status(void)
{
    static char last[sizeof(net.stack.address.info.why)];

    if (strcmp(last, net.stack.address.info.why) == 0)
        return;
    if (leat_ctl_send(LEAT_CTL_STATUS, net.stack.address.info.why, net.stack.address.info.state,
                      0) == LEAT_OK)
        memcpy(last, net.stack.address.info.why, sizeof(last));
}

/* -- a round -- */

static void on_timer(void *context)
{
    (void)context;
}

static bool serve(void *context)
{
    bool more = false;

    (void)context;
    if (net.irq_came)
        take_interrupt();
    if (net.has_card)
        more = nic_receive(&net.nic, RX_BUDGET);
    more |= stack_serve(&net.stack);
    if (net.has_card)
        e1000_flush(&net.nic.card);
    if (net.irq_is_masked && !more) {
        /* Its causes were taken before the rings were looked at, so what came since raises it again. */
        net.irq_is_masked = false;
        leat_irq_ack(net.irq->handle);
    }
    send_status();
    uint64_t deadline_ns = stack_deadline_ns();
    leat_loop_timer_set(&net.loop, &net.timer, deadline_ns == STACK_NEVER ? 0 : deadline_ns);
    return more;
}

static void start_address(const char *no_card)
{
    struct net_config config;
    char why[160];

    if (net_config_read(&config, leat_start_arg, why, sizeof(why)) != LEAT_OK)
        leat_fatal("[net] %s", why);
    net_address_start(&net.stack.address, no_card ? NULL : &net.nic.netif, &config,
                      no_card ? no_card : "");
    if (no_card) {
        leat_log("%s", no_card);
    } else if (net.nic.card.link_up) {
        link_changed();
    } else {
        leat_log("no link on the network card yet");
    }
}

int main(void)
{
    leat_loop_init(&net.loop, leat_start_notif());
    stack_init(&net.stack);
    leat_loop_timer(&net.loop, &net.timer, on_timer, NULL);
    leat_loop_timer(&net.loop, &net.tick, on_tick, NULL);
    start_address(start_card());
    if (net.has_card) {
        if (leat_loop_on(&net.loop, net.irq->my_bits, on_irq, NULL) != LEAT_OK)
            leat_fatal("no room for the card's interrupt");
        net.irq_came = true; /* what came before: take it, and open the line */
        leat_loop_timer_set(&net.loop, &net.tick, leat_clock_ns() + TICK_NS);
    }
    for (const struct leat_start_entry *entry = leat_start_next("net", NULL); entry;
         entry = leat_start_next("net", entry))
        add_client(entry, 0);
    leat_loop_idle(&net.loop, serve, NULL);
    if (leat_ctl_init(&net.loop, on_ctl) != LEAT_OK)
        leat_log("no control channel; running without");
    leat_loop_run(&net.loop);
}
