// SPDX-License-Identifier: BSD-2-Clause
/* A store on a disk of memory that does everything at once, for unit tests. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "vdisk/store/store.h"

struct store_fixture {
    struct store *store;
    struct store_options options;
    uint8_t *disk;
    uint64_t now_ns;
    struct list commands;                           /* struct store_io */
    unsigned fail_writes, fail_flushes, fail_reads; /* of the next ones, so many */
    enum store_status opened;
    bool has_opened;
};

/* A new disk of so many bytes, a range in its middle (a sector from both ends), formatted, open. */
void store_fixture_new(struct store_fixture *f, uint64_t range_bytes);
void store_fixture_end(struct store_fixture *f);
/* Closes and opens again; what was not flushed by the store stays too. Returns the status. */
enum store_status store_fixture_reopen(struct store_fixture *f);
/* Runs until nothing more happens. */
void store_fixture_settle(struct store_fixture *f);
/* Ends the commands that are under way; somebody else runs the store. */
void store_fixture_deliver(struct store_fixture *f);
/* One operation to its end. */
enum store_status store_fixture_do(struct store_fixture *f, struct store_op op);
struct store_info store_fixture_info(const struct store_fixture *f);

#endif
