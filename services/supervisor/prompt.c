// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/prompt.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "services/supervisor/client.h"
#include "services/supervisor/command.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/services.h"
#include "services/supervisor/storage.h"
#include "services/supervisor/usage.h"
#include "services/supervisor/vm.h"

#define QUERY_PATIENCE 1000000000ull
#define STOP_DELAY 300000000ull
#define BYE_DELAY 3500000000ull /* the client's process takes three seconds at most */

static struct {
    uint64_t console_number; /* of the command under way, repeated in its replies */
    uint64_t query_number;
    unsigned waiting; /* processes that still have to answer */
    bool only_exits;  /* of a vmm's answer only the line with its exits is wanted */
    struct leat_loop_timer query_timer, stop_timer;
    enum power stop;
} prompt;

static void reply(bool is_last, const char *text)
{
    if (services_console() != NULL) {
        process_send_text(services_console(), LEAT_CTL_REPLY, text, prompt.console_number, is_last);
    }
}

__attribute__((format(printf, 2, 3))) static void say(bool is_last, const char *format, ...)
{
    char text[280];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    reply(is_last, text);
}

static void end_query(void)
{
    leat_loop_timer_set(&supervisor_loop, &prompt.query_timer, 0);
    prompt.waiting = 0;
    prompt.query_number++; /* late answers are not for the next command */
    reply(true, "");
}

static void on_query_timeout(void *context)
{
    (void)context;
    say(false, "(%u of those asked do not answer)", prompt.waiting);
    end_query();
}

static void ask(struct process *process, uint64_t query)
{
    if (process != NULL &&
        process_send_text(process, LEAT_CTL_QUERY, "", prompt.query_number, query) == LEAT_OK) {
        process->owes_answer = true;
        prompt.waiting++;
    }
}

static void begin_query(void)
{
    if (prompt.waiting == 0) {
        end_query();
        return;
    }
    leat_loop_timer_set(&supervisor_loop, &prompt.query_timer, leat_clock_ns() + QUERY_PATIENCE);
}

void prompt_reply(struct process *process, const struct leat_ctl *message)
{
    if (!process->owes_answer || prompt.waiting == 0 || message->arg[0] != prompt.query_number) {
        return;
    }
    if (process == services_vdisk()) { /* its answers may take their time */
        leat_loop_timer_set(&supervisor_loop, &prompt.query_timer,
                            leat_clock_ns() + QUERY_PATIENCE);
    }
    if (message->text[0] != 0 && process == services_vdisk()) {
        reply(false, message->text);
    } else if (message->text[0] != 0 &&
               (!prompt.only_exits || strstr(message->text, "exits:") != NULL)) {
        say(false, "   %s: %.240s", process->name, message->text);
    }
    if (message->arg[1] == 0) {
        return;
    }
    process->owes_answer = false;
    if (--prompt.waiting == 0) {
        end_query();
    }
}

bool prompt_is_asking(void)
{
    return prompt.waiting != 0;
}

void prompt_forget_process(struct process *process)
{
    (void)process;
    if (prompt.waiting != 0) {
        end_query();
    }
}

static void on_stop(void *context)
{
    (void)context;
    power_stop(machine_handle(), &machine_boot_info()->power, prompt.stop);
}

void prompt_stop_goes_on(void)
{
    leat_loop_timer_set(&supervisor_loop, &prompt.stop_timer, leat_clock_ns() + STOP_DELAY);
}

void prompt_stop_machine(enum power how)
{
    prompt.stop = how;
    prompt_stop_goes_on();
    if (client_stop()) {
        leat_loop_timer_set(&supervisor_loop, &prompt.stop_timer, leat_clock_ns() + BYE_DELAY);
    }
}

static void show_vms(void)
{
    char text[280];

    prompt.only_exits = true;
    say(false, " N name             state       memory  cpus  CPU time");
    for (unsigned i = 0; i < vm_count(); i++) {
        vm_describe(i, text, sizeof(text));
        reply(false, text);
        ask(vm_process(i), 0);
    }
    begin_query();
}

static void show_disks(uint64_t query)
{
    if (services_vdisk() == NULL) {
        say(true, "the disk service does not run");
        return;
    }
    ask(services_vdisk(), query);
    begin_query();
}

static void show_memory(void)
{
    struct leat_frames_info frames = {0};

    leat_frames_info(machine_handle(), &frames);
    say(false, "RAM %llu MiB, free %llu MiB, kernel %llu KiB",
        (unsigned long long)frames.total_bytes >> 20, (unsigned long long)frames.free_bytes >> 20,
        (unsigned long long)frames.kernel_bytes >> 10);
    for (struct process *p = process_first(); p != NULL; p = p->next) {
        struct leat_domain_status status;

        if (leat_domain_status(p->domain, &status) == LEAT_OK) {
            say(false, "%-20s %8llu KiB used of %8llu KiB", p->name,
                (unsigned long long)status.used_pages * 4,
                (unsigned long long)status.quota_pages * 4);
        }
    }
    reply(true, "");
}

static void work_vm(const struct command *command)
{
    int index = vm_find(command->vm);
    char answer[280];

    if (index < 0) {
        say(true, "there is no vm '%s'; 'vms' lists them", command->vm);
        return;
    }
    switch (command->kind) {
    case COMMAND_VM_SHOW:
        prompt.only_exits = false;
        vm_describe((unsigned)index, answer, sizeof(answer));
        reply(false, answer);
        ask(vm_process((unsigned)index), 0);
        begin_query();
        return;
    case COMMAND_VM_STOP:
        vm_stop((unsigned)index, answer, sizeof(answer));
        break;
    case COMMAND_VM_START:
        vm_start((unsigned)index, answer, sizeof(answer));
        break;
    default:
        vm_kill((unsigned)index, command->kind == COMMAND_VM_RESET, answer, sizeof(answer));
        break;
    }
    reply(true, answer);
}

static void stop(enum power how)
{
    leat_log("the machine %s, as asked at the prompt",
             how == POWER_RESET ? "restarts" : "switches off");
    prompt_stop_machine(how);
    reply(true, "");
}

void prompt_command(const struct leat_ctl *message)
{
    struct command command;

    if (prompt.waiting != 0) {
        end_query();
    }
    if (usage_cancel()) {
        reply(true, "");
    }
    prompt.console_number = message->arg[0];
    command_parse(message->text, &command);
    switch (command.kind) {
    case COMMAND_NONE:
        reply(true, "");
        break;
    case COMMAND_VMS:
        show_vms();
        break;
    case COMMAND_DISKS:
        show_disks(command.query);
        break;
    case COMMAND_MEM:
        show_memory();
        break;
    case COMMAND_CPUS:
        usage_begin();
        break;
    case COMMAND_RESTART:
        reply(true, storage_restart() ? "storage is restarted: what needs it waits"
                                      : "storage does not run");
        break;
    case COMMAND_RESTART_CLIENT:
        reply(true, client_restart() ? "client is restarted: the VMs do not need it"
                                     : "client does not run");
        break;
    case COMMAND_HELP:
        for (unsigned i = 0; command_help[i] != NULL; i++) {
            reply(command_help[i + 1] == NULL, command_help[i]);
        }
        break;
    case COMMAND_POWER_OFF:
        stop(POWER_OFF);
        break;
    case COMMAND_REBOOT:
        stop(POWER_RESET);
        break;
    case COMMAND_WRONG:
        reply(true, command.why);
        break;
    default:
        work_vm(&command);
        break;
    }
}

void prompt_init(void)
{
    leat_loop_timer(&supervisor_loop, &prompt.query_timer, on_query_timeout, NULL);
    leat_loop_timer(&supervisor_loop, &prompt.stop_timer, on_stop, NULL);
    usage_init(reply);
}
