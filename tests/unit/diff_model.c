// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/diff_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct written { /* a sector's new content since the last sync */
    uint64_t sector;
    uint8_t bytes[MODEL_SECTOR];
};

struct diff_model {
    uint64_t size, steps, cut_at;
    bool is_cut;
    uint8_t *now, *durable;
    struct written *log;
    size_t logged, room;
};

static uint8_t *zeros(uint64_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                0);
}

struct diff_model *model_new(uint64_t size)
{
    struct diff_model *m = calloc(1, sizeof *m);
    m->size = size;
    m->now = zeros(size);
    m->durable = zeros(size);
    return m;
}

void model_free(struct diff_model *m)
{
    munmap(m->now, m->size);
    munmap(m->durable, m->size);
    free(m->log);
    free(m);
}

void model_clear(struct diff_model *m)
{
    madvise(m->now, m->size, MADV_DONTNEED);
    madvise(m->durable, m->size, MADV_DONTNEED);
    m->logged = m->steps = m->cut_at = 0;
    m->is_cut = false;
}

static bool is_out(struct diff_model *m)
{
    if (++m->steps == m->cut_at)
        m->is_cut = true;
    return m->is_cut;
}

static int model_read(void *context, void *to, size_t count, uint64_t offset)
{
    struct diff_model *m = context;
    if (m->is_cut || offset + count > m->size)
        return -EIO;
    memcpy(to, m->now + offset, count);
    return 0;
}

static void note(struct diff_model *m, uint64_t offset, uint64_t count)
{
    for (uint64_t s = offset / MODEL_SECTOR; s <= (offset + count - 1) / MODEL_SECTOR; s++) {
        if (m->logged == m->room) {
            m->room = m->room ? 2 * m->room : 1024;
            m->log = realloc(m->log, m->room * sizeof *m->log);
        }
        m->log[m->logged].sector = s;
        memcpy(m->log[m->logged++].bytes, m->now + s * MODEL_SECTOR, MODEL_SECTOR);
    }
}

/* A write that the power cut hits may still have reached some of its sectors. */
static int model_write(void *context, const void *from, size_t count, uint64_t offset)
{
    struct diff_model *m = context;
    bool was_cut = m->is_cut, out = is_out(m);
    if (was_cut || offset + count > m->size)
        return -EIO;
    memcpy(m->now + offset, from, count);
    note(m, offset, count);
    return out ? -EIO : 0;
}

static int model_punch(void *context, uint64_t count, uint64_t offset)
{
    struct diff_model *m = context;
    bool was_cut = m->is_cut, out = is_out(m);
    if (was_cut || offset + count > m->size)
        return -EIO;
    memset(m->now + offset, 0, count);
    note(m, offset, count);
    return out ? -EIO : 0;
}

static int model_sync(void *context)
{
    struct diff_model *m = context;
    if (is_out(m))
        return -EIO;
    for (size_t i = 0; i < m->logged; i++)
        memcpy(m->durable + m->log[i].sector * MODEL_SECTOR, m->log[i].bytes, MODEL_SECTOR);
    m->logged = 0;
    return 0;
}

static int64_t model_used(void *context)
{
    return (int64_t)((struct diff_model *)context)->steps * 4096; /* grows with each write */
}

struct diff_device model_device(struct diff_model *m)
{
    return (struct diff_device){.context = m,
                                .read = model_read,
                                .write = model_write,
                                .sync = model_sync,
                                .punch = model_punch,
                                .used = model_used};
}

uint64_t model_steps(const struct diff_model *m)
{
    return m->steps;
}

void model_cut_at(struct diff_model *m, uint64_t step)
{
    m->cut_at = step;
}

bool model_is_cut(const struct diff_model *m)
{
    return m->is_cut;
}

static uint64_t mixed(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
    return *seed >> 33;
}

void model_restart(struct diff_model *m, enum model_chance chance, uint64_t seed)
{
    for (size_t i = 0; i < m->logged; i++) {
        uint8_t *sector = m->durable + m->log[i].sector * MODEL_SECTOR;
        if (chance == MODEL_ALL || (chance == MODEL_SOME && mixed(&seed) & 1))
            memcpy(sector, m->log[i].bytes, MODEL_SECTOR);
    }
    for (size_t i = 0; i < m->logged; i++) {
        uint64_t at = m->log[i].sector * MODEL_SECTOR;
        memcpy(m->now + at, m->durable + at, MODEL_SECTOR);
    }
    m->logged = m->steps = m->cut_at = 0;
    m->is_cut = false;
}

void model_flip(struct diff_model *m, uint64_t offset)
{
    m->now[offset] ^= 1;
    m->durable[offset] ^= 1;
}
