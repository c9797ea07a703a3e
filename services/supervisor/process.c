// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/process.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/map.h"
#include "lib/sys.h"
#include "services/supervisor/files.h"
#include "services/supervisor/load.h"
#include "services/supervisor/machine.h"

#define STACK_BYTES (256u << 10)

static struct process *processes;
static struct leat_loop_timer held_back; /* when a process that has sent too much may again */

struct process *process_first(void)
{
    return processes;
}

uint64_t process_map(struct process *process, leat_handle_t mem, uint64_t size, uint32_t prot)
{
    uint64_t rounded = (size + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    uint64_t va = process->next_va;

    /* Large frames want large pages; the guard between two mappings catches overruns. */
    if (rounded % LEAT_LARGE_PAGE_SIZE == 0) {
        va = (va + LEAT_LARGE_PAGE_SIZE - 1) & ~(LEAT_LARGE_PAGE_SIZE - 1);
    }
    if (leat_mem_map(process->domain, mem, va, 0, rounded, prot) != LEAT_OK) {
        return 0;
    }
    process->next_va = va + rounded + LEAT_PAGE_SIZE;
    return va;
}

uint64_t process_take_bit(struct process *process)
{
    for (unsigned i = 0; i < PROCESS_BITS; i++) {
        uint64_t bit = 1ull << i;

        if ((process->used_bits & bit) == 0) {
            process->used_bits |= bit;
            return bit;
        }
    }
    return 0;
}

void process_return_bits(struct process *process, uint64_t bits)
{
    process->used_bits &= ~bits;
}

struct leat_start_entry *process_entry(struct process *process, const char *role, const char *name)
{
    struct leat_start *start = process->start;
    struct leat_start_entry *entry;

    if (start == NULL || start->count == LEAT_START_MAX_ENTRIES) {
        leat_log("process '%s' cannot be given '%s': its start block is full", process->name, role);
        return NULL;
    }
    entry = &start->entries[start->count++];
    snprintf(entry->role, sizeof(entry->role), "%s", role);
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    return entry;
}

bool process_give_file(struct process *process, const char *role, const char *name,
                       const char *file)
{
    struct leat_start_entry *entry = files_has(file) ? process_entry(process, role, name) : NULL;
    int64_t mem;

    if (entry == NULL) {
        return false;
    }
    mem = files_mem(file, &entry->size);
    if (mem > 0) {
        entry->va = process_map(process, (leat_handle_t)mem, entry->size, LEAT_PROT_READ);
        leat_handle_close((leat_handle_t)mem);
    }
    if (entry->va == 0) {
        leat_log("process '%s': file '%s' cannot be mapped (error %d)", process->name, file,
                 (int)mem);
    }
    return entry->va != 0;
}

int process_argument(struct process *process, const char *format, ...)
{
    struct leat_start *start = process->start;
    size_t space = sizeof(start->args) - start->args_size;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(start->args + start->args_size, space, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length + 2 > space) {
        start->args[start->args_size] = 0;
        leat_log("process '%s': its arguments do not fit in %zu bytes", process->name,
                 sizeof(start->args));
        return LEAT_ENOMEM;
    }
    start->args_size += (uint32_t)length;
    start->args[start->args_size++] = '\n';
    start->args[start->args_size] = 0;
    return LEAT_OK;
}

static bool map_new(leat_handle_t domain, uint64_t va, uint64_t size, uint32_t prot, void **here)
{
    int64_t mem = leat_mem_create(size, 0);
    bool is_done;

    if (mem <= 0) {
        return false;
    }
    is_done = leat_mem_map(domain, (leat_handle_t)mem, va, 0, size, prot) == LEAT_OK;
    if (is_done && here != NULL) {
        *here = leat_map((leat_handle_t)mem, 0, size, LEAT_PROT_READ | LEAT_PROT_WRITE);
        is_done = *here != NULL;
    }
    leat_handle_close((leat_handle_t)mem);
    return is_done;
}

static bool add_notif(struct process *process)
{
    struct leat_start_entry *entry = process_entry(process, "notif", "");
    int64_t notif = leat_notif_create();
    int64_t theirs;

    if (entry == NULL || notif <= 0) {
        return false;
    }
    process->notif = (leat_handle_t)notif;
    theirs = leat_handle_grant(process->domain, process->notif,
                               LEAT_RIGHT_SIGNAL | LEAT_RIGHT_WAIT | LEAT_RIGHT_GRANT);
    entry->handle = theirs > 0 ? (uint32_t)theirs : 0;
    return theirs > 0;
}

static bool add_ctl(struct process *process)
{
    struct leat_start_entry *entry = process_entry(process, "ctl", "");
    uint64_t size = (sizeof(struct leat_ctl_channel) + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    struct leat_start_entry ours = {.peer = process->notif};
    int64_t theirs = leat_handle_grant(process->domain, supervisor_loop.notif, LEAT_RIGHT_SIGNAL);
    void *here;

    if (entry == NULL) {
        return false;
    }
    entry->va = process->next_va;
    entry->size = size;
    if (theirs <= 0 ||
        !map_new(process->domain, entry->va, size, LEAT_PROT_READ | LEAT_PROT_WRITE, &here)) {
        return false;
    }
    process->next_va += size + LEAT_PAGE_SIZE;
    entry->peer = (uint32_t)theirs;
    entry->peer_bits = SUPERVISOR_BIT_CTL;
    entry->my_bits = process_take_bit(process);
    ours.peer_bits = entry->my_bits;
    ours.va = (uintptr_t)here;
    leat_channel_join(&process->ctl, &ours, offsetof(struct leat_ctl_channel, from_process),
                      LEAT_CTL_COUNT, sizeof(struct leat_ctl),
                      offsetof(struct leat_ctl_channel, to_process), LEAT_CTL_COUNT,
                      sizeof(struct leat_ctl));
    return true;
}

static bool build(struct process *process, const char *program)
{
    void *start;

    if (load_program(process->domain, program, &process->entry_va) != LEAT_OK) {
        return false;
    }
    if (!map_new(process->domain, LEAT_STACK_TOP_VA - STACK_BYTES, STACK_BYTES,
                 LEAT_PROT_READ | LEAT_PROT_WRITE, NULL) ||
        !map_new(process->domain, LEAT_START_VA, LEAT_START_PAGES * LEAT_PAGE_SIZE, LEAT_PROT_READ,
                 &start)) {
        leat_log("process '%s' cannot start: no memory left", process->name);
        return false;
    }
    process->start = start;
    process->start->magic = LEAT_START_MAGIC;
    memcpy(process->start->name, process->name, sizeof(process->start->name));
    if (!add_notif(process) || !add_ctl(process)) {
        leat_log("process '%s' cannot start: no memory left", process->name);
        return false;
    }
    return true;
}

struct process *process_create(const char *name, const char *program, uint64_t quota_bytes,
                               enum leat_prio highest_prio)
{
    struct process *process = calloc(1, sizeof(*process));
    int64_t domain;

    if (process == NULL) {
        leat_log("process '%s' cannot start: the supervisor has no memory left", name);
        return NULL;
    }
    snprintf(process->name, sizeof(process->name), "%s", name);
    domain = leat_domain_create(quota_bytes / LEAT_PAGE_SIZE, process->name, highest_prio);
    if (domain <= 0) {
        leat_log("process '%s' cannot start: it needs %llu KiB, there are %llu KiB", name,
                 (unsigned long long)quota_bytes >> 10,
                 (unsigned long long)machine_free_bytes() >> 10);
        free(process);
        return NULL;
    }
    process->domain = (leat_handle_t)domain;
    process->highest_prio = highest_prio;
    process->messages = (struct pace){.step_ns = PROCESS_MESSAGE_NS, .burst = PROCESS_MESSAGES};
    process->next_va = LEAT_CHANNEL_VA;
    process->next = processes;
    processes = process;
    if (!build(process, program)) {
        process_discard(process);
        return NULL;
    }
    return process;
}

static void forget(struct process *process)
{
    struct process **link = &processes;

    while (*link != process) {
        link = &(*link)->next;
    }
    *link = process->next;
    if (process->start != NULL) {
        leat_mem_unmap(LEAT_SELF, (uintptr_t)process->start, LEAT_START_PAGES * LEAT_PAGE_SIZE);
    }
    if (process->ctl.in.shared != NULL) {
        uint64_t size =
            (sizeof(struct leat_ctl_channel) + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
        uint64_t base =
            (uintptr_t)process->ctl.in.shared - offsetof(struct leat_ctl_channel, from_process);

        leat_mem_unmap(LEAT_SELF, base, size);
    }
    if (process->notif != 0) {
        leat_handle_close(process->notif);
    }
    leat_handle_close(process->domain);
    free(process);
}

void process_discard(struct process *process)
{
    leat_domain_kill(process->domain, 0);
    forget(process);
}

int process_run(struct process *process)
{
    int64_t error = leat_domain_watch(process->domain, supervisor_loop.notif, SUPERVISOR_BIT_DEATH);

    if (error == LEAT_OK) {
        leat_mem_unmap(LEAT_SELF, (uintptr_t)process->start, LEAT_START_PAGES * LEAT_PAGE_SIZE);
        process->start = NULL;
        error = leat_thread_create(process->domain, process->entry_va, LEAT_STACK_TOP_VA,
                                   LEAT_START_VA, process->highest_prio);
    }
    if (error < 0) {
        leat_log("process '%s' cannot start: no thread (error %d)", process->name, (int)error);
    }
    return error < 0 ? (int)error : LEAT_OK;
}

static void send_backlog(struct process *process)
{
    while (process->backlog_count != 0 &&
           leat_ring_put(&process->ctl.out, &process->backlog[process->backlog_first]) == LEAT_OK) {
        process->backlog_first = (process->backlog_first + 1) % PROCESS_BACKLOG;
        process->backlog_count--;
    }
    leat_channel_flush(&process->ctl);
}

int process_send(struct process *process, const struct leat_ctl *message)
{
    unsigned slot = (process->backlog_first + process->backlog_count) % PROCESS_BACKLOG;

    if (process->backlog_count == PROCESS_BACKLOG) {
        leat_log("process '%s' does not read its messages: one is lost", process->name);
        return LEAT_EAGAIN;
    }
    process->backlog[slot] = *message;
    process->backlog_count++;
    send_backlog(process);
    return LEAT_OK;
}

int process_send_text(struct process *process, uint32_t op, const char *text, uint64_t arg0,
                      uint64_t arg1)
{
    struct leat_ctl message = {.op = op, .arg = {arg0, arg1}};

    snprintf(message.text, sizeof(message.text), "%s", text);
    return process_send(process, &message);
}

/* A process may flood its channel: each gets only so many messages a round, and a second. */
static void take_messages(struct process *process)
{
    uint64_t now_ns = leat_clock_ns();

    for (unsigned i = 0; i < LEAT_CTL_COUNT && pace_may(&process->messages, now_ns); i++) {
        struct leat_ctl message;

        if (leat_ring_get(&process->ctl.in, &message) != LEAT_OK) {
            break;
        }
        pace_take(&process->messages, now_ns);
        message.text[sizeof(message.text) - 1] = 0;
        if (process->on_message != NULL) {
            process->on_message(process, &message);
        }
    }
    send_backlog(process);
}

static void serve_messages(void *context)
{
    struct process *next;

    (void)context;
    for (struct process *p = processes; p != NULL; p = next) {
        next = p->next;
        take_messages(p);
    }
}

/* Those that have sent too much are looked at when the timer comes. */
static bool messages_wait(void *context)
{
    uint64_t now_ns = leat_clock_ns(), next_ns = 0;
    bool more = false;

    (void)context;
    for (struct process *p = processes; p != NULL; p = p->next) {
        bool has_sent = !leat_channel_may_sleep(&p->ctl);

        if (has_sent && !pace_may(&p->messages, now_ns)) {
            next_ns = next_ns == 0 || pace_next_ns(&p->messages) < next_ns
                          ? pace_next_ns(&p->messages)
                          : next_ns;
            has_sent = false;
        }
        more |= has_sent;
        if (p->backlog_count != 0) {
            more |= !leat_ring_may_sleep(&p->ctl.out);
        }
    }
    leat_loop_timer_set(&supervisor_loop, &held_back, next_ns);
    if (more) {
        serve_messages(NULL);
    }
    return more;
}

void process_describe_death(const struct leat_domain_status *status, char *text, size_t size)
{
    if (status->fault_vector == UINT32_MAX) {
        snprintf(text, size, "exit code %d", (int)status->code);
        return;
    }
    snprintf(text, size, "CPU exception %u (error 0x%x) at 0x%llx, address 0x%llx",
             (unsigned)status->fault_vector, (unsigned)status->fault_error,
             (unsigned long long)status->fault_rip, (unsigned long long)status->fault_address);
}

static void serve_deaths(void *context)
{
    struct process *next;

    (void)context;
    for (struct process *p = processes; p != NULL; p = next) {
        struct leat_domain_status status;

        next = p->next;
        if (leat_domain_status(p->domain, &status) != LEAT_OK || status.alive != 0) {
            continue;
        }
        take_messages(p); /* its last words */
        if (p->on_death != NULL) {
            p->on_death(p, &status);
        }
        next = p->next;
        forget(p);
    }
}

void process_init(void)
{
    leat_loop_on(&supervisor_loop, SUPERVISOR_BIT_CTL, serve_messages, NULL);
    leat_loop_on(&supervisor_loop, SUPERVISOR_BIT_DEATH, serve_deaths, NULL);
    leat_loop_timer(&supervisor_loop, &held_back, serve_messages, NULL);
    leat_loop_idle(&supervisor_loop, messages_wait, NULL);
}
