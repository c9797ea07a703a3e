// SPDX-License-Identifier: BSD-2-Clause
/*
 * The files that VMs and vdisk are given by their names: those that boot has loaded, and those that the client's process has
 * brought from a server (docs/client.md).
 */
#ifndef SUPERVISOR_FILES_H
#define SUPERVISOR_FILES_H

#include "services/supervisor/process.h"

#define FILES_MOST 64u /* that a server gives */

/* Is there a file of that name, whole? */
bool files_has(const char *name);

/* An object over its pages, which the caller closes, and its size in bytes. Or an enum leat_error. */
int64_t files_mem(const char *name, uint64_t *size);

/* Zeroed memory for a file of a server's, mapped writable into `client`; one of that name is given up before. NULL
   with *va, or for people why not. */
const char *files_make(struct process *client, const char *name, uint64_t size, uint64_t *va);

/* All that were made are whole: `client` has them no more, and others may. */
void files_finish(struct process *client);

/* Gives up all: nothing was started with them. */
void files_forget(void);

/* Gives up what was made and is not whole; the process that filled it is dead, or about to be. */
void files_drop(void);

#endif
