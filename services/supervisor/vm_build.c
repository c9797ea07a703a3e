// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/vm_build.h"

#include <stdio.h>
#include <string.h>

#include <leat/blk.h>
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib/tsc.h"
#include "services/supervisor/cpu_text.h"
#include "services/supervisor/files.h"
#include "services/supervisor/fits.h"
#include "services/supervisor/machine.h"

static bool has_file(const struct leat_config_vm *config, const char *what, const char *file)
{
    if (!files_has(file)) {
        leat_log("vm %s: its %s '%s' was not found beside leat.efi, nor given by a server",
                 config->name, what, file);
        return false;
    }
    return true;
}

static bool has_tsc_rate(const struct leat_config_vm *config)
{
    const volatile struct leat_info *info = leat_info();
    const struct tsc_host host = {info->tsc_hz, info->tsc_mult, (unsigned)info->tsc_fraction_bits};
    struct tsc_rate rate;
    int error = tsc_rate_choose(&host, config->tsc_mhz, &rate);

    if (error == LEAT_ENOSYS) {
        leat_log(
            "vm %s: tsc_mhz = %u: this machine's CPU cannot scale its time stamp counter of %u "
            "MHz for guests: leave the key out",
            config->name, config->tsc_mhz, tsc_host_mhz(&host));
    } else if (error != LEAT_OK) {
        leat_log("vm %s: tsc_mhz = %u: too far from this machine's %u MHz: less than 256 times "
                 "that is possible",
                 config->name, config->tsc_mhz, tsc_host_mhz(&host));
    }
    return error == LEAT_OK;
}

static bool has_all(const struct vm *vm)
{
    const struct leat_config_vm *config = vm->config;
    uint64_t needed = fits_vm_bytes(config);
    uint64_t there = machine_free_bytes();

    if (!has_file(config, "kernel", config->kernel) ||
        (config->initrd[0] != 0 && !has_file(config, "initrd", config->initrd))) {
        return false;
    }
    for (unsigned i = 0; i < config->module_count; i++) {
        if (!has_file(config, "module", config->modules[i])) {
            return false;
        }
    }
    if (!has_tsc_rate(config)) {
        return false;
    }
    if (config->disk_count != 0 && services_vdisk() == NULL) {
        leat_log("vm %s: its disks cannot be had: the disk service does not run", config->name);
        return false;
    }
    if (needed > there) {
        leat_log("vm %s: too little memory: it needs %llu MiB (%llu MiB for the guest), %llu MiB "
                 "are free",
                 config->name, (unsigned long long)needed >> 20,
                 (unsigned long long)config->memory_bytes >> 20, (unsigned long long)there >> 20);
        return false;
    }
    return true;
}

static bool give_memory(struct process *vmm, const struct leat_config_vm *config)
{
    struct leat_start_entry *entry = process_entry(vmm, "guest-memory", "");
    int64_t mem = leat_mem_create(config->memory_bytes, LEAT_MEM_LARGE);
    int64_t theirs = 0;

    if (mem > 0) {
        theirs = leat_handle_grant(vmm->domain, (leat_handle_t)mem,
                                   LEAT_RIGHT_READ | LEAT_RIGHT_WRITE | LEAT_RIGHT_EXEC);
        entry->va = process_map(vmm, (leat_handle_t)mem, config->memory_bytes,
                                LEAT_PROT_READ | LEAT_PROT_WRITE);
        leat_handle_close((leat_handle_t)mem); /* it ends with the vmm */
    }
    entry->handle = theirs > 0 ? (uint32_t)theirs : 0;
    entry->size = config->memory_bytes;
    if (entry->handle == 0 || entry->va == 0) {
        leat_log("vm %s: no %llu MiB of memory in 2 MiB pieces: the machine has %llu MiB left",
                 config->name, (unsigned long long)config->memory_bytes >> 20,
                 (unsigned long long)machine_free_bytes() >> 20);
        return false;
    }
    return true;
}

static bool give_files(struct process *vmm, const struct leat_config_vm *config)
{
    if (!process_give_file(vmm, "file", "kernel", config->kernel) ||
        (config->initrd[0] != 0 && !process_give_file(vmm, "file", "initrd", config->initrd))) {
        return false;
    }
    for (unsigned i = 0; i < config->module_count; i++) {
        if (!process_give_file(vmm, "module", config->modules[i], config->modules[i])) {
            return false;
        }
    }
    return true;
}

static bool give_channels(struct vm *vm, struct process *vmm)
{
    services_attach_log(vmm, &vm->attachments[vm->attachment_count++]);
    if (services_attach_console(vmm, vm->config->name, vm->number,
                                &vm->attachments[vm->attachment_count++]) != LEAT_OK) {
        return false;
    }
    for (unsigned i = 0; i < vm->config->disk_count; i++) {
        const char *disk = vm->whole->disks[vm->config->disk[i]].name;

        if (services_attach_disk(vmm, vm->config->name, disk,
                                 &vm->attachments[vm->attachment_count++]) != LEAT_OK) {
            return false;
        }
    }
    return true;
}

/* Before its first thread: no moment of its life is unweighed or uncapped. */
static bool give_share(struct process *vmm, const struct leat_config_vm *config)
{
    uint32_t count = leat_info()->cpus;
    uint64_t there = cpu_set_first(count);
    struct leat_domain_sched share = {
        .weight = config->weight,
        .cap_permille = config->cap_percent * 10,
        .flags = config->own_core == LEAT_CONFIG_YES ? LEAT_SCHED_OWN_CORE : 0,
        .cpus = config->pin & there,
    };
    char wanted[CPU_SET_TEXT], had[CPU_SET_TEXT];
    int64_t error;

    cpu_set_text(config->pin, wanted, sizeof(wanted));
    cpu_set_text(there, had, sizeof(had));
    if (config->pin != 0 && share.cpus == 0) {
        leat_log("vm %s: pin = %s: this machine has none of these host CPUs, only %s", config->name,
                 wanted, had);
        return false;
    }
    if (config->cpus > count) {
        leat_log("vm %s: its %u CPUs take turns on this machine's %u", config->name, config->cpus,
                 count);
    }
    if (config->pin != share.cpus) {
        leat_log("vm %s: pin = %s: this machine has only host CPUs %s", config->name, wanted, had);
    }
    error = leat_domain_sched(vmm->domain, &share);
    if (error != LEAT_OK) {
        leat_log("vm %s: its share of the CPUs cannot be set (error %d)", config->name, (int)error);
    }
    return error == LEAT_OK;
}

static bool give_arguments(struct process *vmm, const struct leat_config_vm *config)
{
    return process_argument(vmm, "name=%s", config->name) == LEAT_OK &&
           process_argument(vmm, "cpus=%u", config->cpus) == LEAT_OK &&
           process_argument(vmm, "tsc_mhz=%u", config->tsc_mhz) == LEAT_OK &&
           process_argument(vmm, "memory=%llu", (unsigned long long)config->memory_bytes) ==
               LEAT_OK &&
           process_argument(vmm, "boot=%s",
                            config->boot == LEAT_CONFIG_MULTIBOOT ? "multiboot" : "linux") ==
               LEAT_OK &&
           process_argument(vmm, "apic=%u", config->apic) == LEAT_OK &&
           process_argument(vmm, "cmdline=%s", config->cmdline) == LEAT_OK;
}

struct process *vm_build(struct vm *vm, process_message_fn on_message, process_death_fn on_death)
{
    struct process *vmm;
    char name[40];

    if (!has_all(vm)) {
        return NULL;
    }
    snprintf(name, sizeof(name), "vmm-%s", vm->config->name);
    vmm = process_create(name, "vmm", fits_vmm_bytes(vm->config), LEAT_PRIO_DEVICE);
    if (vmm == NULL) {
        return NULL;
    }
    vmm->owner = vm;
    vmm->on_message = on_message;
    vmm->on_death = on_death;
    if (!give_memory(vmm, vm->config) || !give_files(vmm, vm->config) || !give_channels(vm, vmm) ||
        !give_arguments(vmm, vm->config) || !give_share(vmm, vm->config) ||
        process_run(vmm) != LEAT_OK) {
        process_discard(vmm);
        return NULL;
    }
    return vmm;
}
