// SPDX-License-Identifier: BSD-2-Clause
/* DHCP and DNS servers, as small as can be, on the peer's station of net_world.h. */
#ifndef TESTS_UNIT_NET_SERVERS_H
#define TESTS_UNIT_NET_SERVERS_H

#include <stdbool.h>

struct servers {
    bool dhcp_is_silent;
    unsigned dhcp_requests, dns_requests;
};
extern struct servers servers;

/* Knows the names "server.test" and "dead.test". */
void servers_start(void);

#endif
