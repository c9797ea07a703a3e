// SPDX-License-Identifier: BSD-2-Clause
#include "tests/sim/store_clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 5u
#define MAX_BYTES (128u << 10)
#define BLOB_ROOM 20000u
#define SECTORS_PER_BLOCK 8u

struct client {
    uint32_t left;
    bool is_busy;
    uint64_t next_ns, started, writes[3];
    uint32_t write_count;
    unsigned difference;
    struct store_op op;
    uint8_t *data;
    uint8_t held[MAX_BYTES / STORE_BLOCK_BYTES + 2];
};

struct store_facts store_facts;
static struct store *store;
static struct client clients[CLIENTS];
static struct store_object *images[IMAGES], *differences[DIFFERENCES];
static struct sim_model *models[DIFFERENCES];
static uint64_t next_tag;
/* The blob's versions: 0 is none; durable: known to be there, newest: perhaps. */
static uint64_t blob_durable, blob_newest;
static bool is_blob_lost; /* damage was seen: nothing is expected of it */

static uint64_t sector_count(void)
{
    return store_facts.size / SIM_SECTOR;
}

static bool may_fail(void)
{
    const struct store_disk *d = &store_disk;
    return d->errors || d->rots_data || d->rots_meta;
}

/* -- images -- */

static uint64_t image_tag(unsigned image, uint64_t sector)
{
    return (uint64_t)(image + 1) << 48 | sector;
}

static void image_content(unsigned image, uint8_t content[STORE_CONTENT_BYTES])
{
    memset(content, 0, STORE_CONTENT_BYTES);
    content[31] = (uint8_t)(image + 1);
}

static void fill_block(unsigned image, uint64_t block, uint8_t *data)
{
    for (uint64_t s = 0; s < SECTORS_PER_BLOCK; s++) {
        uint64_t sector = block * SECTORS_PER_BLOCK + s;
        sim_sector_fill(data + s * SIM_SECTOR, sector, image_tag(image, sector));
    }
}

static void put(unsigned image)
{
    static uint8_t data[20 * STORE_BLOCK_BYTES];
    uint64_t first = sim_random() % store_facts.blocks;
    uint32_t count = 1 + (uint32_t)(sim_random() % 20);
    if (first + count > store_facts.blocks)
        count = (uint32_t)(store_facts.blocks - first);
    for (uint32_t i = 0; i < count; i++)
        fill_block(image, first + i, data + i * STORE_BLOCK_BYTES);
    store_put(images[image], first, count, data);
    memset(data, 0, sizeof data); /* the store has a copy */
}

/* -- reads -- */

static bool is_held(const struct client *c, uint64_t at)
{
    uint64_t sector = (c->op.offset + at) / SIM_SECTOR;
    uint64_t block = sector / SECTORS_PER_BLOCK - c->op.offset / STORE_BLOCK_BYTES;
    return c->held[block] >> sector % SECTORS_PER_BLOCK & 1;
}

static void check_read(const struct client *c, bool after_cut)
{
    for (uint64_t at = 0; at < c->op.length; at += SIM_SECTOR) {
        uint64_t sector = (c->op.offset + at) / SIM_SECTOR, tag = SIM_INITIAL | sector;
        if (is_held(c, at))
            tag = sim_sector_tag(c->data + at, sector, "read");
        if (after_cut)
            sim_model_check_durable(models[c->difference], sector, tag);
        else
            sim_model_check_read(models[c->difference], sector, tag, c->started);
    }
}

static void check_image(const struct client *c)
{
    unsigned image = c->difference;
    for (uint64_t at = 0; at < c->op.length; at += SIM_SECTOR) {
        uint64_t sector = (c->op.offset + at) / SIM_SECTOR;
        if (is_held(c, at) &&
            sim_sector_tag(c->data + at, sector, "cache") != image_tag(image, sector))
            sim_fail("sector %llu of image %u is another image's", (unsigned long long)sector,
                     image);
    }
}

/* -- the blob -- */

static uint64_t blob_size(uint64_t version)
{
    return 1 + version * 7919 % BLOB_ROOM;
}

static void blob_fill(uint64_t version, uint8_t *data)
{
    for (uint64_t i = 0; i < blob_size(version); i++)
        data[i] = (uint8_t)(version * 31 + i * 7 + (i >> 8));
}

static bool is_version(uint64_t version, const uint8_t *data, uint64_t size)
{
    static uint8_t expected[BLOB_ROOM];
    if (size != blob_size(version))
        return false;
    blob_fill(version, expected);
    return memcmp(expected, data, size) == 0;
}

static void check_blob(void)
{
    static uint8_t data[BLOB_ROOM + STORE_BLOCK_BYTES], held[8];
    uint64_t size, version;
    struct store_object *blob = store_blob(store, "profile", &size);
    if (!blob) {
        if (blob_durable && !is_blob_lost)
            sim_fail("the blob is gone");
        blob_newest = blob_durable = 0;
        return;
    }
    struct store_op op = {.type = STORE_READ,
                          .object = blob,
                          .length = (size + 4095) / 4096 * 4096,
                          .data = data,
                          .held = held};
    enum store_status status = store_drive(&op);
    store_release(blob);
    if (status != STORE_OK) {
        if (!may_fail())
            sim_fail("the blob cannot be read: %d", status);
        is_blob_lost = true;
        return;
    }
    for (version = blob_durable; version <= blob_newest; version++)
        if (version && is_version(version, data, size))
            break;
    if (version > blob_newest && !is_blob_lost)
        sim_fail("the blob has a content that nobody gave it");
    blob_durable = blob_newest;
    if (!is_blob_lost && version <= blob_newest)
        blob_durable = version;
    blob_newest = blob_durable > blob_newest ? blob_durable : blob_newest;
}

/* -- operations -- */

static void operation_done(struct store_op *op, enum store_status status)
{
    struct client *c = op->owner;
    if (!c->is_busy)
        sim_fail("an operation was completed twice");
    c->is_busy = false;
    bool is_ok = status == STORE_OK;
    if (!is_ok && status != STORE_FULL && !may_fail())
        sim_fail("an operation of type %d ended with %d", op->type, status);
    if (sim_verbose)
        printf("%8llu client %d: type %d at %llu + %llu: %s\n", (unsigned long long)sim_tick(),
               (int)(c - clients), op->type, (unsigned long long)op->offset / 512,
               (unsigned long long)op->length / 512, store_status_text(status));
    if (op->type == STORE_READ && is_ok) {
        if (op->object == images[c->difference % IMAGES])
            check_image(c);
        else
            check_read(c, false);
    } else if (op->type == STORE_FLUSH && is_ok) {
        for (unsigned i = 0; i < DIFFERENCES; i++)
            sim_model_flushed(models[i], c->started);
    } else if (op->type == STORE_PUT_BLOB) {
        if (is_ok)
            blob_durable = blob_newest;
    } else {
        for (uint32_t i = 0; i < c->write_count; i++)
            sim_model_written(models[c->difference], c->writes[i], is_ok, op->is_fua);
    }
    free(c->data);
    c->data = NULL;
    c->next_ns = sim_now() + sim_random() % store_facts.think_ns;
}

static void choose_range(struct client *c)
{
    uint64_t first = sim_random() % sector_count(), count = 1 + sim_random() % 24;
    if (sim_random() % 3 == 0) /* whole blocks */
        first = first / 8 * 8, count = (1 + sim_random() % 32) * 8;
    if (sim_random() % 4) /* where it meets others */
        first %= 160;
    if (first + count > sector_count())
        count = sector_count() - first;
    c->op.offset = first * SIM_SECTOR;
    c->op.length = count * SIM_SECTOR;
}

static void begin_change(struct client *c)
{
    struct sim_model *m = models[c->difference];
    uint64_t first = c->op.offset / SIM_SECTOR, count = c->op.length / SIM_SECTOR;
    uint64_t tag = c->op.type == STORE_ZERO ? 0 : ++next_tag;
    c->write_count = 1;
    if (c->op.type == STORE_DISCARD) {
        c->writes[0] = sim_model_write(m, first, count, SIM_INITIAL, true);
        c->writes[1] = sim_model_write(m, first, count, 0, true);
        c->write_count = 2;
        return;
    }
    c->writes[0] = sim_model_write(m, first, count, tag, false);
    c->op.is_fua = sim_random() % 8 == 0;
    if (c->op.type == STORE_WRITE)
        for (uint64_t s = 0; s < count; s++)
            sim_sector_fill(c->data + s * SIM_SECTOR, first + s, tag);
}

static bool is_blob_busy(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (clients[i].is_busy && clients[i].op.type == STORE_PUT_BLOB)
            return true;
    return false;
}

static unsigned choose_kind(void)
{
    uint32_t all = 0, n;
    for (unsigned i = 0; i < 8; i++)
        all += store_facts.weights[i];
    n = (uint32_t)(sim_random() % all);
    for (unsigned i = 0;; n -= store_facts.weights[i++])
        if (n < store_facts.weights[i])
            return i;
}

static void begin_operation(struct client *c)
{
    static const enum store_op_type types[] = {STORE_READ,    STORE_WRITE, STORE_FLUSH,
                                               STORE_DISCARD, STORE_ZERO,  STORE_PUT_BLOB};
    unsigned kind = choose_kind();
    c->left--;
    c->started = sim_tick();
    c->next_ns = sim_now() + 1;
    if (kind == 6) {
        put((unsigned)(sim_random() % IMAGES));
        return;
    }
    c->op = (struct store_op){.type = kind == 7 ? STORE_READ : types[kind],
                              .done = operation_done,
                              .owner = c,
                              .held = c->held,
                              .name = "profile"};
    if (c->op.type == STORE_PUT_BLOB && (is_blob_busy() || is_blob_lost))
        return;
    c->write_count = 0;
    c->data = malloc(MAX_BYTES);
    memset(c->held, 0xff, sizeof c->held);
    c->op.data = c->data;
    choose_range(c);
    c->difference = (unsigned)(sim_random() % DIFFERENCES);
    c->op.object = kind == 7 ? images[c->difference] : differences[c->difference];
    if (c->op.type == STORE_ZERO && sim_random() % 6 == 0) { /* a whole group of 512 blocks */
        c->op.offset = sim_random() % 2 ? 0 : 4096;
        c->op.length = store_facts.size - c->op.offset;
    }
    if (c->op.type == STORE_WRITE || c->op.type == STORE_ZERO || c->op.type == STORE_DISCARD)
        begin_change(c);
    if (c->op.type == STORE_PUT_BLOB) {
        c->op.length = blob_size(++blob_newest);
        blob_fill(blob_newest, c->data);
    }
    c->is_busy = true;
    store_submit(store, &c->op);
}

/* -- their life -- */

void store_clients_init(void)
{
    memset(clients, 0, sizeof clients);
    next_tag = blob_durable = blob_newest = 0;
    is_blob_lost = false;
    for (unsigned i = 0; i < DIFFERENCES; i++)
        models[i] = sim_model_new(sector_count());
}

void store_clients_end(void)
{
    for (unsigned i = 0; i < DIFFERENCES; i++)
        sim_model_free(models[i]);
}

void store_clients_forget(void)
{
    blob_durable = blob_newest = 0;
    is_blob_lost = false;
    for (unsigned i = 0; i < DIFFERENCES; i++) {
        sim_model_free(models[i]);
        models[i] = sim_model_new(sector_count());
    }
}

/* Reads a block of a difference after the opening, and begins its history anew from that. */
static void check_block(unsigned d, uint64_t block, struct sim_model *fresh, bool after_cut)
{
    static uint8_t data[STORE_BLOCK_BYTES];
    static struct client c;
    uint64_t start = block * STORE_BLOCK_BYTES, left = store_facts.size - start;
    c.difference = d;
    c.data = data;
    c.started = sim_tick();
    c.op = (struct store_op){.type = STORE_READ,
                             .object = differences[d],
                             .offset = start,
                             .length = left < STORE_BLOCK_BYTES ? left : STORE_BLOCK_BYTES,
                             .data = data,
                             .held = c.held};
    enum store_status status = store_drive(&c.op);
    if (status != STORE_OK && !may_fail())
        sim_fail("block %llu of difference %u cannot be read: %d", (unsigned long long)block, d,
                 status);
    if (status == STORE_OK)
        check_read(&c, after_cut);
    for (uint64_t at = 0; at < c.op.length; at += SIM_SECTOR) {
        uint64_t sector = (start + at) / SIM_SECTOR, tag = SIM_INITIAL;
        if (status != STORE_OK) {
            sim_model_inherit(fresh, models[d], sector);
            continue;
        }
        if (!is_held(&c, at))
            continue;
        tag = sim_sector_tag(data + at, sector, "check");
        sim_model_written(fresh, sim_model_write(fresh, sector, 1, tag, false), true, true);
    }
}

void store_clients_open(struct store *s, bool after_cut)
{
    store = s;
    for (unsigned i = 0; i < IMAGES; i++) {
        uint8_t content[STORE_CONTENT_BYTES];
        image_content(i, content);
        images[i] = store_image(s, content, store_facts.size);
        if (!images[i])
            sim_fail("no room for an image");
    }
    for (unsigned i = 0; i < DIFFERENCES; i++) {
        uint8_t base[STORE_CONTENT_BYTES];
        char name[16];
        image_content(0, base);
        snprintf(name, sizeof name, "vm%u/root", i);
        enum store_status status =
            store_difference(s, name, base, store_facts.size, &differences[i]);
        if (status != STORE_OK)
            sim_fail("difference %u: %d", i, status);
        if (store_is_damaged(differences[i]) && !store_disk.rots_meta)
            sim_fail("difference %u is damaged", i);
        struct sim_model *fresh = sim_model_new(sector_count());
        for (uint64_t block = 0; block < store_facts.blocks; block++)
            check_block(i, block, fresh, after_cut);
        sim_model_free(models[i]);
        models[i] = fresh;
    }
    check_blob();
}

void store_clients_start(uint32_t operations)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].left = operations;
        clients[i].next_ns = sim_now() + 1;
    }
}

uint64_t store_clients_next(void)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < CLIENTS; i++)
        if (!clients[i].is_busy && clients[i].left && clients[i].next_ns < next)
            next = clients[i].next_ns;
    return next;
}

void store_clients_step(void)
{
    uint64_t next = store_clients_next();
    sim_wait(next);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (!clients[i].is_busy && clients[i].left && clients[i].next_ns == next) {
            begin_operation(&clients[i]);
            return;
        }
}

bool store_clients_are_idle(void)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (clients[i].is_busy || clients[i].left)
            return false;
    return true;
}

void store_clients_release(void)
{
    for (unsigned i = 0; i < IMAGES; i++)
        store_release(images[i]);
    for (unsigned i = 0; i < DIFFERENCES; i++)
        store_release(differences[i]);
}

void store_clients_drop(void)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        free(clients[i].data);
        clients[i].data = NULL;
        clients[i].is_busy = false;
        clients[i].left = 0;
    }
}
