// SPDX-License-Identifier: BSD-2-Clause
/* A platform with one connection, whose far end is bytes in memory: for tests and fuzzers of the NBD client. */
#ifndef TESTS_UNIT_NBD_PEER_H
#define TESTS_UNIT_NBD_PEER_H

#include "vdisk/platform.h"

extern struct nbd_peer {
    const uint8_t *in;        /* what the server has said, */
    size_t in_size, in_taken; /* and how much of it has arrived */
    uint8_t *out;             /* room for what the client says; NULL: it is not kept */
    size_t out_size;
    size_t piece; /* at most so many bytes arrive at once */
    const struct vdisk_conn_events *events;
    void *owner;
    uint64_t now;
    int closes;
} peer;

/* Its connections are &peer. */
extern const struct vdisk_platform peer_platform;

#endif
