// SPDX-License-Identifier: BSD-2-Clause
/*
 * What all storage drivers have in common: one controller with any number of devices ("units"), driven by one thread, as
 * a library without system call, allocation or global state.
 *
 * The user finds a driver by the controller's PCI ids (match.h), gives it registers, interrupts, zeroed memory for its
 * state and one DMA area, and calls start(). From then on: submit() hands over commands; interrupt() is called for each
 * interrupt of the controller (or at any time: a driver works by polling alone, too); tick() when the time that it last
 * named has come. interrupt() and tick() call done() of each command that has ended; submit() never does.
 *
 * A command is the driver's from submit() until done(), which is called exactly once; there it may be reused. Any number
 * may be submitted; the driver keeps what the device cannot take yet. Commands may end in any order; those that overlap
 * have no order unless the user waits. FLUSH covers the writes whose done() came before it was submitted.
 *
 * Nothing that a device says is trusted: sizes, indices and states are checked, each loop has a bound. A command has a
 * time limit; past it, or after an error that a repetition can mend, the device is reset and commands are repeated, up
 * to BLOCK_TRIES times. A FLUSH is never repeated: by ATA a second one may succeed although the first one lost data.
 * A device that was pulled out, or that resets do not bring back to work, is gone: its commands fail.
 *
 * Waiting: start() waits at most BLOCK_START_LIMIT_MS, interrupt() and tick() only when a device is reset, and stop(), at
 * most BLOCK_RESET_LIMIT_MS for each device; all by delay_us. The other calls never wait.
 */
#ifndef DRIVERS_BLOCK_BLOCK_H
#define DRIVERS_BLOCK_BLOCK_H

#include <leat/types.h>

#define BLOCK_START_LIMIT_MS 30000u
#define BLOCK_RESET_LIMIT_MS 10000u
#define BLOCK_TRIES 3u
#define BLOCK_COMMAND_LIMIT_MS 15000u /* from the device's taking it to its end */
#define BLOCK_FLUSH_LIMIT_MS 60000u
#define BLOCK_DATA_ALIGN 4u /* of block_command.data_hpa */

enum block_region {                        /* where a register lies */
                    BLOCK_REGION_BAR0 = 0, /* to 5 */
                    BLOCK_REGION_BARS = 6,
                    BLOCK_REGION_PORTS =
                        6, /* fixed I/O ports: block_match.ports[0], then 1, 2, 3 */
                    BLOCK_REGION_COUNT = 10,
};

struct block_platform { /* all members are needed */
    void *context;
    /* bytes: 1, 2, 4 or 8 (8: memory BARs only). One access of that width, never split or joined. */
    uint64_t (*read)(void *context, unsigned region, uint32_t offset, unsigned bytes);
    void (*write)(void *context, unsigned region, uint32_t offset, unsigned bytes, uint64_t value);
    /* The size in bytes of a region; 0: there is none. */
    uint32_t (*region_bytes)(void *context, unsigned region);
    /* PCI configuration space of the controller; offset: a multiple of 4 below 256. Only virtio needs it. Before start()
       the user has switched on the decoding of the regions and bus mastering. */
    uint32_t (*config_read)(void *context, uint32_t offset);
    void (*delay_us)(void *context, uint32_t us); /* at least so long; may sleep */
    uint64_t (*now_ns)(void *context);            /* monotonic */
    void (*log)(void *context, const char *line); /* one line for people, without a newline */
};

/* Memory that the device reaches, physically contiguous and below 4 GiB. It is the driver's from start() on until stop()
   has returned; the device's as much. Data of commands lies elsewhere: in whatever memory the user names there. */
struct block_dma {
    uint8_t *va;   /* aligned to 4096 */
    uint64_t hpa;  /* as the device sees it */
    uint64_t size; /* at least block_driver.dma_bytes */
};

struct block_device_info {
    char model[41], serial[21],
        firmware[9];              /* printable ASCII, no blanks at the ends; may be empty */
    uint32_t sector_bytes;        /* logical: 512, 1024, 2048 or 4096 */
    uint32_t physical_bytes;      /* what the device writes at once; a multiple of sector_bytes */
    uint64_t sectors;             /* at least 1; sectors * sector_bytes is below 2^63 */
    uint32_t max_sectors;         /* of one READ or WRITE; at least 64 KiB */
    uint32_t max_discard_sectors; /* 0: no DISCARD */
    uint32_t queue_depth;         /* commands that the device works on at the same time */
    bool has_write_cache; /* volatile: what is not flushed may be lost; else FLUSH does nothing */
    bool has_fua;         /* else a FUA write is a write and a flush */
    bool is_read_only;
};

enum block_op {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_FLUSH,
    BLOCK_DISCARD, /* what is read there afterwards is not defined */
};

struct block_command {
    uint8_t op; /* enum block_op */
    bool fua;   /* WRITE: durable when it is done */
    uint32_t
        sectors;  /* READ, WRITE: 1 to max_sectors; DISCARD: 1 to max_discard_sectors; FLUSH: 0 */
    uint64_t lba; /* in sectors; FLUSH: 0 */
    /* READ, WRITE: sectors * sector_bytes bytes, physically contiguous below 4 GiB; where the user sees them, and where the
       device does. The driver looks at the first only if it moves data by the CPU. */
    uint8_t *data;
    uint64_t data_hpa; /* a multiple of BLOCK_DATA_ALIGN */
    /* false: the device failed, or is gone; of a WRITE any part may have happened. May call submit(). */
    void (*done)(struct block_command *command, bool is_ok);
    void *owner; /* the user's */
    /* The driver's, between submit and done. */
    struct block_command *next;
    uint64_t deadline_ns;
    uint8_t tries, phase, unit;
};

struct block_counters {
    uint64_t commands, errors; /* given to a device; ended with is_ok false */
    uint64_t repeated, timeouts, resets;
    uint64_t interrupts, lost_interrupts; /* lost: the command had ended when its time limit came */
    uint64_t refused;                     /* values of the device that make no sense */
};

struct block_driver {
    const char *name;   /* as in block_match */
    size_t state_bytes; /* memory for `state`, zeroed, aligned to 16 */
    size_t dma_bytes;   /* a multiple of 4096 */

    /* Resets the controller, finds its devices, switches interrupts on. LEAT_EINVAL: dma too small or not aligned, a
       region is missing. LEAT_EIO: the controller does not work; the log says why. No device is no error. */
    int (*start)(void *state, const struct block_platform *platform, const struct block_dma *dma);
    /* Unit numbers are below this; it does not change after start. */
    unsigned (*unit_count)(const void *state);
    /* NULL: there is no device with that number, or it is gone. Does not change while it is there. */
    const struct block_device_info *(*info)(const void *state, unsigned unit);
    /* LEAT_OK: done() will be called. Otherwise the command was not taken: LEAT_EINVAL: fields out of their range;
       LEAT_ERANGE: beyond the device's end; LEAT_EROFS; LEAT_EIO: no such device, or gone. */
    int (*submit)(void *state, unsigned unit, struct block_command *command);
    /* Takes the causes from the device, and ends commands. True: the interrupt was this controller's. */
    bool (*interrupt)(void *state);
    /* Ends what is too late. Returns when it wants to be called again, in the time of now_ns; UINT64_MAX: nothing is under
       way; call it again after the next submit(). */
    uint64_t (*tick)(void *state);
    /* Ends all DMA and interrupts; commands that were not done are dropped without done(). Safe whatever start said. */
    void (*stop)(void *state);
    const struct block_counters *(*counters)(const void *state);
};

extern const struct block_driver block_driver_ata;        /* ata.h */
extern const struct block_driver block_driver_ahci;       /* ahci.h */
extern const struct block_driver block_driver_nvme;       /* nvme.h */
extern const struct block_driver block_driver_virtio_blk; /* virtio_blk.h */

#endif
