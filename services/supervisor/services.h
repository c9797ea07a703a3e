// SPDX-License-Identifier: BSD-2-Clause
/* The processes that are not VMMs: console, net, vdisk. */
#ifndef SUPERVISOR_SERVICES_H
#define SUPERVISOR_SERVICES_H

#include "lib/config/config.h"
#include "services/supervisor/process.h"

/* One process's part in a channel that comes and goes with a VM. */
struct attachment {
    struct process *process; /* NULL: there is none (any more) */
    uint64_t cookie;
    uint64_t bits; /* of the process's notification, to be returned; 0: shared ones */
};

/* Each logs what is missing, and leaves that service out. With [leatd] net runs at once, else with vdisk. */
void services_start_console(const struct leat_config *config);
void services_start_net(const struct leat_config *config);
void services_start_vdisk(const struct leat_config *config);

/* What vdisk takes at least. */
uint64_t services_least_bytes(const struct leat_config *config);

/* NULL: does not run. */
struct process *services_console(void);
struct process *services_vdisk(void);

struct process *services_net(void);

/* Is there a network for disks to come over? */
bool services_has_net(void);

/* Gives the process a log channel. Without a console it has none, and says things by log_write. */
void services_attach_log(struct process *process, struct attachment *attachment);

/* Gives a vmm its guest's console, and one of its disks. An enum leat_error, logged. */
int services_attach_console(struct process *vmm, const char *vm, unsigned number,
                            struct attachment *attachment);
int services_attach_disk(struct process *vmm, const char *vm, const char *disk,
                         struct attachment *attachment);

/* Tells whoever looks at that VM's console. */
void services_show_status(unsigned number, const char *text);

#endif
