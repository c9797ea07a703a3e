// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/fits.h"

#include <stdio.h>

#include <leat/blk.h>

#define VMM_QUOTA (20ull << 20)   /* code, heap, nested page tables, the first vCPU */
#define VCPU_QUOTA (1ull << 20)   /* each further one: its thread, pages, FPU states, local APIC */
#define VMM_CHANNELS (1ull << 20) /* stacks, log, console, control: charged to the supervisor */
#define DISK_CHANNEL (9ull << 20) /* sizeof(struct leat_blk_channel), page tables */

_Static_assert(sizeof(struct leat_blk_channel) < DISK_CHANNEL, "a block channel's memory");

uint64_t fits_vmm_bytes(const struct leat_config_vm *vm)
{
    /* Page tables of the nested and the vmm's own mapping: two times 1/512 is plenty. */
    return VMM_QUOTA + (vm->cpus - 1) * VCPU_QUOTA + vm->memory_bytes / 256;
}

uint64_t fits_vm_bytes(const struct leat_config_vm *vm)
{
    return vm->memory_bytes + fits_vmm_bytes(vm) + VMM_CHANNELS + vm->disk_count * DISK_CHANNEL;
}

static const struct leat_config_vm *smallest(const struct leat_config *config)
{
    const struct leat_config_vm *found = NULL;

    for (unsigned i = 0; i < config->vm_count; i++) {
        const struct leat_config_vm *vm = &config->vms[i];

        if (vm->autostart && (found == NULL || fits_vm_bytes(vm) < fits_vm_bytes(found))) {
            found = vm;
        }
    }
    return found;
}

const char *fits_why_none(const struct leat_config *config, uint64_t free_bytes)
{
    static char why[240];
    const struct leat_config_vm *vm = smallest(config);

    if (vm == NULL || fits_vm_bytes(vm) <= free_bytes) {
        return NULL;
    }
    snprintf(
        why, sizeof(why),
        "'%s' needs %llu MiB of memory (%llu MiB for the guest), and this machine has %llu MiB "
        "for VMs: give it less, or start something else.",
        vm->name, (unsigned long long)fits_vm_bytes(vm) >> 20,
        (unsigned long long)vm->memory_bytes >> 20, (unsigned long long)free_bytes >> 20);
    return why;
}
