// SPDX-License-Identifier: BSD-2-Clause
/* Cases that every driver of a controller with one queue must stand, and what they share: the tests of NVMe and of
   virtio-blk list them among their own. */
#ifndef TESTS_UNIT_BLOCK_CASES_H
#define TESTS_UNIT_BLOCK_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "block_user.h"

/* Defined by the test. */
extern struct block_user *const user;

/* Of any case; what `other` moves stands behind what `order` moves. */
extern struct world_command order, other;
/* 8 sectors of unit 0, or a flush. */
void submit(struct world_command *wc, enum block_op op, uint64_t lba);
/* `order` at sector 0, until its end, at most so long: did it succeed? */
bool run(enum block_op op, uint64_t limit_ms);
/* Any command, at most a second. */
bool run_at(struct world_command *wc, unsigned unit, enum block_op op, uint64_t lba,
            uint32_t sectors, uint32_t offset);
bool write_fua(struct world_command *wc);
/* While `order` reads at `lba`, which does not end: the model stays slow. */
void crash_under_a_read(uint64_t lba);
/* The same, and the model is slow no more: did the read succeed in that time? */
bool read_over_a_crash(uint64_t lba, uint64_t limit_ms);
const struct block_counters *counters(void);
uint64_t ms_since(uint64_t ns);
/* As in struct block_model. */
uint8_t *content(unsigned unit);
void complete(unsigned index);
void crash(void);
void fail_next(unsigned count);

/* Cases: the driver runs, unit 0 has 8192 sectors. */
void data_go_both_ways_at_any_place_and_length(void **state);
void a_discard_clears_what_it_names(void **state);
void many_at_a_time_in_any_order(void **state);

/* Cases: the driver runs, each unit has 4096 sectors. */
void errors_are_tried_three_times(void **state);
void a_flush_is_never_tried_again(void **state);
void a_lost_interrupt_costs_a_second(void **state);
void a_device_that_was_pulled_out_is_gone(void **state);
void trouble_of_all_kinds(void **state);

#endif
