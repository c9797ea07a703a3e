// SPDX-License-Identifier: BSD-2-Clause
/* Puts a VM together: its vmm's process, the guest's memory, files, disks, console. */
#ifndef SUPERVISOR_VM_BUILD_H
#define SUPERVISOR_VM_BUILD_H

#include "lib/loop.h"
#include "services/supervisor/prompt.h"
#include "services/supervisor/services.h"
#include "services/supervisor/vm.h"

#define VM_MAX_ATTACHMENTS (2 + LEAT_CONFIG_VM_DISKS) /* log, console, disks */

struct vm {
    const struct leat_config_vm *config;
    const struct leat_config *whole; /* for its disks */
    unsigned number;                 /* from 1, as people count */
    enum vm_state state;
    struct process *process; /* NULL: none */
    bool is_restart_wanted;
    char end[160];   /* why it ended; empty while it runs */
    char waits[280]; /* what it waits for; empty: nothing */
    struct leat_loop_timer timer;
    unsigned attachment_count;
    struct attachment attachments[VM_MAX_ATTACHMENTS];
};

/* Builds and runs the vmm; NULL after one line that says what is missing. The channels that were
   attached by then are in vm->attachments either way. */
struct process *vm_build(struct vm *vm, process_message_fn on_message, process_death_fn on_death);

#endif
