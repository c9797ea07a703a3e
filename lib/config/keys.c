// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sections and keys: a section is opened, and a key finds its row in the table of its section
 * (keys_machine.c, keys_disk.c, keys_vm.c).
 */
#include "lib/config/parser.h"
#include "lib/config/value.h"

#include <string.h>

static const struct {
    enum config_section section;
    const char *name;
    bool has_name; /* [disk NAME], not [server] */
} sections[] = {
    {CONFIG_LEATD, "leatd", false},
    {CONFIG_SERVER, "server", false},
    {CONFIG_NET, "net", false},
    {CONFIG_CACHE, "cache", false},
    {CONFIG_STORE, "store", false},
    {CONFIG_CONSOLE, "console", false},
    {CONFIG_MACHINE, "machine", false},
    {CONFIG_DISK, "disk", true},
    {CONFIG_VM, "vm", true},
    {CONFIG_TENANT, "tenant", true},
};

static const char *open_disk(struct config_parser *parser, const char *name)
{
    struct leat_config *config = parser->config;
    char checked[LEAT_CONFIG_NAME];
    const char *reason = value_name(name, checked, sizeof(checked));
    if (reason != NULL)
        return reason;
    if (leat_config_disk(config, name) != NULL)
        return "this disk has a section already";
    if (config->disk_count == LEAT_CONFIG_MAX_DISKS)
        return "more than 256 disks";
    parser->disk = &config->disks[config->disk_count++];
    strcpy(parser->disk->name, checked);
    parser->disk->profile = true;
    parser->disk->line = parser->line;
    return NULL;
}

static const char *open_vm(struct config_parser *parser, const char *name)
{
    struct leat_config *config = parser->config;
    char checked[LEAT_CONFIG_NAME];
    const char *reason = value_name(name, checked, sizeof(checked));
    if (reason != NULL)
        return reason;
    if (strcmp(name, "leat") == 0 || strcmp(name, "all") == 0 || strcmp(name, "disks") == 0)
        return "the console uses this name itself; take another";
    if (leat_config_vm(config, name) != NULL)
        return "this VM has a section already";
    if (config->vm_count == LEAT_CONFIG_MAX_VMS)
        return "more than 64 VMs";
    parser->vm = &config->vms[config->vm_count++];
    strcpy(parser->vm->name, checked);
    parser->vm->cpus = 1;
    parser->vm->weight = LEAT_CONFIG_WEIGHT;
    parser->vm->autostart = true;
    parser->vm->line = parser->line;
    return NULL;
}

static const char *open_tenant(struct config_parser *parser, const char *name)
{
    struct leat_config *config = parser->config;
    char checked[LEAT_CONFIG_NAME];
    const char *reason = value_name(name, checked, sizeof(checked));
    if (reason != NULL)
        return reason;
    if (leat_config_tenant(config, name) != NULL)
        return "this tenant has a section already";
    if (config->tenant_count == LEAT_CONFIG_MAX_VMS)
        return "more than 64 tenants";
    parser->tenant = &config->tenants[config->tenant_count++];
    strcpy(parser->tenant->name, checked);
    parser->tenant->line = parser->line;
    return NULL;
}

static const char *open_named(struct config_parser *parser, const char *name)
{
    switch (parser->section) {
    case CONFIG_DISK:
        return open_disk(parser, name);
    case CONFIG_VM:
        return open_vm(parser, name);
    default:
        return open_tenant(parser, name);
    }
}

/* With [leatd] some sections are the server's, and all others are not. */
static bool is_servers(enum config_section section)
{
    return section == CONFIG_SERVER || section == CONFIG_DISK || section == CONFIG_VM ||
           section == CONFIG_TENANT;
}

static const char *open_section(struct config_parser *parser, const char *text)
{
    size_t length = strcspn(text, " \t");
    const char *name = text + length + strspn(text + length, " \t");
    parser->keys_seen = 0;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (strlen(sections[i].name) != length || memcmp(sections[i].name, text, length) != 0)
            continue;
        parser->section = sections[i].section;
        if (parser->is_from_server && !is_servers(parser->section))
            return "is no section that a server gives; those are server, disk, vm and tenant";
        if (is_servers(parser->section) && !parser->is_from_server && parser->own_line == 0)
            parser->own_line = parser->line;
        if (sections[i].has_name)
            return open_named(parser, name);
        if (*name != '\0')
            return "this section takes no name";
        if (parser->sections_seen & (1u << parser->section))
            return "this section is there already";
        parser->sections_seen |= 1u << parser->section;
        if (parser->section == CONFIG_NET)
            parser->net_line = parser->line;
        if (parser->section == CONFIG_LEATD)
            parser->config->leatd.line = parser->line;
        return NULL;
    }
    return "unknown section; there are leatd, server, net, cache, store, console, machine, "
           "disk NAME, vm NAME and tenant NAME";
}

static const struct config_keys *keys_of(enum config_section section)
{
    switch (section) {
    case CONFIG_DISK:
        return &config_disk_keys;
    case CONFIG_VM:
    case CONFIG_TENANT:
        return &config_vm_keys;
    default:
        return &config_machine_keys;
    }
}

int config_take_key(void *context, const char *section, const char *key, const char *value)
{
    struct config_parser *parser = context;
    if (strcmp(key, CONFIG_SECTION_OPENED) == 0) {
        const char *reason = open_section(parser, section);
        return reason == NULL || config_fail(parser, parser->line, section, NULL, NULL, reason);
    }
    if (parser->section == CONFIG_LEATD)
        return config_take_leatd(parser, section, key, value);
    bool is_tls = config_is_tls_key(key);
    if (is_tls && (parser->section == CONFIG_SERVER || parser->section == CONFIG_DISK))
        return config_take_tls(parser, section, key, value);
    if (is_tls || config_may_be_secret(key))
        value = NULL; /* a secret in the wrong place, or under a mistyped key, is one still */
    if (parser->section == CONFIG_NONE)
        return config_fail(parser, parser->line, NULL, key, value,
                           "stands before the first [section]");
    const struct config_keys *keys = keys_of(parser->section);
    for (size_t i = 0; i < keys->count; i++) {
        const struct config_key *row = &keys->rows[i];
        if (row->section != parser->section || strcmp(row->key, key) != 0)
            continue;
        if (parser->keys_seen & (1ull << i))
            return config_fail(parser, parser->line, section, key, value,
                               "given twice in this section");
        parser->keys_seen |= 1ull << i;
        const char *reason = row->take(parser, value);
        return reason == NULL || config_fail(parser, parser->line, section, key, value, reason);
    }
    return config_fail(parser, parser->line, section, key, value, "unknown key in this section");
}
