// SPDX-License-Identifier: BSD-2-Clause
#include "net_servers.h"
#include "net_world.h"

#include <string.h>

#include "lwip/udp.h"

struct servers servers;

/* RFC 2131, figure 1, and RFC 2132 */
enum { DHCP_OP = 0, DHCP_YIADDR = 16, DHCP_OPTIONS = 240, DHCP_BYTES = 300 };
enum { OPTION_TYPE = 53, TYPE_DISCOVER = 1, TYPE_OFFER = 2, TYPE_REQUEST = 3, TYPE_ACK = 5 };

static uint8_t dhcp_type(const uint8_t *message, unsigned length)
{
    for (unsigned at = DHCP_OPTIONS; at + 2 < length && message[at] != 255;
         at += 2u + message[at + 1]) {
        if (message[at] == OPTION_TYPE)
            return message[at + 2];
    }
    return 0;
}

static void answer_dhcp(void *arg, struct udp_pcb *pcb, struct pbuf *query, const ip_addr_t *from,
                        u16_t port)
{
    static const uint8_t options[] = {
        OPTION_TYPE, 1, 0,   54,  4,   10, 1, 0, 2, /* server */
        51,          4, 0,   0,   14,  16,          /* lease: 3600 s */
        1,           4, 255, 255, 255, 0,  3, 4, 10, 1, 0, 2, 6, 4, 10, 1, 0, 2, 255,
    };
    uint8_t message[DHCP_BYTES] = {0};
    uint8_t type;

    (void)arg, (void)from, (void)port;
    unsigned length = pbuf_copy_partial(query, message, sizeof(message), 0);
    pbuf_free(query);
    servers.dhcp_requests++;
    type = dhcp_type(message, length);
    if (servers.dhcp_is_silent || (type != TYPE_DISCOVER && type != TYPE_REQUEST))
        return;
    message[DHCP_OP] = 2;
    memcpy(message + DHCP_YIADDR, (const uint8_t[]){10, 1, 0, 1}, 4);
    memset(message + DHCP_OPTIONS, 0, sizeof(message) - DHCP_OPTIONS);
    memcpy(message + DHCP_OPTIONS, options, sizeof(options));
    message[DHCP_OPTIONS + 2] = type == TYPE_DISCOVER ? TYPE_OFFER : TYPE_ACK;
    struct pbuf *answer = pbuf_alloc(PBUF_TRANSPORT, sizeof(message), PBUF_RAM);
    pbuf_take(answer, message, sizeof(message));
    udp_sendto_if(pcb, answer, IP_ADDR_BROADCAST, 68, &world.peer);
    pbuf_free(answer);
}

/* RFC 1035, 4.1: one question comes, one answer or "name error" goes. */
static void answer_dns(void *arg, struct udp_pcb *pcb, struct pbuf *query, const ip_addr_t *from,
                       u16_t port)
{
    static const uint8_t server[] = "\6server\4test", dead[] = "\4dead\4test";
    uint8_t message[512] = {0};
    unsigned length = pbuf_copy_partial(query, message, 400, 0);
    bool is_server = memcmp(message + 12, server, sizeof(server)) == 0;
    bool is_dead = memcmp(message + 12, dead, sizeof(dead)) == 0;

    (void)arg;
    pbuf_free(query);
    servers.dns_requests++;
    message[2] |= 0x80;
    if (is_server || is_dead) {
        const uint8_t answer[] = {0xc0, 12, 0, 1, 0,  1, 0, 0,
                                  0,    60, 0, 4, 10, 1, 0, is_server ? 2 : 9};
        message[7] = 1;
        memcpy(message + length, answer, sizeof(answer));
        length += sizeof(answer);
    } else {
        message[3] = 3;
    }
    struct pbuf *reply = pbuf_alloc(PBUF_TRANSPORT, (u16_t)length, PBUF_RAM);
    pbuf_take(reply, message, (u16_t)length);
    udp_sendto_if(pcb, reply, from, port, &world.peer);
    pbuf_free(reply);
}

void servers_start(void)
{
    const ip_addr_t address = {WORLD_PEER_IP};
    struct udp_pcb *dhcp = udp_new(), *dns = udp_new();

    udp_bind(dhcp, IP_ADDR_ANY, 67);
    udp_recv(dhcp, answer_dhcp, NULL);
    udp_bind(dns, &address, 53);
    udp_recv(dns, answer_dns, NULL);
}
