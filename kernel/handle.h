// SPDX-License-Identifier: BSD-2-Clause
/*
 * The handle table of a domain: small numbers -> object and rights. Handle 0 is never valid.
 * Host-testable.
 */
#ifndef KERNEL_HANDLE_H
#define KERNEL_HANDLE_H

#include <leat/syscall.h>
#include "kernel/object.h"

#define HANDLES_PER_PAGE 256u
#define HANDLE_PAGES 32u

struct handle_slot {
    struct object *object; /* NULL: free */
    uint32_t rights;       /* enum leat_right */
    uint32_t next_free;    /* of a free slot; 0: last */
};

struct handle_table {
    struct handle_slot *pages[HANDLE_PAGES]; /* each HANDLES_PER_PAGE slots, charged to quota */
    uint32_t page_count;
    uint32_t first_free;
    struct quota *quota; /* not counted: the owner keeps it alive */
};

void handle_table_init(struct handle_table *table, struct quota *quota);

/* Closes every handle and frees the table's pages; may preempt. */
void handle_table_clear(struct handle_table *table);

/* Adds a handle with a reference of its own. The handle (> 0), or LEAT_ENOMEM. */
int64_t handle_add(struct handle_table *table, struct object *object, uint32_t rights);

/* Finds an object of `kind` (OBJECT_ANY: any) with all `rights`, and takes a reference for the
   caller. LEAT_OK, LEAT_EBADF or LEAT_EPERM; *object is untouched on error. */
int handle_get(const struct handle_table *table, uint64_t handle, enum object_kind kind,
               uint32_t rights, struct object **object);

/* Rights of a valid handle, 0 of another. */
uint32_t handle_rights(const struct handle_table *table, uint64_t handle);

/* LEAT_OK or LEAT_EBADF; may preempt. */
int handle_close(struct handle_table *table, uint64_t handle);

#endif
