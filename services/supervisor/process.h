// SPDX-License-Identifier: BSD-2-Clause
/*
 * A ring-3 process from its domain to its death. Made in steps: process_create, then what it is
 * given (entries, arguments, links), then process_run. Everything that is given after that goes by
 * control messages.
 */
#ifndef SUPERVISOR_PROCESS_H
#define SUPERVISOR_PROCESS_H

#include <leat/start.h>
#include <leat/syscall.h>
#include "lib/channel.h"
#include "lib/pace.h"

#define PROCESS_BITS 48u     /* of the notification that the supervisor gives out: lib/start.h */
#define PROCESS_BACKLOG 128u /* messages that wait for room in the control channel */

#define PROCESS_MESSAGES 512u
#define PROCESS_MESSAGE_NS 1000000ull

struct process;
typedef void (*process_message_fn)(struct process *process, const struct leat_ctl *message);
typedef void (*process_death_fn)(struct process *process, const struct leat_domain_status *status);

struct process {
    struct process *next;
    char name[32];
    void *owner; /* whoever made it: a VM */
    process_message_fn on_message;
    process_death_fn on_death; /* called once; the process is freed after it returns */
    leat_handle_t domain;
    enum leat_prio highest_prio; /* of its threads */
    leat_handle_t notif;         /* the process's own, with all rights */
    bool owes_answer;            /* prompt.c has asked it */
    uint64_t sampled_cpu_ns;     /* usage.c: CPU time when its measurement began; 0: came later */
    uint64_t used_bits;
    uint64_t next_va;
    uint64_t entry_va;
    struct leat_start *start; /* NULL once it runs */
    struct leat_channel_end ctl;
    struct pace messages; /* how many are taken from it */
    unsigned backlog_first, backlog_count;
    struct leat_ctl backlog[PROCESS_BACKLOG];
};

/* Called once: watches messages and deaths in the supervisor's loop. A process that sends more than
   PROCESS_MESSAGES at once, and one each PROCESS_MESSAGE_NS, finds its channel full. */
void process_init(void);

/* Loads the service `program` of the bundle into a new domain. NULL after logging why not. */
struct process *process_create(const char *name, const char *program, uint64_t quota_bytes,
                               enum leat_prio highest_prio);

/* Starts its first thread, at the highest priority that it may have; all that it was given before is
   in its start block. */
int process_run(struct process *process);

/* Ends a process that was never run. */
void process_discard(struct process *process);

/* Appends an entry of the start block to be filled; NULL: there is no room (or it runs already). */
struct leat_start_entry *process_entry(struct process *process, const char *role, const char *name);

/* Maps a file (files.h) into the process, read-only, under that role and name. False: it is not there (as boot has said),
   or cannot be mapped; logged. */
bool process_give_file(struct process *process, const char *role, const char *name,
                       const char *file);

/* Appends a "key=value" line to its arguments. LEAT_ENOMEM: no room. */
__attribute__((format(printf, 2, 3))) int process_argument(struct process *process,
                                                           const char *format, ...);

/* Maps mem whole into the process, at addresses it has not used; the va, or 0. */
uint64_t process_map(struct process *process, leat_handle_t mem, uint64_t size, uint32_t prot);

/* A bit of its notification that nobody else has, as a mask; 0: all are taken. */
uint64_t process_take_bit(struct process *process);
void process_return_bits(struct process *process, uint64_t bits);

/* Sends, or keeps until there is room. LEAT_EAGAIN: too many are kept already; logged. */
int process_send(struct process *process, const struct leat_ctl *message);
int process_send_text(struct process *process, uint32_t op, const char *text, uint64_t arg0,
                      uint64_t arg1);

/* "exit code 1", "CPU exception 14 at 0x..., address 0x..." */
void process_describe_death(const struct leat_domain_status *status, char *text, size_t size);

/* All processes, in no order: for (p = process_first(); p != NULL; p = p->next). */
struct process *process_first(void);

#endif
