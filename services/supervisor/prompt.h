// SPDX-License-Identifier: BSD-2-Clause
/* Leat's prompt: lines come from the console, answers go back there. One question at a time. */
#ifndef SUPERVISOR_PROMPT_H
#define SUPERVISOR_PROMPT_H

#include "services/supervisor/power.h"
#include "services/supervisor/process.h"

void prompt_init(void);

/* A LEAT_CTL_COMMAND of the console. */
void prompt_command(const struct leat_ctl *message);

/* A process's LEAT_CTL_REPLY to what the prompt asked it. */
void prompt_reply(struct process *process, const struct leat_ctl *message);

/* Is an answer of some process awaited? */
bool prompt_is_asking(void);

/* The process is dead: no answer will come. */
void prompt_forget_process(struct process *process);

/* Stops the machine after giving the console a moment to show what was said, and the client's process time to say bye to
   leatd. */
void prompt_stop_machine(enum power how);
/* It has. */
void prompt_stop_goes_on(void);

#endif
