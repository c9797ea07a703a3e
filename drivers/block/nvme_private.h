// SPDX-License-Identifier: BSD-2-Clause
/* Between the files of the NVMe driver only. */
#ifndef DRIVERS_BLOCK_NVME_PRIVATE_H
#define DRIVERS_BLOCK_NVME_PRIVATE_H

#include "drivers/block/nvme.h"
#include "drivers/block/nvme_regs.h"
#include "drivers/block/logf.h"
#include "drivers/block/work.h"

#define NVME_ADMIN_ENTRIES 16u
#define NVME_IO_ENTRIES 128u /* more than BLOCK_SLOTS: the submission queue is never full */
#define NVME_NAME "nvme"
#define NVME_OFF_MS 2000u /* each of the two steps of shutting down */

/* Of each slot: the list of pages of a transfer, or the range of a DISCARD. A transfer that begins inside a page has one
   page more; the first is named by PRP entry 1. A power of two, so that no list crosses a page (4.3). */
#define NVME_LIST_BYTES (NVME_TRANSFER_BYTES / 4096 * 8)

enum nvme_dma_layout {
    NVME_DMA_ADMIN_SQ = 0,
    NVME_DMA_ADMIN_CQ = 0x1000,
    NVME_DMA_IDENTIFY = 0x2000,
    NVME_DMA_IO_CQ = 0x3000,
    NVME_DMA_IO_SQ = 0x4000,
    NVME_DMA_LISTS = 0x6000,
    NVME_DMA_BYTES = NVME_DMA_LISTS + BLOCK_SLOTS * NVME_LIST_BYTES,
};
_Static_assert(NVME_IO_ENTRIES * 64 <= NVME_DMA_LISTS - NVME_DMA_IO_SQ, "fits");
_Static_assert(4096 % NVME_LIST_BYTES == 0, "4.3");

enum nvme_state {
    NVME_OFF,       /* not started, or stopped */
    NVME_DISABLING, /* CC.EN is 0, CSTS.RDY not yet */
    NVME_ENABLING,  /* CC.EN is 1, CSTS.RDY not yet */
    NVME_RUNNING,
    NVME_GONE, /* answers no more, or no reset helps */
};

struct nvme_queue { /* a pair */
    struct nvme_command *commands;
    struct nvme_completion *completions;
    uint64_t commands_hpa, completions_hpa;
    uint16_t id;
    uint16_t entries;
    uint16_t tail; /* of the submission queue */
    uint16_t head; /* of the completion queue */
    uint8_t phase; /* of completions not yet seen */
};

struct nvme_unit {
    uint32_t nsid;
    bool is_gone;
    bool has_lost; /* written data may be lost: the next FLUSH fails */
    /* Successful writes without FUA so far, and how many of them a FLUSH has covered. */
    uint64_t written, flushed;
    struct block_device_info info;
};

struct nvme_units {
    unsigned count;
    struct nvme_unit unit[NVME_UNITS_MOST];
};

struct nvme {
    struct block_platform platform;
    struct block_dma dma;
    enum nvme_state state;
    uint64_t cap;
    uint64_t ready_limit_ns; /* until when CSTS.RDY must follow CC.EN */
    uint64_t limit_ns;       /* until when admin commands of the start or a reset must end */
    unsigned resets_in_row;
    const char *why; /* the last reset */
    bool is_started; /* start() has succeeded */
    struct nvme_queue admin, io;
    uint16_t admin_cid;
    bool is_aborting; /* an Abort command is under way, with admin_cid */
    struct block_work work;
    uint8_t generation[BLOCK_SLOTS]; /* upper half of the command identifier */
    uint64_t aborted;                /* slots that an Abort was sent for */
    uint64_t mark[BLOCK_SLOTS];      /* of a FLUSH: unit.written when it was sent */
    struct nvme_units units;
};

static inline uint32_t nvme_get(const struct nvme *nvme, uint32_t reg)
{
    return (uint32_t)block_read(&nvme->platform, BLOCK_REGION_BAR0, reg, 4);
}
static inline void nvme_put(const struct nvme *nvme, uint32_t reg, uint32_t value)
{
    block_write(&nvme->platform, BLOCK_REGION_BAR0, reg, 4, value);
}

/* -- nvme_queue.c -- */

/* Empty, for `entries` entries; the memory is cleared. */
void nvme_queue_init(struct nvme *nvme, struct nvme_queue *queue, uint16_t id, uint16_t entries,
                     uint32_t sq_offset, uint32_t cq_offset);
/* Appends a command; the caller has seen to it that there is room. Shown to the controller by nvme_queue_ring. */
void nvme_queue_push(struct nvme_queue *queue, const struct nvme_command *command);
void nvme_queue_ring(const struct nvme *nvme, const struct nvme_queue *queue);
/* Takes the next completion, copied; false: there is none. nvme_queue_consumed tells the controller. */
bool nvme_queue_take(struct nvme_queue *queue, struct nvme_completion *completion);
void nvme_queue_consumed(const struct nvme *nvme, const struct nvme_queue *queue);

/* -- nvme_control.c -- */

/* LEAT_EIO, with a line in the log: not a controller that the driver can work with. */
int nvme_check_controller(struct nvme *nvme);
/* Switches it off; nvme_reset_step does the rest. Commands stay in their slots until it is off. */
void nvme_reset_begin(struct nvme *nvme, const char *why);
/* Goes on with a reset as far as it can without waiting for the controller to become ready; then RUNNING or GONE. */
void nvme_reset_step(struct nvme *nvme);
/* All commands fail. Said of a controller that is off, or cannot be switched off, or is not there. */
void nvme_gone(struct nvme *nvme, const char *why);
/* Does the controller work? If not, it is reset or gone. */
bool nvme_is_well(struct nvme *nvme);
/* Shut down and switched off. */
void nvme_shut_down(struct nvme *nvme);

/* An admin command, waited for until nvme->limit_ns. LEAT_EINVAL: the controller refuses it. LEAT_EIO: the controller does
   not work. */
int nvme_admin(struct nvme *nvme, struct nvme_command *command);

/* -- nvme_identify.c -- */

/* Finds the units. LEAT_EIO: the controller does not tell, or is not one that the driver can work with. */
int nvme_identify(struct nvme *nvme, struct nvme_units *units);

/* -- nvme_io.c -- */

void nvme_io_reset(struct nvme *nvme);                   /* the queues were made anew */
void nvme_io_pump(struct nvme *nvme);                    /* gives the controller what waits */
unsigned nvme_io_poll(struct nvme *nvme);                /* takes completions; returns how many */
void nvme_io_limits(struct nvme *nvme, uint64_t now_ns); /* aborts, and resets, what is too late */

#endif
