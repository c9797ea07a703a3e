// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/service/config.h"

#include <stdio.h>
#include <string.h>

#include "vdisk/share.h"

#define NBD_PORT 10809u /* IANA, "nbd" */

bool parse_number(const char *text, uint64_t most, uint64_t *value)
{
    uint64_t n = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || n > (UINT64_MAX - 9) / 10)
            return false;
        n = n * 10 + (uint64_t)(*text - '0');
    }
    *value = n;
    return n <= most;
}

static bool parse_switch(const char *text, bool *value)
{
    *value = !strcmp(text, "1") || !strcmp(text, "yes") || !strcmp(text, "true");
    return *value || !strcmp(text, "0") || !strcmp(text, "no") || !strcmp(text, "false");
}

static const char *bad(char *why, size_t size, const char *key, const char *value)
{
    snprintf(why, size, "%s=%s makes no sense", key, value);
    return why;
}

/* One HOST[:PORT] of the fallback servers. */
static bool parse_server(const char *text, size_t size, struct vdisk_server *server)
{
    const char *colon = memchr(text, ':', size);
    size_t host = colon ? (size_t)(colon - text) : size;
    uint64_t port = NBD_PORT;
    char digits[8] = "";
    if (!host || host >= sizeof server->host || (colon && size - host - 1 >= sizeof digits))
        return false;
    memcpy(server->host, text, host);
    server->host[host] = 0;
    if (colon)
        memcpy(digits, colon + 1, size - host - 1);
    if (colon && (!parse_number(digits, UINT16_MAX, &port) || !port))
        return false;
    server->port = (uint16_t)port;
    return true;
}

static bool parse_servers(const char *text, struct vdisk_server *servers, uint32_t most,
                          uint32_t *count)
{
    for (;;) {
        text += strspn(text, ", ");
        size_t size = strcspn(text, ", ");
        if (!size)
            return true;
        if (*count == most || !parse_server(text, size, &servers[(*count)++]))
            return false;
        text += size;
    }
}

/* Of mode server. NULL: good. */
static const char *take_layer(const struct disk_args *args, struct vdisk_config *config, char *why,
                              size_t size)
{
    char text[256];
    if (config->mode != VDISK_SERVER)
        return NULL;
    if (!args->get(args->ctx, "client_export", config->client_export,
                   sizeof config->client_export) ||
        !config->client_export[0]) {
        snprintf(why, size, "mode=server needs client_export=");
        return why;
    }
    if (args->get(args->ctx, "client_servers", text, sizeof text) &&
        !parse_servers(text, config->client_servers, VDISK_SERVERS, &config->client_count))
        return bad(why, size, "client_servers", text);
    config->below_is_hole =
        args->get(args->ctx, "client_layer", text, sizeof text) && !strcmp(text, "holes");
    return NULL;
}

/* One number and the spaces before it. False: there is none. */
static bool take_number(const char **text, uint64_t *value)
{
    char digits[24];
    *text += strspn(*text, " ");
    size_t size = strcspn(*text, " ");
    if (size >= sizeof digits)
        return false;
    snprintf(digits, sizeof digits, "%.*s", (int)size, *text);
    *text += size;
    return parse_number(digits, UINT64_MAX, value);
}

static bool take_rates(const char **text, struct limit_rates *rates)
{
    return take_number(text, &rates->iops) && take_number(text, &rates->bandwidth);
}

static bool parse_tenant(const char *text, struct vdisk_config *config)
{
    size_t size = strcspn(text, " ");
    uint64_t weight;
    if (!size || size >= sizeof config->tenant)
        return false;
    snprintf(config->tenant, sizeof config->tenant, "%.*s", (int)size, text);
    text += size;
    if (!take_rates(&text, &config->tenant_rates) || !take_number(&text, &weight) || *text)
        return false;
    config->link_weight = weight < SHARE_MOST_WEIGHT ? (uint32_t)weight : SHARE_MOST_WEIGHT;
    return true;
}

/* A disk that has keys and cannot use them is refused: it must not end in plain text. */
static const char *find_keys(const struct disk_args *args, struct vdisk_config *config, char *why,
                             size_t size)
{
    char text[64];
    uint64_t set;
    const char *reason;
    if (!args->get(args->ctx, "tls", text, sizeof text))
        return NULL;
    if (!parse_number(text, UINT32_MAX, &set))
        return bad(why, size, "tls", text);
    config->tls = args->find_keys(set, &reason);
    if (!config->tls)
        snprintf(why, size, "%s", reason);
    return config->tls ? NULL : why;
}

/* root_hash and hash_export. NULL: good, or not there. */
static const char *take_root(const struct disk_args *args, struct vdisk_config *config, char *why,
                             size_t size)
{
    char text[VERITY_ROOT_TEXT];
    args->get(args->ctx, "hash_export", config->hash_export, sizeof config->hash_export);
    if (!args->get(args->ctx, "root_hash", text, sizeof text))
        return NULL;
    const char *objection = verity_root_parse(text, &config->root);
    config->has_root = !objection;
    if (!objection)
        return NULL;
    snprintf(why, size, "root_hash=%s: %s", text, objection);
    return why;
}

const char *disk_config(const struct disk_args *args, const char *name, struct vdisk_config *config,
                        char *why, size_t size)
{
    char text[64], servers[256];
    uint64_t number;
    memset(config, 0, sizeof *config);
    snprintf(config->name, sizeof config->name, "%s", name);
    if (!args->get(args->ctx, "host", config->host, sizeof config->host) || !config->host[0]) {
        snprintf(why, size, "host= is not set");
        return why;
    }
    args->get(args->ctx, "export", config->export_name, sizeof config->export_name);
    config->port = NBD_PORT;
    if (args->get(args->ctx, "port", text, sizeof text)) {
        if (!parse_number(text, UINT16_MAX, &number) || number == 0)
            return bad(why, size, "port", text);
        config->port = (uint16_t)number;
    }
    if (args->get(args->ctx, "mode", text, sizeof text)) {
        if (!strcmp(text, "ram"))
            config->mode = VDISK_RAM;
        else if (!strcmp(text, "local"))
            config->mode = VDISK_LOCAL;
        else if (!strcmp(text, "server"))
            config->mode = VDISK_SERVER;
        else if (strcmp(text, "private"))
            return bad(why, size, "mode", text);
    }
    if (args->get(args->ctx, "read_only", text, sizeof text) &&
        !parse_switch(text, &config->is_read_only))
        return bad(why, size, "read_only", text);
    if (args->get(args->ctx, "overlay", text, sizeof text) &&
        !parse_number(text, UINT64_MAX, &config->overlay_bytes))
        return bad(why, size, "overlay", text);
    if (args->get(args->ctx, "fallback", servers, sizeof servers) &&
        !parse_servers(servers, config->more, VDISK_SERVERS - 1, &config->more_count))
        return bad(why, size, "fallback", servers);
    if (args->get(args->ctx, "content", servers, sizeof servers)) {
        config->has_content = content_parse(servers, config->content);
        if (!config->has_content)
            return bad(why, size, "content", servers);
    }
    const char *objection = take_root(args, config, why, size);
    if (!objection)
        objection = take_layer(args, config, why, size);
    if (objection)
        return objection;
    if (args->get(args->ctx, "give_up", text, sizeof text)) {
        if (!parse_number(text, UINT32_MAX, &number))
            return bad(why, size, "give_up", text);
        config->give_up_ns = number * 1000000000ull;
    }
    config->is_profiled = true;
    if (args->get(args->ctx, "profile", text, sizeof text) &&
        !parse_switch(text, &config->is_profiled))
        return bad(why, size, "profile", text);
    const char *rates = servers;
    if (args->get(args->ctx, "limits", servers, sizeof servers) &&
        (!take_rates(&rates, &config->rates) || *rates))
        return bad(why, size, "limits", servers);
    snprintf(config->tenant, sizeof config->tenant, "%.*s", (int)strcspn(name, "/"), name);
    if (args->get(args->ctx, "tenant", servers, sizeof servers) && !parse_tenant(servers, config))
        return bad(why, size, "tenant", servers);
    return find_keys(args, config, why, size);
}
