// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that whatever the disk does within its rights, and a power cut at any moment, the store
 * loses no write that was flushed, returns nothing that nobody wrote, never a block of another
 * image, touches no byte outside its range, ends every operation, and opens again without reading
 * the data. One history for each seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/store_clients.h"

#define MAX_STEPS 400000u
#define PAGE 4096u

static struct store *store;
static uint64_t wake_ns, steps, cut_after;
static bool has_opened;
static enum store_status opened_status;
static struct store_info totals;
static uint64_t total_opens, total_damaged, total_formats, most_open_read;

static uint64_t uniform(uint64_t from, uint64_t to)
{
    return from + sim_random() % (to - from + 1);
}

static void opened(void *owner, enum store_status status)
{
    (void)owner;
    has_opened = true;
    opened_status = status;
}

static void run(void)
{
    wake_ns = store_run(store);
}

/* The next thing that happens: a command ends, a client begins, or the store's own time comes. */
static bool step(bool with_clients)
{
    uint64_t disk = store_disk_next(), client = with_clients ? store_clients_next() : UINT64_MAX;
    if (++steps > MAX_STEPS)
        sim_fail("no end in %u steps", MAX_STEPS);
    if (wake_ns <= disk && wake_ns <= client) {
        if (wake_ns == UINT64_MAX)
            return false;
        sim_wait(wake_ns);
    } else if (disk <= client) {
        store_disk_step();
    } else {
        store_clients_step();
    }
    run();
    return true;
}

static bool op_ended;
static void drive_done(struct store_op *op, enum store_status status)
{
    (void)op, (void)status;
    op_ended = true;
}

enum store_status store_drive(struct store_op *op)
{
    op->done = drive_done;
    op_ended = false;
    store_submit(store, op);
    run();
    while (!op_ended)
        if (!step(false))
            sim_fail("an operation of type %d never ends", op->type);
    return op->status;
}

static struct store_options options;

static void create(void)
{
    store = store_create(&store_platform, &options);
    if (!store)
        sim_fail("store_create");
}

static enum store_status wait_opened(void)
{
    has_opened = false;
    wake_ns = sim_now();
    while (!has_opened)
        if (!step(false))
            sim_fail("the store never opens");
    return opened_status;
}

static void format(void)
{
    struct store_disk_faults faults = store_disk.faults;
    memset(&store_disk.faults, 0, sizeof store_disk.faults);
    create();
    store_format(store, opened, NULL);
    if (wait_opened() != STORE_OK)
        sim_fail("format: %s", store_status_text(opened_status));
    store_disk.faults = faults;
    total_formats++;
}

/* What a start may read, without damage: superblocks, root, index, journal. */
static void check_bound(void)
{
    struct store_info info;
    store_get_info(store, &info);
    uint64_t index = info.blocks / 336 + 2, journal = 32 + 2 * 17 + 8, root = 5 + 1 + 8;
    uint64_t most = (4 + 2 * root + 2 * index + journal) * PAGE;
    if (info.open_read_bytes > most && !store_disk.rots_meta && !store_disk.errors)
        sim_fail("opening has read %llu bytes, at most %llu are promised",
                 (unsigned long long)info.open_read_bytes, (unsigned long long)most);
    if (info.open_read_bytes > most_open_read)
        most_open_read = info.open_read_bytes;
}

static void open_again(bool after_cut)
{
    create();
    store_open(store, opened, NULL);
    enum store_status status = wait_opened();
    total_opens++;
    if (status != STORE_OK) {
        bool is_allowed = store_disk.rots_meta >= 2 || store_disk.errors;
        if (!is_allowed)
            sim_fail("the store does not open: %s", store_status_text(status));
        total_damaged++;
        store_destroy(store);
        format();
        store_clients_forget();
        after_cut = false;
    }
    check_bound();
    store_clients_open(store, after_cut);
}

static void add_up(void)
{
    struct store_info info;
    store_get_info(store, &info);
    uint64_t *to = (uint64_t *)&totals, *from = (uint64_t *)&info;
    for (size_t i = 0; i < offsetof(struct store_info, failure) / sizeof *to; i++)
        to[i] += from[i];
}

static void choose_world(uint64_t seed)
{
    static const uint32_t pages[] = {256, 300, 420, 700, 1400};
    store_world_init(seed);
    memset(&store_disk, 0, sizeof store_disk);
    struct store_disk *d = &store_disk;
    d->sector_bytes = sim_random() % 4 ? 512 : 4096;
    d->range_offset = uniform(0, 20) * d->sector_bytes;
    d->range_bytes = (pages[sim_random() % 5] + 1) * (uint64_t)PAGE + uniform(0, 7) * 512;
    d->bytes = d->range_offset + d->range_bytes + 5 * PAGE;
    d->slowest_ns = uniform(1000, 400000);
    d->meta_front = d->meta_back = 0;
    store_facts = (struct store_facts){.size = uniform(40, 90) * PAGE + uniform(0, 7) * 512,
                                       .think_ns = (uint32_t)uniform(1000, 1000000)};
    if (sim_random() % 4 == 0)
        store_facts.size = uniform(300, 1300) * PAGE;
    store_facts.blocks = (store_facts.size + PAGE - 1) / PAGE;
    static const uint32_t weights[] = {20, 30, 6, 4, 4, 2, 25, 20};
    for (unsigned i = 0; i < 8; i++)
        store_facts.weights[i] = 1 + (uint32_t)(sim_random() % weights[i]);
    options = (struct store_options){.range_offset = d->range_offset,
                                     .range_bytes = d->range_bytes,
                                     .sector_bytes = d->sector_bytes,
                                     .pieces = (uint32_t)uniform(2, 12),
                                     .commit_ns = uniform(100000, 20000000)};
}

/* Half of the seeds have no faults but power cuts: there, nothing at all may be lost. */
static void choose_faults(void)
{
    struct store_disk *d = &store_disk;
    store_disk_learn(store);
    switch (sim_random() % 8) {
    case 0:
        d->faults.rot_data = 2000;
        break;
    case 1:
        d->faults.rot_meta = 400;
        break;
    case 2:
        d->faults = (struct store_disk_faults){.read_error = 1000, .write_error = 30};
        break;
    case 3:
        d->faults = (struct store_disk_faults){300, 100, 100, 300, 50};
        break;
    default:
        break;
    }
}

static void power_cut(void)
{
    add_up();
    store_disk_cut();
    store_clients_drop();
    store_destroy(store);
    open_again(true);
}

static void clean_end(void)
{
    struct store_op flush = {.type = STORE_FLUSH};
    bool is_ok = store_drive(&flush) == STORE_OK;
    store_clients_release();
    while (step(false))
        ;
    add_up();
    store_destroy(store);
    if (!is_ok)
        store_disk_cut();
    open_again(!is_ok);
}

static void run_seed(uint64_t seed)
{
    choose_world(seed);
    store_disk_init();
    store_clients_init();
    steps = 0;
    format();
    choose_faults();
    store_clients_open(store, false);
    for (uint64_t cycles = uniform(1, 6); cycles; cycles--) {
        bool is_clean = sim_random() % 5 == 0;
        cut_after = is_clean ? UINT64_MAX : store_disk.commands + uniform(1, 600);
        store_clients_start((uint32_t)uniform(5, 60));
        while (!store_clients_are_idle() && store_disk.commands < cut_after)
            if (!step(true))
                sim_fail("operations are under way, and nothing will ever happen");
        if (is_clean)
            clean_end();
        else
            power_cut();
    }
    store_clients_release();
    store_disk_cut();
    store_destroy(store);
    store_clients_end();
    store_disk_end();
}

int main(int argc, char **argv)
{
    uint64_t from = 1, count = 1000;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            sim_verbose = true;
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            from = strtoull(argv[++i], NULL, 0), count = 1;
        else if (i + 1 < argc && strcmp(argv[i], "--from") == 0)
            from = strtoull(argv[++i], NULL, 0);
        else if (i + 1 < argc && strcmp(argv[i], "--seeds") == 0)
            count = strtoull(argv[++i], NULL, 0);
        else {
            fprintf(stderr, "usage: test_store_sim [--seed N | --from N --seeds COUNT] "
                            "[--verbose]\n");
            return 2;
        }
    }
    for (uint64_t seed = from; seed < from + count; seed++)
        run_seed(seed);
    printf("%llu seeds, %llu openings (%llu found the index damaged), %llu commits, %llu "
           "checkpoints\n",
           (unsigned long long)count, (unsigned long long)total_opens,
           (unsigned long long)total_damaged, (unsigned long long)totals.commits,
           (unsigned long long)totals.checkpoints);
    printf("%llu blocks damaged, %llu evicted, %llu I/O errors; an opening read %llu KiB at most\n",
           (unsigned long long)totals.damaged_blocks, (unsigned long long)totals.evicted_blocks,
           (unsigned long long)totals.io_errors, (unsigned long long)most_open_read / 1024);
    return 0;
}
