// SPDX-License-Identifier: BSD-2-Clause
#include "tests/sim/sim_store.h"

#include <string.h>

#define PAGE 4096u

static struct store *store;
static struct store_options options;
static enum store_status status;
static bool has_opened, is_new;

static void opened(void *owner, enum store_status its_status)
{
    (void)owner;
    status = its_status;
    has_opened = true;
}

static void make(bool anew)
{
    store = store_create(&store_platform, &options);
    if (!store)
        sim_fail("store_create");
    has_opened = false;
    (anew ? store_format : store_open)(store, opened, NULL);
    while (!has_opened) {
        uint64_t when = store_run(store);
        if (store_disk_next() != UINT64_MAX)
            store_disk_step();
        else if (when > sim_now() && !has_opened)
            sim_fail("the store never opens");
    }
}

static void format(void)
{
    struct store_disk_faults faults = store_disk.faults;
    memset(&store_disk.faults, 0, sizeof store_disk.faults);
    make(true);
    if (status != STORE_OK)
        sim_fail("format: %s", store_status_text(status));
    store_disk.faults = faults;
}

static void choose_faults(void)
{
    struct store_disk *d = &store_disk;
    store_disk_learn(store);
    static const struct store_disk_faults kinds[] = {
        {.rot_data = 3000},    {.rot_meta = 400},     {.read_error = 3000, .write_error = 100},
        {.read_error = 30000}, {.flush_error = 1000}, {300, 100, 100, 300, 50},
    };
    uint64_t kind = sim_random() % 12; /* half of the disks are good */
    if (kind < sizeof kinds / sizeof kinds[0])
        d->faults = kinds[kind];
}

void sim_store_init(void)
{
    static const uint32_t pages[] = {300, 700, 1400, 2000, 6000};
    struct store_disk *d = &store_disk;
    memset(d, 0, sizeof *d);
    d->sector_bytes = sim_random() % 4 ? 512 : PAGE;
    d->range_offset = sim_random() % 20 * d->sector_bytes;
    d->range_bytes = (pages[sim_random() % 5] + 1) * (uint64_t)PAGE;
    d->bytes = d->range_offset + d->range_bytes + PAGE;
    d->slowest_ns = 1000 + sim_random() % (sim_random() % 2 ? 100000 : 20 * SIM_MS);
    options = (struct store_options){.range_offset = d->range_offset,
                                     .range_bytes = d->range_bytes,
                                     .sector_bytes = d->sector_bytes,
                                     .pieces = 2 + (uint32_t)(sim_random() % 15),
                                     .commit_ns = (1 + sim_random() % 500) * SIM_MS};
    store_disk_init();
    format();
    choose_faults();
    sim_store_cut();
}

void sim_store_end(void)
{
    sim_store_cut();
    store_disk_end();
}

struct store *sim_store_open(void)
{
    make(false);
    is_new = status != STORE_OK;
    if (!is_new)
        return store;
    if (store_disk.rots_meta < 2 && !store_disk.errors)
        sim_fail("the store does not open: %s", store_status_text(status));
    sim_store_cut();
    format();
    return store;
}

bool sim_store_is_new(void)
{
    return is_new;
}

bool sim_store_may_fail(void)
{
    return store_disk.errors || store_disk.rots_data || store_disk.rots_meta;
}

void sim_store_cut(void)
{
    if (!store)
        return;
    store_disk_cut();
    store_destroy(store);
    store = NULL;
}

bool sim_store_step(uint64_t engine_when)
{
    uint64_t disk = store_disk_next();
    if (disk <= sim_now()) {
        store_disk_step();
        return true;
    }
    return sim_step(disk < engine_when ? disk : engine_when);
}
