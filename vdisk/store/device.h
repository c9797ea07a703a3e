// SPDX-License-Identifier: BSD-2-Clause
/*
 * All that the store needs from the world around it: a block device, a clock, chance and a log.
 * Drivers, a file on Linux and the simulator each implement this once; the store makes no other
 * call but malloc, free and the mem/str functions of the C library.
 *
 * What is assumed of the device, and no more:
 * - a completed write may be lost at a power cut until a flush that was submitted after its
 *   completion has completed; of several such writes any subset may survive, in any order;
 * - a sector under such a write may hold any mix of old and new bytes after the power cut;
 * - reads return what was last written, as long as the power is on, or a wrong content (bit rot),
 *   or fail;
 * - after a flush that failed, nothing is known of the writes before it.
 */
#ifndef VDISK_STORE_DEVICE_H
#define VDISK_STORE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "vdisk/list.h"

enum store_io_type { STORE_IO_READ, STORE_IO_WRITE, STORE_IO_FLUSH };

/* One command to the device; memory of the store, which leaves it alone until done. */
struct store_io {
    enum store_io_type type;
    uint32_t length; /* bytes, a multiple of 4096, at most 64 KiB; 0: a flush */
    uint64_t offset; /* bytes from the start of the device, a multiple of the device's sector */
    uint8_t *data;   /* aligned to 4096 */
    /* The platform calls it exactly once, from its own loop, never from submit(). */
    void (*done)(struct store_io *io, bool is_ok);
    void *owner;      /* the store's */
    struct list node; /* the platform's, between submit and done */
};

struct store_platform {
    void *ctx;
    uint64_t (*now_ns)(void *ctx); /* monotonic */
    uint64_t (*random)(void *ctx); /* 64 bits, not to be guessed by guests */
    /* Starts a command. Commands may be done in any order; a flush covers the writes that were done
       before it was submitted. Any number may be under way (store_ios_most() says how many). */
    void (*submit)(void *ctx, struct store_io *io);
    void (*log)(void *ctx, const char *line); /* one line for people, without a newline */
};

#endif
