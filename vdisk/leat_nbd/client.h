// SPDX-License-Identifier: BSD-2-Clause
/* One NBD client of leat-nbd: negotiation (greeting.c), then requests into the engine (client.c).
 */
#ifndef VDISK_LEAT_NBD_CLIENT_H
#define VDISK_LEAT_NBD_CLIENT_H

#include <stdbool.h>

#include "vdisk/vdisk.h"

#define CLIENT_MAX_BLOCK (32u << 20)
#define CLIENT_MAX_JOBS 256u

enum client_phase { CLIENT_FLAGS, CLIENT_OPTIONS, CLIENT_REQUESTS, CLIENT_ENDING };

struct out { /* bytes on their way to the client */
    struct out *next;
    size_t size, sent;
    uint8_t data[];
};

struct client {
    int fd;
    enum client_phase phase;
    bool wants_no_zeroes;
    struct vdisk_disk *disk;
    uint8_t *in;
    size_t in_size, in_room;
    struct out *out, **out_end;
    unsigned jobs; /* requests in the engine */
};

struct client *client_new(int fd, struct vdisk_disk *disk);
/* Closes; requests under way end without an answer. Freed when the last of them has. */
void client_drop(struct client *c);
/* Reads and serves what has come; false: the client is gone or talks nonsense. */
bool client_input(struct client *c);
bool client_output(struct client *c); /* sends; false: gone */
bool client_wants_input(const struct client *c);

/* Room for an answer of that size, queued; fill it at once. */
uint8_t *client_answer(struct client *c, size_t size);
/* -- greeting.c: bytes used of c->in, 0: more are needed, -1: nonsense -- */
void greeting_begin(struct client *c);
long greeting_step(struct client *c);

#endif
