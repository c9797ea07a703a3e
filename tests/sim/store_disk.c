// SPDX-License-Identifier: BSD-2-Clause
#include "tests/sim/store_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_COMMANDS 1024u
#define OUTSIDE 0xa5

struct command {
    struct store_io *io;
    uint64_t due_ns, submitted;
    uint8_t *data; /* of a write, as submitted */
};

/* One sector of a write that no flush has covered. */
struct unflushed {
    uint64_t sector, done; /* done: tick; UINT64_MAX: under way */
    uint8_t data[SIM_SECTOR];
};

struct store_disk store_disk;
static uint8_t *visible, *durable;
static struct command commands[MAX_COMMANDS];
static size_t command_count;
static struct unflushed *unflushed;
static size_t unflushed_count, unflushed_room;

void store_disk_init(void)
{
    visible = malloc(store_disk.bytes);
    durable = malloc(store_disk.bytes);
    memset(visible, OUTSIDE, store_disk.bytes);
    memset(durable, OUTSIDE, store_disk.bytes);
    command_count = unflushed_count = 0;
}

void store_disk_learn(const struct store *store)
{
    struct store_disk *d = &store_disk;
    struct store_info info;
    store_get_info(store, &info);
    uint64_t base =
        (d->range_offset + STORE_BLOCK_BYTES - 1) / STORE_BLOCK_BYTES * STORE_BLOCK_BYTES;
    uint64_t pages = (d->range_offset + d->range_bytes - base) / STORE_BLOCK_BYTES;
    d->meta_front = (pages - info.blocks) / 2;
    d->meta_back = d->meta_front + info.blocks;
}

static void check_outside(uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        if (visible[i] != OUTSIDE)
            sim_fail("byte %llu outside the range has changed", (unsigned long long)i);
}

void store_disk_end(void)
{
    check_outside(0, store_disk.range_offset);
    check_outside(store_disk.range_offset + store_disk.range_bytes, store_disk.bytes);
    free(visible);
    free(durable);
}

/* -- commands -- */

static bool happens(uint32_t in_100000)
{
    return in_100000 && sim_random() % 100000 < in_100000;
}

static void submit(void *ctx, struct store_io *io)
{
    (void)ctx;
    const struct store_disk *d = &store_disk;
    if (command_count == MAX_COMMANDS)
        sim_fail("too many commands");
    if (io->type != STORE_IO_FLUSH &&
        (io->offset < d->range_offset || io->offset % d->sector_bytes || io->length % 4096 ||
         io->length == 0 || io->length > 65536 ||
         io->offset + io->length > d->range_offset + d->range_bytes || (uintptr_t)io->data % 4096))
        sim_fail("a command outside the range, or of an odd shape: %llu + %u",
                 (unsigned long long)io->offset, io->length);
    struct command *c = &commands[command_count++];
    uint64_t slow = sim_random() % 16 ? 1 : 40; /* some are much slower than others */
    *c = (struct command){.io = io,
                          .due_ns = sim_now() + 1 + sim_random() % (d->slowest_ns * slow),
                          .submitted = sim_tick()};
    if (io->type != STORE_IO_WRITE)
        return;
    c->data = malloc(io->length);
    memcpy(c->data, io->data, io->length);
}

static size_t next_command(void)
{
    size_t first = 0;
    for (size_t i = 1; i < command_count; i++)
        if (commands[i].due_ns < commands[first].due_ns)
            first = i;
    return first;
}

uint64_t store_disk_next(void)
{
    return command_count ? commands[next_command()].due_ns : UINT64_MAX;
}

static void remember(uint64_t sector, const uint8_t *data, uint64_t done)
{
    if (unflushed_count == unflushed_room) {
        unflushed_room = unflushed_room ? unflushed_room * 2 : 1024;
        struct unflushed *more = realloc(unflushed, unflushed_room * sizeof *unflushed);
        if (!more)
            sim_fail("no memory");
        unflushed = more;
    }
    unflushed[unflushed_count].sector = sector;
    unflushed[unflushed_count].done = done;
    memcpy(unflushed[unflushed_count++].data, data, SIM_SECTOR);
}

static void write_sectors(const struct command *c, bool is_whole)
{
    for (uint32_t at = 0; at < c->io->length; at += SIM_SECTOR) {
        if (!is_whole && sim_random() % 2)
            continue;
        memcpy(visible + c->io->offset + at, c->data + at, SIM_SECTOR);
        remember((c->io->offset + at) / SIM_SECTOR, c->data + at, sim_tick());
    }
}

static void flush_before(uint64_t submitted)
{
    size_t kept = 0;
    for (size_t i = 0; i < unflushed_count; i++) {
        if (unflushed[i].done < submitted)
            memcpy(durable + unflushed[i].sector * SIM_SECTOR, unflushed[i].data, SIM_SECTOR);
        else
            unflushed[kept++] = unflushed[i];
    }
    unflushed_count = kept;
}

/* A bit falls over, somewhere in the data or in the metadata. */
static void rot(bool in_meta)
{
    struct store_disk *d = &store_disk;
    uint64_t pages = d->range_bytes / 4096, page;
    uint64_t base = (d->range_offset + 4095) / 4096 * 4096;
    do
        page = sim_random() % (pages - 1);
    while ((page < d->meta_front || page >= d->meta_back) != in_meta);
    uint64_t at = base + page * 4096 + sim_random() % 4096;
    for (size_t i = 0; i < unflushed_count; i++)
        if (unflushed[i].sector == at / SIM_SECTOR)
            return;
    uint8_t bit = (uint8_t)(1u << sim_random() % 8);
    visible[at] ^= bit;
    durable[at] ^= bit;
    *(in_meta ? &d->rots_meta : &d->rots_data) += 1;
    if (sim_verbose)
        printf("%8llu rot in page %llu\n", (unsigned long long)sim_now(), (unsigned long long)page);
}

static bool run_command(const struct command *c)
{
    struct store_disk *d = &store_disk;
    struct store_io *io = c->io;
    switch (io->type) {
    case STORE_IO_READ:
        if (happens(d->faults.read_error)) {
            memset(io->data, 0xee, io->length);
            return false;
        }
        memcpy(io->data, visible + io->offset, io->length);
        return true;
    case STORE_IO_WRITE: {
        if (memcmp(c->data, io->data, io->length))
            sim_fail("the data of a write have changed under way");
        bool is_ok = !happens(d->faults.write_error);
        write_sectors(c, is_ok);
        d->failed_writes += !is_ok;
        return is_ok;
    }
    default:
        if (happens(d->faults.flush_error)) {
            d->failed_writes++;
            return false;
        }
        flush_before(c->submitted);
        return true;
    }
}

void store_disk_step(void)
{
    size_t i = next_command();
    struct command c = commands[i];
    commands[i] = commands[--command_count];
    sim_wait(c.due_ns);
    store_disk.commands++;
    bool is_ok = run_command(&c);
    store_disk.errors += !is_ok;
    if (sim_verbose)
        printf("%8llu %s %llu + %u%s\n", (unsigned long long)sim_now(),
               c.io->type == STORE_IO_READ    ? "read"
               : c.io->type == STORE_IO_WRITE ? "write"
                                              : "flush",
               (unsigned long long)c.io->offset / 4096, c.io->length / 4096,
               is_ok ? "" : " FAILED");
    free(c.data);
    c.io->done(c.io, is_ok);
    if (happens(store_disk.faults.rot_data))
        rot(false);
    if (happens(store_disk.faults.rot_meta))
        rot(true);
}

/* -- the power cut -- */

static void survive(const struct unflushed *u)
{
    uint8_t *at = durable + u->sector * SIM_SECTOR;
    uint32_t how = sim_random() % 8;
    if (how == 0) { /* torn at one place */
        memcpy(at, u->data, sim_random() % SIM_SECTOR);
    } else if (how == 1) { /* any mix */
        for (uint32_t i = 0; i < SIM_SECTOR; i += 8)
            if (sim_random() % 2)
                memcpy(at + i, u->data + i, 8);
    } else {
        memcpy(at, u->data, SIM_SECTOR);
    }
}

void store_disk_cut(void)
{
    for (size_t i = 0; i < command_count; i++) {
        struct command *c = &commands[i];
        if (c->io->type == STORE_IO_WRITE)
            for (uint32_t at = 0; at < c->io->length; at += SIM_SECTOR)
                remember((c->io->offset + at) / SIM_SECTOR, c->data + at, UINT64_MAX);
        free(c->data);
    }
    static const uint32_t shares[] = {0, 30, 50, 90, 100};
    uint32_t share = shares[sim_random() % 5];
    for (size_t left = unflushed_count; left; left--) { /* in any order */
        size_t i = sim_random() % left;
        if (sim_random() % 100 < share)
            survive(&unflushed[i]);
        unflushed[i] = unflushed[left - 1];
    }
    command_count = unflushed_count = 0;
    memcpy(visible, durable, store_disk.bytes);
    if (sim_verbose)
        printf("%8llu power cut, %u %% of what was not flushed survives\n",
               (unsigned long long)sim_now(), share);
}

/* -- the platform -- */

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return sim_now();
}
static uint64_t random_bits(void *ctx)
{
    (void)ctx;
    return sim_random();
}
static void log_line(void *ctx, const char *line)
{
    (void)ctx;
    if (sim_verbose)
        printf("%8llu %s\n", (unsigned long long)sim_now(), line);
}
const struct store_platform store_platform = {NULL, now_ns, random_bits, submit, log_line};
