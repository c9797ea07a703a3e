// SPDX-License-Identifier: BSD-2-Clause
/* The keys of [vm NAME] and [tenant NAME]. */
#include "lib/config/parser.h"
#include "lib/config/value.h"

#include <string.h>

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

static const char *vm_label(struct config_parser *p, const char *value)
{
    return value_string(value, p->vm->label, sizeof(p->vm->label));
}

static const char *vm_tenant(struct config_parser *p, const char *value)
{
    p->vm->tenant_line = p->line;
    return value_name(value, p->vm->tenant, sizeof(p->vm->tenant));
}

static const char *vm_iops(struct config_parser *p, const char *value)
{
    return value_iops(value, &p->vm->rates.iops);
}

static const char *vm_bandwidth(struct config_parser *p, const char *value)
{
    return value_bandwidth(value, &p->vm->rates.bandwidth);
}

static const char *vm_link_weight(struct config_parser *p, const char *value)
{
    return take_weight(value, &p->vm->rates.link_weight);
}

static const char *tenant_iops(struct config_parser *p, const char *value)
{
    return value_iops(value, &p->tenant->rates.iops);
}

static const char *tenant_bandwidth(struct config_parser *p, const char *value)
{
    return value_bandwidth(value, &p->tenant->rates.bandwidth);
}

static const char *tenant_link_weight(struct config_parser *p, const char *value)
{
    return take_weight(value, &p->tenant->rates.link_weight);
}

static const struct config_key keys[] = {
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
    {CONFIG_VM, "label", vm_label},
    {CONFIG_VM, "tenant", vm_tenant},
    {CONFIG_VM, "iops", vm_iops},
    {CONFIG_VM, "bandwidth", vm_bandwidth},
    {CONFIG_VM, "link_weight", vm_link_weight},
    {CONFIG_TENANT, "iops", tenant_iops},
    {CONFIG_TENANT, "bandwidth", tenant_bandwidth},
    {CONFIG_TENANT, "link_weight", tenant_link_weight},
};
CONFIG_KEYS(config_vm_keys, keys);
