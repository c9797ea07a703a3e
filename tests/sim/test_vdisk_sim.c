// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that whatever the network and the server do, no disk returns a byte that nobody wrote,
 * loses a write that was flushed, or lets a request hang: random clients against a model, one
 * history for each seed. In half of them there is a local store, which is used again after a power cut.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"
#include "tests/sim/sim_store.h"
#include "vdisk/profile/profile.h"

#define MAX_BYTES (256u << 10)
#define HOT_SECTORS 128u
#define DISKS 2u
#define CLIENTS 6u
#define MAX_STEPS 3000000u
#define MAX_TIME_NS (7200000ull * SIM_MS)

struct disk {
    struct vdisk_disk *disk;
    struct vdisk_config config;
    struct sim_model *model;
    bool is_detached;
};

struct client {
    struct disk *disk;
    uint32_t left; /* operations still to do */
    bool is_busy;
    uint64_t started, write_number;
    struct vdisk_request request;
    uint8_t *data;
};

static struct vdisk *engine;
static struct disk disks[DISKS];
static struct client clients[CLIENTS];
static uint64_t sector_count, next_tag;
static unsigned disk_count, client_count;
static bool gives_up, has_store;
static uint64_t life;                          /* starts of the machine */
static uint64_t total_lives, total_disk_bytes; /* of all seeds */

static void take_profile(struct vdisk_disk *d);

static void disk_changed(void *owner)
{
    struct disk *d = owner;
    char line[300], json[VDISK_JSON_BYTES];
    if (d->disk && vdisk_json(d->disk, json, sizeof json) >= sizeof json - 1)
        sim_fail("what is counted does not fit");
    if (d->disk)
        take_profile(d->disk);
    if (d->disk && vdisk_status_line(d->disk, line, sizeof line) >= sizeof line)
        sim_fail("a status line does not fit");
}

static bool is_failure_allowed(void)
{
    return sim_profile.server_error || sim_profile.corrupt || gives_up;
}

static void next_operation(void *ctx, uint64_t arg);

static void check_read(struct client *c)
{
    uint64_t first = c->request.offset / SIM_SECTOR;
    for (uint64_t s = 0; s < c->request.length / SIM_SECTOR; s++)
        sim_model_check_read(c->disk->model, first + s,
                             sim_sector_tag(c->data + s * SIM_SECTOR, first + s, "client"),
                             c->started);
}

static void operation_done(struct vdisk_request *r, int status)
{
    struct client *c = r->owner;
    if (!c->is_busy)
        sim_fail("a request was completed twice");
    c->is_busy = false;
    if (status != LEAT_OK && (status != LEAT_EIO || !is_failure_allowed()))
        sim_fail("a request ended with %d", status);
    bool is_ok = status == LEAT_OK;
    bool is_private = c->disk->config.mode == VDISK_PRIVATE;
    if (r->op == LEAT_BLK_READ && is_ok)
        check_read(c);
    else if (r->op == LEAT_BLK_FLUSH && is_ok && is_private)
        sim_model_flushed(c->disk->model, c->started);
    else if (r->op != LEAT_BLK_READ && r->op != LEAT_BLK_FLUSH)
        sim_model_written(c->disk->model, c->write_number, is_ok,
                          is_private && (r->flags & LEAT_BLK_FUA));
    free(c->data);
    c->data = NULL;
    sim_at(sim_random() % (sim_profile.think_ms + 1) * SIM_MS, next_operation, c, 0);
}

static void choose_range(struct vdisk_request *r)
{
    uint64_t unit = sim_profile.min_block > SIM_SECTOR ? 8 : 1;
    uint64_t area = sim_random() % 4 ? HOT_SECTORS : sector_count;
    uint64_t most = sim_random() % 8 ? 32 : MAX_BYTES / SIM_SECTOR;
    uint64_t first = sim_random() % area / unit * unit;
    uint64_t count = (1 + sim_random() % most + unit - 1) / unit * unit;
    if (first + count > sector_count)
        count = sector_count - first;
    r->offset = first * SIM_SECTOR;
    r->length = count * SIM_SECTOR;
}

static void choose_operation(struct client *c)
{
    struct vdisk_request *r = &c->request;
    uint64_t roll = sim_random() % 100;
    memset(r, 0, sizeof *r);
    r->owner = c;
    r->done = operation_done;
    r->op = roll < 45   ? LEAT_BLK_READ
            : roll < 80 ? LEAT_BLK_WRITE
            : roll < 90 ? LEAT_BLK_FLUSH
            : roll < 95 ? LEAT_BLK_WRITE_ZEROES
                        : LEAT_BLK_DISCARD;
    if (r->op == LEAT_BLK_DISCARD && !sim_profile.has_trim)
        r->op = LEAT_BLK_READ;
    bool is_coarse = sim_profile.min_block > 4096 && c->disk->config.mode == VDISK_PRIVATE;
    if (is_coarse && (r->op == LEAT_BLK_DISCARD || r->op == LEAT_BLK_WRITE_ZEROES))
        r->op = LEAT_BLK_WRITE;
    if (r->op != LEAT_BLK_FLUSH)
        choose_range(r);
    if ((r->op == LEAT_BLK_WRITE || r->op == LEAT_BLK_WRITE_ZEROES) && sim_random() % 5 == 0)
        r->flags = LEAT_BLK_FUA;
}

static void note_write(struct client *c)
{
    struct vdisk_request *r = &c->request;
    uint64_t first = r->offset / SIM_SECTOR, count = r->length / SIM_SECTOR, tag = 0;
    bool is_weak = r->op == LEAT_BLK_DISCARD;
    if (r->op == LEAT_BLK_WRITE) {
        tag = ++next_tag;
        for (uint64_t s = 0; s < count; s++)
            sim_sector_fill(c->data + s * SIM_SECTOR, first + s, tag);
    } else if (is_weak && c->disk->config.mode == VDISK_RAM) {
        tag = SIM_INITIAL; /* the disk below shows again */
    }
    c->write_number = sim_model_write(c->disk->model, first, count, tag, is_weak);
}

static void next_operation(void *ctx, uint64_t arg)
{
    struct client *c = ctx;
    (void)arg;
    if (c->left == 0 || c->is_busy || c->disk->is_detached)
        return;
    c->left--;
    choose_operation(c);
    c->data = c->request.length ? malloc(c->request.length) : NULL;
    c->request.data = c->data;
    c->started = sim_tick();
    if (c->request.op != LEAT_BLK_READ && c->request.op != LEAT_BLK_FLUSH)
        note_write(c);
    c->is_busy = true;
    vdisk_submit(c->disk->disk, &c->request);
}

/* A profile of random runs, right or wrong; sometimes damaged, sometimes no profile at all. Whatever
 * it is, it must not change what is read. */
static void give_profile(struct vdisk_disk *d)
{
    struct profile p = {.size_bytes = sector_count * SIM_SECTOR, .boots = 1 + sim_random() % 8};
    uint64_t blocks = (p.size_bytes + 4095) / 4096, at_ms = 0;
    unsigned kind = (unsigned)(sim_random() % 8);
    for (uint64_t runs = sim_random() % 60; runs; runs--) {
        uint64_t first = sim_random() % blocks, count = 1 + sim_random() % 100;
        if (kind && count > blocks - first)
            count = blocks - first; /* kind 0: some lie behind the end */
        profile_add(&p, first, (uint32_t)count, (uint32_t)(at_ms += sim_random() % 50), 1);
    }
    if (kind == 1)
        p.size_bytes += 4096;
    size_t size = profile_encoded_bytes(&p);
    uint8_t *file = malloc(size);
    profile_encode(&p, file);
    if (kind == 2)
        file[sim_random() % size] ^= (uint8_t)(1u << sim_random() % 8);
    if (kind == 3)
        size = sim_random() % size;
    const char *why = vdisk_profile_put(d, file, size);
    if ((kind == 2 || kind == 3) && !why)
        sim_fail("a damaged profile was taken");
    if (kind > 3 && why)
        sim_fail("a good profile was refused: %s", why);
    free(file);
    profile_free(&p);
}

/* What a boot has recorded must be a profile that is taken. */
static void take_profile(struct vdisk_disk *d)
{
    void *file;
    size_t size = vdisk_profile_take(d, &file);
    if (!size)
        return;
    const char *why = vdisk_profile_put(d, file, size);
    if (why)
        sim_fail("a recorded profile is refused: %s", why);
    free(file);
}

static void attach(struct disk *d)
{
    d->is_detached = false;
    d->config.is_profiled = sim_random() % 2;
    d->disk = vdisk_attach(engine, &d->config, disk_changed, d);
    if (sim_random() % 2)
        give_profile(d->disk);
    for (unsigned i = 0; i < client_count; i++)
        if (clients[i].disk == d)
            sim_at(sim_random() % 100 * SIM_MS, next_operation, &clients[i], 0);
}

static void attach_again(void *ctx, uint64_t its_life)
{
    if (its_life == life)
        attach(ctx);
}

/* A VM dies in the middle: its requests are forgotten, its memory goes away. */
static void detach(void *ctx, uint64_t its_life)
{
    struct disk *d = ctx;
    if (d->is_detached || its_life != life)
        return;
    vdisk_detach(d->disk);
    d->disk = NULL;
    d->is_detached = true;
    for (unsigned i = 0; i < client_count; i++)
        if (clients[i].disk == d && clients[i].is_busy) {
            clients[i].is_busy = false;
            free(clients[i].data);
            clients[i].data = NULL;
            memset(&clients[i].request, 0xee, sizeof clients[i].request);
        }
    if (d->config.mode == VDISK_RAM) { /* the overlay is gone */
        sim_model_free(d->model);
        d->model = sim_model_new(sector_count);
    }
    sim_at(sim_random() % 3000 * SIM_MS, attach_again, d, life);
}

static void choose_profile(void)
{
    uint64_t kind = sim_random() % 8;
    struct sim_profile p = {.delay_ms = (uint32_t)(sim_random() % 40),
                            .think_ms = (uint32_t)(sim_random() % 60),
                            .structured = sim_random() % 2,
                            .has_fua = sim_random() % 2,
                            .has_flush = sim_random() % 8 != 0,
                            .has_trim = sim_random() % 4 != 0,
                            .has_multi_conn = sim_random() % 2,
                            .is_sparse = sim_random() % 2,
                            .min_block = sim_random() % 4 ? 1 : 4096,
                            .max_block = sim_random() % 2 ? 32u << 20 : 64u << 10};
    p.has_status = p.structured && sim_random() % 2;
    p.cut = kind == 1 || kind == 7 ? 15 : 0;
    p.corrupt = kind == 2 ? 15 : 0;
    p.truncate = kind == 3 || kind == 7 ? 10 : 0;
    p.silent = kind == 4 ? 8 : 0;
    p.restart = kind == 5 || kind == 6 || kind == 7 ? 20 : 0;
    p.server_error = sim_random() % 8 == 0 ? 20 : 0;
    p.duplicate = kind == 2 ? 10 : 0;
    sim_profile = p;
}

static bool is_all_done(void)
{
    for (unsigned i = 0; i < client_count; i++)
        if (clients[i].left || clients[i].is_busy)
            return false;
    return true;
}

static void run_until_done(bool (*is_done)(void), const char *what)
{
    uint64_t begin = sim_now();
    for (uint32_t steps = 0;; steps++) {
        uint64_t when = vdisk_run(engine);
        if (is_done())
            return;
        if (!(has_store ? sim_store_step(when) : sim_step(when)) || steps == MAX_STEPS ||
            sim_now() - begin > MAX_TIME_NS)
            sim_fail("%s: a request hangs", what);
    }
}

static bool is_drained(void)
{
    return vdisk_is_drained(engine);
}

static void check_after_crash(void)
{
    sim_server_crash(false);
    for (unsigned i = 0; i < disk_count; i++)
        for (uint64_t s = 0; s < sector_count; s++) {
            uint64_t tag = sim_server_tag(s);
            if (disks[i].config.mode == VDISK_PRIVATE)
                sim_model_check_durable(disks[i].model, s, tag);
            else if (tag != sim_initial_tag(s))
                sim_fail("mode ram has changed sector %llu of the server's image",
                         (unsigned long long)s);
        }
}

/* Whether the local disk can be lost in this life, and when. */
static void lose_store(void *ctx, uint64_t its_life)
{
    (void)ctx;
    if (its_life != life)
        return;
    vdisk_use_store(engine, NULL);
    sim_store_cut();
}

static void start_machine(const struct vdisk_limits *limits)
{
    life++;
    engine = vdisk_create(&sim_platform, limits);
    if (has_store) {
        vdisk_use_store(engine, sim_store_open());
        if (sim_random() % 8 == 0)
            sim_at(sim_random() % 2000 * SIM_MS, lose_store, NULL, life);
    }
    for (unsigned i = 0; i < disk_count; i++) {
        disks[i].config.has_content = has_store;
        disks[i].config.content[0] = (uint8_t)sim_version;
        disks[i].model = disks[i].model ? disks[i].model : sim_model_new(sector_count);
        attach(&disks[i]);
        if (sim_random() % 6 == 0)
            sim_at(sim_random() % 2000 * SIM_MS, detach, &disks[i], life);
    }
}

static void stop_machine(void)
{
    struct vdisk_counters counters;
    for (unsigned i = 0; i < disk_count; i++) {
        if (!disks[i].disk)
            continue;
        vdisk_counters_of(disks[i].disk, &counters);
        total_disk_bytes += counters.disk_bytes;
        vdisk_detach(disks[i].disk);
    }
    vdisk_destroy(engine);
    total_lives++;
}

/* What was in memory is gone, what was on the local disk is there; perhaps the server has another image
 * now. */
static void reboot(const struct vdisk_limits *limits)
{
    stop_machine();
    sim_store_cut();
    if (sim_random() % 4 == 0) {
        sim_version++;
        sim_server_new_image();
    }
    for (unsigned i = 0; i < disk_count; i++) {
        sim_model_free(disks[i].model);
        disks[i].model = NULL;
    }
    for (unsigned i = 0; i < client_count; i++)
        clients[i].left = 15;
    start_machine(limits);
    run_until_done(is_all_done, "after a reboot");
}

static void make_clients(enum vdisk_mode mode, uint64_t seed)
{
    disk_count = mode == VDISK_RAM ? DISKS : 1;
    client_count = 1 + (unsigned)(sim_random() % CLIENTS);
    memset(clients, 0, sizeof clients);
    for (unsigned i = 0; i < client_count; i++) {
        clients[i].disk = &disks[i % disk_count];
        clients[i].left = 30;
    }
    for (unsigned i = 0; i < disk_count; i++) {
        memset(&disks[i], 0, sizeof disks[i]);
        disks[i].config.mode = mode;
        snprintf(disks[i].config.name, sizeof disks[i].config.name, "vm%u/root", i);
        snprintf(disks[i].config.host, sizeof disks[i].config.host, "server");
        snprintf(disks[i].config.export_name, sizeof disks[i].config.export_name, "e");
        disks[i].config.port = 10809;
        disks[i].config.more_count = seed % 3;
        disks[i].config.give_up_ns = gives_up ? 3000 * SIM_MS : 0;
        disks[i].config.rates.iops = seed % 5 ? 0 : 20 + seed % 211;
        disks[i].config.tenant_rates.bandwidth = seed % 7 ? 0 : (1 + seed % 101) << 14;
        if (seed % 2) /* else each is a tenant of its own */
            snprintf(disks[i].config.tenant, sizeof disks[i].config.tenant, "lab");
    }
}

static void choose_sizes(void)
{
    sector_count = (sim_random() % 2 ? 12288 : 512) + (sim_random() % 2 ? 8 : 0);
    if (sim_random() % 6 == 0) {
        sim_profile.min_block = 64u << 10;
        sector_count -= sector_count % 128;
    }
    if (sim_profile.min_block == 1)
        sector_count += sim_random() % 8;
}

static void run_seed(uint64_t seed)
{
    sim_world_init(seed);
    choose_profile();
    choose_sizes();
    has_store = seed % 2;
    enum vdisk_mode mode =
        sim_random() % 4 == 0 || (has_store && sim_random() % 4) ? VDISK_RAM : VDISK_PRIVATE;
    sim_server_init(sector_count);
    struct vdisk_limits limits = {.cache_bytes = 2u << 20,
                                  .connections = 1 + (uint32_t)(seed / 2 % 4),
                                  .overlay_bytes = 64u << 20,
                                  .fill_rate = sim_random() % 3 ? 0 : 1000 + sim_random() % 1000000,
                                  .quiet_ns = (1 + sim_random() % 500) * SIM_MS,
                                  .log_bytes = sim_random() % 2 ? 128u << 10 : 0};
    next_tag = life = 0;
    gives_up = sim_random() % 8 == 0;
    make_clients(mode, seed / 2);
    if (has_store)
        sim_store_init();
    start_machine(&limits);
    run_until_done(is_all_done, "with faults");
    for (uint64_t n = has_store && mode == VDISK_RAM ? sim_random() % 4 : 0; n; n--)
        reboot(&limits);
    if (sim_random() % 2) { /* without trouble everything becomes durable at last */
        sim_faults_on = false;
        vdisk_drain(engine);
        run_until_done(is_drained, "after the faults");
    }
    check_after_crash();
    stop_machine();
    for (unsigned i = 0; i < disk_count; i++)
        sim_model_free(disks[i].model);
    if (has_store)
        sim_store_end();
    sim_server_end();
    sim_world_end();
}

int main(int argc, char **argv)
{
    uint64_t first = 1, count = 1000;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
            first = strtoull(argv[++i], NULL, 0);
            count = 1;
        } else if (!strcmp(argv[i], "--seeds") && i + 1 < argc) {
            count = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--from") && i + 1 < argc) {
            first = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--verbose")) {
            sim_verbose = true;
        } else {
            fprintf(stderr, "usage: %s [--seed N | --from N --seeds N] [--verbose]\n", argv[0]);
            return 2;
        }
    }
    for (uint64_t seed = first; seed < first + count; seed++)
        run_seed(seed);
    printf("%llu seeds, %llu starts, %llu MiB read from the local disk, no failure\n",
           (unsigned long long)count, (unsigned long long)total_lives,
           (unsigned long long)total_disk_bytes >> 20);
    return 0;
}
