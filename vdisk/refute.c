// SPDX-License-Identifier: BSD-2-Clause
/* What becomes of a fetch some of whose blocks do not match the root hash: verify.h. */
#include <stdio.h>
#include <string.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define PAUSE_NS SECOND_NS
#define PAUSE_DOUBLINGS 5u
#define CALM_NS (10 * SECOND_NS) /* so long without a change of servers: all is forgiven */

/* The first, second, fourth ... time only. */
static void say(struct vdisk_export *e, const struct fetch *f)
{
    char line[400], from[160];
    const struct vdisk_server *server = &e->servers[f->server];
    unsigned bad = (unsigned)__builtin_ctzll(f->refuted);
    e->lies++;
    if (e->lies & (e->lies - 1))
        return;
    if (f->is_from_disk)
        snprintf(from, sizeof from, "the local disk");
    else
        snprintf(from, sizeof from, "%s:%u%s", server->host, server->port,
                 f->is_hole ? ", as a hole," : "");
    snprintf(line, sizeof line, "block %llu from %s does not match the root hash: thrown away%s%s",
             (unsigned long long)(f->first_block + bad), from, e->refusal ? ": " : "",
             e->refusal ? e->refusal : "");
    export_log(e, line);
}

/* The next server shall be asked; not again and again, if each has been asked. */
static bool distrust(struct vdisk_export *e, const struct fetch *f)
{
    uint64_t now_ns = e->engine->now_ns;
    if (f->connect != e->connects || !link_is_connected(e)) /* it has been changed already */
        return true;
    if (e->server_count == 1)
        return false;
    if (now_ns - e->distrust_ns > CALM_NS)
        e->distrusts = 0;
    if (e->distrusts >= e->server_count)
        return false;
    if (!e->is_distrusted)
        e->distrusts++;
    e->distrust_ns = now_ns;
    e->is_distrusted = true;
    return true;
}

/* Of a waiter: copies what has passed. True: it wants nothing of what has not. */
static bool serve_good(struct vdisk_export *e, const struct fetch *f, struct waiter *w)
{
    bool is_whole = true;
    for (uint64_t b = w->first_block; b <= w->last_block; b++) {
        uint32_t i = (uint32_t)(b - f->first_block);
        if (f->refuted >> i & 1)
            is_whole = false;
        else if (w->request && f->slots[i] != CACHE_NONE)
            read_copy(e, f, i, w->request);
    }
    return is_whole || !w->request;
}

/* What has passed leaves the fetch; the rest of it is between its first and last bad block. */
static void shrink(struct vdisk_export *e, struct fetch *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->refuted >> i & 1 || f->slots[i] == CACHE_NONE)
            continue;
        if (f->is_hole)
            cache_drop(&e->engine->cache, f->slots[i]);
        else
            fetch_keep(e, f, i, f->is_ahead ? (enum cache_source)f->source : CACHE_DEMAND);
        f->slots[i] = CACHE_NONE;
    }
    uint32_t unit = fetch_unit(e);
    uint32_t first = (uint32_t)__builtin_ctzll(f->refuted) / unit * unit;
    uint32_t last = 63 - (uint32_t)__builtin_clzll(f->refuted);
    uint32_t end = (last / unit + 1) * unit < f->count ? (last / unit + 1) * unit : f->count;
    f->first_block += first;
    f->count = end - first;
    memmove(f->slots, f->slots + first, f->count * sizeof f->slots[0]);
    fetch_aim(e, f);
}

static bool is_wanted(const struct vdisk_export *e, const struct fetch *f)
{
    if (verify_is_tree(e))
        return e->verify->data && e->verify->data->fetch_count + e->verify->data->local_count;
    for (const struct waiter *w = f->waiters; w; w = w->next)
        if (w->request)
            return true;
    return false;
}

static void again(struct vdisk_export *e, struct fetch *f, bool at_once)
{
    uint32_t more = f->lies > e->server_count ? f->lies - e->server_count : 0;
    uint64_t pause = PAUSE_NS << (more < PAUSE_DOUBLINGS ? more : PAUSE_DOUBLINGS);
    f->when_ns = at_once ? 0 : e->engine->now_ns + pause;
    f->is_ahead = false;
    list_push_back(&e->refuted, &f->node);
}

/* Those who still wait want what is left of it. */
static void narrow(const struct fetch *f)
{
    uint64_t last = f->first_block + f->count - 1;
    for (struct waiter *w = f->waiters; w; w = w->next) {
        w->first_block = w->first_block > f->first_block ? w->first_block : f->first_block;
        w->last_block = w->last_block < last ? w->last_block : last;
    }
}

void refute(struct vdisk_export *e, struct fetch *f, bool is_lie)
{
    struct waiter *served = NULL, **link = &f->waiters;
    bool was_hole = f->is_hole, was_local = f->is_from_disk;
    if (is_lie)
        say(e, f);
    list_remove(&f->node);
    f->is_held = false;
    e->has_changed = true;
    while (*link) {
        struct waiter *w = *link;
        if (!serve_good(e, f, w)) {
            link = &w->next;
            continue;
        }
        *link = w->next;
        w->next = served;
        served = w;
    }
    for (uint32_t i = 0; was_local && i < f->count; i++)
        if (f->refuted >> i & 1)
            local_forget(e, f->first_block + i);
    shrink(e, f);
    narrow(f);
    if (was_hole) /* what was called a hole is data from now on */
        extents_written(e, f->command.offset, f->command.length);
    if (was_hole || was_local) { /* the server, or the next one, is asked for what it is */
        f->is_hole = f->is_from_disk = false;
        again(e, f, true);
    } else {
        f->lies += f->lies < UINT8_MAX;
        bool is_changed = distrust(e, f);
        again(e, f, is_changed && f->lies < e->server_count);
    }
    if (!is_wanted(e, f))
        fetch_end(e, f, NBD_EIO);
    while (served) { /* completions last: they may submit new reads */
        struct waiter *w = served;
        served = w->next;
        read_served(e, w, false, false);
    }
}

bool refute_retry(struct vdisk_export *e)
{
    bool any = false;
    for (struct list *n = e->refuted.next, *next; n != &e->refuted; n = next) {
        struct fetch *f = LIST_ENTRY(n, struct fetch, node);
        next = n->next;
        if (!is_wanted(e, f)) {
            fetch_end(e, f, NBD_EIO);
            any = true;
        } else if (f->when_ns <= e->engine->now_ns) {
            list_remove(n);
            f->is_queued = any = true;
            list_push_back(&e->demand, n);
        }
    }
    return any;
}

uint64_t refute_deadline(const struct vdisk_export *e)
{
    uint64_t when = UINT64_MAX;
    for (const struct list *n = e->refuted.next; n != &e->refuted; n = n->next)
        if (LIST_ENTRY(n, const struct fetch, node)->when_ns < when)
            when = LIST_ENTRY(n, const struct fetch, node)->when_ns;
    return when;
}
