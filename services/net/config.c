// SPDX-License-Identifier: BSD-2-Clause
#include "services/net/config.h"

#include <stdio.h>
#include <string.h>

#include "lwip/ip4_addr.h"

#define VALUE_BYTES 128

static bool parse_address(const char *text, uint32_t *address)
{
    ip4_addr_t parsed;

    if (!ip4addr_aton(text, &parsed))
        return false;
    *address = ip4_addr_get_u32(&parsed);
    return true;
}

/* "24" to 255.255.255.0; false: not a number from 1 to 32. */
static bool parse_prefix(const char *text, uint32_t *netmask)
{
    unsigned bits = 0, digits = 0;

    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 3; digits++)
        bits = bits * 10 + (unsigned)(text[digits] - '0');
    if (!digits || text[digits] || bits < 1 || bits > 32)
        return false;
    *netmask = lwip_htonl(UINT32_MAX << (32 - bits));
    return true;
}

static int read_dns(struct net_config *config, char *text, char *why, size_t size)
{
    char *rest = text;

    while (*rest) {
        size_t length = strcspn(rest, ", \t");
        char *next = rest + length + (rest[length] != 0);

        rest[length] = 0;
        if (length > 0) {
            if (config->dns_count == NET_MAX_DNS ||
                !parse_address(rest, &config->dns[config->dns_count])) {
                snprintf(why, size, "dns: '%s' is not an address, or one too many (at most %u)",
                         rest, NET_MAX_DNS);
                return LEAT_EINVAL;
            }
            config->dns_count++;
        }
        rest = next;
    }
    return LEAT_OK;
}

static int read_static(struct net_config *config, net_config_get_fn get, char *why, size_t size)
{
    char value[VALUE_BYTES];

    if (!get("address", value, sizeof(value))) {
        snprintf(why, size, "mode is static, but there is no address");
        return LEAT_EINVAL;
    }
    char *slash = strchr(value, '/');
    if (slash) {
        *slash = 0;
        if (!parse_prefix(slash + 1, &config->netmask)) {
            snprintf(why, size, "address: '/%s' is not a prefix length from 1 to 32", slash + 1);
            return LEAT_EINVAL;
        }
    }
    if (!parse_address(value, &config->address) || !config->address) {
        snprintf(why, size, "address: '%s' is not an IPv4 address", value);
        return LEAT_EINVAL;
    }
    if (get("netmask", value, sizeof(value)) && !parse_address(value, &config->netmask)) {
        snprintf(why, size, "netmask: '%s' is not like 255.255.255.0", value);
        return LEAT_EINVAL;
    }
    if (!ip4_addr_netmask_valid(config->netmask) || !config->netmask) {
        snprintf(why, size, "netmask: missing, or not a contiguous mask");
        return LEAT_EINVAL;
    }
    if (get("gateway", value, sizeof(value)) && value[0] &&
        !parse_address(value, &config->gateway)) {
        snprintf(why, size, "gateway: '%s' is not an IPv4 address", value);
        return LEAT_EINVAL;
    }
    return LEAT_OK;
}

int net_config_read(struct net_config *config, net_config_get_fn get, char *why, size_t size)
{
    char value[VALUE_BYTES];

    memset(config, 0, sizeof(*config));
    config->use_dhcp = true;
    if (get("mode", value, sizeof(value))) {
        if (strcmp(value, "static") == 0) {
            config->use_dhcp = false;
        } else if (strcmp(value, "dhcp") != 0 && value[0]) {
            snprintf(why, size, "mode: '%s' is neither dhcp nor static", value);
            return LEAT_EINVAL;
        }
    }
    if (get("hostname", value, sizeof(value)))
        snprintf(config->hostname, sizeof(config->hostname), "%.63s", value);
    if (get("dns", value, sizeof(value))) {
        int error = read_dns(config, value, why, size);
        if (error != LEAT_OK)
            return error;
    }
    return config->use_dhcp ? LEAT_OK : read_static(config, get, why, size);
}
