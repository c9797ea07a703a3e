// SPDX-License-Identifier: BSD-2-Clause
/*
 * What can only be judged when the whole of leat.conf is known.
 */
#include "lib/config/parser.h"
#include "lib/text.h"

#include <string.h>

static bool fail_vm(struct config_parser *parser, const struct leat_config_vm *vm, unsigned line,
                    const char *key, const char *value, const char *reason)
{
    char section[LEAT_CONFIG_NAME + 8];
    struct text text;
    text_begin(&text, section, sizeof(section));
    text_put(text_put(&text, "vm "), vm->name);
    config_fail(parser, line, section, key, value, reason);
    return false;
}

static bool fail_disk(struct config_parser *parser, const struct leat_config_disk *disk,
                      const char *reason)
{
    char section[LEAT_CONFIG_NAME + 8];
    struct text text;
    text_begin(&text, section, sizeof(section));
    text_put(text_put(&text, "disk "), disk->name);
    config_fail(parser, disk->line, section, NULL, NULL, reason);
    return false;
}

static bool is_exclusive(const struct leat_config_disk *disk)
{
    return disk->mode == LEAT_CONFIG_PRIVATE && !disk->read_only;
}

static bool check_net(struct config_parser *parser)
{
    const struct leat_config_net *net = &parser->config->net;
    const char *reason = NULL;
    if (net->mode == LEAT_CONFIG_DHCP) {
        if (net->address != 0 || net->netmask != 0 || net->gateway != 0 || net->dns != 0)
            reason = "address, netmask, gateway and dns need mode = static";
    } else if (net->address == 0 || net->netmask == 0) {
        reason = "mode = static needs address and netmask";
    } else if (net->gateway != 0 && ((net->gateway ^ net->address) & net->netmask) != 0) {
        reason = "the gateway is not in the network of address and netmask";
    }
    if (reason != NULL)
        config_fail(parser, parser->net_line, "net", NULL, NULL, reason);
    return reason == NULL;
}

static bool same_servers(const struct leat_config_disk *a, const struct leat_config_disk *b)
{
    return a->port == b->port && strcmp(a->server, b->server) == 0 &&
           strcmp(a->client_servers, b->client_servers) == 0;
}

/* NULL, or what is wrong with the keys of mode server. */
static const char *judge_layer(const struct leat_config *config, unsigned index)
{
    const struct leat_config_disk *disk = &config->disks[index];
    if (disk->mode != LEAT_CONFIG_LAYER) {
        bool has_keys =
            disk->client_export[0] != '\0' || disk->client_servers[0] != '\0' || disk->client_holes;
        return has_keys ? "client_export, client_servers and client_layer are for mode = server"
                        : NULL;
    }
    if (disk->client_export[0] == '\0')
        return "mode = server needs client_export: the export of each VM's own over this image";
    if (disk->read_only)
        return "mode = server is for disks that are written: take read_only out";
    if (disk->client_servers[0] == '\0' && strcmp(disk->client_export, disk->export_name) == 0)
        return "client_export is the shared export itself";
    for (unsigned i = 0; i < index; i++)
        if (config->disks[i].mode == LEAT_CONFIG_LAYER && same_servers(&config->disks[i], disk) &&
            strcmp(config->disks[i].client_export, disk->client_export) == 0)
            return "another disk has the same client_export, and both would write to it";
    return NULL;
}

static bool check_disk(struct config_parser *parser, unsigned index)
{
    struct leat_config *config = parser->config;
    struct leat_config_disk *disk = &config->disks[index];
    if (disk->export_name[0] == '\0')
        strcpy(disk->export_name, disk->name);
    if (disk->port == 0)
        disk->port = config->server_port;
    if (disk->server[0] == '\0')
        strcpy(disk->server, config->server);
    if (disk->server[0] == '\0')
        return fail_disk(parser, disk, "no server: give it one, or write address in [server]");
    const char *layer = judge_layer(config, index);
    if (layer != NULL)
        return fail_disk(parser, disk, layer);
    if (disk->mode == LEAT_CONFIG_LOCAL && config->store.is_off && !parser->is_from_server)
        return fail_disk(parser, disk,
                         "mode = local needs the store that [store] use = no forbids");
    if (disk->overlay_bytes != 0 && (disk->mode != LEAT_CONFIG_RAM || disk->read_only))
        return fail_disk(parser, disk,
                         "overlay is for disks that keep writes in memory: mode = ram, not "
                         "read_only");
    if (disk->profile_file[0] != '\0' && !disk->profile)
        return fail_disk(parser, disk, "profile = no, and a profile_file");
    if (disk->root_hash[0] != '\0' && is_exclusive(disk))
        return fail_disk(parser, disk,
                         "root_hash is for images that are not written: not with mode = private, "
                         "unless read_only = yes");
    if (disk->root_hash[0] != '\0' && disk->content[0] != '\0')
        return fail_disk(parser, disk, "content is the root_hash already: take it out");
    if (disk->hash_export[0] != '\0' && disk->root_hash[0] == '\0')
        return fail_disk(parser, disk, "hash_export needs root_hash");
    for (unsigned i = 0; i < index; i++) {
        const struct leat_config_disk *other = &config->disks[i];
        if (other->port == disk->port && strcmp(other->server, disk->server) == 0 &&
            strcmp(other->export_name, disk->export_name) == 0 &&
            (is_exclusive(other) || is_exclusive(disk)))
            return fail_disk(parser, disk,
                             "same export as another disk, and one of them writes to it "
                             "(mode = private)");
    }
    return true;
}

/* NULL: several VMs may have the disk. */
static const char *owner_remedy(const struct leat_config_disk *disk)
{
    if (is_exclusive(disk))
        return " too; two VMs can share it with mode = ram only";
    if (disk->mode == LEAT_CONFIG_LAYER && leat_config_vm_mark(disk->client_export) == NULL)
        return " too; then its client_export needs " LEAT_CONFIG_VM_MARK " in it";
    return NULL;
}

/* A disk that writes to the server's image belongs to one VM: two file systems would destroy it. */
static bool check_owner(struct config_parser *parser, const struct leat_config_vm *vm,
                        unsigned slot)
{
    const struct leat_config *config = parser->config;
    unsigned disk = vm->disk[slot];
    for (const struct leat_config_vm *other = config->vms; other <= vm; other++) {
        unsigned used = other == vm ? slot : other->disk_count;
        for (unsigned i = 0; i < used; i++) {
            if (other->disk[i] != disk)
                continue;
            if (other == vm)
                return fail_vm(parser, vm, vm->disks_line, "disks", vm->disk_name[slot],
                               "named twice");
            const char *remedy = owner_remedy(&config->disks[disk]);
            if (remedy != NULL) {
                char reason[LEAT_CONFIG_NAME + 80];
                struct text text;
                text_begin(&text, reason, sizeof(reason));
                text_put(text_put(&text, "used by VM "), other->name);
                text_put(&text, remedy);
                return fail_vm(parser, vm, vm->disks_line, "disks", vm->disk_name[slot], reason);
            }
        }
    }
    return true;
}

/* A VM without a tenant is one itself, by its own name. */
static bool check_tenant(struct config_parser *parser, struct leat_config_vm *vm)
{
    const struct leat_config *config = parser->config;
    if (leat_config_tenant(config, vm->name) != NULL)
        return fail_vm(parser, vm, vm->line, NULL, NULL,
                       "a tenant has this name too; give one of them another");
    if (vm->tenant[0] == '\0')
        return true;
    const struct leat_config_tenant *tenant = leat_config_tenant(config, vm->tenant);
    if (tenant == NULL)
        return fail_vm(parser, vm, vm->tenant_line, "tenant", vm->tenant,
                       "there is no [tenant] section of that name");
    if (vm->rates.iops != 0 || vm->rates.bandwidth != 0 || vm->rates.link_weight != 0)
        return fail_vm(parser, vm, vm->tenant_line, "tenant", vm->tenant,
                       "then iops, bandwidth and link_weight stand in the tenant's section");
    vm->rates = tenant->rates;
    return true;
}

static bool check_vm(struct config_parser *parser, struct leat_config_vm *vm)
{
    const struct leat_config *config = parser->config;
    if (vm->memory_bytes == 0)
        return fail_vm(parser, vm, vm->line, NULL, NULL,
                       "memory is missing; write for example "
                       "memory = 256M");
    if (vm->kernel[0] == '\0')
        return fail_vm(parser, vm, vm->line, NULL, NULL,
                       "kernel is missing; write for example "
                       "kernel = vmlinuz");
    if (vm->own_core == LEAT_CONFIG_NOT_SAID)
        vm->own_core = config->own_core ? LEAT_CONFIG_YES : LEAT_CONFIG_NO;
    if (vm->boot != LEAT_CONFIG_MULTIBOOT && vm->module_count != 0)
        return fail_vm(parser, vm, vm->line, NULL, NULL, "modules need boot = multiboot");
    for (unsigned i = 0; i < vm->disk_count; i++) {
        const struct leat_config_disk *disk = leat_config_disk(config, vm->disk_name[i]);
        if (disk == NULL)
            return fail_vm(parser, vm, vm->disks_line, "disks", vm->disk_name[i],
                           "there is no [disk] section of that name");
        vm->disk[i] = (uint16_t)(disk - config->disks);
        if (!check_owner(parser, vm, i))
            return false;
    }
    return check_tenant(parser, vm);
}

static bool check_menu(struct config_parser *parser)
{
    const struct leat_config *config = parser->config;
    bool has_entry = false;
    for (unsigned i = 0; i < config->vm_count; i++)
        has_entry |= !config->vms[i].autostart;
    if (config->has_menu && !has_entry)
        config_fail(parser, config->menu_line, "console", "menu", NULL,
                    "there is no VM with autostart = no to be chosen");
    return has_entry || !config->has_menu;
}

bool config_check(struct config_parser *parser)
{
    struct leat_config *config = parser->config;
    parser->is_from_server = false; /* these stand in leat.conf */
    if (!config_check_leatd(parser) || !check_net(parser))
        return false;
    parser->is_from_server = parser->server_from < parser->size;
    for (unsigned i = 0; i < config->disk_count; i++)
        if (!check_disk(parser, i))
            return false;
    if (!config_check_tls(parser))
        return false;
    for (unsigned i = 0; i < config->vm_count; i++)
        if (!check_vm(parser, &config->vms[i]))
            return false;
    if (!check_menu(parser))
        return false;
    const char *view = config->console_view;
    if (config->leatd.line != 0)
        return true; /* what VMs there are is the server's matter */
    if (strcmp(view, "leat") != 0 && strcmp(view, "all") != 0 && strcmp(view, "disks") != 0 &&
        leat_config_vm(config, view) == NULL) {
        config_fail(parser, config->console_line, "console", "view", view,
                    "must be leat, all, disks or the name of a VM");
        return false;
    }
    return true;
}
