// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the fuzzers of the storage drivers share. The input is a device: what it is, what it does wrong honestly (commands
 * that fail, hang, come late), where it lies (registers, the memory that it writes), and what the driver's user wants
 * meanwhile. Shown is that the driver
 *
 * - lets the device reach nothing but its DMA area and the users' memory; of that, as long as the device has not lied, only
 *   the buffers of commands that are under way;
 * - touches no byte beside a command's buffer;
 * - ends every command exactly once, and waits no longer than block.h says, also for a device that answers no more;
 * - says nothing of a disk that block.h excludes, and does not change what it said;
 * - says of no read or write that it went well when it did not, and of no flush when data are not durable (as long as the
 *   device has not lied);
 * - does to a device that has not lied nothing that its model forbids.
 *
 * When the input is used up the device works, or is dead.
 */
#ifndef TESTS_FUZZ_BLOCK_HOSTILE_H
#define TESTS_FUZZ_BLOCK_HOSTILE_H

#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/block_user.h"

#define HOSTILE_COMMANDS 8u
#define HOSTILE_SECTORS_EACH 48u /* each command has sectors of its own */
#define HOSTILE_SECTORS (HOSTILE_COMMANDS * HOSTILE_SECTORS_EACH)

struct hostile_device {
    struct block_user *user; /* of its model this needs irq */
    unsigned units;          /* that the fuzzer tries; not all need to be there */
    unsigned places;         /* for devices, that the driver may have to wait for */
    /* Makes the device and its user. True: it lies about what it is. */
    bool (*make)(struct fuzz_input *in);
    int (*start)(void);
    void (*free)(void);
    /* The disk's bytes now, in sectors of 512; NULL: there is none. */
    const uint8_t *(*content)(unsigned unit);
    /* Those that a loss of power leaves. NULL: the model does not know. */
    const uint8_t *(*durable)(unsigned unit);
    bool (*is_by_cpu)(void); /* there is no DMA: all that changes is the driver's doing. NULL: no */
    void (*fault)(struct fuzz_input *in); /* something that honest devices do */
    void (*forge)(struct fuzz_input *in); /* a lie */
    void (*kill)(void);                   /* it answers nothing any more */
    struct {
        uint32_t at, bytes; /* in the DMA area: what the device writes, and does not read */
    } areas[3];
};

/* What is on a disk at first. */
void hostile_fill(uint8_t *disk);
/* Another disk is in its place: `expected` is what the user may still see of the first. */
void hostile_swap(uint8_t *disk, uint8_t expected[HOSTILE_SECTORS * 512]);
void hostile_run(const struct hostile_device *device, const uint8_t *data, size_t size);

#endif
