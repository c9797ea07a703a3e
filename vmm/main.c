// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtual machine monitor: one process for each VM. Its first thread makes the guest, then
 * serves the devices; the vCPUs have threads of their own (run.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/ctl.h"
#include "lib/log.h"
#include "lib/start.h"
#include "vmm/console.h"
#include "vmm/guest.h"
#include "vmm/platform/platform.h"
#include "vmm/virtio/attach.h"

#define LAST_WORDS_NS 200000000ull /* how long the process stays to have its last messages read */
#define FIRST_SLOT 1
#define RESETS_TOLD 8u
#define RESETS_TOLD_EVERY 100u

static struct vm_host host;
static struct vm vm;
static char vm_name[64] = "?";
static bool has_started; /* the guest, at least once */

static void nothing(void *context)
{
    (void)context;
}

/* Serves the loop for a while. */
static void serve_for(uint64_t ns)
{
    static struct leat_loop_timer timer;
    static bool is_known;
    uint64_t end = leat_clock_ns() + ns;
    if (!is_known)
        leat_loop_timer(&host.loop, &timer, nothing, NULL);
    is_known = true;
    while (leat_clock_ns() < end) {
        leat_loop_timer_set(&host.loop, &timer, end);
        leat_loop_step(&host.loop);
    }
}

static _Noreturn void end_process(enum leat_vm_event event, const char *why)
{
    leat_log("VM '%s' has ended: %s", vm.name, why);
    leat_ctl_send(LEAT_CTL_VM_EVENT, why, event, 0);
    serve_for(LAST_WORDS_NS);
    exit(event == LEAT_VM_POWER_OFF ? 0 : 1);
}

static void answer_query(uint64_t number)
{
    vm_lock(&vm);
    host.is_answering = true;
    host.query = number;
    for (unsigned i = 0; i < vm.cpu_count; i++)
        if (vm.cpus[i])
            vcpu_report(vm.cpus[i], "state");
    host.is_answering = false;
    vm_unlock(&vm);
    leat_ctl_send(LEAT_CTL_REPLY, "", number, 1);
}

static void on_control(const struct leat_ctl *message)
{
    switch (message->op) {
    case LEAT_CTL_STOP:
        if (!has_started)
            end_process(LEAT_VM_POWER_OFF, "stopped before it had started");
        vm_lock(&vm);
        acpi_pm_press_power(&vm.platform->pm);
        vm_unlock(&vm);
        return;
    case LEAT_CTL_QUERY:
        answer_query(message->arg[0]);
        return;
    default:
        leat_log("VM '%s': message %u of the supervisor is not for a vmm; ignored", vm.name,
                 message->op);
    }
}

/* A guest may reset itself for ever; the log has better uses. */
static bool reset_is_told(void)
{
    static unsigned count;
    count++;
    return count <= RESETS_TOLD || count % RESETS_TOLD_EVERY == 0;
}

/* All vCPUs are parked; called with the lock held. */
static void on_end(void *context)
{
    (void)context;
    enum vm_end end = vm.end;
    console_flush(&vm);
    bool is_told = end != VM_END_RESET || reset_is_told();
    for (unsigned i = 0; is_told && i < vm.cpu_count; i++) {
        leat_log("VM '%s', vCPU %u, since its process started:", vm.name, i);
        vcpu_report_exits(vm.cpus[i]);
    }
    if (end == VM_END_RESET) {
        if (is_told)
            leat_log("VM '%s' starts again: %s", vm.name, vm.end_why);
        leat_ctl_send(LEAT_CTL_VM_EVENT, vm.end_why, LEAT_VM_RESET, 0);
        vm.end = VM_END_NONE;
        if (guest_start(&vm, false) == LEAT_OK) {
            host_unpark(&vm);
            return;
        }
        vm.end = VM_END_CRASH;
        strcpy(vm.end_why, "its kernel could not be loaded again");
    }
    vm_unlock(&vm);
    end_process(end == VM_END_POWER_OFF ? LEAT_VM_POWER_OFF : LEAT_VM_CRASHED, vm.end_why);
}

static bool is_known(const struct leat_start_entry *entry)
{
    struct blk_client_info info;
    return virtio_disk_info(entry, &info) != LEAT_OK || info.state == LEAT_BLK_READY ||
           info.state == LEAT_BLK_STALLED;
}

/* A disk's size comes from its server: until that has answered there is nothing to show to the
 * guest. vdisk signals whenever it has something new to say. */
static void await_disk(const struct leat_start_entry *entry)
{
    if (is_known(entry))
        return;
    leat_log("VM '%s' waits for disk '%s'", vm.name, entry->name);
    leat_ctl_send(LEAT_CTL_VM_EVENT, entry->name, LEAT_VM_WAITING, 0);
    if (leat_loop_on(&host.loop, entry->my_bits, nothing, NULL) != LEAT_OK)
        leat_fatal("VM '%s': no room to wait for disk '%s'", vm.name, entry->name);
    while (!is_known(entry))
        leat_loop_step(&host.loop);
    leat_loop_off(&host.loop, entry->my_bits); /* the attached disk has its own handler */
}

static void attach_disk(const struct leat_start_entry *entry, unsigned slot)
{
    int error;
    do { /* again only if it failed just now */
        await_disk(entry);
        vm_lock(&vm);
        error = virtio_disk_attach(&vm, entry, slot, 1);
        vm_unlock(&vm);
    } while (error == LEAT_EAGAIN || error == LEAT_EIO);
    if (error != LEAT_OK)
        leat_fatal("VM '%s': disk '%s' cannot be attached (error %d)", vm.name, entry->name, error);
}

static void attach_disks(void)
{
    const struct leat_start_entry *entry = NULL;
    unsigned slot = FIRST_SLOT;
    while ((entry = leat_start_next("disk", entry)) != NULL)
        attach_disk(entry, slot++);
}

int main(void)
{
    leat_start_arg("name", vm_name, sizeof(vm_name));
    vm.name = vm_name;
    if (host_init(&host, &vm) != LEAT_OK)
        leat_fatal("VM '%s': the process was given no notification, or there is no memory",
                   vm.name);
    if (leat_ctl_init(&host.loop, on_control) != LEAT_OK)
        leat_log("VM '%s': no control channel; it cannot be stopped from outside", vm.name);
    guest_create(&vm);
    attach_disks();
    vm_lock(&vm);
    int error = guest_start(&vm, true);
    vm_unlock(&vm);
    if (error != LEAT_OK)
        end_process(LEAT_VM_CRASHED, "its kernel could not be loaded (the log says why)");
    has_started = true;
    leat_ctl_send(LEAT_CTL_VM_EVENT, "", LEAT_VM_RUNNING, 0);
    if (host_watch(&vm) != LEAT_OK || host_run(&vm, on_end) != LEAT_OK)
        end_process(LEAT_VM_CRASHED, "no memory for its threads");
    leat_loop_run(&host.loop);
}
