// SPDX-License-Identifier: BSD-2-Clause
/*
 * What this machine tells its server of itself (docs/server.md, "renew"): when the stages of its start were reached, the
 * states of its VMs, and what vdisk says of its disks. One JSON object.
 */
#ifndef SUPERVISOR_REPORT_H
#define SUPERVISOR_REPORT_H

#include "services/supervisor/process.h"

/* text: size bytes and a NUL, good until the call returns. */
typedef void (*report_done_fn)(const char *text, size_t size);

void report_init(void);

/* Puts one together, and calls done: at once, or from the loop when vdisk has answered, or has not for a second; then
   without its disks. One at a time: while one is made, this does nothing. It waits while the prompt asks
   vdisk, which answers the last question only. */
void report_make(report_done_fn done);

/* An answer of a process: true if it was asked for here. */
bool report_reply(const struct process *process, const struct leat_ctl *message);

#endif
