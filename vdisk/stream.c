// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is streamed before anybody asks: the boot profile in order of first need, then, if the limits
 * say so, the rest of the image in the background; and the recording of the boot that is under way.
 * fetch.c decides when there is room for it: everything that somebody waits for goes first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"

#define DEFAULT_QUIET_NS 15000000000ull
#define FILL_STEP 65536u /* blocks passed over at a time */
#define FILL_PAUSE_NS 1000000ull
#define FILL_QUIET_NS 500000000ull /* nobody has had to wait for that long: the link is idle */

void stream_restart(struct vdisk_export *e, struct vdisk_disk *d)
{
    e->stream.disk = d;
    e->stream.is_begun = e->stream.is_profiled = false;
}

void stream_free(struct vdisk_export *e)
{
    recorder_free(&e->stream.recorder);
    profile_free(&e->stream.known);
    profile_free(&e->stream.plan);
}

/* What of the known profile is to be streamed, from the start. */
static void plan(struct vdisk_export *e)
{
    struct stream *s = &e->stream;
    s->server = s->local = (struct stream_place){0, 0};
    profile_free(&s->plan);
    if (s->known.count && s->known.size_bytes != e->identity.size_bytes) {
        export_log(e, "its boot profile is for an image of another size: not used");
        profile_free(&s->known);
        s->has_news = e->notes.wants_profile = false;
    }
    if (s->known.count && !profile_plan(&s->known, &s->plan))
        export_log(e, "no memory to use its boot profile");
}

static void begin(struct vdisk_export *e)
{
    struct stream *s = &e->stream;
    uint64_t quiet = e->engine->limits.quiet_ns;
    s->is_begun = true;
    plan(e);
    if (s->is_profiled || s->known.count)
        recorder_start(&s->recorder, e->identity.size_bytes, quiet ? quiet : DEFAULT_QUIET_NS);
}

void stream_adopt(struct vdisk_export *e, struct profile *p)
{
    if (e->stream.known.count && !e->stream.is_suggested) {
        profile_free(p);
        return;
    }
    profile_free(&e->stream.known);
    e->stream.known = *p;
    e->stream.is_suggested = false;
    if (e->stream.is_begun)
        plan(e);
}

static void end_recording(struct vdisk_export *e)
{
    struct stream *s = &e->stream;
    struct profile merged = {0};
    char line[96];
    recorder_stop(&s->recorder);
    if (s->recorder.boot.count && profile_merge(&s->known, &s->recorder.boot, &merged)) {
        profile_free(&s->known);
        s->known = merged;
        s->has_news = e->has_changed = true;
        e->notes.wants_profile = e->engine->store && s->is_profiled;
        snprintf(line, sizeof line, "boot profile: %llu KiB in %u runs, of %u boots",
                 (unsigned long long)(merged.blocks * CACHE_BLOCK_BYTES >> 10),
                 (unsigned)merged.count, (unsigned)merged.boots);
        export_log(e, line);
    }
    recorder_free(&s->recorder);
}

void stream_run(struct vdisk_export *e)
{
    struct stream *s = &e->stream;
    uint64_t now_ns = e->engine->now_ns;
    if (!s->is_begun)
        begin(e);
    if (recorder_deadline(&s->recorder) > now_ns)
        return;
    if (list_is_empty(&e->demand) && e->flying == 0)
        end_recording(e);
    else
        s->recorder.last_new_ns = now_ns; /* the boot cannot go on without the server */
}

/* The next piece of the profile that the local store holds, or that it does not. */
static bool next_of_profile(struct vdisk_export *e, struct stream_place *at, bool is_local)
{
    const struct profile *plan = &e->stream.plan;
    const struct cache *c = &e->engine->cache;
    for (; at->run < plan->count; at->run++, at->in_run = 0) {
        const struct profile_run *r = &plan->runs[at->run];
        for (; at->in_run < r->count; at->in_run++) {
            uint64_t block = r->first + at->in_run;
            if (!fetch_is_missing(e, block) || local_holds(e, block, 1) != is_local)
                continue;
            if (c->unused + c->busy >= c->count - c->count / 4) /* the guest is far behind */
                return false;
            uint32_t count = fetch_ahead(e, block, r->first + r->count, CACHE_PROFILE);
            at->in_run += count;
            return count;
        }
    }
    return false;
}

void stream_local(struct vdisk_export *e)
{
    while (e->local.image && next_of_profile(e, &e->stream.local, true))
        ;
}

bool stream_is_done(const struct vdisk_export *e)
{
    return e->stream.server.run >= e->stream.plan.count;
}

static bool is_fill_wanted(const struct vdisk_export *e)
{
    return e->engine->limits.fill_rate && !e->layers.is_wanted && stream_is_done(e) &&
           !list_is_empty(&e->disks) &&
           (e->engine->cache.free != CACHE_NONE || local_has_room(e)) &&
           e->stream.fill_block * CACHE_BLOCK_BYTES < e->identity.size_bytes;
}

static uint64_t fill_time(const struct vdisk_export *e)
{
    uint64_t idle_ns = e->stream.demand_ns + FILL_QUIET_NS;
    return idle_ns > e->stream.fill_when_ns ? idle_ns : e->stream.fill_when_ns;
}

static bool is_to_fill(const struct vdisk_export *e, uint64_t block)
{
    return fetch_is_missing(e, block) && !local_holds(e, block, 1);
}

/* The next block that neither the cache nor the local store has; or only some way on towards it. Of
 * an image that is kept there, what the cache has is put into the store too. */
static uint64_t next_to_fill(struct vdisk_export *e, uint64_t end)
{
    uint64_t block = e->stream.fill_block;
    for (uint32_t n = 0; block < end && n < FILL_STEP && !is_to_fill(e, block); block++, n++) {
        uint32_t slot = cache_find(&e->engine->cache, e->id, block);
        bool is_valid = slot != CACHE_NONE && e->engine->cache.slots[slot].state == CACHE_VALID;
        if (is_valid && !local_holds(e, block, 1))
            local_keep(e, slot);
    }
    return block;
}

/* Into free blocks of the cache only, where it pushes nothing out; or through a few of them into the
 * local store (local_cache.c). */
static bool next_of_fill(struct vdisk_export *e)
{
    struct stream *s = &e->stream;
    uint64_t end = (e->identity.size_bytes + CACHE_BLOCK_BYTES - 1) / CACHE_BLOCK_BYTES;
    uint64_t now_ns = e->engine->now_ns;
    if (!is_fill_wanted(e) || e->flying || now_ns < fill_time(e))
        return false;
    s->fill_block = next_to_fill(e, end);
    if (s->fill_block == end)
        return false;
    bool is_there = is_to_fill(e, s->fill_block);
    uint32_t count = is_there ? fetch_ahead(e, s->fill_block, end, CACHE_FILL) : 0;
    s->fill_block += count;
    s->fill_when_ns = now_ns + (uint64_t)count * CACHE_BLOCK_BYTES * 1000000 /
                                   (e->engine->limits.fill_rate / 1000 + 1);
    if (!count)
        s->fill_when_ns = now_ns + FILL_PAUSE_NS;
    return count;
}

bool stream_next_of_profile(struct vdisk_export *e)
{
    return next_of_profile(e, &e->stream.server, false);
}

bool stream_is_booting(const struct vdisk_export *e)
{
    return e->stream.recorder.is_on;
}

bool stream_next(struct vdisk_export *e)
{
    return stream_next_of_profile(e) || next_of_fill(e);
}

uint64_t stream_deadline(const struct vdisk_export *e)
{
    uint64_t when = recorder_deadline(&e->stream.recorder);
    /* What is kept back, here or for the sake of another export, goes on by an answer to somebody. */
    bool is_kept_back =
        !e->engine->is_ahead_time || !list_is_empty(&e->demand) || !list_is_empty(&e->ahead);
    if (e->link == LINK_UP && !e->flying && !is_kept_back && is_fill_wanted(e) &&
        fill_time(e) < when)
        when = fill_time(e);
    return when;
}

/* The disk whose export's boots are recorded: in mode server the shared one's. */
static struct vdisk_disk *profiled(struct vdisk_disk *d)
{
    return d->below ? d->below : d;
}

const char *vdisk_profile_put(struct vdisk_disk *d, const void *data, size_t size)
{
    struct stream *s = &profiled(d)->export->stream;
    struct profile p = {0};
    const char *why = profile_decode(data, size, &p);
    if (why)
        return why;
    profile_free(&s->known);
    s->known = p;
    s->disk = profiled(d);
    s->is_begun = s->is_suggested = false;
    return NULL;
}

const char *vdisk_profile_suggest(struct vdisk_disk *d, const void *data, size_t size)
{
    const char *why = NULL;
    if (!profiled(d)->export->stream.known.count) {
        why = vdisk_profile_put(d, data, size);
        profiled(d)->export->stream.is_suggested = !why;
    }
    return why;
}

void vdisk_profile_end(struct vdisk_disk *d)
{
    if (profiled(d)->export->stream.recorder.is_on)
        end_recording(profiled(d)->export);
}

size_t vdisk_profile_take(struct vdisk_disk *d, void **data)
{
    struct stream *s = &profiled(d)->export->stream;
    size_t size = profile_encoded_bytes(&s->known);
    if (!s->known.count) /* one that was put after it turned out to be for another image */
        s->has_news = false;
    if (!s->has_news || !(*data = malloc(size)))
        return 0;
    s->has_news = false;
    profile_encode(&s->known, *data);
    return size;
}
