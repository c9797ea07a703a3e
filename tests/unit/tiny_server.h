// SPDX-License-Identifier: BSD-2-Clause
/* A well-behaved NBD server in memory, as a platform of the engine: answers at once, simple
 * replies. */
#ifndef TESTS_UNIT_TINY_SERVER_H
#define TESTS_UNIT_TINY_SERVER_H

#include <stdbool.h>

#include "vdisk/platform.h"

struct vdisk;

#define TINY_BYTES (8u << 20)

extern const struct vdisk_platform tiny_platform;
extern uint8_t tiny_image[TINY_BYTES];
extern unsigned tiny_reads, tiny_writes, tiny_flushes;
#define TINY_READS_KEPT 512u
extern struct tiny_read { /* in the order in which they were asked for */
    uint64_t offset;
    uint32_t length;
} tiny_read_log[TINY_READS_KEPT];
extern uint64_t tiny_now_ns;
extern bool tiny_is_up;
extern uint64_t tiny_bad;  /* reads of that byte fail; UINT64_MAX: none */
extern bool tiny_is_mute;  /* it negotiates, and answers no request then */
extern uint64_t tiny_size; /* that it tells: TINY_BYTES at most */
extern uint32_t tiny_unit; /* of all its requests; 0: it tells none */
extern unsigned tiny_connects;
extern const char *tiny_refuses; /* connections to that host */
extern unsigned tiny_odd;        /* requests that were not of whole units */

void tiny_reset(void);
/* Delivers what happened to connections, and answers what was asked while !tiny_is_up; then call
 * vdisk_run. */
void tiny_deliver(void);
void tiny_cut(void);
/* So many times a millisecond passes, all is delivered, and the engine runs. */
void tiny_run(struct vdisk *engine, unsigned rounds);
/* What vdisk_attach() may be given by who does not ask for changes. */
void tiny_changed(void *owner);
/* An image of which no two sectors are alike. */
void tiny_fill(void);

#endif
