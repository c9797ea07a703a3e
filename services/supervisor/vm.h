// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMs of leat.conf, each from its start to its end.
 *
 *     OFF --start--> STARTING --the vmm says so--> RUNNING --stop--> STOPPING
 *      ^                 |                            |                 |
 *      +---- all let go -+-- ENDING <---- the vmm's process is dead ----+
 *
 * In ENDING vdisk and the console let go of the channels that they shared with the dead vmm; then
 * the VM may start again.
 */
#ifndef SUPERVISOR_VM_H
#define SUPERVISOR_VM_H

#include "lib/config/config.h"
#include "services/supervisor/process.h"

enum vm_state { VM_OFF = 0, VM_STARTING, VM_RUNNING, VM_STOPPING, VM_ENDING };

/* Makes the VMs known, all off. can_run: the machine has what VMs need. */
void vm_init(const struct leat_config *config, bool can_run);

/* Starts all that are to start by themselves. */
void vm_autostart(void);

/* What the prompt asks for; the answer is one line in `answer`. */
void vm_start(unsigned index, char *answer, size_t size);
void vm_stop(unsigned index, char *answer, size_t size);
void vm_kill(unsigned index, bool and_start, char *answer, size_t size);

unsigned vm_count(void);

/* Index of the VM of that number (from 1) or name; -1: none. */
int vm_find(const char *number_or_name);

/* "off", "starting", "running", "stopping", "ending" */
const char *vm_state_name(unsigned index);

/* One line for `vms`. */
void vm_describe(unsigned index, char *text, size_t size);

/* The vmm's process; NULL: none. */
struct process *vm_process(unsigned index);

const struct leat_config_vm *vm_config(unsigned index);

/* A service answers DETACHED, or has died. */
void vm_detached(struct process *service, uint64_t cookie);
void vm_forget_process(struct process *service);

/* A line from vdisk, "disk 'VM/DISK': ...": shown in that VM's console; vdisk itself logs what is worth
   it. */
void vm_show_disk_status(const char *text);

/* Stops the machine when every VM that was to run is off, and leat.conf wants that. */
void vm_check_idle(void);

#endif
