// SPDX-License-Identifier: BSD-2-Clause
/*
 * Boot profiles on their way up: vdisk lays one into memory that it shares with the supervisor (entry "profile") and says so
 * by LEAT_CTL_PROFILE; it is copied into the client's area; when the client has taken it, vdisk is told, and may send
 * the next.
 */
#ifndef SUPERVISOR_PROFILES_H
#define SUPERVISOR_PROFILES_H

#include "services/supervisor/process.h"

/* Before vdisk runs. Without memory no profile goes up; logged. */
void profiles_join(struct process *vdisk);
void profiles_forget_vdisk(void);

/* vdisk's LEAT_CTL_PROFILE: arg[0] bytes, text: VM/DISK. */
void profiles_offered(struct process *vdisk, const struct leat_ctl *message);

/* The client's process has taken the one it was given; has died; runs. */
void profiles_taken(void);
void profiles_client_died(void);
void profiles_client_came(void);

#endif
