// SPDX-License-Identifier: BSD-2-Clause
/* The keys of [disk NAME]. */
#include "lib/config/parser.h"
#include "lib/config/value.h"

#include <string.h>

static const char *disk_server(struct config_parser *p, const char *value)
{
    return value_host(value, p->disk->server, sizeof(p->disk->server));
}

static const char *disk_port(struct config_parser *p, const char *value)
{
    return value_port(value, &p->disk->port);
}

static const char *disk_export(struct config_parser *p, const char *value)
{
    return value_string(value, p->disk->export_name, sizeof(p->disk->export_name));
}

static const char *disk_mode(struct config_parser *p, const char *value)
{
    static const char *const words[] = {
        [LEAT_CONFIG_PRIVATE] = "private",
        [LEAT_CONFIG_RAM] = "ram",
        [LEAT_CONFIG_LOCAL] = "local",
        [LEAT_CONFIG_LAYER] = "server",
    };
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            p->disk->mode = (enum leat_config_disk_mode)i;
            return NULL;
        }
    }
    return "must be private, ram, local or server";
}

static const char *disk_read_only(struct config_parser *p, const char *value)
{
    return value_flag(value, &p->disk->read_only);
}

static const char *disk_overlay(struct config_parser *p, const char *value)
{
    uint64_t bytes = 0;
    const char *reason = value_size(value, &bytes);
    if (reason == NULL && bytes < (1ull << 20))
        reason = "too small; an overlay needs 1M at least";
    if (reason == NULL && bytes > (1ull << 40))
        reason = "too large";
    p->disk->overlay_bytes = bytes;
    return reason;
}

static const char *fallback_server(const char *value, size_t size)
{
    char host[LEAT_CONFIG_HOST], copy[LEAT_CONFIG_HOST];
    uint16_t port;
    if (size >= sizeof(copy))
        return "a name in it is too long";
    memcpy(copy, value, size);
    copy[size] = '\0';
    char *colon = strchr(copy, ':');
    const char *reason = colon != NULL ? value_port(colon + 1, &port) : NULL;
    if (colon != NULL)
        *colon = '\0';
    return reason != NULL ? reason : value_host(copy, host, sizeof(host));
}

const char *config_take_servers(const char *value, unsigned most, const char *too_many, char *to)
{
    unsigned count = 0;
    for (const char *at = value + strspn(value, ", "); *at != '\0'; at += strspn(at, ", ")) {
        size_t size = strcspn(at, ", ");
        const char *reason = fallback_server(at, size);
        if (reason != NULL)
            return reason;
        if (++count > most)
            return too_many;
        at += size;
    }
    return value_string(value, to, LEAT_CONFIG_FALLBACK);
}

static const char *disk_fallback(struct config_parser *p, const char *value)
{
    return config_take_servers(value, LEAT_CONFIG_FALLBACKS, "names more than three servers",
                               p->disk->fallback);
}

static const char *disk_client_servers(struct config_parser *p, const char *value)
{
    return config_take_servers(value, LEAT_CONFIG_FALLBACKS + 1, "names more than four servers",
                               p->disk->client_servers);
}

static const char *disk_client_export(struct config_parser *p, const char *value)
{
    const char *mark = leat_config_vm_mark(value);
    if (mark != NULL && leat_config_vm_mark(mark + 1) != NULL)
        return "has " LEAT_CONFIG_VM_MARK " twice";
    if (mark != NULL && strlen(value) + LEAT_CONFIG_NAME > LEAT_CONFIG_EXPORT)
        return "too long, with the name of a VM in it";
    return value_string(value, p->disk->client_export, sizeof(p->disk->client_export));
}

static const char *disk_client_layer(struct config_parser *p, const char *value)
{
    p->disk->client_holes = strcmp(value, "holes") == 0;
    return p->disk->client_holes || strcmp(value, "depth") == 0 ? NULL : "must be depth or holes";
}

static const char *disk_give_up(struct config_parser *p, const char *value)
{
    uint64_t seconds = 0;
    const char *reason = value_number(value, 1, 1000000, &seconds);
    p->disk->give_up_s = (uint32_t)seconds;
    return reason;
}

static const char *disk_content(struct config_parser *p, const char *value)
{
    const char *reason = value_content(value);
    return reason != NULL ? reason
                          : value_string(value, p->disk->content, sizeof(p->disk->content));
}

static const char *disk_root_hash(struct config_parser *p, const char *value)
{
    const char *reason = value_root_hash(value);
    return reason != NULL ? reason
                          : value_string(value, p->disk->root_hash, sizeof(p->disk->root_hash));
}

static const char *disk_hash_export(struct config_parser *p, const char *value)
{
    return value_string(value, p->disk->hash_export, sizeof(p->disk->hash_export));
}

static const char *disk_iops(struct config_parser *p, const char *value)
{
    return value_iops(value, &p->disk->rates.iops);
}

static const char *disk_bandwidth(struct config_parser *p, const char *value)
{
    return value_bandwidth(value, &p->disk->rates.bandwidth);
}

static const char *disk_profile(struct config_parser *p, const char *value)
{
    return value_flag(value, &p->disk->profile);
}

static const char *disk_profile_file(struct config_parser *p, const char *value)
{
    return value_file(value, p->disk->profile_file, sizeof(p->disk->profile_file));
}

static const struct config_key keys[] = {
    {CONFIG_DISK, "server", disk_server},
    {CONFIG_DISK, "port", disk_port},
    {CONFIG_DISK, "export", disk_export},
    {CONFIG_DISK, "mode", disk_mode},
    {CONFIG_DISK, "read_only", disk_read_only},
    {CONFIG_DISK, "overlay", disk_overlay},
    {CONFIG_DISK, "fallback", disk_fallback},
    {CONFIG_DISK, "client_export", disk_client_export},
    {CONFIG_DISK, "client_servers", disk_client_servers},
    {CONFIG_DISK, "client_layer", disk_client_layer},
    {CONFIG_DISK, "give_up", disk_give_up},
    {CONFIG_DISK, "content", disk_content},
    {CONFIG_DISK, "root_hash", disk_root_hash},
    {CONFIG_DISK, "hash_export", disk_hash_export},
    {CONFIG_DISK, "iops", disk_iops},
    {CONFIG_DISK, "bandwidth", disk_bandwidth},
    {CONFIG_DISK, "profile", disk_profile},
    {CONFIG_DISK, "profile_file", disk_profile_file},
};
CONFIG_KEYS(config_disk_keys, keys);
