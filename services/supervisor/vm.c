// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/blk.h>
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/services.h"
#include "services/supervisor/timeline.h"
#include "services/supervisor/vm_build.h"

#define SECOND 1000000000ull
#define EXIT_PATIENCE (2 * SECOND)   /* between a vmm's last event and its exit */
#define DETACH_PATIENCE (5 * SECOND) /* until a service is said to hang */

static struct {
    unsigned count;
    bool can_run;
    bool has_run;
    enum leat_config_idle when_idle;
    struct vm vms[LEAT_CONFIG_MAX_VMS];
} all;

static struct vm *vm_of(struct process *process)
{
    return process->owner;
}

static void set_wait(struct vm *vm, const char *text)
{
    snprintf(vm->waits, sizeof(vm->waits), "%s", text);
}

static void tell(struct vm *vm, const char *text)
{
    leat_log("vm %s: %s", vm->config->name, text);
    services_show_status(vm->number, text);
}

static void arm(struct vm *vm, uint64_t patience_ns)
{
    leat_loop_timer_set(&supervisor_loop, &vm->timer, leat_clock_ns() + patience_ns);
}

static void finish_ending(struct vm *vm)
{
    for (unsigned i = 0; i < vm->attachment_count; i++) {
        if (vm->attachments[i].process != NULL) {
            return;
        }
    }
    leat_loop_timer_set(&supervisor_loop, &vm->timer, 0);
    vm->attachment_count = 0;
    vm->state = VM_OFF;
    if (vm->is_restart_wanted) {
        char answer[128];

        vm->is_restart_wanted = false;
        vm_start(vm->number - 1, answer, sizeof(answer));
    }
    vm_check_idle();
}

static void begin_ending(struct vm *vm)
{
    vm->process = NULL;
    vm->state = VM_ENDING;
    for (unsigned i = 0; i < vm->attachment_count; i++) {
        struct attachment *a = &vm->attachments[i];

        if (a->process != NULL) {
            process_send_text(a->process, LEAT_CTL_DETACH, "", a->cookie, 0);
        }
    }
    arm(vm, DETACH_PATIENCE);
    finish_ending(vm);
}

void vm_detached(struct process *service, uint64_t cookie)
{
    for (unsigned i = 0; i < all.count; i++) {
        struct vm *vm = &all.vms[i];

        for (unsigned j = 0; vm->state == VM_ENDING && j < vm->attachment_count; j++) {
            struct attachment *a = &vm->attachments[j];

            if (a->process == service && a->cookie == cookie) {
                process_return_bits(service, a->bits);
                a->process = NULL;
                finish_ending(vm);
                return;
            }
        }
    }
}

void vm_forget_process(struct process *service)
{
    for (unsigned i = 0; i < all.count; i++) {
        struct vm *vm = &all.vms[i];

        for (unsigned j = 0; j < vm->attachment_count; j++) {
            if (vm->attachments[j].process == service) {
                vm->attachments[j].process = NULL;
            }
        }
        if (vm->state == VM_ENDING) {
            finish_ending(vm);
        }
    }
}

static void on_timer(void *context)
{
    struct vm *vm = context;

    if (vm->process != NULL) {
        leat_domain_kill(vm->process->domain, 0); /* it has said that its guest has ended */
    } else if (vm->state == VM_ENDING) {
        for (unsigned i = 0; i < vm->attachment_count; i++) {
            struct attachment *a = &vm->attachments[i];

            if (a->process != NULL) {
                leat_log("service '%s' does not let go of vm %s's channels", a->process->name,
                         vm->config->name);
                a->process = NULL; /* its bits stay taken, so nothing is mixed up */
            }
        }
        finish_ending(vm);
    }
}

static void on_death(struct process *process, const struct leat_domain_status *status)
{
    struct vm *vm = vm_of(process);
    char how[120], line[200];

    if (vm->end[0] == 0) {
        process_describe_death(status, how, sizeof(how));
        snprintf(vm->end, sizeof(vm->end), "its vmm died: %s", how);
        snprintf(line, sizeof(line), "ended: %s", vm->end);
        tell(vm, line);
    }
    set_wait(vm, "");
    begin_ending(vm);
}

static void on_event(struct vm *vm, const struct leat_ctl *message)
{
    char line[320];

    switch (message->arg[0]) {
    case LEAT_VM_RUNNING:
        if (vm->state == VM_STARTING) {
            vm->state = VM_RUNNING;
            tell(vm, "runs");
            snprintf(line, sizeof(line), "vm %s runs", vm->config->name);
            timeline_mark(line);
        }
        set_wait(vm, "");
        break;
    case LEAT_VM_WAITING:
        snprintf(vm->waits, sizeof(vm->waits), "disk '%.64s'", message->text);
        snprintf(line, sizeof(line), "waits for its disk '%.64s'", message->text);
        services_show_status(vm->number, line); /* the vmm has logged it */
        break;
    case LEAT_VM_RESET:
        services_show_status(vm->number, "reset by its guest");
        break;
    case LEAT_VM_POWER_OFF:
        snprintf(vm->end, sizeof(vm->end), "powered off");
        tell(vm, vm->end);
        arm(vm, EXIT_PATIENCE);
        break;
    case LEAT_VM_CRASHED:
        snprintf(vm->end, sizeof(vm->end), "crashed: %.140s", message->text);
        tell(vm, vm->end);
        arm(vm, EXIT_PATIENCE);
        break;
    default:
        break;
    }
}

static void on_message(struct process *process, const struct leat_ctl *message)
{
    struct vm *vm = vm_of(process);

    if (message->op == LEAT_CTL_VM_EVENT) {
        on_event(vm, message);
    } else if (message->op == LEAT_CTL_STATUS) {
        set_wait(vm, message->text);
    } else if (message->op == LEAT_CTL_REPLY) {
        prompt_reply(process, message);
    }
}

void vm_init(const struct leat_config *config, bool can_run)
{
    all.count = config->vm_count;
    all.can_run = can_run;
    all.when_idle = config->when_idle;
    for (unsigned i = 0; i < all.count; i++) {
        struct vm *vm = &all.vms[i];

        vm->config = &config->vms[i];
        vm->whole = config;
        vm->number = i + 1;
        leat_loop_timer(&supervisor_loop, &vm->timer, on_timer, vm);
    }
}

void vm_start(unsigned index, char *answer, size_t size)
{
    struct vm *vm = &all.vms[index];

    if (vm->state != VM_OFF) {
        snprintf(answer, size, "vm %s is not off", vm->config->name);
        return;
    }
    if (!all.can_run) {
        snprintf(answer, size, "vm %s: not started: this machine cannot run VMs (see 'log')",
                 vm->config->name);
        return;
    }
    vm->end[0] = 0;
    vm->attachment_count = 0;
    vm->process = vm_build(vm, on_message, on_death);
    if (vm->process == NULL) {
        snprintf(vm->end, sizeof(vm->end), "could not start");
        snprintf(answer, size, "vm %s: not started (see 'log')", vm->config->name);
        begin_ending(vm);
        return;
    }
    all.has_run = true;
    vm->state = VM_STARTING;
    snprintf(answer, size, "vm %s starts", vm->config->name);
}

void vm_autostart(void)
{
    char answer[128];

    for (unsigned i = 0; i < all.count; i++) {
        if (all.vms[i].config->autostart) {
            vm_start(i, answer, sizeof(answer));
            leat_log("%s", answer);
        }
    }
}

void vm_stop(unsigned index, char *answer, size_t size)
{
    struct vm *vm = &all.vms[index];

    if (vm->process == NULL) {
        snprintf(answer, size, "vm %s does not run", vm->config->name);
        return;
    }
    vm->state = VM_STOPPING;
    process_send_text(vm->process, LEAT_CTL_STOP, "", 0, 0);
    snprintf(answer, size, "vm %s: power button pressed", vm->config->name);
}

void vm_kill(unsigned index, bool and_start, char *answer, size_t size)
{
    struct vm *vm = &all.vms[index];

    if (vm->process == NULL) {
        if (and_start && vm->state == VM_OFF) {
            vm_start(index, answer, size);
        } else {
            snprintf(answer, size, "vm %s does not run", vm->config->name);
        }
        return;
    }
    vm->is_restart_wanted = and_start;
    snprintf(vm->end, sizeof(vm->end), "%s", and_start ? "reset" : "killed");
    tell(vm, vm->end);
    leat_domain_kill(vm->process->domain, 0);
    snprintf(answer, size, "vm %s is %s", vm->config->name, and_start ? "restarted" : "ended");
}

unsigned vm_count(void)
{
    return all.count;
}

int vm_find(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*text != 0 && *end == 0 && number >= 1 && number <= all.count) {
        return (int)number - 1;
    }
    for (unsigned i = 0; i < all.count; i++) {
        if (strcmp(all.vms[i].config->name, text) == 0) {
            return (int)i;
        }
    }
    return -1;
}

struct process *vm_process(unsigned index)
{
    return all.vms[index].process;
}

const struct leat_config_vm *vm_config(unsigned index)
{
    return all.vms[index].config;
}

const char *vm_state_name(unsigned index)
{
    static const char *const states[] = {"off", "starting", "running", "stopping", "ending"};

    return states[all.vms[index].state];
}

void vm_describe(unsigned index, char *text, size_t size)
{
    struct vm *vm = &all.vms[index];
    struct leat_domain_status status = {0};
    int length;

    if (vm->process != NULL) {
        leat_domain_status(vm->process->domain, &status);
    }
    length =
        snprintf(text, size, "%2u %-16s %-8s %5llu MiB %2u cpu%s %6llu.%01llu s", vm->number,
                 vm->config->name, vm_state_name(index),
                 (unsigned long long)vm->config->memory_bytes >> 20, vm->config->cpus,
                 vm->config->cpus == 1 ? " " : "s", (unsigned long long)(status.cpu_ns / SECOND),
                 (unsigned long long)(status.cpu_ns % SECOND / (SECOND / 10)));
    if (length > 0 && (size_t)length < size) {
        const char *more = vm->process != NULL ? vm->waits : vm->end;

        snprintf(text + length, size - (size_t)length, "%s%s",
                 more[0] == 0          ? ""
                 : vm->process != NULL ? "  waits: "
                                       : "  ",
                 more);
    }
}

void vm_show_disk_status(const char *text)
{
    for (unsigned i = 0; i < all.count; i++) {
        char disk[48];

        snprintf(disk, sizeof(disk), "disk '%s/", all.vms[i].config->name);
        if (strncmp(text, disk, strlen(disk)) == 0) {
            services_show_status(all.vms[i].number, text);
        }
    }
}

void vm_check_idle(void)
{
    if (all.when_idle == LEAT_CONFIG_STAY || !all.has_run) {
        return;
    }
    for (unsigned i = 0; i < all.count; i++) {
        if (all.vms[i].state != VM_OFF) {
            return;
        }
    }
    leat_log("all VMs are off: the machine %s",
             all.when_idle == LEAT_CONFIG_RESET ? "restarts" : "switches off");
    prompt_stop_machine(all.when_idle == LEAT_CONFIG_RESET ? POWER_RESET : POWER_OFF);
}
