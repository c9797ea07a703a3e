// SPDX-License-Identifier: BSD-2-Clause
#ifndef TESTS_UNIT_NET_PORT_NET_HOOKS_H
#define TESTS_UNIT_NET_PORT_NET_HOOKS_H

#include "lwip_hooks.h"
#include "lwip/netif.h"

struct netif *world_route(const ip4_addr_t *destination);

#endif
