// SPDX-License-Identifier: BSD-2-Clause
/* The keys of the sections without a name: what the whole machine has once. */
#include "lib/config/parser.h"
#include "lib/config/value.h"

#include <string.h>

static const char *server_address(struct config_parser *p, const char *value)
{
    return value_host(value, p->config->server, sizeof(p->config->server));
}

static const char *server_port(struct config_parser *p, const char *value)
{
    return value_port(value, &p->config->server_port);
}

static const char *net_mode(struct config_parser *p, const char *value)
{
    if (strcmp(value, "dhcp") != 0 && strcmp(value, "static") != 0)
        return "must be dhcp or static";
    p->config->net.mode = value[0] == 'd' ? LEAT_CONFIG_DHCP : LEAT_CONFIG_STATIC;
    return NULL;
}

static const char *net_address(struct config_parser *p, const char *value)
{
    return value_ipv4(value, &p->config->net.address);
}

static const char *net_netmask(struct config_parser *p, const char *value)
{
    return value_netmask(value, &p->config->net.netmask);
}

static const char *net_gateway(struct config_parser *p, const char *value)
{
    return value_ipv4(value, &p->config->net.gateway);
}

static const char *net_dns(struct config_parser *p, const char *value)
{
    return value_ipv4(value, &p->config->net.dns);
}

static const char *cache_size(struct config_parser *p, const char *value)
{
    uint64_t bytes = 0;
    const char *reason = value_size(value, &bytes);
    if (reason == NULL && bytes < (1ull << 20))
        reason = "too small; the cache needs 1M at least";
    if (reason == NULL && bytes > (1ull << 40))
        reason = "too large";
    p->config->cache_bytes = bytes;
    return reason;
}

static const char *store_use(struct config_parser *p, const char *value)
{
    bool is_used = true;
    const char *reason = value_flag(value, &is_used);
    p->config->store.is_off = !is_used;
    return reason;
}

static const char *store_partition(struct config_parser *p, const char *value)
{
    return value_guid(value, p->config->store.partition);
}

static const char *store_memory(struct config_parser *p, const char *value)
{
    uint64_t bytes = 0;
    const char *reason = value_size(value, &bytes);
    if (reason == NULL && bytes < (4ull << 20))
        reason = "too small; a store needs 4M at least";
    if (reason == NULL && bytes > (1ull << 40))
        reason = "too large";
    p->config->store.memory_bytes = bytes;
    return reason;
}

static const char *store_format(struct config_parser *p, const char *value)
{
    static const char *const words[] = {
        [LEAT_CONFIG_FORMAT_EMPTY] = "empty",
        [LEAT_CONFIG_FORMAT_NO] = "no",
        [LEAT_CONFIG_FORMAT_YES] = "yes",
    };
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            p->config->store.format = (enum leat_config_format)i;
            return NULL;
        }
    }
    return "must be empty, no or yes";
}

static const char *console_view(struct config_parser *p, const char *value)
{
    p->config->console_line = p->line;
    return value_name(value, p->config->console_view, sizeof(p->config->console_view));
}

static const char *console_menu(struct config_parser *p, const char *value)
{
    uint64_t seconds = 0;
    const char *reason = value_number(value, 0, 86400, &seconds);
    p->config->has_menu = true;
    p->config->menu_s = (unsigned)seconds;
    p->config->menu_line = p->line;
    return reason;
}

static const char *machine_when_idle(struct config_parser *p, const char *value)
{
    static const char *const words[] = {
        [LEAT_CONFIG_STAY] = "stay",
        [LEAT_CONFIG_POWER_OFF] = "power_off",
        [LEAT_CONFIG_RESET] = "reset",
    };
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            p->config->when_idle = (enum leat_config_idle)i;
            return NULL;
        }
    }
    return "must be stay, power_off or reset";
}

static const char *machine_mitigations(struct config_parser *p, const char *value)
{
    static const char *const words[] = {
        [LEAT_CONFIG_MITIGATIONS_AUTO] = "auto",
        [LEAT_CONFIG_MITIGATIONS_FULL] = "full",
        [LEAT_CONFIG_MITIGATIONS_OFF] = "off",
    };
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            p->config->mitigations = (enum leat_config_mitigations)i;
            return NULL;
        }
    }
    return "must be auto, full or off";
}

static const char *machine_own_core(struct config_parser *p, const char *value)
{
    return value_flag(value, &p->config->own_core);
}

static const struct config_key keys[] = {
    {CONFIG_SERVER, "address", server_address},
    {CONFIG_SERVER, "port", server_port},
    {CONFIG_NET, "mode", net_mode},
    {CONFIG_NET, "address", net_address},
    {CONFIG_NET, "netmask", net_netmask},
    {CONFIG_NET, "gateway", net_gateway},
    {CONFIG_NET, "dns", net_dns},
    {CONFIG_CACHE, "size", cache_size},
    {CONFIG_STORE, "use", store_use},
    {CONFIG_STORE, "partition", store_partition},
    {CONFIG_STORE, "memory", store_memory},
    {CONFIG_STORE, "format", store_format},
    {CONFIG_CONSOLE, "view", console_view},
    {CONFIG_CONSOLE, "menu", console_menu},
    {CONFIG_MACHINE, "when_idle", machine_when_idle},
    {CONFIG_MACHINE, "own_core", machine_own_core},
    {CONFIG_MACHINE, "mitigations", machine_mitigations},
};
CONFIG_KEYS(config_machine_keys, keys);
