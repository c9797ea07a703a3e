// SPDX-License-Identifier: BSD-2-Clause
/* The engine's local store in its simulator: on the disk of store_disk.c, one store for a seed. */
#ifndef TESTS_SIM_STORE_H
#define TESTS_SIM_STORE_H

#include "tests/sim/store_sim.h"

void sim_store_init(void); /* a new disk, with a store on it, and the faults that it will have */
void sim_store_end(void);
/* As after a start of the machine. A store that does not open is made anew, if there was a reason. */
struct store *sim_store_open(void);
bool sim_store_is_new(void); /* that is what the last sim_store_open has done */
/* Something has happened to the disk that may make requests fail. */
bool sim_store_may_fail(void);
/* The power goes, or only the disk: what was under way is lost, the store is destroyed. */
void sim_store_cut(void);
/* Like sim_step, with the disk's commands. */
bool sim_store_step(uint64_t engine_when);

#endif
