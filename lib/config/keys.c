// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sections and keys: one table of what may stand where, one small function for each kind of value.
 */
#include "lib/config/parser.h"
#include "lib/config/value.h"

#include <string.h>

/* Takes one value. Returns NULL, or the reason why not. */
typedef const char *(*take_fn)(struct config_parser *parser, const char *value);

static const char *take_port(const char *value, uint16_t *out)
{
    uint64_t number = 0;
    const char *reason = value_number(value, 1, 65535, &number);
    if (reason == NULL)
        *out = (uint16_t)number;
    return reason;
}

static const char *server_address(struct config_parser *p, const char *value)
{
    return value_host(value, p->config->server, sizeof(p->config->server));
}

static const char *server_port(struct config_parser *p, const char *value)
{
    return take_port(value, &p->config->server_port);
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

static const char *disk_server(struct config_parser *p, const char *value)
{
    return value_host(value, p->disk->server, sizeof(p->disk->server));
}

static const char *disk_port(struct config_parser *p, const char *value)
{
    return take_port(value, &p->disk->port);
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
    };
    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i]) == 0) {
            p->disk->mode = (enum leat_config_disk_mode)i;
            return NULL;
        }
    }
    return "must be private, ram or local";
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
    const char *reason = colon != NULL ? take_port(colon + 1, &port) : NULL;
    if (colon != NULL)
        *colon = '\0';
    return reason != NULL ? reason : value_host(copy, host, sizeof(host));
}

static const char *disk_fallback(struct config_parser *p, const char *value)
{
    unsigned count = 0;
    for (const char *at = value + strspn(value, ", "); *at != '\0'; at += strspn(at, ", ")) {
        size_t size = strcspn(at, ", ");
        const char *reason = fallback_server(at, size);
        if (reason != NULL)
            return reason;
        if (++count > LEAT_CONFIG_FALLBACKS)
            return "names more than three servers";
        at += size;
    }
    return value_string(value, p->disk->fallback, sizeof(p->disk->fallback));
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

static const char *take_iops(const char *value, struct leat_config_rates *rates)
{
    return value_number(value, 1, 100000000, &rates->iops);
}

/* Below 4K a second one block would take longer than anybody waits. */
static const char *take_bandwidth(const char *value, struct leat_config_rates *rates)
{
    uint64_t bytes = 0;
    const char *reason = value_size(value, &bytes);
    if (reason == NULL && bytes < (4ull << 10))
        reason = "too small; a bandwidth is 4K a second at least";
    if (reason == NULL && bytes > (1ull << 40))
        reason = "too large";
    rates->bandwidth = bytes;
    return reason;
}

static const char *disk_iops(struct config_parser *p, const char *value)
{
    return take_iops(value, &p->disk->rates);
}

static const char *disk_bandwidth(struct config_parser *p, const char *value)
{
    return take_bandwidth(value, &p->disk->rates);
}

static const char *tenant_iops(struct config_parser *p, const char *value)
{
    return take_iops(value, &p->tenant->rates);
}

static const char *tenant_bandwidth(struct config_parser *p, const char *value)
{
    return take_bandwidth(value, &p->tenant->rates);
}

static const char *vm_iops(struct config_parser *p, const char *value)
{
    return take_iops(value, &p->vm->rates);
}

static const char *vm_bandwidth(struct config_parser *p, const char *value)
{
    return take_bandwidth(value, &p->vm->rates);
}

static const char *take_weight(const char *value, unsigned *out)
{
    uint64_t number = LEAT_CONFIG_WEIGHT;
    const char *reason = value_number(value, 1, UINT64_MAX, &number);
    if (reason == NULL && number > LEAT_CONFIG_MAX_WEIGHT)
        reason = "too large; weights go from 1 to 10000";
    *out = (unsigned)number;
    return reason;
}

static const char *vm_weight(struct config_parser *p, const char *value)
{
    return take_weight(value, &p->vm->weight);
}

static const char *vm_link_weight(struct config_parser *p, const char *value)
{
    return take_weight(value, &p->vm->rates.link_weight);
}

static const char *tenant_link_weight(struct config_parser *p, const char *value)
{
    return take_weight(value, &p->tenant->rates.link_weight);
}

static const char *vm_tenant(struct config_parser *p, const char *value)
{
    p->vm->tenant_line = p->line;
    return value_name(value, p->vm->tenant, sizeof(p->vm->tenant));
}

static const char *disk_profile(struct config_parser *p, const char *value)
{
    return value_flag(value, &p->disk->profile);
}

static const char *disk_profile_file(struct config_parser *p, const char *value)
{
    return value_file(value, p->disk->profile_file, sizeof(p->disk->profile_file));
}

static const char *vm_memory(struct config_parser *p, const char *value)
{
    uint64_t bytes = 0;
    const char *reason = value_size(value, &bytes);
    if (reason == NULL && bytes < (16ull << 20))
        reason = "too small; a VM needs 16M at least";
    if (reason == NULL && bytes > (1ull << 40))
        reason = "too large";
    if (reason == NULL && bytes % (2ull << 20) != 0)
        reason = "not a multiple of 2M, the size of a guest's pages";
    p->vm->memory_bytes = bytes;
    return reason;
}

static const char *vm_cpus(struct config_parser *p, const char *value)
{
    uint64_t number = 1;
    const char *reason = value_number(value, 1, UINT64_MAX, &number);
    if (reason == NULL && number > LEAT_CONFIG_VM_CPUS)
        reason = "too large; a VM has 16 CPUs at most";
    p->vm->cpus = (unsigned)number;
    return reason;
}

static const char *vm_tsc_mhz(struct config_parser *p, const char *value)
{
    uint64_t number = 0;
    const char *reason = value_number(value, 0, UINT64_MAX, &number);
    if (reason == NULL && (number < LEAT_CONFIG_MIN_TSC_MHZ || number > LEAT_CONFIG_MAX_TSC_MHZ))
        reason = "out of range; a time stamp counter may have 10 to 10000 MHz";
    p->vm->tsc_mhz = (unsigned)number;
    return reason;
}

static const char *vm_cap(struct config_parser *p, const char *value)
{
    return value_percent(value, 100 * LEAT_CONFIG_HOST_CPUS, &p->vm->cap_percent);
}

static const char *vm_pin(struct config_parser *p, const char *value)
{
    return value_cpus(value, &p->vm->pin);
}

static const char *vm_own_core(struct config_parser *p, const char *value)
{
    bool flag = false;
    const char *reason = value_flag(value, &flag);
    p->vm->own_core = flag ? LEAT_CONFIG_YES : LEAT_CONFIG_NO;
    return reason;
}

static const char *vm_kernel(struct config_parser *p, const char *value)
{
    return value_file(value, p->vm->kernel, sizeof(p->vm->kernel));
}

static const char *vm_initrd(struct config_parser *p, const char *value)
{
    return value_file(value, p->vm->initrd, sizeof(p->vm->initrd));
}

static const char *vm_boot(struct config_parser *p, const char *value)
{
    if (strcmp(value, "linux") != 0 && strcmp(value, "multiboot") != 0)
        return "must be linux or multiboot";
    p->vm->boot = value[0] == 'l' ? LEAT_CONFIG_LINUX : LEAT_CONFIG_MULTIBOOT;
    return NULL;
}

static const char *vm_apic(struct config_parser *p, const char *value)
{
    static const char *const names[] = {"auto", "software", "cpu"}; /* enum leat_config_apic */
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(value, names[i]) == 0) {
            p->vm->apic = i;
            return NULL;
        }
    return "must be auto, software or cpu";
}

static const char *vm_cmdline(struct config_parser *p, const char *value)
{
    return value_string(value, p->vm->cmdline, sizeof(p->vm->cmdline));
}

/* Cuts the first name off a list with commas; *list then begins behind it. */
static const char *take_item(const char **list, char name[LEAT_CONFIG_FILE])
{
    const char *value = *list;
    size_t length = strcspn(value, ",");
    size_t skip = strspn(value, " \t");
    size_t end = length;
    while (end > skip && (value[end - 1] == ' ' || value[end - 1] == '\t'))
        end--;
    if (end <= skip)
        return "a name is missing between two commas";
    if (end - skip >= LEAT_CONFIG_FILE)
        return "a name is longer than 63 bytes";
    memcpy(name, value + skip, end - skip);
    name[end - skip] = '\0';
    *list = value + length;
    if (value[length] == ',' && *++*list == '\0')
        return "a name is missing behind the last comma";
    return NULL;
}

static const char *vm_modules(struct config_parser *p, const char *value)
{
    struct leat_config_vm *vm = p->vm;
    while (*value != '\0') {
        char name[LEAT_CONFIG_FILE];
        const char *reason = take_item(&value, name);
        if (reason == NULL && vm->module_count == LEAT_CONFIG_VM_MODULES)
            reason = "more than 16 modules";
        if (reason == NULL)
            reason = value_file(name, vm->modules[vm->module_count], sizeof(name));
        if (reason != NULL)
            return reason;
        vm->module_count++;
    }
    return NULL;
}

static const char *vm_disks(struct config_parser *p, const char *value)
{
    struct leat_config_vm *vm = p->vm;
    vm->disks_line = p->line;
    while (*value != '\0') {
        char name[LEAT_CONFIG_FILE];
        const char *reason = take_item(&value, name);
        if (reason == NULL && vm->disk_count == LEAT_CONFIG_VM_DISKS)
            reason = "more than 16 disks";
        if (reason == NULL)
            reason = value_name(name, vm->disk_name[vm->disk_count], LEAT_CONFIG_NAME);
        if (reason != NULL)
            return reason;
        vm->disk_count++;
    }
    return NULL;
}

static const char *vm_autostart(struct config_parser *p, const char *value)
{
    return value_flag(value, &p->vm->autostart);
}

static const struct {
    enum config_section section;
    const char *key;
    take_fn take;
} keys[] = {
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
    {CONFIG_MACHINE, "when_idle", machine_when_idle},
    {CONFIG_MACHINE, "own_core", machine_own_core},
    {CONFIG_MACHINE, "mitigations", machine_mitigations},
    {CONFIG_DISK, "server", disk_server},
    {CONFIG_DISK, "port", disk_port},
    {CONFIG_DISK, "export", disk_export},
    {CONFIG_DISK, "mode", disk_mode},
    {CONFIG_DISK, "read_only", disk_read_only},
    {CONFIG_DISK, "overlay", disk_overlay},
    {CONFIG_DISK, "fallback", disk_fallback},
    {CONFIG_DISK, "give_up", disk_give_up},
    {CONFIG_DISK, "content", disk_content},
    {CONFIG_DISK, "root_hash", disk_root_hash},
    {CONFIG_DISK, "hash_export", disk_hash_export},
    {CONFIG_DISK, "iops", disk_iops},
    {CONFIG_DISK, "bandwidth", disk_bandwidth},
    {CONFIG_DISK, "profile", disk_profile},
    {CONFIG_DISK, "profile_file", disk_profile_file},
    {CONFIG_VM, "memory", vm_memory},
    {CONFIG_VM, "cpus", vm_cpus},
    {CONFIG_VM, "weight", vm_weight},
    {CONFIG_VM, "cap", vm_cap},
    {CONFIG_VM, "pin", vm_pin},
    {CONFIG_VM, "own_core", vm_own_core},
    {CONFIG_VM, "tsc_mhz", vm_tsc_mhz},
    {CONFIG_VM, "kernel", vm_kernel},
    {CONFIG_VM, "boot", vm_boot},
    {CONFIG_VM, "apic", vm_apic},
    {CONFIG_VM, "initrd", vm_initrd},
    {CONFIG_VM, "modules", vm_modules},
    {CONFIG_VM, "cmdline", vm_cmdline},
    {CONFIG_VM, "disks", vm_disks},
    {CONFIG_VM, "autostart", vm_autostart},
    {CONFIG_VM, "tenant", vm_tenant},
    {CONFIG_VM, "iops", vm_iops},
    {CONFIG_VM, "bandwidth", vm_bandwidth},
    {CONFIG_VM, "link_weight", vm_link_weight},
    {CONFIG_TENANT, "iops", tenant_iops},
    {CONFIG_TENANT, "bandwidth", tenant_bandwidth},
    {CONFIG_TENANT, "link_weight", tenant_link_weight},
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))
_Static_assert(KEY_COUNT <= 64, "keys_seen has a bit for each key");

static const struct {
    enum config_section section;
    const char *name;
    bool has_name; /* [disk NAME], not [server] */
} sections[] = {
    {CONFIG_SERVER, "server", false},   {CONFIG_NET, "net", false},
    {CONFIG_CACHE, "cache", false},     {CONFIG_STORE, "store", false},
    {CONFIG_CONSOLE, "console", false}, {CONFIG_MACHINE, "machine", false},
    {CONFIG_DISK, "disk", true},        {CONFIG_VM, "vm", true},
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

static const char *open_section(struct config_parser *parser, const char *text)
{
    size_t length = strcspn(text, " \t");
    const char *name = text + length + strspn(text + length, " \t");
    parser->keys_seen = 0;
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        if (strlen(sections[i].name) != length || memcmp(sections[i].name, text, length) != 0)
            continue;
        parser->section = sections[i].section;
        if (sections[i].has_name)
            return open_named(parser, name);
        if (*name != '\0')
            return "this section takes no name";
        if (parser->sections_seen & (1u << parser->section))
            return "this section is there already";
        parser->sections_seen |= 1u << parser->section;
        if (parser->section == CONFIG_NET)
            parser->net_line = parser->line;
        return NULL;
    }
    return "unknown section; there are server, net, cache, store, console, machine, disk NAME, "
           "vm NAME and tenant NAME";
}

int config_take_key(void *context, const char *section, const char *key, const char *value)
{
    struct config_parser *parser = context;
    if (strcmp(key, CONFIG_SECTION_OPENED) == 0) {
        const char *reason = open_section(parser, section);
        return reason == NULL || config_fail(parser, parser->line, section, NULL, NULL, reason);
    }
    bool is_tls = config_is_tls_key(key);
    if (is_tls && (parser->section == CONFIG_SERVER || parser->section == CONFIG_DISK))
        return config_take_tls(parser, section, key, value);
    if (is_tls || config_may_be_secret(key))
        value = NULL; /* a secret in the wrong place, or under a mistyped key, is one still */
    if (parser->section == CONFIG_NONE)
        return config_fail(parser, parser->line, NULL, key, value,
                           "stands before the first [section]");
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (keys[i].section != parser->section || strcmp(keys[i].key, key) != 0)
            continue;
        if (parser->keys_seen & (1ull << i))
            return config_fail(parser, parser->line, section, key, value,
                               "given twice in this section");
        parser->keys_seen |= 1ull << i;
        const char *reason = keys[i].take(parser, value);
        return reason == NULL || config_fail(parser, parser->line, section, key, value, reason);
    }
    return config_fail(parser, parser->line, section, key, value, "unknown key in this section");
}
