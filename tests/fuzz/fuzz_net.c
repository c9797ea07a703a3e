// SPDX-License-Identifier: BSD-2-Clause
/*
 * Packets from anywhere, through the driver's receive ring into lwIP and a client's slot. The input
 * is a list of steps: a frame as it is with any descriptor, a TCP segment that fits the open
 * connection as far as the input wants, a UDP datagram to DHCP or DNS, time that passes, a client
 * that reads, a device that scribbles over its ring. No step may make the service crash, hang, or
 * lose a buffer.
 */
#include "tests/unit/e1000_model.h"
#include "services/net/nic.h"
#include "services/net/platform.h"
#include "services/net/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/priv/tcp_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OWN_IP 0x0100010au  /* 10.1.0.1 */
#define PEER_IP 0x0200010au /* 10.1.0.2 */

static uint64_t clock_ns = 1000000000;
static struct e1000_model model;
static struct nic nic;
static struct stack stack;
static struct leat_net_channel channel;
static struct client *client;
static struct leat_ring_end commands, events;
static uint32_t generation;

uint64_t net_now_ns(void)
{
    return clock_ns;
}

uint64_t net_random(void)
{
    static uint64_t state;
    return state += 0x9e3779b97f4a7c15ull;
}

void net_log(const char *format, ...)
{
    (void)format;
}

void net_panic(const char *what)
{
    fprintf(stderr, "net_panic: %s\n", what);
    abort();
}

/* -- the input, as a stream that ends in zeros -- */

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t take8(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static uint16_t take16(struct input *in)
{
    uint16_t low = take8(in);
    return (uint16_t)(low | take8(in) << 8);
}

static uint16_t take_bytes(struct input *in, uint8_t *to, size_t want)
{
    size_t count = want < in->left ? want : in->left;

    memcpy(to, in->at, count);
    in->at += count;
    in->left -= count;
    return (uint16_t)count;
}

/* -- steps -- */

static void serve(void)
{
    for (int i = 0; i < 50; i++) {
        bool more = nic_receive(&nic, 64);
        more |= stack_serve(&stack);
        e1000_flush(&nic.card);
        if (!more)
            break;
    }
}

static void put32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Ethernet and IPv4 before length bytes of payload at frame + 34. The card says that the checksums
   are right, so that none need be made. */
static void deliver_ip(uint8_t *frame, uint8_t protocol, uint16_t length)
{
    static const uint8_t peer_mac[6] = {0x52, 0x54, 0, 0, 0, 2};
    uint16_t total = (uint16_t)(length + 20);

    memcpy(frame, nic.card.mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    frame[12] = 8;
    frame[13] = 0;
    memset(frame + 14, 0, 20);
    frame[14] = 0x45;
    frame[16] = (uint8_t)(total >> 8);
    frame[17] = (uint8_t)total;
    frame[22] = 64;
    frame[23] = protocol;
    memcpy(frame + 26, (const uint8_t[]){10, 1, 0, 2, 10, 1, 0, 1}, 8);
    model_receive_raw(&model, frame, (uint16_t)(total + 14), (uint16_t)(total + 14),
                      E1000_RX_DD | E1000_RX_EOP | E1000_RX_TCPCS | E1000_RX_IPCS, 0);
}

static void step_tcp(struct input *in)
{
    uint8_t frame[1514] = {0}, *tcp = frame + 34;
    const struct tcp_pcb *pcb = client->slots[0].pcb;
    uint8_t flags = take8(in), option_words = take8(in) % 11;
    int16_t seq_offset = (int16_t)take16(in), ack_offset = (int16_t)take16(in);
    uint16_t window = take16(in), payload = (uint16_t)(take16(in) % 1400);

    if (!pcb)
        return;
    tcp[0] = (uint8_t)(pcb->remote_port >> 8);
    tcp[1] = (uint8_t)pcb->remote_port;
    tcp[2] = (uint8_t)(pcb->local_port >> 8);
    tcp[3] = (uint8_t)pcb->local_port;
    put32(tcp + 4, pcb->rcv_nxt + (uint32_t)(flags & 0x40 ? seq_offset : 0));
    put32(tcp + 8, pcb->snd_nxt + (uint32_t)(flags & 0x80 ? ack_offset : 0));
    tcp[12] = (uint8_t)((5 + option_words) << 4);
    tcp[13] = flags & 0x3f;
    tcp[14] = (uint8_t)(window >> 8);
    tcp[15] = (uint8_t)window;
    uint16_t header = (uint16_t)(20 + option_words * 4);
    take_bytes(in, tcp + 20, option_words * 4u);
    if (header + payload > 1480)
        payload = (uint16_t)(1480 - header);
    deliver_ip(frame, 6, (uint16_t)(header + payload));
}

static void step_udp(struct input *in)
{
    uint8_t frame[1514] = {0}, *udp = frame + 34;
    bool is_dns = take8(in) & 1;
    uint16_t count = take_bytes(in, udp + 8, take16(in) % 600);
    const struct udp_pcb *pcb = udp_pcbs;

    while (is_dns && pcb && pcb->local_port == 68)
        pcb = pcb->next;
    uint16_t port = is_dns && pcb ? pcb->local_port : 68;
    const struct dhcp *dhcp = netif_dhcp_data(&nic.netif);
    udp[1] = is_dns ? 53 : 67;
    udp[2] = (uint8_t)(port >> 8);
    udp[3] = (uint8_t)port;
    udp[4] = (uint8_t)((count + 8) >> 8);
    udp[5] = (uint8_t)(count + 8);
    if (!is_dns && dhcp && count >= 240) { /* what every answer needs to be looked at */
        udp[8] = 2;
        put32(udp + 12, dhcp->xid);
        memcpy(udp + 8 + 28, nic.card.mac, 6);
        put32(udp + 8 + 236, 0x63825363);
    }
    deliver_ip(frame, 17, (uint16_t)(count + 8));
}

static void step_raw(struct input *in)
{
    uint8_t frame[2048];
    uint8_t status = take8(in), errors = take8(in);
    uint16_t length = take16(in), count = take_bytes(in, frame, take16(in) % 1600);

    if (status & 0x80) /* a frame that the card would pass, to this station */
        memcpy(frame, nic.card.mac, 6);
    model_receive_raw(&model, frame, count, status & 0x40 ? length : count,
                      (uint8_t)(status & 0x40 ? status : status | E1000_RX_DD | E1000_RX_EOP),
                      status & 0x40 ? errors : 0);
}

static void step_client(struct input *in)
{
    struct slot *slot = &client->slots[0];
    struct leat_ring *rx = (void *)channel.slots[0].rx, *tx = (void *)channel.slots[0].tx;
    uint8_t how = take8(in);

    if (slot->state != SLOT_OPEN)
        return;
    rx->tail = how & 1 ? rx->head : rx->tail + take16(in);
    tx->head = how & 2 ? tx->head : tx->tail + take16(in);
}

static void step_scribble(struct input *in)
{
    uint32_t index = nic.card.rx_next, field = take8(in) % 16;

    /* Of the receive ring; addresses stay, the model refuses others. */
    if (field >= 8)
        ((uint8_t *)&nic.card.rx_ring[index])[field] = take8(in);
}

/* -- a connection for each input -- */

static void send_command(uint32_t op)
{
    struct leat_net_command command = {op, 0, generation, 0};
    struct leat_net_event event;

    while (leat_ring_get(&events, &event) == LEAT_OK)
        ;
    leat_ring_put(&commands, &command);
}

static void signal_nobody(void *context)
{
    (void)context;
}

static void start(void)
{
    static const struct net_config config = {.use_dhcp = true};
    struct e1000_platform platform;
    struct e1000_dma dma;

    model_init(&model, E1000_MIN_DMA_BYTES + 256 * E1000_BUFFER_BYTES);
    platform = model_platform(&model);
    dma = model_dma(&model);
    stack_init(&stack);
    if (nic_start(&nic, &platform, &dma) != LEAT_OK)
        abort();
    net_address_start(&stack.address, &nic.netif, &config, "");
    net_address_set_link(&stack.address, true, 1000);
    client = stack_add_client(&stack, &channel, signal_nobody, NULL);
    leat_ring_join(&commands, channel.commands, LEAT_NET_RING_COUNT,
                   sizeof(struct leat_net_command), true);
    leat_ring_join(&events, channel.events, LEAT_NET_RING_COUNT, sizeof(struct leat_net_event),
                   false);
}

static void deliver_arp(void)
{
    uint8_t frame[60] = {0};
    static const uint8_t arp[28] = {0,  1, 8, 0, 6, 4, 0, 2, 0x52, 0x54, 0,  0, 0, 2,
                                    10, 1, 0, 2, 0, 0, 0, 0, 0,    0,    10, 1, 0, 1};

    memcpy(frame, nic.card.mac, 6);
    frame[12] = 8;
    frame[13] = 6;
    memcpy(frame + 14, arp, sizeof(arp));
    model_receive(&model, frame, sizeof(frame));
}

/* The rest of the handshake as a good server makes it: MSS, SACK, window scale 7. */
static void deliver_syn_ack(void)
{
    static const uint8_t step[] = {0x12, 3, 0,    0, 0, 0, 0xff, 0xff, 0, 0, 2,
                                   4,    5, 0xb4, 4, 2, 1, 1,    3,    3, 7, 1};
    struct input in = {step, sizeof(step)};

    step_tcp(&in);
}

static void open_connection(bool by_name, bool complete)
{
    const ip4_addr_t own = {OWN_IP}, mask = {0x00ffffff}, gateway = {PEER_IP};

    netif_set_addr(&nic.netif, &own, &mask, &gateway);
    dns_setserver(0, &gateway);
    serve();
    generation++;
    snprintf(channel.slots[0].host, sizeof(channel.slots[0].host), "%s",
             by_name ? "some.name.test" : "10.1.0.2");
    channel.slots[0].port = 10809;
    send_command(LEAT_NET_CONNECT);
    serve();
    deliver_arp();
    serve();
    if (complete) {
        deliver_syn_ack();
        serve();
    }
}

static void check_and_end(void)
{
    send_command(LEAT_NET_CLOSE);
    serve();
    slot_forget(&client->slots[0]);
    for (struct tcp_pcb *pcb = tcp_active_pcbs, *next; pcb; pcb = next) {
        next = pcb->next;
        tcp_abort(pcb);
    }
    clock_ns += 100000000;
    serve();
    /* The driver may have been told of frames that never came; a real card would not stop for that.
     */
    model.regs[E1000_RDH / 4] = nic.card.rx_next;
    if (nic.card.free_count + E1000_RING_COUNT != nic.card.buffer_count) {
        fprintf(stderr, "%u receive buffers are lost\n",
                nic.card.buffer_count - E1000_RING_COUNT - nic.card.free_count);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};

    if (!client)
        start();
    uint8_t kind = take8(&in);
    open_connection(kind & 1, kind & 2);
    for (int steps = 0; in.left > 0 && steps < 200; steps++) {
        switch (take8(&in) % 8) {
        case 0:
        case 1:
            step_raw(&in);
            break;
        case 2:
        case 3:
            step_tcp(&in);
            break;
        case 4:
            step_udp(&in);
            break;
        case 5:
            clock_ns += take8(&in) * 20000000ull;
            break;
        case 6:
            step_client(&in);
            break;
        default:
            step_scribble(&in);
        }
        if (take8(&in) & 1)
            serve();
    }
    check_and_end();
    return 0;
}
