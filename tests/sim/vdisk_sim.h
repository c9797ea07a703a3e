// SPDX-License-Identifier: BSD-2-Clause
/* The engine's simulator above its world: a machine, its disks and the guests that use them. */
#ifndef TESTS_VDISK_SIM_H
#define TESTS_VDISK_SIM_H

#include "tests/sim/sim_store.h"
#include "vdisk/vdisk.h"

#define SIM_DISKS 2u
#define SIM_GUESTS 6u

struct sim_disk {
    struct vdisk_disk *disk; /* NULL: detached, or the machine is off */
    struct vdisk_config config;
    struct sim_model *model;
    uint64_t life; /* of the machine: what was planned before a power cut does not happen */
};

struct sim_machine {
    struct vdisk *engine;
    struct sim_disk disks[SIM_DISKS];
    unsigned disk_count, guest_count;
    uint64_t sectors;
    bool gives_up, has_store;
    bool may_fill;       /* the store may become full */
    bool spills;         /* mode ram with a small overlay */
    bool has_lost_store; /* it was taken away */
};
extern struct sim_machine sim_machine;

static inline bool sim_writes_to_server(const struct sim_disk *d)
{
    return d->config.mode == VDISK_PRIVATE || d->config.mode == VDISK_SERVER;
}

/* Runs engine and world until is_done() or, with a store, `commands` of its disk have ended (false). Fails if
   that never comes. */
bool sim_run(bool (*is_done)(void), uint64_t commands, const char *what);

/* -- sim_guests.c -- */
void sim_guests_init(void);
void sim_guests_start(uint32_t operations); /* each does so many, on the disks that are attached */
bool sim_guests_are_done(void);
void sim_guests_forget(void); /* the machine is off: what is under way has never an answer */
void sim_disk_attach(struct sim_disk *d);
void sim_disk_detach_soon(struct sim_disk *d);
/* After a crash of everything: reads the whole disk, holds it against what may be there, and begins its
   model anew from that. */
void sim_disk_verify(struct sim_disk *d);
/* The same when the server has another image now: the disk must have failed, unless nothing of it was
   durable. */
void sim_disk_verify_other(struct sim_disk *d);

#endif
