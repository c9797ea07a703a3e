// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/services.h"

#include <stdio.h>
#include <string.h>

#include <leat/blk.h>
#include <leat/console.h>
#include <leat/net.h>
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "services/supervisor/client.h"
#include "services/supervisor/fits.h"
#include "services/supervisor/hardware.h"
#include "services/supervisor/keys.h"
#include "services/supervisor/link.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/overlay.h"
#include "services/supervisor/profiles.h"
#include "services/supervisor/prompt.h"
#include "services/supervisor/report.h"
#include "services/supervisor/screen.h"
#include "services/supervisor/storage.h"
#include "services/supervisor/store_plan.h"
#include "services/supervisor/timeline.h"
#include "services/supervisor/vm.h"

#define CONSOLE_QUOTA (16ull << 20)
#define NET_QUOTA (24ull << 20)
#define VDISK_QUOTA (48ull << 20) /* beside the cache */
#define RESERVE (64ull << 20)     /* left to the supervisor when vdisk takes what VMs leave */

static struct {
    struct process *console, *net, *vdisk;
    uint64_t console_log_bits;   /* shared by all log channels */
    uint64_t console_guest_bits; /* shared by all guests' consoles */
    uint64_t kernel_log_bit;
    uint64_t kernel_log_head; /* as the console was last told */
} services;

struct process *services_console(void)
{
    return services.console;
}

struct process *services_vdisk(void)
{
    return services.vdisk;
}

struct process *services_net(void)
{
    return services.net;
}

bool services_has_net(void)
{
    return services.net != NULL;
}

static void on_death(struct process *process, const struct leat_domain_status *status)
{
    char how[120];

    process_describe_death(status, how, sizeof(how));
    leat_log("service '%s' has died: %s%s", process->name, how,
             process == services.console ? "" : "; VMs' disks stand still until the next boot");
    if (process == services.console) {
        services.console = NULL;
        screen_forget_console();
    } else if (process == services.net) {
        services.net = NULL;
        hardware_nic_off();
    } else {
        services.vdisk = NULL;
        profiles_forget_vdisk();
    }
    storage_forget(process);
    client_forget(process);
    vm_forget_process(process);
    prompt_forget_process(process);
}

static void on_message(struct process *process, const struct leat_ctl *message)
{
    switch (message->op) {
    case LEAT_CTL_DETACHED:
        if (!storage_detached(process, message->arg[0]) &&
            !client_detached(process, message->arg[0])) {
            vm_detached(process, message->arg[0]);
        }
        break;
    case LEAT_CTL_COMMAND:
        if (process == services.console) {
            prompt_command(message);
        }
        break;
    case LEAT_CTL_CHOSEN:
        if (process == services.console) {
            screen_chosen(message);
        }
        break;
    case LEAT_CTL_REPLY:
        if (!report_reply(process, message)) {
            prompt_reply(process, message);
        }
        break;
    case LEAT_CTL_PROFILE:
        profiles_offered(process, message);
        break;
    case LEAT_CTL_STATUS:
        if (process == services.net && message->arg[0] == LEAT_NET_UP) {
            timeline_mark("network");
        }
        if (process == services.vdisk) {
            vm_show_disk_status(message->text);
        }
        break;
    default:
        break;
    }
}

static struct process *create(const char *name, uint64_t quota_bytes, enum leat_prio highest_prio)
{
    struct process *process = process_create(name, name, quota_bytes, highest_prio);

    if (process != NULL) {
        process->on_message = on_message;
        process->on_death = on_death;
    }
    return process;
}

static void run(struct process *process, struct process **slot)
{
    *slot = process;
    if (process_run(process) != LEAT_OK) {
        *slot = NULL;
        process_discard(process);
    }
}

/* The console shows the kernel's log too, where the supervisor's own lines are: told before each
   sleep when there is more. */
static bool tell_console(void *context)
{
    uint64_t head = leat_info()->log_head;

    (void)context;
    if (services.console != NULL && head != services.kernel_log_head) {
        services.kernel_log_head = head;
        leat_notif_signal(services.console->notif, services.kernel_log_bit);
    }
    return false;
}

void services_start_console(const struct leat_config *config)
{
    struct process *p = create("console", CONSOLE_QUOTA, LEAT_PRIO_SYSTEM);

    if (p == NULL) {
        return;
    }
    services.kernel_log_bit = process_take_bit(p);
    services.console_log_bits = process_take_bit(p);
    services.console_guest_bits = process_take_bit(p);
    hardware_give_console(p, services.kernel_log_bit);
    process_argument(p, "view=%s", config->console_view[0] != 0 ? config->console_view : "leat");
    for (unsigned i = 0; i < config->vm_count; i++) {
        process_argument(p, "vm.%u=%s", i + 1, config->vms[i].name);
    }
    run(p, &services.console);
    leat_loop_idle(&supervisor_loop, tell_console, NULL);
}

static void add_address(struct process *p, const char *key, uint32_t address)
{
    const uint8_t *byte = (const uint8_t *)&address; /* network byte order */

    if (address != 0) {
        process_argument(p, "%s=%u.%u.%u.%u", key, byte[0], byte[1], byte[2], byte[3]);
    }
}

/* If it does not yet. */
static void run_net(void)
{
    if (services.net != NULL && services.net->start != NULL) {
        run(services.net, &services.net);
    }
}

void services_start_net(const struct leat_config *config)
{
    const uint8_t *uuid = machine_boot_info()->smbios_uuid;
    struct process *p;

    if (!hardware_find_nic()) {
        return;
    }
    p = create("net", NET_QUOTA, LEAT_PRIO_SERVICE);
    if (p == NULL) {
        return;
    }
    services_attach_log(p, NULL);
    process_argument(p, "mode=%s", config->net.mode == LEAT_CONFIG_STATIC ? "static" : "dhcp");
    add_address(p, "address", config->net.address);
    add_address(p, "netmask", config->net.netmask);
    add_address(p, "gateway", config->net.gateway);
    add_address(p, "dns", config->net.dns);
    process_argument(p, "hostname=leat-%02x%02x%02x", uuid[13], uuid[14], uuid[15]);
    if (hardware_give_nic(p) != LEAT_OK) {
        process_discard(p);
        return;
    }
    services.net = p;
    if (config->leatd.line != 0) {
        run_net();
    }
}

/* Memory for the store on a local disk; 0: there is none. */
static uint64_t store_memory(const struct leat_config *config, uint64_t left_bytes)
{
    uint64_t partition_bytes = storage_partition_bytes();
    uint64_t bytes;

    if (partition_bytes == 0) {
        return 0;
    }
    bytes = store_plan_memory(partition_bytes, config->store.memory_bytes, left_bytes);
    if (bytes == 0) {
        leat_log("the local disk is not used: the VMs leave no memory for its store");
    }
    return bytes;
}

uint64_t services_least_bytes(const struct leat_config *config)
{
    return config->cache_bytes + VDISK_QUOTA;
}

/* vdisk's writes in ram mode live in its own memory: it gets what the VMs leave. */
static uint64_t vdisk_quota(const struct leat_config *config, struct overlay_plan *plan,
                            uint64_t *store_bytes)
{
    uint64_t wanted = services_least_bytes(config);
    uint64_t taken = RESERVE + wanted;
    uint64_t free_bytes = machine_free_bytes();

    for (unsigned i = 0; i < config->vm_count; i++) {
        taken += fits_vm_bytes(&config->vms[i]);
    }
    *store_bytes = store_memory(config, free_bytes > taken ? free_bytes - taken : 0);
    taken += *store_bytes;
    wanted += *store_bytes;
    overlay_plan(config, free_bytes > taken ? free_bytes - taken : 0, plan);
    if (plan->asked_bytes > plan->total_bytes) {
        leat_log("the overlays of leat.conf's disks take %llu MiB, but the VMs leave %llu MiB: "
                 "writes may fail before their overlay is full",
                 (unsigned long long)plan->asked_bytes >> 20,
                 (unsigned long long)plan->total_bytes >> 20);
    }
    return wanted + plan->total_bytes;
}

static void add_limits(struct process *p, const struct leat_config_vm *vm,
                       const struct leat_config_disk *disk)
{
    if (disk->rates.iops != 0 || disk->rates.bandwidth != 0) {
        process_argument(p, "disk.%s/%s.limits=%llu %llu", vm->name, disk->name,
                         (unsigned long long)disk->rates.iops,
                         (unsigned long long)disk->rates.bandwidth);
    }
    if (vm->tenant[0] != 0 || vm->rates.iops != 0 || vm->rates.bandwidth != 0 ||
        vm->rates.link_weight != 0) {
        process_argument(p, "disk.%s/%s.tenant=%s %llu %llu %u", vm->name, disk->name,
                         vm->tenant[0] != 0 ? vm->tenant : vm->name,
                         (unsigned long long)vm->rates.iops,
                         (unsigned long long)vm->rates.bandwidth, vm->rates.link_weight);
    }
}

/* Of a disk in mode server: the export that is the VM's own. */
static void add_layer(struct process *p, const char *vm, const struct leat_config_disk *disk)
{
    char name[LEAT_CONFIG_EXPORT];

    leat_config_client_export(disk, vm, name);
    process_argument(p, "disk.%s/%s.client_export=%s", vm, disk->name, name);
    if (disk->client_servers[0] != '\0') {
        process_argument(p, "disk.%s/%s.client_servers=%s", vm, disk->name, disk->client_servers);
    }
    if (disk->client_holes) {
        process_argument(p, "disk.%s/%s.client_layer=holes", vm, disk->name);
    }
}

/* Keys and hashes stand first: without the rest a disk is refused, without these it would be read in plain text or unverified. */
static bool add_protection(struct process *p, const char *vm, const struct leat_config_disk *disk,
                           int key_set)
{
    if (key_set >= 0 &&
        process_argument(p, "disk.%s/%s.tls=%d", vm, disk->name, key_set) != LEAT_OK) {
        return false;
    }
    if (disk->hash_export[0] != '\0' &&
        process_argument(p, "disk.%s/%s.hash_export=%s", vm, disk->name, disk->hash_export) !=
            LEAT_OK) {
        return false;
    }
    return disk->root_hash[0] == '\0' || process_argument(p, "disk.%s/%s.root_hash=%s", vm,
                                                          disk->name, disk->root_hash) == LEAT_OK;
}

static void add_disk(struct process *p, const char *vm, const struct leat_config_disk *disk,
                     const struct overlay_plan *plan, int key_set)
{
    static const char *const modes[] = {
        [LEAT_CONFIG_PRIVATE] = "private",
        [LEAT_CONFIG_RAM] = "ram",
        [LEAT_CONFIG_LOCAL] = "local",
        [LEAT_CONFIG_LAYER] = "server",
    };
    uint64_t overlay_bytes = overlay_of(disk, plan);

    if (!add_protection(p, vm, disk, key_set)) {
        return;
    }
    process_argument(p, "disk.%s/%s.host=%s", vm, disk->name, disk->server);
    process_argument(p, "disk.%s/%s.port=%u", vm, disk->name, disk->port);
    process_argument(p, "disk.%s/%s.export=%s", vm, disk->name, disk->export_name);
    process_argument(p, "disk.%s/%s.mode=%s", vm, disk->name, modes[disk->mode]);
    process_argument(p, "disk.%s/%s.read_only=%d", vm, disk->name, disk->read_only);
    if (disk->fallback[0] != '\0') {
        process_argument(p, "disk.%s/%s.fallback=%s", vm, disk->name, disk->fallback);
    }
    if (disk->mode == LEAT_CONFIG_LAYER) {
        add_layer(p, vm, disk);
    }
    if (disk->give_up_s != 0) {
        process_argument(p, "disk.%s/%s.give_up=%u", vm, disk->name, disk->give_up_s);
    }
    if (disk->content[0] != '\0') {
        process_argument(p, "disk.%s/%s.content=%s", vm, disk->name, disk->content);
    }
    if (!disk->profile) {
        process_argument(p, "disk.%s/%s.profile=0", vm, disk->name);
    } else if (disk->profile_file[0] != '\0') {
        process_argument(p, "disk.%s/%s.profile_file=%s", vm, disk->name, disk->profile_file);
    }
    if (overlay_bytes != 0) {
        process_argument(p, "disk.%s/%s.overlay=%llu", vm, disk->name,
                         (unsigned long long)overlay_bytes);
    }
}

static void give_store(struct process *p, const struct leat_config *config, uint64_t bytes)
{
    static const char *const formats[] = {
        [LEAT_CONFIG_FORMAT_EMPTY] = "empty",
        [LEAT_CONFIG_FORMAT_NO] = "no",
        [LEAT_CONFIG_FORMAT_YES] = "yes",
    };

    if (bytes == 0 || storage_join(p) != LEAT_OK) {
        return;
    }
    process_argument(p, "store.memory=%llu", (unsigned long long)bytes);
    process_argument(p, "store.format=%s", formats[config->store.format]);
}

/* Each profile once, under its file's name; boot has said what is not there. */
static void add_profiles(struct process *p, const struct leat_config *config)
{
    for (unsigned i = 0; i < config->disk_count; i++) {
        const char *file = config->disks[i].profile_file;
        unsigned first = 0;

        while (strcmp(config->disks[first].profile_file, file) != 0) {
            first++;
        }
        if (file[0] != '\0' && first == i) {
            process_give_file(p, "file", file, file);
        }
    }
}

static void add_disks(struct process *p, const struct leat_config *config,
                      const struct overlay_plan *plan)
{
    for (unsigned i = 0; i < config->vm_count; i++) {
        const struct leat_config_vm *vm = &config->vms[i];

        for (unsigned d = 0; d < vm->disk_count; d++) {
            const struct leat_config_disk *disk = &config->disks[vm->disk[d]];

            add_disk(p, vm->name, disk, plan, keys_set_of(config, disk));
            add_limits(p, vm, disk);
        }
    }
}

void services_start_vdisk(const struct leat_config *config)
{
    struct leat_start_entry net_side = {0}, vdisk_side = {0};
    struct overlay_plan plan;
    uint64_t store_bytes;
    struct process *p;

    if (config->disk_count == 0 || services.net == NULL) {
        if (config->disk_count != 0) {
            leat_log("no network: the disks of leat.conf cannot be had");
        }
        run_net();
        return;
    }
    p = create("vdisk", vdisk_quota(config, &plan, &store_bytes), LEAT_PRIO_SERVICE);
    if (p != NULL) {
        services_attach_log(p, NULL);
        process_argument(p, "cache=%llu", (unsigned long long)config->cache_bytes);
        add_disks(p, config, &plan);
        add_profiles(p, config);
        keys_give(p, config); /* without them their disks are refused */
        link_name(&net_side, "net", "vdisk");
        link_name(&vdisk_side, "net", "net");
        if (link_processes(services.net, 0, &net_side, p, 0, &vdisk_side,
                           sizeof(struct leat_net_channel)) == LEAT_OK) {
            link_deliver(services.net, &net_side, link_cookie());
            link_deliver(p, &vdisk_side, 0);
        }
        give_store(p, config, store_bytes);
        if (config->leatd.line != 0) {
            profiles_join(p);
        }
    }
    run_net();
    if (p != NULL) {
        run(p, &services.vdisk);
    }
}

static void remember(struct attachment *attachment, struct process *process, uint64_t cookie,
                     uint64_t bits)
{
    if (attachment != NULL) {
        *attachment = (struct attachment){process, cookie, bits};
    }
}

void services_attach_log(struct process *process, struct attachment *attachment)
{
    struct leat_start_entry theirs = {0}, ours = {0};
    uint64_t cookie = link_cookie();

    remember(attachment, NULL, 0, 0);
    link_name(&theirs, "log", process->name);
    link_name(&ours, "log", "");
    if (services.console == NULL ||
        link_processes(services.console, services.console_log_bits, &theirs, process, 0, &ours,
                       sizeof(struct leat_console_channel)) != LEAT_OK) {
        return;
    }
    link_deliver(services.console, &theirs, cookie);
    link_deliver(process, &ours, 0);
    remember(attachment, services.console, cookie, 0);
}

int services_attach_console(struct process *vmm, const char *vm, unsigned number,
                            struct attachment *attachment)
{
    struct leat_start_entry theirs = {.arg = {number}}, ours = {0};
    uint64_t cookie = link_cookie();

    remember(attachment, NULL, 0, 0);
    link_name(&theirs, "console", vm);
    link_name(&ours, "console", vm);
    if (services.console == NULL) {
        return LEAT_OK; /* the guest's output goes nowhere, and the VM still works */
    }
    if (link_processes(services.console, services.console_guest_bits, &theirs, vmm, 0, &ours,
                       sizeof(struct leat_console_channel)) != LEAT_OK) {
        return LEAT_ENOMEM;
    }
    remember(attachment, services.console, cookie, 0);
    link_deliver(vmm, &ours, 0);
    return link_deliver(services.console, &theirs, cookie);
}

int services_attach_disk(struct process *vmm, const char *vm, const char *disk,
                         struct attachment *attachment)
{
    struct leat_start_entry theirs = {0}, ours = {0};
    uint64_t cookie = link_cookie();
    char name[64];

    remember(attachment, NULL, 0, 0);
    snprintf(name, sizeof(name), "%.31s/%.31s", vm, disk);
    link_name(&theirs, "disk", name);
    link_name(&ours, "disk", disk);
    if (link_processes(services.vdisk, 0, &theirs, vmm, 0, &ours,
                       sizeof(struct leat_blk_channel)) != LEAT_OK) {
        return LEAT_ENOMEM;
    }
    remember(attachment, services.vdisk, cookie, theirs.my_bits);
    link_deliver(vmm, &ours, 0);
    return link_deliver(services.vdisk, &theirs, cookie);
}

void services_show_status(unsigned number, const char *text)
{
    if (services.console != NULL) {
        process_send_text(services.console, LEAT_CTL_STATUS, text, number, 0);
    }
}
