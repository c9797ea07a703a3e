// SPDX-License-Identifier: BSD-2-Clause
/* What the storage drivers share: checks, a queue of commands, one kind of log line. */
#ifndef DRIVERS_BLOCK_CORE_H
#define DRIVERS_BLOCK_CORE_H

#include "drivers/block/block.h"

#define BLOCK_NEVER UINT64_MAX
#define BLOCK_NS_PER_MS 1000000ull
#define BLOCK_CHECK_MS 1000u /* how long an interrupt may be late before the device is asked */

struct block_queue { /* all zero: empty */
    struct block_command *first, *last;
};
void block_queue_push(struct block_queue *queue, struct block_command *command);
void block_queue_push_front(struct block_queue *queue, struct block_command *command);
/* NULL: empty. */
struct block_command *block_queue_pop(struct block_queue *queue);
/* Takes out the commands of one unit, in order. */
struct block_queue block_queue_split(struct block_queue *queue, unsigned unit);

/* May the device be given this? LEAT_OK or what submit() returns. `info` is what info() says: NULL is LEAT_EIO. */
int block_check(const struct block_device_info *info, const struct block_command *command);

/* The same; if so, the command's fields that are the driver's are set to the start. */
int block_accept(const struct block_device_info *info, struct block_command *command,
                 unsigned unit);

/* After a fault that does not lie in the command: may it be tried again? Not too often, and a flush never, nor the flush of
   a FUA write (phase 0 is the write): see block.h. */
bool block_may_repeat(const struct block_command *command);

/* Is the area as struct block_dma says, and large enough? */
bool block_dma_is_good(const struct block_dma *dma, size_t bytes);

/* Logs "DRIVER: disk UNIT: WHAT". */
void block_log(const struct block_platform *platform, const char *driver, unsigned unit,
               const char *what);

/* Copies `size` bytes of a name that the device gave: unprintable ones become blanks, blanks at the ends go. `to` has
   room for size + 1. */
void block_copy_name(char *to, const uint8_t *from, size_t size);

/* Are these sizes possible (see struct block_device_info)? */
bool block_sizes_are_good(uint64_t sectors, uint32_t sector_bytes, uint32_t physical_bytes);

static inline uint64_t block_read(const struct block_platform *p, unsigned region, uint32_t offset,
                                  unsigned bytes)
{
    return p->read(p->context, region, offset, bytes);
}
static inline void block_write(const struct block_platform *p, unsigned region, uint32_t offset,
                               unsigned bytes, uint64_t value)
{
    p->write(p->context, region, offset, bytes, value);
}
static inline void block_delay(const struct block_platform *p, uint32_t us)
{
    p->delay_us(p->context, us);
}
static inline uint64_t block_now(const struct block_platform *p)
{
    return p->now_ns(p->context);
}

#endif
