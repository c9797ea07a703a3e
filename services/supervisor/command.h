// SPDX-License-Identifier: BSD-2-Clause
/* A line typed at Leat's prompt, taken apart. Portable. */
#ifndef SUPERVISOR_COMMAND_H
#define SUPERVISOR_COMMAND_H

#include <leat/types.h>

enum command_kind {
    COMMAND_NONE, /* an empty line */
    COMMAND_VMS,
    COMMAND_VM_STOP,
    COMMAND_VM_START,
    COMMAND_VM_RESET,
    COMMAND_VM_KILL,
    COMMAND_VM_SHOW,
    COMMAND_DISKS,
    COMMAND_MEM,
    COMMAND_CPUS,
    COMMAND_RESTART,        /* of the service `storage` */
    COMMAND_RESTART_CLIENT, /* of the service `client` */
    COMMAND_HELP,
    COMMAND_POWER_OFF,
    COMMAND_REBOOT,
    COMMAND_WRONG, /* not understood: `why` says what was */
};

struct command {
    enum command_kind kind;
    char vm[32];    /* of VM_*: number or name as typed */
    uint64_t query; /* of DISKS: LEAT_QUERY() */
    char why[96];
};

void command_parse(const char *line, struct command *command);

/* What `help` prints, NULL-terminated. `log` is answered by the console itself. */
extern const char *const command_help[];

#endif
