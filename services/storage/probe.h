// SPDX-License-Identifier: BSD-2-Clause
/*
 * Looks for Leat's partitions on the devices of a controller that has been started. Reads only, and
 * waits for each read: to be used before there is anybody to serve. Portable.
 */
#ifndef STORAGE_PROBE_H
#define STORAGE_PROBE_H

#include "services/storage/gpt.h"
#include "services/storage/guard.h"
#include "services/storage/server.h"

struct probe {
    const struct block_driver *driver;
    void *state;
    const struct block_platform *platform;
    const struct server_buffers *buffers; /* at least SERVER_PIECE_BYTES */
    uint8_t *table;                       /* GPT_BUFFER_BYTES */
};

/* The unit has a device (its driver says so). */
enum gpt_status probe_unit(const struct probe *probe, unsigned unit, struct gpt_result *result);

#endif
