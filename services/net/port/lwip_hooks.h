// SPDX-License-Identifier: BSD-2-Clause
/* Functions of the service that lwIP calls where lwipopts.h names them. */
#ifndef SERVICES_NET_PORT_LWIP_HOOKS_H
#define SERVICES_NET_PORT_LWIP_HOOKS_H

#include "lwip/arch.h"
#include "lwip/ip_addr.h"

/* The first sequence number of a connection, RFC 6528. */
u32_t net_first_sequence(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                         u16_t remote_port);

#endif
