// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/machine.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/map.h"
#include "lib/start.h"
#include "lib/sys.h"

struct leat_loop supervisor_loop;

static leat_handle_t machine;
static const struct leat_boot_info *boot_info;

void machine_init(void)
{
    const struct leat_start_entry *entry = leat_start_find("machine", NULL);
    const struct leat_start_entry *info = leat_start_find("bootinfo", NULL);
    int64_t notif = leat_notif_create();

    if (entry == NULL || info == NULL || notif <= 0) {
        leat_fatal("started without the machine or its boot information");
    }
    machine = entry->handle;
    boot_info = (const struct leat_boot_info *)info->va;
    if (boot_info->magic != LEAT_BOOT_MAGIC || boot_info->version != LEAT_BOOT_VERSION ||
        boot_info->module_count > LEAT_BOOT_MAX_MODULES) {
        leat_fatal("the boot information is damaged");
    }
    leat_loop_init(&supervisor_loop, (leat_handle_t)notif);
}

leat_handle_t machine_handle(void)
{
    return machine;
}

const struct leat_boot_info *machine_boot_info(void)
{
    return boot_info;
}

const struct leat_boot_module *machine_module(enum leat_module_kind kind, const char *name)
{
    for (uint32_t i = 0; i < boot_info->module_count; i++) {
        const struct leat_boot_module *module = &boot_info->modules[i];

        if (module->kind == (uint32_t)kind &&
            (name == NULL || strncmp(module->name, name, sizeof(module->name)) == 0)) {
            return module;
        }
    }
    return NULL;
}

static uint64_t whole_pages(uint64_t size)
{
    return (size + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
}

int64_t machine_module_mem(const struct leat_boot_module *module)
{
    if (module->size == 0) {
        return LEAT_EINVAL;
    }
    return leat_mem_create_phys(machine, module->base_hpa, whole_pages(module->size),
                                LEAT_CACHE_WB);
}

const uint8_t *machine_module_map(const struct leat_boot_module *module)
{
    int64_t mem = machine_module_mem(module);
    const uint8_t *at;

    if (mem <= 0) {
        return NULL;
    }
    at = leat_map((leat_handle_t)mem, 0, whole_pages(module->size), LEAT_PROT_READ);
    leat_handle_close((leat_handle_t)mem);
    return at;
}

void machine_module_unmap(const struct leat_boot_module *module, const uint8_t *at)
{
    leat_mem_unmap(LEAT_SELF, (uintptr_t)at, whole_pages(module->size));
}

const char *machine_why_no_vms(void)
{
    static char why[sizeof(leat_info()->virt_lacks) + 40];
    const volatile struct leat_info *info = leat_info();
    char lacks[sizeof(info->virt_lacks) + 1] = {0};

    switch (info->virt) {
    case LEAT_VIRT_VMX:
    case LEAT_VIRT_SVM:
        return NULL;
    case LEAT_VIRT_LOCKED_OFF:
        return "virtualization is switched off and locked by the firmware: enable it (VT-x, SVM) "
               "in its setup; no VM can run until then";
    case LEAT_VIRT_LACKING:
        for (size_t i = 0; i < sizeof(info->virt_lacks); i++) {
            lacks[i] = info->virt_lacks[i];
        }
        snprintf(why, sizeof(why), "this CPU cannot run VMs: %s", lacks);
        return why;
    default:
        return "this CPU has neither VT-x nor AMD-V: no VM can run";
    }
}

bool machine_report(void)
{
    const volatile struct leat_info *info = leat_info();
    const char *why = machine_why_no_vms();

    leat_log(
        "TSC: leat.efi began at %llu, left the firmware at %llu; the kernel began at %llu; a tick "
        "is %llu / 2^32 ns",
        (unsigned long long)boot_info->tsc_at_start, (unsigned long long)boot_info->tsc_at_exit,
        (unsigned long long)info->tsc_base, (unsigned long long)info->tsc_mult);
    if (boot_info->problem[0] != 0) {
        leat_log("%.250s", boot_info->problem);
    }
    if (why != NULL) {
        leat_log("%s", why);
    }
    return why == NULL;
}

uint64_t machine_free_bytes(void)
{
    struct leat_frames_info frames = {0};
    struct leat_domain_status self = {0};
    uint64_t quota_bytes;

    if (leat_frames_info(machine, &frames) != LEAT_OK ||
        leat_domain_status(LEAT_SELF, &self) != LEAT_OK || self.quota_pages < self.used_pages) {
        return 0;
    }
    quota_bytes = (self.quota_pages - self.used_pages) * LEAT_PAGE_SIZE;
    return quota_bytes < frames.free_bytes ? quota_bytes : frames.free_bytes;
}

enum { PCI_CONFIG_ADDRESS = 0xcf8, PCI_CONFIG_DATA = 0xcfc, PCI_CONFIG_PORTS = 8 };
#define PCI_CONFIG_ENABLE (1u << 31)

static leat_handle_t pci_ports;

static void pci_select(struct pci_address at, unsigned offset)
{
    uint32_t address = PCI_CONFIG_ENABLE | (uint32_t)at.bus << 16 | (uint32_t)at.device << 11 |
                       (uint32_t)at.function << 8 | (offset & 0xfc);

    leat_port_write(pci_ports, PCI_CONFIG_ADDRESS, 4, address);
}

static uint32_t pci_port_read(void *context, struct pci_address at, unsigned offset)
{
    (void)context;
    pci_select(at, offset);
    return (uint32_t)leat_port_read(pci_ports, PCI_CONFIG_DATA, 4);
}

static void pci_port_write(void *context, struct pci_address at, unsigned offset, uint32_t value)
{
    (void)context;
    pci_select(at, offset);
    leat_port_write(pci_ports, PCI_CONFIG_DATA, 4, value);
}

const struct pci_access *machine_pci(void)
{
    static const struct pci_access access = {.read = pci_port_read, .write = pci_port_write};

    if (pci_ports == 0) {
        int64_t ports = leat_ports_create(machine, PCI_CONFIG_ADDRESS, PCI_CONFIG_PORTS);

        if (ports <= 0) {
            return NULL;
        }
        pci_ports = (leat_handle_t)ports;
    }
    return &access;
}

const struct pci_list *machine_pci_list(void)
{
    static struct pci_list list;
    const struct pci_access *access = machine_pci();

    if (access != NULL && list.count == 0) {
        pci_scan(access, &list);
    }
    return access != NULL ? &list : NULL;
}
