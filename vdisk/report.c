// SPDX-License-Identifier: BSD-2-Clause
/* All that is counted of a disk, its export and its link, as one JSON object. */
#include <stdarg.h>
#include <stdio.h>

#include "vdisk/engine.h"

static const char *const source_names[CACHE_SOURCES] = {"demand", "profile", "ahead", "around",
                                                        "fill"};

struct text {
    char *data;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->data + t->used, t->size - t->used, fmt, args);
    va_end(args);
    t->used += n < 0 ? 0 : (size_t)n;
    if (t->used >= t->size)
        t->used = t->size - 1;
}

/* A name as a JSON string's inside: what would need an escape is left out. */
static void add_name(struct text *t, const char *name)
{
    for (; *name; name++)
        if ((unsigned char)*name >= ' ' && *name != '"' && *name != '\\')
            add(t, "%c", *name);
}

static void add_number(struct text *t, const char *name, uint64_t value)
{
    add(t, ", \"%s\": %llu", name, (unsigned long long)value);
}

static void add_sources(struct text *t, const struct vdisk_export *e)
{
    add(t, ", \"sources\": {");
    for (unsigned i = 0; i < CACHE_SOURCES; i++) {
        add(t, "%s\"%s\": {\"requests\": %llu", i ? ", " : "", source_names[i],
            (unsigned long long)e->source_requests[i]);
        add_number(t, "bytes", e->source_bytes[i]);
        if (i != CACHE_DEMAND) {
            add_number(t, "used_bytes", e->used_bytes[i]);
            add_number(t, "wasted_bytes", e->engine->cache.wasted[i] * CACHE_BLOCK_BYTES);
        }
        add(t, "}");
    }
    add(t, "}");
}

/* What went by the local disk; of an export that is kept there. */
static void add_local(struct text *t, const struct local_cache *l)
{
    add(t, ", \"local\": {\"requests\": %llu", (unsigned long long)l->requests);
    add_number(t, "bytes", l->bytes);
    add_number(t, "refused", l->refused);
    add_number(t, "kept_bytes", l->kept_bytes);
    add(t, ", \"is_used\": %s}", l->image ? "true" : "false");
}

/* Of the profile: asked for so far. */
static uint64_t streamed_bytes(const struct stream *s, const struct stream_place *at)
{
    uint64_t blocks = at->in_run;
    for (uint32_t i = 0; i < at->run; i++)
        blocks += s->plan.runs[i].count;
    return blocks * CACHE_BLOCK_BYTES;
}

static void add_stream(struct text *t, const struct vdisk_export *e)
{
    const struct stream *s = &e->stream;
    add(t, ", \"profile\": {\"boots\": %u", (unsigned)s->known.boots);
    add_number(t, "bytes", s->known.blocks * CACHE_BLOCK_BYTES);
    add_number(t, "streamed_bytes", streamed_bytes(s, &s->server));
    add(t, ", \"is_recording\": %s}", s->recorder.is_on ? "true" : "false");
}

static void add_verify(struct text *t, const struct vdisk_export *e)
{
    const struct verify *v = e->verify;
    if (!v || !v->tree)
        return;
    add(t, ", \"verity\": {\"blocks\": %llu", (unsigned long long)v->judged);
    add_number(t, "lies", e->lies);
    add_number(t, "tree_requests", v->tree->source_requests[CACHE_DEMAND]);
    add_number(t, "tree_bytes", v->tree->source_bytes[CACHE_DEMAND]);
    add_number(t, "tree_lies", v->tree->lies);
    add(t, "}");
}

/* Of requests by their time: bucket i is [2^i, 2^(i+1)) us. */
static void add_latency(struct text *t, const struct vdisk_counters *c)
{
    unsigned end = METER_BUCKETS;
    while (end && !c->latency[end - 1])
        end--;
    add(t, ", \"latency_us_log2\": [");
    for (unsigned i = 0; i < end; i++)
        add(t, "%s%llu", i ? ", " : "", (unsigned long long)c->latency[i]);
    add(t, "]");
}

static void add_difference(struct text *t, const struct difference *l)
{
    struct store_info info;
    store_get_info(l->engine->store, &info);
    add(t, ", \"%s\": {\"bytes\": %llu", l->is_temporary ? "spill" : "difference",
        (unsigned long long)store_object_bytes(l->object));
    add_number(t, "room_bytes", (info.blocks - info.other_blocks) * STORE_BLOCK_BYTES);
    add_number(t, "full_errors", l->full_errors);
    add_number(t, "damaged_errors", l->damaged_errors);
    add(t, "}");
}

/* The way to an export, and what came by it. */
static void add_export(struct text *t, const struct vdisk_export *e)
{
    add_number(t, "connects", e->connects);
    add_number(t, "rtt_us", meter_rtt_ns(&e->meter) / 1000);
    add_number(t, "rate_bytes_per_s", meter_rate(&e->meter));
    add_number(t, "window_bytes", meter_window(&e->meter));
    add_sources(t, e);
    add_local(t, &e->local);
    add_stream(t, e);
}

static void add_below(struct text *t, const struct vdisk_disk *below)
{
    add(t, ", \"shared\": {\"export\": \"");
    add_name(t, below->export->shown);
    add(t, "\"");
    add_number(t, "requests", below->counters.requests);
    add_number(t, "network_bytes", below->counters.network_bytes);
    add_export(t, below->export);
    add_verify(t, below->export);
    add(t, "}");
}

size_t vdisk_json(const struct vdisk_disk *d, char *text, size_t size)
{
    const struct vdisk_export *e = d->export;
    struct vdisk_counters sum;
    const struct vdisk_counters *c = &sum;
    struct text t = {text, size, 0};
    composed_counters(d, &sum);
    uint64_t since = c->waiting ? e->engine->now_ns - d->blocked_since_ns : 0;
    add(&t, "{\"disk\": \"");
    add_name(&t, d->config.name);
    add(&t, "\"");
    add_number(&t, "requests", c->requests);
    add_number(&t, "ram_bytes", c->ram_bytes);
    add_number(&t, "disk_bytes", c->disk_bytes);
    add_number(&t, "network_bytes", c->network_bytes);
    add_number(&t, "hole_bytes", c->hole_bytes);
    add_number(&t, "overlay_bytes", c->overlay_bytes);
    add_number(&t, "written_bytes", c->written_bytes);
    add_number(&t, "errors", c->errors);
    add_number(&t, "waiting", c->waiting);
    add_number(&t, "held", c->held);
    add_number(&t, "held_us", c->held_ns / 1000);
    add_number(&t, "blocked_us", (c->blocked_ns + since) / 1000);
    add_number(&t, "stall_us", c->stall_ns / 1000);
    add_export(&t, e);
    if (d->below)
        add_below(&t, d->below);
    if (d->diff && d->diff->object)
        add_difference(&t, d->diff);
    add_verify(&t, e);
    add_latency(&t, c);
    add(&t, "}");
    return t.used;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void vdisk_figures_of(const struct vdisk_disk *d, struct vdisk_figures *f)
{
    const struct vdisk_export *e = d->below ? d->below->export : d->export;
    const struct vdisk_counters *c = &d->counters;
    const struct stream *s = &e->stream;
    uint64_t since = c->waiting ? e->engine->now_ns - d->blocked_since_ns : 0;
    uint64_t asked = streamed_bytes(s, &s->server);
    if (e->local.image)
        asked = smaller(asked, streamed_bytes(s, &s->local));
    struct leat_blk_info info;
    vdisk_info(d, &info);
    *f = (struct vdisk_figures){
        .state = info.state,
        .profile_bytes = s->plan.blocks * CACHE_BLOCK_BYTES,
        .profile_there = asked - smaller(asked, e->ahead_flying),
        .delivered_bytes = e->meter.delivered,
        .link_rate = meter_rate(&e->meter),
        .rtt_ns = meter_rtt_ns(&e->meter),
        .stall_ns = c->blocked_ns + since,
        .half_us = meter_below_us(c->latency, 500),
        .most_us = meter_below_us(c->latency, 990),
        .all_us = meter_below_us(c->latency, 1000),
    };
}
