// SPDX-License-Identifier: BSD-2-Clause
/* Those who use the store in its simulator, and what they know of what they may read. */
#ifndef TESTS_STORE_CLIENTS_H
#define TESTS_STORE_CLIENTS_H

#include "tests/sim/store_sim.h"

#define IMAGES 3u
#define DIFFERENCES 2u
#define MAX_BLOCKS 1600u

struct store_facts {   /* of this seed */
    uint64_t blocks;   /* of each image and difference; the last may be cut short */
    uint64_t size;     /* in bytes, a multiple of 512 */
    uint32_t think_ns; /* at most, between two operations */
    uint32_t weights[8];
};
extern struct store_facts store_facts;

void store_clients_init(void);
void store_clients_end(void);
/* After each opening: opens the objects, checks everything that is durable, begins anew from that.
   The store must have been opened. */
void store_clients_open(struct store *s, bool after_cut);
/* A formatted store: nothing is known. */
void store_clients_forget(void);
void store_clients_start(uint32_t operations); /* for each client */
uint64_t store_clients_next(void);             /* when somebody wants to begin something */
void store_clients_step(void);
bool store_clients_are_idle(void); /* all operations have ended, no more will come */
void store_clients_release(void);  /* before a clean end */
void store_clients_drop(void);     /* a power cut: operations under way will never end */
/* One operation, driven to its end by the simulator (test_store_sim.c). */
enum store_status store_drive(struct store_op *op);

#endif
