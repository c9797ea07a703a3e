// SPDX-License-Identifier: BSD-2-Clause
/* Joins two processes by a channel: shared memory, and each other's notification. */
#ifndef SUPERVISOR_LINK_H
#define SUPERVISOR_LINK_H

#include "services/supervisor/process.h"

/*
 * Makes zeroed memory of `size` bytes, maps it on both sides, and fills what the two entries have
 * in common (everything but role, name and arg). bits_a and bits_b: what arrives on each side; 0:
 * take a fresh one. On failure neither side keeps memory or bits of it; logged.
 */
int link_processes(struct process *a, uint64_t bits_a, struct leat_start_entry *entry_a,
                   struct process *b, uint64_t bits_b, struct leat_start_entry *entry_b,
                   uint64_t size);

/* Hands an entry over: into the start block of a process that does not run yet, else by ATTACH. */
int link_deliver(struct process *process, const struct leat_start_entry *entry, uint64_t cookie);

/* A number that no other ATTACH carries. */
uint64_t link_cookie(void);

void link_name(struct leat_start_entry *entry, const char *role, const char *name);

#endif
