// SPDX-License-Identifier: BSD-2-Clause
#ifndef SERVICES_NET_CONFIG_H
#define SERVICES_NET_CONFIG_H

#include <leat/types.h>

#define NET_MAX_DNS 2u

struct net_config { /* addresses in network byte order */
    bool use_dhcp;
    uint32_t address, netmask, gateway; /* of a static configuration; gateway 0: none */
    uint32_t dns[NET_MAX_DNS];
    uint32_t dns_count; /* with DHCP: these instead of the server's */
    char hostname[64];  /* sent to the DHCP server; empty: none */
};

/* As leat_start_arg (lib/start.h). */
typedef const char *(*net_config_get_fn)(const char *key, char *buf, size_t size);

/* Reads mode= (dhcp, the default, or static), address= (with or without /bits), netmask=, gateway=,
   dns= (one or two, by comma or blank), hostname=. LEAT_EINVAL: why holds one line that names the
   key. */
int net_config_read(struct net_config *config, net_config_get_fn get, char *why, size_t size);

#endif
