// SPDX-License-Identifier: BSD-2-Clause
#include "tests/sim/vdisk_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/profile/profile.h"

#define MAX_BYTES (256u << 10)
#define VERIFY_BYTES (128u << 10)
#define HOT_SECTORS 128u

struct guest {
    struct sim_disk *disk;
    uint32_t left; /* operations still to do */
    bool is_busy;
    uint64_t started, writes[2];
    uint32_t write_count;
    struct vdisk_request request;
    uint8_t *data;
};

static struct guest guests[SIM_GUESTS];
static uint64_t next_tag;

static void next_operation(void *ctx, uint64_t arg);

/* -- what the engine says -- */

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

static void disk_changed(void *owner)
{
    struct sim_disk *d = owner;
    char line[300], json[VDISK_JSON_BYTES];
    if (!d->disk)
        return;
    if (vdisk_json(d->disk, json, sizeof json) >= sizeof json - 1)
        sim_fail("what is counted does not fit");
    take_profile(d->disk);
    if (vdisk_status_line(d->disk, line, sizeof line) >= sizeof line)
        sim_fail("a status line does not fit");
}

/* A profile of random runs, right or wrong; sometimes damaged, sometimes no profile at all. Whatever
 * it is, it must not change what is read. */
static void give_profile(struct vdisk_disk *d)
{
    struct profile p = {.size_bytes = sim_machine.sectors * SIM_SECTOR,
                        .boots = 1 + sim_random() % 8};
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

/* -- operations -- */

static bool is_allowed(int status, uint32_t op)
{
    if (status == LEAT_OK)
        return true;
    if (status == LEAT_ENOSPC)
        return sim_machine.may_fill && (op == LEAT_BLK_WRITE || op == LEAT_BLK_WRITE_ZEROES);
    bool is_change = op == LEAT_BLK_WRITE || op == LEAT_BLK_WRITE_ZEROES;
    if (status == LEAT_EIO && is_change && sim_machine.spills && sim_machine.may_fill)
        return true;
    return status == LEAT_EIO &&
           (sim_profile.server_error || sim_profile.corrupt || sim_machine.gives_up ||
            sim_server_was_changed() || sim_machine.has_lost_store ||
            (sim_machine.has_store && sim_store_may_fail()));
}

static void check_read(const struct guest *g)
{
    uint64_t first = g->request.offset / SIM_SECTOR;
    for (uint64_t s = 0; s < g->request.length / SIM_SECTOR; s++)
        sim_model_check_read(g->disk->model, first + s,
                             sim_sector_tag(g->data + s * SIM_SECTOR, first + s, "guest"),
                             g->started);
}

static void tell(const struct guest *g, const char *what, int status)
{
    static const char *const ops[] = {"read", "write", "flush", "discard", "zero"};
    const struct vdisk_request *r = &g->request;
    if (sim_verbose)
        fprintf(stderr, "%8llu ms  guest %d of %s: %s %llu + %llu flags %u: %s %d\n",
                (unsigned long long)(sim_now() / SIM_MS), (int)(g - guests), g->disk->config.name,
                ops[r->op], (unsigned long long)r->offset / SIM_SECTOR,
                (unsigned long long)r->length / SIM_SECTOR, (unsigned)r->flags, what, status);
}

static void operation_done(struct vdisk_request *r, int status)
{
    struct guest *g = r->owner;
    tell(g, "ended", status);
    if (!g->is_busy)
        sim_fail("a request was completed twice");
    g->is_busy = false;
    if (!is_allowed(status, r->op))
        sim_fail("a request of type %u ended with %d", (unsigned)r->op, status);
    bool is_ok = status == LEAT_OK, stays = g->disk->config.mode != VDISK_RAM;
    if (r->op == LEAT_BLK_READ && is_ok)
        check_read(g);
    else if (r->op == LEAT_BLK_FLUSH && is_ok && stays)
        sim_model_flushed(g->disk->model, g->started);
    for (uint32_t i = 0; i < g->write_count; i++)
        sim_model_written(g->disk->model, g->writes[i], is_ok, stays && (r->flags & LEAT_BLK_FUA));
    free(g->data);
    g->data = NULL;
    sim_at(sim_random() % (sim_profile.think_ms + 1) * SIM_MS, next_operation, g, 0);
}

static void choose_range(struct vdisk_request *r)
{
    uint64_t sectors = sim_machine.sectors, unit = sim_profile.min_block > SIM_SECTOR ? 8 : 1;
    uint64_t area = sim_random() % 4 && HOT_SECTORS < sectors ? HOT_SECTORS : sectors;
    uint64_t most = sim_random() % 8 ? 32 : MAX_BYTES / SIM_SECTOR;
    uint64_t first = sim_random() % area / unit * unit;
    uint64_t count = (1 + sim_random() % most + unit - 1) / unit * unit;
    bool has_data = r->op == LEAT_BLK_READ || r->op == LEAT_BLK_WRITE;
    bool is_sent = sim_writes_to_server(&sim_machine.disks[0]);
    if (!has_data && !is_sent && sectors > 8 && sim_random() % 6 == 0) /* nearly everything */
        first = sim_random() % 2 * 8, count = sectors;
    if (first + count > sectors)
        count = sectors - first;
    r->offset = first * SIM_SECTOR;
    r->length = count * SIM_SECTOR;
}

static void choose_operation(struct guest *g)
{
    struct vdisk_request *r = &g->request;
    uint64_t roll = sim_random() % 100;
    memset(r, 0, sizeof *r);
    r->owner = g;
    r->done = operation_done;
    r->op = roll < 45   ? LEAT_BLK_READ
            : roll < 80 ? LEAT_BLK_WRITE
            : roll < 90 ? LEAT_BLK_FLUSH
            : roll < 95 ? LEAT_BLK_WRITE_ZEROES
                        : LEAT_BLK_DISCARD;
    if (g->disk->config.is_read_only)
        r->op = LEAT_BLK_READ;
    if (r->op == LEAT_BLK_DISCARD && !sim_profile.has_trim)
        r->op = LEAT_BLK_READ;
    bool is_coarse = sim_profile.min_block > 4096 && sim_writes_to_server(g->disk);
    if (is_coarse && (r->op == LEAT_BLK_DISCARD || r->op == LEAT_BLK_WRITE_ZEROES))
        r->op = LEAT_BLK_WRITE;
    if (r->op == LEAT_BLK_FLUSH)
        return;
    choose_range(r);
    if (r->op != LEAT_BLK_READ && sim_random() % 5 == 0)
        r->flags = LEAT_BLK_FUA;
    if (r->op == LEAT_BLK_WRITE_ZEROES && sim_random() % 4 == 0)
        r->flags |= LEAT_BLK_NO_HOLE;
}

static void note_write(struct guest *g)
{
    struct vdisk_request *r = &g->request;
    struct sim_model *m = g->disk->model;
    uint64_t first = r->offset / SIM_SECTOR, count = r->length / SIM_SECTOR, tag = 0;
    bool is_weak = r->op == LEAT_BLK_DISCARD;
    if (r->op == LEAT_BLK_WRITE) {
        tag = ++next_tag;
        for (uint64_t s = 0; s < count; s++)
            sim_sector_fill(g->data + s * SIM_SECTOR, first + s, tag);
    }
    g->writes[g->write_count++] = sim_model_write(m, first, count, tag, is_weak);
    if (is_weak && !sim_writes_to_server(g->disk)) /* the disk below shows again */
        g->writes[g->write_count++] = sim_model_write(m, first, count, SIM_INITIAL, true);
}

static void next_operation(void *ctx, uint64_t arg)
{
    struct guest *g = ctx;
    (void)arg;
    if (g->left == 0 || g->is_busy || !g->disk->disk)
        return;
    g->left--;
    choose_operation(g);
    bool has_data = g->request.op == LEAT_BLK_READ || g->request.op == LEAT_BLK_WRITE;
    g->data = has_data ? malloc(g->request.length) : NULL;
    g->request.data = g->data;
    g->started = sim_tick();
    g->write_count = 0;
    if (g->request.op != LEAT_BLK_READ && g->request.op != LEAT_BLK_FLUSH)
        note_write(g);
    g->is_busy = true;
    tell(g, "begins; the last write's number is", (int)next_tag);
    vdisk_submit(g->disk->disk, &g->request);
}

/* -- life -- */

void sim_guests_init(void)
{
    memset(guests, 0, sizeof guests);
    next_tag = 0;
    for (unsigned i = 0; i < sim_machine.guest_count; i++)
        guests[i].disk = &sim_machine.disks[i % sim_machine.disk_count];
}

static void start_soon(const struct sim_disk *d)
{
    for (unsigned i = 0; i < sim_machine.guest_count; i++)
        if (guests[i].disk == d)
            sim_at(sim_random() % 100 * SIM_MS, next_operation, &guests[i], 0);
}

void sim_guests_start(uint32_t operations)
{
    for (unsigned i = 0; i < sim_machine.guest_count; i++)
        guests[i].left = operations;
    for (unsigned i = 0; i < sim_machine.disk_count; i++)
        start_soon(&sim_machine.disks[i]);
}

bool sim_guests_are_done(void)
{
    for (unsigned i = 0; i < sim_machine.guest_count; i++)
        if (guests[i].left || guests[i].is_busy)
            return false;
    return true;
}

static void forget(struct guest *g)
{
    if (!g->is_busy)
        return;
    g->is_busy = false;
    free(g->data);
    g->data = NULL;
    memset(&g->request, 0xee, sizeof g->request);
}

void sim_guests_forget(void)
{
    for (unsigned i = 0; i < sim_machine.guest_count; i++) {
        forget(&guests[i]);
        guests[i].left = 0;
    }
}

void sim_disk_attach(struct sim_disk *d)
{
    d->config.is_profiled = sim_random() % 2;
    d->disk = vdisk_attach(sim_machine.engine, &d->config, disk_changed, d);
    if (sim_random() % 2)
        give_profile(d->disk);
    start_soon(d);
}

static void attach_again(void *ctx, uint64_t arg)
{
    struct sim_disk *d = ctx;
    if (!d->disk && d->life == arg)
        sim_disk_attach(d);
}

/* A VM dies in the middle: its requests are forgotten, its memory goes away. */
static void detach(void *ctx, uint64_t arg)
{
    struct sim_disk *d = ctx;
    if (!d->disk || d->life != arg)
        return;
    vdisk_detach(d->disk);
    d->disk = NULL;
    for (unsigned i = 0; i < sim_machine.guest_count; i++)
        if (guests[i].disk == d)
            forget(&guests[i]);
    if (d->config.mode == VDISK_RAM) { /* the overlay is gone */
        sim_model_free(d->model);
        d->model = sim_model_new(sim_machine.sectors);
    }
    sim_at(sim_random() % 3000 * SIM_MS, attach_again, d, d->life);
}

void sim_disk_detach_soon(struct sim_disk *d)
{
    sim_at(sim_random() % 2000 * SIM_MS, detach, d, d->life);
}

/* -- after a crash -- */

static bool is_verified;
static int verify_status;

static void verify_done(struct vdisk_request *r, int status)
{
    (void)r;
    is_verified = true;
    verify_status = status;
}

static bool verify_is_done(void)
{
    return is_verified;
}

static int verify_read(struct sim_disk *d, uint8_t *data, uint64_t at, uint64_t length)
{
    struct vdisk_request r = {
        .op = LEAT_BLK_READ, .offset = at, .length = length, .data = data, .done = verify_done};
    is_verified = false;
    vdisk_submit(d->disk, &r);
    sim_run(verify_is_done, UINT64_MAX, "after the crash");
    return verify_status;
}

void sim_disk_verify_other(struct sim_disk *d)
{
    uint8_t data[4096];
    int status = verify_read(d, data, 0, sizeof data);
    if (status == LEAT_OK && sim_model_is_durable(d->model) && !store_disk.rots_meta)
        sim_fail("a difference is used with another image than its own");
    for (uint64_t s = 0; s < 8 && status == LEAT_OK; s++) {
        uint64_t tag = sim_sector_tag(data + s * SIM_SECTOR, s, "other image");
        if (tag != sim_server_tag(s))
            sim_fail("sector %llu is not the other image's: two are mixed", (unsigned long long)s);
    }
}

void sim_disk_verify(struct sim_disk *d)
{
    static uint8_t data[VERIFY_BYTES];
    struct sim_model *fresh = sim_model_new(sim_machine.sectors);
    uint64_t size = sim_machine.sectors * SIM_SECTOR, step;
    for (uint64_t at = 0; at < size; at += step) {
        step = size - at < VERIFY_BYTES ? size - at : VERIFY_BYTES;
        if (sim_machine.has_store && sim_store_may_fail() && step > 4096)
            step = 4096; /* a bad block, and not its neighbours */
        verify_read(d, data, at, step);
        if (!is_allowed(verify_status, LEAT_BLK_READ))
            sim_fail("after the crash: a read at %llu ended with %d", (unsigned long long)at,
                     verify_status);
        for (uint64_t s = at / SIM_SECTOR; s < (at + step) / SIM_SECTOR; s++) {
            if (verify_status != LEAT_OK) {
                sim_model_inherit(fresh, d->model, s);
                continue;
            }
            uint64_t tag = sim_sector_tag(data + s * SIM_SECTOR - at, s, "after the crash");
            sim_model_check_durable(d->model, s, tag);
            if (tag != sim_initial_tag(s))
                sim_model_written(fresh, sim_model_write(fresh, s, 1, tag, false), true, true);
        }
    }
    sim_model_free(d->model);
    d->model = fresh;
}
