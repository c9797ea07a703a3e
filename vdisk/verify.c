// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"

#define TROUBLE_NS SECOND_NS /* to be told: waiting for longer than that */

enum verdict { GOOD, BAD, UNKNOWN };

/* -- life -- */

const char *verify_objection(const struct vdisk *v, const struct vdisk_config *config)
{
    if (!config->has_root)
        return NULL;
    if (!v->platform->sha256)
        return "root_hash: this program has no SHA-256 to verify an image with";
    if (config->mode == VDISK_PRIVATE && !config->is_read_only)
        return "root_hash is for images that are not written: give the disk mode=ram or "
               "read_only=yes";
    return NULL;
}

bool verify_attach(struct vdisk_export *data, struct vdisk_export *tree,
                   const struct vdisk_config *config)
{
    struct verify *v = calloc(1, sizeof *v);
    if (!v)
        return false;
    v->data = data;
    v->tree = tree;
    v->root = config->root;
    verity_tree_init(&v->places, v->root.blocks);
    data->verify = tree->verify = v;
    return true;
}

void verify_detach(struct vdisk_export *e)
{
    struct verify *v = e->verify;
    if (!v)
        return;
    if (v->tree == e)
        v->tree = NULL;
    else
        v->data = NULL;
    e->verify = NULL;
    if (!v->tree && !v->data)
        free(v);
}

bool verify_is_tree(const struct vdisk_export *e)
{
    return e->verify && e->verify->tree == e;
}

bool verify_is_needed(const struct vdisk_export *e)
{
    return verify_is_tree(e) && e->verify->data;
}

bool verify_is_same(const struct vdisk_export *e, const struct vdisk_config *config)
{
    const struct verify *v = e->verify;
    if (!v || !config->has_root)
        return !v && !config->has_root;
    return v->data == e && v->root.blocks == config->root.blocks &&
           v->root.all == config->root.all &&
           !memcmp(v->root.hash, config->root.hash, sizeof v->root.hash) && v->tree &&
           !strcmp(v->tree->name, config->hash_export);
}

uint64_t verify_size(const struct vdisk_export *e, uint32_t unit_bytes)
{
    const struct verify *v = e->verify;
    if (!v)
        return 0;
    if (v->tree != e)
        return v->root.all * VERITY_BLOCK_BYTES;
    return (v->places.blocks * VERITY_BLOCK_BYTES + unit_bytes - 1) / unit_bytes * unit_bytes;
}

bool verify_has_block(const struct vdisk_export *e, uint64_t block)
{
    return !verify_is_tree(e) || block < e->verify->places.blocks;
}

/* -- which tree blocks are needed -- */

/* 0: the superblock, which needs nothing; then the levels from the single block down; the data. */
static uint32_t rank(const struct vdisk_export *e, uint64_t block)
{
    const struct verity_tree *places = &e->verify->places;
    if (e->verify->tree != e)
        return places->levels + 1;
    return places->levels - verity_level(places, block);
}

uint32_t verify_reserve(const struct vdisk_export *e, uint64_t block)
{
    return e->verify ? rank(e, block) : 0;
}

/* Asks for a tree block, if nobody has; e needs it, on behalf of t. */
static void want(struct vdisk_export *e, struct tenant *t, uint64_t block)
{
    struct verify *v = e->verify;
    struct vdisk_export *tree = v->tree;
    uint32_t slot = cache_find(&tree->engine->cache, tree->id, block);
    if (slot != CACHE_NONE) {
        struct fetch *f = tree->engine->cache.slots[slot].fetch;
        if (f)
            fetch_hurry(tree, f, t);
    } else if (fetch_make(tree, t, block, block + 1, CACHE_DEMAND)) {
        tree->engine->is_stirred = true;
    } else {
        e->is_starved = true;
    }
}

/* Asks for a tree block and for those above it that are not there. */
static void want_path(struct vdisk_export *e, struct tenant *t, struct verity_place place)
{
    struct verify *v = e->verify;
    if (!v->tree || !v->tree->was_up)
        return;
    struct cache *c = &v->tree->engine->cache;
    if (!v->has_salt) {
        uint32_t slot = cache_find(c, v->tree->id, 0);
        if (slot != CACHE_NONE && c->slots[slot].state == CACHE_VALID) /* one that has misled */
            cache_drop(c, slot);
        want(e, t, 0);
    }
    while (!place.is_root) {
        bool is_there = cache_find(c, v->tree->id, place.block) != CACHE_NONE;
        want(e, t, place.block);
        if (is_there)
            return; /* who asked for it has asked for those above */
        place = verity_place_of_hash(&v->places, place.block);
    }
}

void verify_prepare(struct vdisk_export *e, const struct fetch *f)
{
    struct verify *v = e->verify;
    if (!v || v->tree == e || f->first_block >= v->root.blocks)
        return;
    uint64_t last_block = f->first_block + f->count - 1;
    last_block = last_block < v->root.blocks ? last_block : v->root.blocks - 1;
    struct verity_place first = verity_place_of_data(&v->places, f->first_block);
    struct verity_place last = verity_place_of_data(&v->places, last_block);
    want_path(e, f->tenant, first);
    if (!last.is_root && last.block != first.block) /* 64 blocks lie below two at most */
        want_path(e, f->tenant, last);
}

void verify_link_is_up(struct vdisk_export *e)
{
    struct vdisk_export *data = verify_is_tree(e) ? e->verify->data : NULL;
    for (uint32_t i = 0; data && i < EXPORT_FETCHES + LOCAL_FETCHES; i++)
        if (data->fetches[i].count)
            verify_prepare(data, &data->fetches[i]);
}

/* -- judgement -- */

/* The content of a tree block that has passed; NULL: not yet. */
static const uint8_t *trusted(struct verify *v, uint64_t block)
{
    if (!v->tree)
        return NULL;
    struct cache *c = &v->tree->engine->cache;
    uint32_t slot = cache_find(c, v->tree->id, block);
    if (slot == CACHE_NONE)
        return NULL;
    if (c->slots[slot].state == CACHE_VALID) {
        cache_touch(c, slot);
        return cache_data(c, slot);
    }
    /* It may be held because of its neighbours. */
    const struct fetch *f = c->slots[slot].fetch;
    bool has_passed = f->is_held && f->passed >> (block - f->first_block) & 1;
    return has_passed ? cache_data(c, slot) : NULL;
}

static const uint8_t zeros[VERITY_BLOCK_BYTES];

static enum verdict judge_superblock(struct verify *v, const uint8_t *data)
{
    struct verity_salt salt;
    const char *why = verity_superblock(data, v->root.blocks, &salt);
    if (why) {
        v->tree->refusal = why;
        return BAD;
    }
    if (!v->is_proven) {
        v->salt = salt;
        v->has_salt = true;
        v->tree->refusal = NULL;
        v->tree->engine->platform->sha256(salt.bytes, salt.size, zeros, sizeof zeros, v->zeros);
    }
    return GOOD;
}

/* A hole needs no hashing, so no data. */
static bool matches(const struct vdisk_export *e, const uint8_t *digest, const uint8_t *data)
{
    const struct verify *v = e->verify;
    if (!data)
        return !memcmp(digest, v->zeros, sizeof v->zeros);
    return verity_matches(digest, &v->salt, data, e->engine->platform->sha256);
}

static enum verdict judge(struct vdisk_export *e, struct tenant *t, uint64_t block,
                          const uint8_t *data)
{
    struct verify *v = e->verify;
    bool is_tree = v->tree == e;
    if (is_tree && block == 0)
        return judge_superblock(v, data);
    if (!is_tree && block >= v->root.blocks) /* behind the image */
        return !data || !memcmp(data, zeros, sizeof zeros) ? GOOD : BAD;
    struct verity_place place =
        is_tree ? verity_place_of_hash(&v->places, block) : verity_place_of_data(&v->places, block);
    const uint8_t *above = place.is_root ? NULL : trusted(v, place.block);
    if (!v->has_salt || (!place.is_root && !above)) {
        want_path(e, t, place);
        return UNKNOWN;
    }
    if (above)
        return matches(e, above + place.offset, data) ? GOOD : BAD;
    if (matches(e, v->root.hash, data)) {
        v->is_proven = true;
        return GOOD;
    }
    if (!v->is_proven) { /* this block lies, or the salt, wherever that came from */
        v->has_salt = false;
        if (v->tree)
            local_forget(v->tree, 0);
    }
    return BAD;
}

bool verify_is_zero(struct vdisk_export *e, struct tenant *t, uint64_t block)
{
    return judge(e, t, block, NULL) == GOOD;
}

/* Judges each block that has not been yet. True: all have been. */
static bool judge_all(struct vdisk_export *e, struct fetch *f)
{
    struct cache *c = &e->engine->cache;
    uint64_t unknown = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        if ((f->passed | f->refuted) >> i & 1)
            continue;
        const uint8_t *data = f->is_hole ? NULL : cache_data(c, f->slots[i]);
        enum verdict verdict =
            f->slots[i] == CACHE_NONE ? GOOD : judge(e, f->tenant, f->first_block + i, data);
        if (verdict == GOOD)
            f->passed |= 1ull << i;
        else if (verdict == BAD)
            f->refuted |= 1ull << i;
        unknown |= (uint64_t)(verdict == UNKNOWN) << i;
    }
    if (unknown && f->refuted &&
        e->verify->tree == e) { /* they may wait for what has been refuted */
        f->refuted |= unknown;
        unknown = 0;
    }
    return !unknown;
}

/* Others may go on with what has passed. */
static void stir(struct vdisk_export *e)
{
    struct verify *v = e->verify;
    v->tree->is_dirty = true;
    if (v->data)
        v->data->is_dirty = true;
    e->engine->is_stirred = true;
}

static void settle(struct vdisk_export *e, struct fetch *f)
{
    if (!judge_all(e, f))
        return;
    bool is_tree = e->verify->tree == e;
    if (is_tree)
        stir(e);
    if (f->refuted) {
        refute(e, f, true);
        return;
    }
    e->verify->judged += is_tree ? 0 : f->count;
    e->has_changed |= f->lies != 0;
    f->is_held = false;
    fetch_end(e, f, 0);
}

void verify_take(struct vdisk_export *e, struct fetch *f)
{
    f->is_held = true;
    f->passed = f->refuted = 0;
    f->connect = e->connects;
    f->server = e->server_at;
    if (!f->stuck_ns)
        f->stuck_ns = e->engine->now_ns;
    list_push_back(&e->held, &f->node);
    e->is_dirty = true;
}

void verify_failed(struct vdisk_export *e, struct fetch *f, uint32_t error)
{
    if (!verify_is_tree(e)) {
        fetch_end(e, f, error);
        return;
    }
    f->connect = e->connects;
    f->server = e->server_at;
    f->refuted = f->passed = 0;
    for (uint32_t i = 0; i < f->count; i++)
        f->refuted |= (uint64_t)(f->slots[i] != CACHE_NONE) << i;
    if (f->refuted)
        refute(e, f, false);
    else
        fetch_end(e, f, error);
}

bool verify_pump(struct vdisk_export *e)
{
    struct verify *v = e->verify;
    if (!v)
        return false;
    bool any = refute_retry(e), is_due = e->is_dirty || e->is_starved;
    bool is_troubled = verify_trouble(e);
    e->has_changed |= is_troubled != e->was_troubled;
    e->was_troubled = is_troubled;
    any |= e->is_dirty;
    e->is_dirty = e->is_starved = false;
    for (struct list *n = e->held.next, *next; is_due && n != &e->held; n = next) {
        next = n->next; /* only `settle` ends a fetch that is held */
        settle(e, LIST_ENTRY(n, struct fetch, node));
    }
    return any;
}

/* -- waiting -- */

uint64_t verify_give_up(struct vdisk_export *e)
{
    uint64_t when = refute_deadline(e), now_ns = e->engine->now_ns;
    if (!list_is_empty(&e->held)) { /* when it becomes a trouble */
        uint64_t since = LIST_ENTRY(e->held.next, const struct fetch, node)->stuck_ns;
        if (since + TROUBLE_NS > now_ns && since + TROUBLE_NS < when)
            when = since + TROUBLE_NS;
    }
    for (struct list *n = e->disks.next; verify_trouble(e) && n != &e->disks; n = n->next) {
        struct vdisk_disk *d = LIST_ENTRY(n, struct vdisk_disk, node);
        uint64_t its = d->config.give_up_ns ? disk_fail_old(d) : UINT64_MAX;
        if (its < when)
            when = its;
    }
    return when;
}

const char *verify_trouble(const struct vdisk_export *e)
{
    const struct verify *v = e->verify;
    if (!v || !v->tree)
        return NULL;
    for (const struct list *n = e->refuted.next; n != &e->refuted; n = n->next)
        if (LIST_ENTRY(n, const struct fetch, node)->lies >= e->server_count)
            return "no server has a block as the root hash wants it";
    if (list_is_empty(&e->held))
        return NULL;
    const struct fetch *f = LIST_ENTRY(e->held.next, const struct fetch, node);
    if (f->stuck_ns + TROUBLE_NS > e->engine->now_ns)
        return NULL;
    if (!list_is_empty(&v->tree->refuted))
        return v->tree->refusal ? v->tree->refusal
                                : "no server has a hash tree that fits the root hash";
    return v->tree->link == LINK_UP ? NULL : "no server has its hash tree";
}
