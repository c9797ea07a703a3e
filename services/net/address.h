// SPDX-License-Identifier: BSD-2-Clause
/* The state of the network for people and for clients: link, address by DHCP or configuration, and
   the log lines about them. */
#ifndef SERVICES_NET_ADDRESS_H
#define SERVICES_NET_ADDRESS_H

#include <leat/net.h>
#include "services/net/config.h"

struct netif;

struct net_address { /* private but for info */
    struct leat_net_info info;
    struct netif *netif; /* NULL: no card */
    struct net_config config;
    uint32_t link_mbit;
    uint32_t dns; /* first name server at the last look */
    bool is_new;  /* nobody has been told of info yet */
    bool was_up;  /* had an address with this link */
    uint64_t waiting_since_ns, next_report_ns;
    uint64_t report_every_s; /* doubles */
};

/* netif is added, up as to administration, and has its hardware address; NULL: the machine has no
   card, and why says so. Takes the static address, or starts DHCP, which tries for ever. */
void net_address_start(struct net_address *address, struct netif *netif,
                       const struct net_config *config, const char *why);

/* The driver has seen a change of the link. */
void net_address_set_link(struct net_address *address, bool is_up, uint32_t mbit);

/* Looks at lwIP's state; to be called in every round. True: info has changed, and clients want to know. */
bool net_address_update(struct net_address *address);

#endif
