// SPDX-License-Identifier: BSD-2-Clause
#include "net_world.h"
#include "lib/splitmix.h"
#include "services/net/platform.h"
#include "net_port/net_hooks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lwip/etharp.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/timeouts.h"

#define WIRE_FRAMES 16384u

struct frame {
    uint64_t due_ns, number; /* number: of two that are due at once the first goes first */
    struct netif *to;        /* NULL: free */
    uint16_t length;
    uint8_t bytes[1514];
};

struct world world;
static struct frame wire[WIRE_FRAMES];
static unsigned wire_high; /* no frame at or above */

/* -- services/net/platform.h -- */

uint64_t net_now_ns(void)
{
    return world.now_ns;
}

uint64_t world_random(void)
{
    return splitmix64(&world.seed);
}

uint64_t net_random(void)
{
    return world_random();
}

void net_log(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(world.last_log, sizeof(world.last_log), format, args);
    va_end(args);
    size_t used = strlen(world.all_logs);
    snprintf(world.all_logs + used, sizeof(world.all_logs) - used, "%s\n", world.last_log);
}

void net_panic(const char *what)
{
    fprintf(stderr, "net_panic: %s\n", what);
    abort();
}

/* -- the wire -- */

struct netif *world_route(const ip4_addr_t *destination)
{
    return destination->addr == WORLD_CARD_IP ? &world.peer : &world.card;
}

/* RFC 7323, 2.2: the option {3, 3, shift} of a SYN, made into three NOPs. The stations check no TCP
   checksums in this mode. */
static void strip_scaling(uint8_t *frame, uint16_t length)
{
    enum { TCP = 34, OPTIONS = TCP + 20 };

    if (length < OPTIONS || frame[23] != IP_PROTO_TCP || !(frame[TCP + 13] & TCP_SYN))
        return;
    unsigned end = TCP + (frame[TCP + 12] >> 4) * 4u;
    for (unsigned at = OPTIONS; at + 2 < end && frame[at] != 0;) {
        if (frame[at] == 3)
            memset(frame + at, 1, 3);
        at += frame[at] == 1 ? 1 : frame[at + 1];
    }
}

static err_t send_frame(struct netif *netif, struct pbuf *pbuf)
{
    unsigned at = 0;

    world.frames++;
    if (world.cut || world_random() % 1000 < world.loss_permille) {
        world.lost++;
        return ERR_OK;
    }
    while (at < wire_high && wire[at].to)
        at++;
    if (at == WIRE_FRAMES)
        return ERR_OK;
    if (at == wire_high)
        wire_high++;
    wire[at].to = netif == &world.card ? &world.peer : &world.card;
    wire[at].length = pbuf->tot_len;
    wire[at].number = world.frames;
    wire[at].due_ns = world.now_ns + world.latency_ns;
    if (world_random() % 1000 < world.reorder_permille)
        wire[at].due_ns += world_random() % (2 * world.latency_ns + 1);
    pbuf_copy_partial(pbuf, wire[at].bytes, pbuf->tot_len, 0);
    if (world.no_scaling)
        strip_scaling(wire[at].bytes, wire[at].length);
    NETIF_SET_CHECKSUM_CTRL(wire[at].to, world.no_scaling
                                             ? NETIF_CHECKSUM_ENABLE_ALL & ~NETIF_CHECKSUM_CHECK_TCP
                                             : NETIF_CHECKSUM_ENABLE_ALL);
    return ERR_OK;
}

static bool is_before(const struct frame *a, const struct frame *b)
{
    return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->number < b->number);
}

/* Delivers the oldest frame that is due; false: none. */
static bool deliver_frame(void)
{
    unsigned best = WIRE_FRAMES;

    for (unsigned i = 0; i < wire_high; i++) {
        if (wire[i].to && wire[i].due_ns <= world.now_ns &&
            (best == WIRE_FRAMES || is_before(&wire[i], &wire[best])))
            best = i;
    }
    if (best == WIRE_FRAMES)
        return false;
    struct frame *frame = &wire[best];
    struct pbuf *pbuf = pbuf_alloc(PBUF_RAW, frame->length, PBUF_POOL);
    if (pbuf) {
        struct netif *to = frame->to;
        pbuf_take(pbuf, frame->bytes, frame->length);
        if (to == &world.card)
            world.to_card_bytes += frame->length;
        if (to->input(pbuf, to) != ERR_OK)
            pbuf_free(pbuf);
    }
    frame->to = NULL;
    while (wire_high > 0 && !wire[wire_high - 1].to)
        wire_high--;
    return true;
}

static uint64_t next_frame_ns(void)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < wire_high; i++) {
        if (wire[i].to && wire[i].due_ns < next)
            next = wire[i].due_ns;
    }
    return next;
}

/* -- stations -- */

static err_t init_station(struct netif *netif)
{
    const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, netif == &world.card ? 1 : 2};

    netif->mtu = 1500;
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, mac, sizeof(mac));
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    return ERR_OK;
}

static void signal_client(void *context)
{
    (void)context;
    world.client_signalled = true;
}

void world_start(uint64_t seed)
{
    const ip4_addr_t peer = {WORLD_PEER_IP}, mask = {WORLD_MASK}, none = {0};

    memset(&world, 0, sizeof(world));
    world.seed = seed;
    world.latency_ns = 2000000;
    world.now_ns = 1000000000;
    stack_init(&world.stack);
    netif_add(&world.peer, &peer, &mask, &none, NULL, init_station, netif_input);
    netif_set_up(&world.peer);
    netif_set_link_up(&world.peer);
    netif_add(&world.card, NULL, NULL, NULL, NULL, init_station, netif_input);
    netif_set_up(&world.card);
    world.channel = mmap(NULL, sizeof(*world.channel), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (world.channel == MAP_FAILED)
        abort();
    world.client = stack_add_client(&world.stack, world.channel, signal_client, NULL);
}

void world_signal_service(void)
{
    world.service_signalled = true;
}

/* -- time -- */

static bool run_what_is_due(void)
{
    bool ran = false;

    while (deliver_frame())
        ran = true;
    if (ran || world.service_signalled || stack_deadline_ns() <= world.now_ns) {
        ran = true;
        world.service_signalled = false;
        for (unsigned rounds = 0; stack_serve(&world.stack); rounds++) {
            if (rounds > 1000) {
                fprintf(stderr, "the service is busy for ever\n");
                abort();
            }
        }
    }
    if (world.client_signalled) {
        ran = true;
        world.client_signalled = false;
        if (world.run_client)
            world.run_client();
    }
    return ran;
}

bool world_run(bool (*condition)(void), uint64_t ns)
{
    uint64_t end_ns = world.now_ns + ns;

    while (!condition()) {
        if (run_what_is_due())
            continue;
        uint64_t next = next_frame_ns(), timer = stack_deadline_ns();
        if (timer < next)
            next = timer;
        if (next > end_ns) {
            world.now_ns = end_ns;
            return condition();
        }
        if (next > world.now_ns)
            world.now_ns = next;
    }
    return true;
}
