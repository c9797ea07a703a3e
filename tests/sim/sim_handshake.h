// SPDX-License-Identifier: BSD-2-Clause
/*
 * The simulated server's handshake (NBD protocol: "Fixed newstyle negotiation"): it greets, answers
 * the engine's options as the seed's profile says, and keeps what they have settled for the
 * requests of the connection. An engine that asks for what makes no sense fails the seed.
 */
#ifndef TESTS_SIM_HANDSHAKE_H
#define TESTS_SIM_HANDSHAKE_H

#include <stddef.h>

#include "tests/sim/sim.h"

#define SIM_CONTEXT 7u /* the number that this server gives base:allocation */
#define SIM_DEPTHS 8u  /* and qemu:allocation-depth */

enum sim_phase {
    SIM_GREETED, /* the client's flags are to come */
    SIM_OPTIONS,
    SIM_TRANSMISSION
};

/* Of one connection. */
struct sim_session {
    enum sim_phase phase;
    bool was_told_structured; /* by a reply as it was delivered, damaged or not */
    bool has_depths;
    bool has_hidden_limits; /* what was to tell them arrived as something else */
    bool is_tree;           /* it is the hash tree's export that it asked for */
    int client;             /* whose export; -1: the image's */
};

/* Begins the session, and greets. */
void sim_handshake_begin(struct sim_conn *c, struct sim_session *s);
/* Takes what is whole at the begin of c->tx, before the transmission phase, and answers it. Returns
 * its bytes, for the caller to remove; 0: more must come. */
size_t sim_handshake_take(struct sim_conn *c, struct sim_session *s);

/* -- what it needs of the server (sim_server.c) -- */
uint64_t sim_server_sectors_told(void); /* the size of the image, as clients are told */
/* One bit of what is about to be sent, by chance. */
void sim_server_damage(uint8_t *header, size_t size);

#endif
