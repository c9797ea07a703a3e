// SPDX-License-Identifier: BSD-2-Clause
/* The vdisk service's net channel with the test in the place of net: what net is asked and says, and what the owners of
   connections are told. One channel at a time. */
#ifndef TESTS_UNIT_NET_CHANNEL_H
#define TESTS_UNIT_NET_CHANNEL_H

#include "vdisk/net/net_conn.h"

extern struct leat_net_channel *shared;
extern struct net_conns conns;
extern struct leat_ring_end commands, events; /* net's ends */
extern struct leat_ring_end net_tx, net_rx;   /* of the slot of join_slot() */
extern unsigned connects, closes;             /* that were told */
extern char last_why[200];                    /* of the last close */
extern const struct vdisk_conn_events conn_events;

void begin_channel(void);
void end_channel(void);
/* What net is asked next; there must be something. */
struct leat_net_command next_command(void);
/* Net's ends of the slot's bytes. */
void join_slot(struct leat_net_command c);
/* An event of net about the connection that `c` opened. */
void tell(uint32_t kind, struct leat_net_command c, int32_t status);

#endif
