// SPDX-License-Identifier: BSD-2-Clause
#include "drivers/block/work.h"

#include "lib/assert.h"

#define LOG_NS 1000000000ull

void block_work_add(struct block_work *work, unsigned unit, struct block_command *command)
{
    command->unit = (uint8_t)unit;
    command->tries = 0;
    command->phase = 0;
    command->deadline_ns = BLOCK_NEVER;
    block_queue_push(&work->waiting, command);
}

int block_work_take(struct block_work *work, uint64_t now_ns)
{
    uint64_t usable = work->slots < 64 ? (1ull << work->slots) - 1 : UINT64_MAX;
    uint64_t free = usable & ~work->busy;

    if (!work->waiting.first || !free)
        return -1;
    int slot = __builtin_ctzll(free);
    struct block_command *command = block_queue_pop(&work->waiting);
    uint64_t limit_ms =
        block_work_is_flush(command) ? BLOCK_FLUSH_LIMIT_MS : BLOCK_COMMAND_LIMIT_MS;
    command->deadline_ns = now_ns + limit_ms * BLOCK_NS_PER_MS;
    if (!work->busy)
        work->watch_ns = now_ns + BLOCK_CHECK_MS * BLOCK_NS_PER_MS;
    work->busy |= 1ull << slot;
    work->slot[slot] = command;
    work->counters.commands++;
    return slot;
}

struct block_command *block_work_release(struct block_work *work, unsigned slot)
{
    struct block_command *command = work->slot[slot];

    LEAT_ASSERT(work->busy & 1ull << slot);
    work->busy &= ~(1ull << slot);
    work->slot[slot] = NULL;
    return command;
}

void block_work_end(struct block_work *work, struct block_command *command, bool is_ok)
{
    command->phase = is_ok ? BLOCK_PHASE_OK : 0;
    work->counters.errors += !is_ok;
    block_queue_push(&work->ended, command);
}

void block_work_repeat(struct block_work *work, struct block_command *command, uint64_t now_ns)
{
    command->tries++;
    if (block_work_is_flush(command) || command->tries >= BLOCK_TRIES) {
        block_work_end(work, command, false);
        return;
    }
    work->counters.repeated++;
    if (!work->again.first)
        work->again_ns = now_ns + BLOCK_AGAIN_MS * BLOCK_NS_PER_MS;
    block_queue_push(&work->again, command);
}

void block_work_repeat_all(struct block_work *work, uint64_t now_ns)
{
    while (work->busy)
        block_work_repeat(work, block_work_release(work, (unsigned)__builtin_ctzll(work->busy)),
                          now_ns);
}

static void fail_queue(struct block_work *work, struct block_queue *queue)
{
    struct block_command *command;

    while ((command = block_queue_pop(queue)))
        block_work_end(work, command, false);
}

void block_work_fail_all(struct block_work *work)
{
    while (work->busy)
        block_work_end(work, block_work_release(work, (unsigned)__builtin_ctzll(work->busy)),
                       false);
    fail_queue(work, &work->again);
    fail_queue(work, &work->waiting);
}

void block_work_fail_unit(struct block_work *work, unsigned unit)
{
    struct block_queue waiting = block_queue_split(&work->waiting, unit);
    struct block_queue again = block_queue_split(&work->again, unit);

    for (unsigned slot = 0; slot < work->slots; slot++) {
        if ((work->busy & 1ull << slot) && work->slot[slot]->unit == unit)
            block_work_end(work, block_work_release(work, slot), false);
    }
    fail_queue(work, &again);
    fail_queue(work, &waiting);
}

void block_work_wake(struct block_work *work, uint64_t now_ns)
{
    struct block_command *command;

    if (!work->again.first || now_ns < work->again_ns)
        return;
    while ((command = block_queue_pop(&work->again)))
        block_queue_push(&work->waiting, command);
}

void block_work_deliver(struct block_work *work)
{
    struct block_queue ended = work->ended;
    struct block_command *command;

    work->ended = (struct block_queue){0};
    while ((command = block_queue_pop(&ended)))
        command->done(command, command->phase & BLOCK_PHASE_OK);
}

uint64_t block_work_next(const struct block_work *work)
{
    uint64_t next = work->again.first ? work->again_ns : BLOCK_NEVER;

    if (work->ended.first)
        return 0;
    if (work->busy && work->watch_ns < next)
        next = work->watch_ns;
    for (uint64_t busy = work->busy; busy; busy &= busy - 1) {
        uint64_t deadline = work->slot[__builtin_ctzll(busy)]->deadline_ns;
        next = deadline < next ? deadline : next;
    }
    return next;
}

int block_work_overdue(const struct block_work *work, uint64_t now_ns)
{
    for (uint64_t busy = work->busy; busy; busy &= busy - 1) {
        int slot = __builtin_ctzll(busy);
        if (now_ns >= work->slot[slot]->deadline_ns)
            return slot;
    }
    return -1;
}

void block_work_interrupted(struct block_work *work)
{
    work->was_interrupted = true;
    work->counters.interrupts++;
}

bool block_work_watch(struct block_work *work, uint64_t now_ns)
{
    if (!work->busy || now_ns < work->watch_ns)
        return false;
    work->watch_ns = now_ns + BLOCK_CHECK_MS * BLOCK_NS_PER_MS;
    return true;
}

void block_work_watched(struct block_work *work, unsigned ended)
{
    if (!work->was_interrupted)
        work->counters.lost_interrupts += ended;
    work->was_interrupted = false;
}

int block_work_busy(const struct block_work *work)
{
    int count = 0;

    for (uint64_t busy = work->busy; busy; busy &= busy - 1)
        count++;
    return count;
}

bool block_work_may_log(struct block_work *work, uint64_t now_ns)
{
    if (now_ns < work->next_log_ns)
        return false;
    work->next_log_ns = now_ns + LOG_NS;
    return true;
}
