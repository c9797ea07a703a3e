// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a read may return, sector by sector. A value written by w is allowed for a read that ran
 * from s to e if w began before e and no other write began after w had ended and ended before s.
 * After a crash of everything, the same with "was flushed" in place of "ended before s".
 */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct write {
    uint64_t first, count, tag, start,
        end; /* end UINT64_MAX: not done, or failed: may act at any time */
    bool is_weak, is_durable;
};

struct list_of { /* numbers of the writes that touch a sector */
    uint32_t *numbers;
    uint32_t count, room;
};

struct sim_model {
    uint64_t sectors;
    struct write *writes;
    size_t count, room;
    struct list_of *touching;
};

uint64_t sim_version;

/* Runs of 20 sectors: they begin and end within blocks. */
uint64_t sim_initial_tag(uint64_t sector)
{
    uint64_t run = sector / 20 + sim_version * 1000;
    bool is_hole = sim_profile.is_sparse && (run * 0x9e3779b97f4a7c15ull) >> 62 != 0;
    return is_hole ? 0 : SIM_INITIAL | sim_version << 40 | sector;
}

void sim_sector_fill(uint8_t *data, uint64_t sector, uint64_t tag)
{
    memset(data, 0, SIM_SECTOR);
    if (!tag)
        return;
    for (unsigned i = 0; i < SIM_SECTOR / 8; i += 2) {
        uint64_t check = (tag ^ sector * 0x9e3779b97f4a7c15ull) + i;
        memcpy(data + i * 8, &tag, 8);
        memcpy(data + i * 8 + 8, &check, 8);
    }
}

uint64_t sim_sector_tag(const uint8_t *data, uint64_t sector, const char *who)
{
    uint64_t tag;
    uint8_t expected[SIM_SECTOR];
    memcpy(&tag, data, 8);
    sim_sector_fill(expected, sector, tag);
    if (memcmp(data, expected, SIM_SECTOR))
        sim_fail("%s: sector %llu is not what anybody wrote (tag %llx)", who,
                 (unsigned long long)sector, (unsigned long long)tag);
    return tag;
}

struct sim_model *sim_model_new(uint64_t sectors)
{
    struct sim_model *m = calloc(1, sizeof *m);
    m->sectors = sectors;
    m->touching = calloc(sectors, sizeof *m->touching);
    return m;
}

void sim_model_free(struct sim_model *m)
{
    for (uint64_t sector = 0; sector < m->sectors; sector++)
        free(m->touching[sector].numbers);
    free(m->touching);
    free(m->writes);
    free(m);
}

static void note(struct sim_model *m, uint64_t sector, size_t number)
{
    struct list_of *l = &m->touching[sector];
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 4;
        l->numbers = realloc(l->numbers, l->room * sizeof *l->numbers);
    }
    l->numbers[l->count++] = (uint32_t)number;
}

uint64_t sim_model_write(struct sim_model *m, uint64_t sector, uint64_t count, uint64_t tag,
                         bool is_weak)
{
    if (m->count == m->room) {
        m->room = m->room ? m->room * 2 : 64;
        m->writes = realloc(m->writes, m->room * sizeof *m->writes);
    }
    m->writes[m->count] = (struct write){.first = sector,
                                         .count = count,
                                         .tag = tag,
                                         .start = sim_tick(),
                                         .end = UINT64_MAX,
                                         .is_weak = is_weak};
    for (uint64_t i = 0; i < count; i++)
        note(m, sector + i, m->count);
    return m->count++;
}

void sim_model_written(struct sim_model *m, uint64_t number, bool is_ok, bool is_durable)
{
    if (!is_ok)
        return;
    m->writes[number].end = sim_tick();
    m->writes[number].is_durable = is_durable;
}

void sim_model_flushed(struct sim_model *m, uint64_t started)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->writes[i].end < started)
            m->writes[i].is_durable = true;
}

/* Is a value that was in place from `end` on still allowed? */
static bool survives(const struct sim_model *m, uint64_t sector, uint64_t end, uint64_t started,
                     bool durable_only)
{
    if (end == UINT64_MAX)
        return true;
    const struct list_of *l = &m->touching[sector];
    for (uint32_t i = 0; i < l->count; i++) {
        const struct write *w = &m->writes[l->numbers[i]];
        if (w->is_weak || w->start <= end || w->end == UINT64_MAX)
            continue;
        if (durable_only ? w->is_durable : w->end < started)
            return false;
    }
    return true;
}

static void check(struct sim_model *m, uint64_t sector, uint64_t tag, uint64_t started,
                  bool durable_only, const char *what)
{
    if (tag == sim_initial_tag(sector) && survives(m, sector, 0, started, durable_only))
        return;
    const struct list_of *l = &m->touching[sector];
    for (uint32_t i = 0; i < l->count; i++) {
        const struct write *w = &m->writes[l->numbers[i]];
        uint64_t its_tag = w->tag == SIM_INITIAL ? sim_initial_tag(sector) : w->tag;
        if (its_tag == tag && survives(m, sector, w->end, started, durable_only))
            return;
    }
    sim_fail("%s: sector %llu has tag %llx, which is not allowed", what, (unsigned long long)sector,
             (unsigned long long)tag);
}

void sim_model_check_read(struct sim_model *m, uint64_t sector, uint64_t tag, uint64_t started)
{
    check(m, sector, tag, started, false, "read");
}

void sim_model_check_durable(struct sim_model *m, uint64_t sector, uint64_t tag)
{
    check(m, sector, tag, 0, true, "after the crash");
}

bool sim_model_is_durable(const struct sim_model *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->writes[i].is_durable)
            return true;
    return false;
}

void sim_model_inherit(struct sim_model *m, const struct sim_model *from, uint64_t sector)
{
    const struct list_of *l = &from->touching[sector];
    for (uint32_t i = 0; i < l->count; i++)
        sim_model_write(m, sector, 1, from->writes[l->numbers[i]].tag, true);
}
