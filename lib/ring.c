// SPDX-License-Identifier: BSD-2-Clause
#include "lib/ring.h"

#include <string.h>

/* The shared words are plain in the ABI header, which knows no atomics; all access goes through these. */
static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void publish(struct leat_ring_end *end)
{
    uint32_t *word = end->is_producer ? &end->shared->head : &end->shared->tail;

    __atomic_store_n(word, end->index, __ATOMIC_RELEASE);
}

static uint8_t *slot(const struct leat_ring_end *end, uint32_t index)
{
    return end->shared->entries + (size_t)(index & (end->count - 1)) * end->entry_size;
}

/* Filled entries as this end sees them; false when the peer's index cannot be. */
static bool filled(struct leat_ring_end *end, uint32_t *count)
{
    if (end->is_broken) {
        return false;
    }
    if (end->is_producer) {
        *count = end->index - load(&end->shared->tail);
    } else {
        *count = load(&end->shared->head) - end->index;
    }
    if (*count > end->count) {
        end->is_broken = true;
        return false;
    }
    return true;
}

void leat_ring_join(struct leat_ring_end *end, void *shared, uint32_t count, uint32_t entry_size,
                    bool is_producer)
{
    end->shared = shared;
    end->count = count;
    end->entry_size = entry_size;
    end->is_producer = is_producer;
    end->index = load(is_producer ? &end->shared->head : &end->shared->tail);
    end->told_index = end->index;
    end->is_broken = count == 0 || (count & (count - 1)) != 0 || entry_size == 0;
}

uint32_t leat_ring_readable(struct leat_ring_end *end)
{
    uint32_t count;

    return !end->is_producer && filled(end, &count) ? count : 0;
}

uint32_t leat_ring_writable(struct leat_ring_end *end)
{
    uint32_t count;

    return end->is_producer && filled(end, &count) ? end->count - count : 0;
}

static uint32_t available(struct leat_ring_end *end)
{
    return end->is_producer ? leat_ring_writable(end) : leat_ring_readable(end);
}

int leat_ring_put(struct leat_ring_end *end, const void *entry)
{
    if (leat_ring_writable(end) == 0) {
        return end->is_broken ? LEAT_EPROTO : LEAT_EAGAIN;
    }
    memcpy(slot(end, end->index), entry, end->entry_size);
    end->index++;
    publish(end);
    return LEAT_OK;
}

int leat_ring_get(struct leat_ring_end *end, void *entry)
{
    if (leat_ring_readable(end) == 0) {
        return end->is_broken ? LEAT_EPROTO : LEAT_EAGAIN;
    }
    memcpy(entry, slot(end, end->index), end->entry_size);
    end->index++;
    publish(end);
    return LEAT_OK;
}

void *leat_ring_piece(struct leat_ring_end *end, uint32_t *count)
{
    uint32_t ready = available(end);
    uint32_t to_the_end = end->count - (end->index & (end->count - 1));

    *count = ready < to_the_end ? ready : to_the_end;
    return *count == 0 ? NULL : slot(end, end->index);
}

void leat_ring_advance(struct leat_ring_end *end, uint32_t count)
{
    end->index += count;
    publish(end);
}

uint32_t leat_ring_write(struct leat_ring_end *end, const void *entries, uint32_t count)
{
    const uint8_t *from = entries;
    uint32_t space = leat_ring_writable(end);
    uint32_t total = count < space ? count : space;
    uint32_t to_the_end = end->count - (end->index & (end->count - 1));
    uint32_t first = total < to_the_end ? total : to_the_end;

    if (total == 0) {
        return 0;
    }
    memcpy(slot(end, end->index), from, (size_t)first * end->entry_size);
    memcpy(end->shared->entries, from + (size_t)first * end->entry_size,
           (size_t)(total - first) * end->entry_size);
    leat_ring_advance(end, total);
    return total;
}

uint32_t leat_ring_read(struct leat_ring_end *end, void *entries, uint32_t count)
{
    uint8_t *to = entries;
    uint32_t ready = leat_ring_readable(end);
    uint32_t total = count < ready ? count : ready;
    uint32_t to_the_end = end->count - (end->index & (end->count - 1));
    uint32_t first = total < to_the_end ? total : to_the_end;

    if (total == 0) {
        return 0;
    }
    memcpy(to, slot(end, end->index), (size_t)first * end->entry_size);
    memcpy(to + (size_t)first * end->entry_size, end->shared->entries,
           (size_t)(total - first) * end->entry_size);
    leat_ring_advance(end, total);
    return total;
}

bool leat_ring_must_signal(struct leat_ring_end *end)
{
    uint32_t *waits =
        end->is_producer ? &end->shared->consumer_waits : &end->shared->producer_waits;

    if (end->told_index == end->index) {
        return false;
    }
    end->told_index = end->index;
    /* Orders the index that was just published before the look at the flag; the sleeper does it the
       other way round, so one of the two always sees the other (include/leat/ring.h). */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(waits, __ATOMIC_RELAXED) == 0) {
        return false;
    }
    return __atomic_exchange_n(waits, 0, __ATOMIC_ACQ_REL) != 0;
}

bool leat_ring_may_sleep(struct leat_ring_end *end)
{
    uint32_t *waits =
        end->is_producer ? &end->shared->producer_waits : &end->shared->consumer_waits;

    __atomic_store_n(waits, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (available(end) == 0) {
        return true;
    }
    /* The peer may have seen the flag meanwhile and signals once too often: harmless. */
    __atomic_store_n(waits, 0, __ATOMIC_RELAXED);
    return false;
}
