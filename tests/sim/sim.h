// SPDX-License-Identifier: BSD-2-Clause
/*
 * A small world for the streaming engine: one seed, one history. Time is a number, connections are
 * byte queues with delays, the server keeps one tag for each sector, and everything that may go
 * wrong does.
 */
#ifndef TESTS_SIM_H
#define TESTS_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk/vdisk.h"

#define SIM_SECTOR 512u
#define SIM_CONNS 16u
#define SIM_CLIENTS 2u /* exports of their own over the image */
#define SIM_MS 1000000ull

struct sim_model;

/* -- world: time, chance, events, connections (sim_world.c) -- */
struct sim_profile { /* of this seed: chances in 1/1000, delays in ms */
    uint32_t delay_ms, think_ms;
    uint32_t cut, corrupt, truncate, silent, restart, server_error, duplicate;
    uint32_t other_image; /* after a restart, once sim_server_may_change */
    uint32_t unit_grows;  /* the same: requests must be of 64 KiB from then on */
    bool structured, has_fua, has_flush, has_trim;
    bool has_multi_conn;
    bool is_sparse, has_status; /* the image has holes; the server says where */
    bool has_depth, by_holes; /* and what of a client's export is of the image, by depth or holes */
    uint32_t min_block, max_block;
    bool has_root;                          /* the image has a hash tree */
    uint32_t lie_data, lie_tree, lie_other; /* blocks; status and size */
};
extern struct sim_profile sim_profile;
extern bool sim_faults_on;
extern bool sim_verbose;

void sim_world_init(uint64_t seed);
void sim_world_end(void);
uint64_t sim_random(void);
bool sim_chance(uint32_t in_1000); /* false once faults are off */
uint64_t sim_now(void);
void sim_wait(uint64_t until_ns); /* time goes on to then, if it is to come */
uint64_t sim_tick(void);          /* a strictly increasing event number */
__attribute__((format(printf, 1, 2))) _Noreturn void sim_fail(const char *fmt, ...);

typedef void sim_event_fn(void *ctx, uint64_t arg);
void sim_at(uint64_t delay_ns, sim_event_fn *fn, void *ctx, uint64_t arg);
uint64_t sim_next(void); /* the time of the next event; UINT64_MAX: none */
/* Runs the next event, or lets time pass until `engine_when`. False: nothing will ever happen. */
bool sim_step(uint64_t engine_when);

struct sim_conn {
    bool is_used, is_open, is_told; /* is_told: the engine knows that it is closed */
    uint64_t generation;
    const struct vdisk_conn_events *events;
    void *owner;
    uint8_t *rx, *tx; /* rx: arrived at the engine; tx: on its way to the server */
    size_t rx_size, tx_size, tx_room;
    size_t in_transit; /* of tx: not yet told to the server */
    uint64_t last_delivery_ns;
    struct sim_server_conn *server;
};
extern const struct vdisk_platform sim_platform;
void sim_conn_deliver(struct sim_conn *c, const uint8_t *data, size_t size); /* server -> engine */
void sim_conn_cut(struct sim_conn *c, const char *why);

/* -- the server (sim_server.c) -- */
void sim_server_init(uint64_t sectors);
void sim_server_end(void);
bool sim_server_is_up(void);
void sim_server_accept(struct sim_conn *c);
void sim_server_input(struct sim_conn *c); /* bytes in c->tx */
void sim_server_gone(struct sim_conn *c);
/* Loses a random part of what was not flushed. */
void sim_server_crash(bool restart);
uint64_t sim_server_tag(uint64_t sector);
void sim_server_new_image(void); /* sim_version has changed */
extern bool sim_server_may_change;
bool sim_server_was_changed(void); /* it has an image that the model knows nothing of */

/* -- the clients' layers over the image (sim_client.c) -- */
void sim_clients_init(unsigned count, uint64_t sectors); /* empty; exports "c0", "c1" */
void sim_clients_end(void);
void sim_client_fill(unsigned client, struct sim_model *model); /* it has been written to before */
bool sim_client_holds(unsigned client, uint64_t sector);
uint64_t sim_client_tag(unsigned client, uint64_t sector); /* in the full view */
void sim_client_write(unsigned client, uint64_t sector, uint64_t tag, bool is_durable);
void sim_client_flush(unsigned client);
void sim_clients_crash(void);

/* -- the hash tree and what is not true (sim_tree.c) -- */
void sim_tree_init(uint64_t sectors, struct verity_root *root);
void sim_tree_end(void);
uint64_t sim_tree_bytes(void);
void sim_tree_read(uint64_t offset, uint32_t length, uint8_t *to);
void sim_sha256(const void *salt, size_t salt_size, const void *data, size_t size, uint8_t out[32]);
/* Changes blocks of what is going to be sent, by chance. */
void sim_lie(bool is_tree, uint64_t offset, uint8_t *data, uint32_t length);

/* -- sectors: content made from a tag, and back (sim_model.c) -- */
#define SIM_INITIAL (1ull << 63)
extern uint64_t sim_version;               /* of the image: each has other tags, and other holes */
uint64_t sim_initial_tag(uint64_t sector); /* 0 in a hole */
void sim_sector_fill(uint8_t *data, uint64_t sector, uint64_t tag);
uint64_t sim_sector_tag(const uint8_t *data, uint64_t sector,
                        const char *who); /* fails when torn */

/* -- what may be read: a history of writes for each sector -- */
struct sim_model *sim_model_new(uint64_t sectors);
void sim_model_free(struct sim_model *m);
/* Returns the operation's number. is_weak: the old content may stay (discard). */
uint64_t sim_model_write(struct sim_model *m, uint64_t sector, uint64_t count, uint64_t tag,
                         bool is_weak);
void sim_model_written(struct sim_model *m, uint64_t number, bool is_ok, bool is_durable);
/* Every write that was done before `started` is durable. */
void sim_model_flushed(struct sim_model *m, uint64_t started);
void sim_model_check_read(struct sim_model *m, uint64_t sector, uint64_t tag, uint64_t started);
bool sim_model_is_durable(const struct sim_model *m); /* something of it is */
void sim_model_check_durable(struct sim_model *m, uint64_t sector, uint64_t tag);
/* Of a sector that could not be read: whatever `from` knows of it may show later. */
void sim_model_inherit(struct sim_model *m, const struct sim_model *from, uint64_t sector);

#endif
