// SPDX-License-Identifier: BSD-2-Clause
/* The service's lwIP with one addition: two stations of one network live in one stack, so that a
   packet's way cannot be found by subnet. */
#ifndef TESTS_UNIT_NET_PORT_LWIPOPTS_H
#define TESTS_UNIT_NET_PORT_LWIPOPTS_H

#include "services/net/port/lwipopts.h"

#undef LWIP_HOOK_FILENAME
#define LWIP_HOOK_FILENAME "net_hooks.h"
#define LWIP_HOOK_IP4_ROUTE_SRC(source, destination) world_route(destination)

#endif
