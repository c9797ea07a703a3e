// SPDX-License-Identifier: BSD-2-Clause
#include "services/net/address.h"
#include "services/net/platform.h"

#include <stdio.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/netif.h"

#define NS_PER_S 1000000000ull
#define FIRST_REPORT_S 5u
#define MAX_REPORT_S 300u

#define TEXT_BYTES 16 /* "255.255.255.255" */

static const char *text_of(uint32_t ipv4, char text[TEXT_BYTES])
{
    const ip4_addr_t address = {ipv4};

    return ip4addr_ntoa_r(&address, text, TEXT_BYTES);
}

static unsigned prefix_of(uint32_t netmask)
{
    return (unsigned)__builtin_popcount(netmask);
}

static void set_dns(const struct net_config *config)
{
    for (uint32_t i = 0; i < config->dns_count; i++) {
        const ip4_addr_t server = {config->dns[i]};
        dns_setserver((u8_t)i, &server);
    }
}

void net_address_start(struct net_address *address, struct netif *netif,
                       const struct net_config *config, const char *why)
{
    memset(address, 0, sizeof(*address));
    address->netif = netif;
    address->config = *config;
    address->is_new = true;
    if (!netif) {
        address->info.state = LEAT_NET_NO_CARD;
        snprintf(address->info.why, sizeof(address->info.why), "%s", why);
        return;
    }
    memcpy(address->info.mac, netif->hwaddr, sizeof(address->info.mac));
    address->info.state = LEAT_NET_NO_LINK;
    snprintf(address->info.why, sizeof(address->info.why),
             "no link on the network card: check the cable and the switch");
    if (config->hostname[0])
        netif_set_hostname(netif, address->config.hostname);
    set_dns(config);
    if (config->use_dhcp) {
        if (dhcp_start(netif) != ERR_OK)
            net_panic("DHCP cannot start");
    } else {
        const ip4_addr_t ip = {config->address}, mask = {config->netmask};
        const ip4_addr_t gateway = {config->gateway};
        netif_set_addr(netif, &ip, &mask, &gateway);
    }
}

void net_address_set_link(struct net_address *address, bool is_up, uint32_t mbit)
{
    address->link_mbit = mbit;
    if (is_up) {
        net_log("link up, %u Mbit/s", mbit);
        netif_set_link_up(address->netif);
    } else {
        net_log("link down: check the cable and the switch");
        netif_set_link_down(address->netif);
    }
}

static void report_up(struct net_address *address)
{
    const struct netif *netif = address->netif;
    const struct dhcp *dhcp = netif_dhcp_data(netif);
    char ip[TEXT_BYTES], gateway[TEXT_BYTES], server[TEXT_BYTES], dns[TEXT_BYTES];
    uint32_t gateway_ip = netif_ip4_gw(netif)->addr, dns_ip = dns_getserver(0)->addr;
    char from[32] = "as configured";

    if (address->config.use_dhcp && dhcp)
        snprintf(from, sizeof(from), "by DHCP from %s",
                 text_of(ip_2_ip4(&dhcp->server_ip_addr)->addr, server));
    snprintf(address->info.why, sizeof(address->info.why), "address %s/%u %s, gateway %s, DNS %s",
             text_of(netif_ip4_addr(netif)->addr, ip), prefix_of(netif_ip4_netmask(netif)->addr),
             from, gateway_ip ? text_of(gateway_ip, gateway) : "none",
             dns_ip ? text_of(dns_ip, dns) : "none");
    net_log("%s", address->info.why);
}

static void report_waiting(struct net_address *address, uint64_t now_ns)
{
    const struct dhcp *dhcp = netif_dhcp_data(address->netif);
    uint64_t seconds = (now_ns - address->waiting_since_ns) / NS_PER_S;

    snprintf(address->info.why, sizeof(address->info.why),
             "no DHCP answer yet (%llu s, %u tries); still trying", (unsigned long long)seconds,
             dhcp ? dhcp->tries : 0u);
    net_log("%s", address->info.why);
    address->report_every_s =
        address->report_every_s * 2 < MAX_REPORT_S ? address->report_every_s * 2 : MAX_REPORT_S;
    address->next_report_ns = now_ns + address->report_every_s * NS_PER_S;
}

static void start_waiting(struct net_address *address, uint64_t now_ns)
{
    if (address->was_up)
        net_log("address lost: the DHCP server did not prolong it; asking again");
    snprintf(address->info.why, sizeof(address->info.why), "no address yet; asking by DHCP");
    address->waiting_since_ns = now_ns;
    address->report_every_s = FIRST_REPORT_S;
    address->next_report_ns = now_ns + FIRST_REPORT_S * NS_PER_S;
}

static enum leat_net_state look(const struct netif *netif)
{
    if (!netif_is_link_up(netif))
        return LEAT_NET_NO_LINK;
    return ip4_addr_isany_val(*netif_ip4_addr(netif)) ? LEAT_NET_NO_ADDRESS : LEAT_NET_UP;
}

bool net_address_update(struct net_address *address)
{
    struct leat_net_info *info = &address->info;
    bool is_new = address->is_new;

    address->is_new = false;
    if (!address->netif)
        return is_new;
    enum leat_net_state state = look(address->netif);
    uint32_t ipv4 = state == LEAT_NET_UP ? netif_ip4_addr(address->netif)->addr : 0;
    uint64_t now_ns = net_now_ns();

    /* A lease brings its own name servers each time; those of the configuration go before. */
    if (address->config.dns_count && dns_getserver(0)->addr != address->config.dns[0])
        set_dns(&address->config);
    if (state == info->state && ipv4 == info->ipv4) {
        if (state != LEAT_NET_NO_ADDRESS || now_ns < address->next_report_ns)
            return is_new;
        report_waiting(address, now_ns);
        return true;
    }
    info->state = state;
    info->ipv4 = ipv4;
    switch (state) {
    case LEAT_NET_UP:
        report_up(address);
        break;
    case LEAT_NET_NO_ADDRESS:
        start_waiting(address, now_ns);
        break;
    default:
        snprintf(info->why, sizeof(info->why),
                 "no link on the network card: check the cable and the switch");
    }
    address->was_up = state == LEAT_NET_UP;
    return true;
}
