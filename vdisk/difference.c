// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/difference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"

#define RETRY_NS SECOND_NS

static struct difference *diff_of(struct list *node)
{
    return LIST_ENTRY(node, struct difference, node);
}

/* -- opening -- */

static void refuse(struct difference *l, const char *why)
{
    struct vdisk_disk *d = l->disk;
    d->refusal = why;
    d->export->has_changed = true;
    vdisk_log(l->engine, "disk '%s': failed: %s", l->name, why);
    disk_wake(d);
}

/* An earlier disk of the name that still has something under way, or is there. */
static const struct difference *find_earlier(const struct difference *l)
{
    if (l->is_temporary)
        return NULL;
    for (const struct list *n = l->engine->differences.next; n != &l->node; n = n->next) {
        const struct difference *other = LIST_ENTRY(n, struct difference, node);
        if (!strcmp(other->name, l->name) && !(other->disk && other->disk->refusal))
            return other;
    }
    return NULL;
}

static bool find_base(struct difference *l, uint8_t base[STORE_CONTENT_BYTES])
{
    const struct vdisk_config *config = &l->disk->config;
    if (l->is_temporary) {
        memset(base, 0, STORE_CONTENT_BYTES);
        return true;
    }
    if (config->has_content) {
        memcpy(base, config->content, STORE_CONTENT_BYTES);
        return true;
    }
    if (identity_content(l->disk->export, base))
        return true;
    l->waits_for = "the sums of the base image";
    if (l->engine->now_ns >= l->sums_ns) {
        l->sums_ns = l->engine->now_ns + RETRY_NS;
        identity_again(l->disk->export);
    }
    return false;
}

static void opened(struct difference *l, enum store_status status)
{
    if (l->is_temporary && status != STORE_OK) { /* then the overlay is all there is */
        l->retry_ns = l->engine->now_ns + 10 * RETRY_NS;
        return;
    }
    switch (status) {
    case STORE_OK:
        if (!store_is_damaged(l->object))
            return;
        store_release(l->object);
        l->object = NULL;
        refuse(l,
               "the index of its difference in the local store is damaged: delete the difference "
               "to start from the base image again");
        return;
    case STORE_MISMATCH:
        refuse(l, "its difference in the local store belongs to another base image: give it that "
                  "image again, or delete the difference, or use another name");
        return;
    case STORE_INVALID:
        refuse(l, "the local store takes no difference of such a name or size");
        return;
    case STORE_FAILED: /* it does not get better by itself */
        refuse(l, "the local store has failed, and takes no more writes until it is opened again");
        return;
    default:
        l->waits_for = "a free place in the local store, which has too many images and differences";
        l->retry_ns = l->engine->now_ns + RETRY_NS;
    }
}

/* True: requests go on. */
static bool try_open(struct difference *l)
{
    struct vdisk_export *e = l->disk->export;
    struct vdisk *v = l->engine;
    uint8_t base[STORE_CONTENT_BYTES];
    if (l->disk->refusal || e->link == LINK_FAILED || !e->has_begun)
        return false;
    if (find_earlier(l) && find_earlier(l)->disk) {
        refuse(l, "another disk has the difference of that name in the local store");
        return false;
    }
    const char *waited_for = l->waits_for;
    if (find_earlier(l)) {
        l->waits_for = "the end of what it wrote before";
    } else if (!v->store) {
        l->waits_for = "the local store";
    } else if (find_base(l, base) && v->now_ns >= l->retry_ns) {
        opened(l, store_difference(v->store, l->name, base, e->identity.size_bytes, &l->object));
    }
    if (l->waits_for != waited_for)
        e->has_changed = true;
    if (!l->object)
        return false;
    l->waits_for = NULL;
    e->has_changed = true;
    disk_wake(l->disk);
    return true;
}

struct difference *diff_new(struct vdisk_disk *d)
{
    struct difference *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->engine = d->export->engine;
    l->disk = d;
    l->since_ns = l->engine->now_ns;
    l->is_temporary = d->config.mode == VDISK_RAM;
    if (l->is_temporary)
        snprintf(l->name, sizeof l->name, DIFF_TEMPORARY "%llu",
                 (unsigned long long)++l->engine->temporaries);
    else
        snprintf(l->name, sizeof l->name, "%s", d->config.name);
    list_init(&l->room);
    list_init(&l->pages);
    list_init(&l->ops);
    list_init(&l->wait);
    list_push_back(&l->engine->differences, &l->node);
    return l;
}

/* -- the end -- */

static void flush_done(struct store_op *op, enum store_status status)
{
    struct difference *l = op->owner;
    l->is_flushing = false;
    l->flushed = l->flush_mark;
    if (status == STORE_OK)
        return;
    l->flushed = l->written; /* trying again is of no use */
    vdisk_log(l->engine, "disk '%s': what it wrote last may be lost: %s", l->name,
              store_status_text(status));
}

static void start_flush(struct difference *l)
{
    if (l->is_temporary || l->is_flushing || l->written == l->flushed)
        return;
    l->is_flushing = true;
    l->flush_mark = l->written;
    l->flush = (struct store_op){.type = STORE_FLUSH, .done = flush_done, .owner = l};
    store_submit(l->engine->store, &l->flush);
}

void diff_leave(struct difference *l)
{
    spill_abandon(l, false);
    l->disk = NULL;
}

static void free_difference(struct difference *l)
{
    if (l->object)
        (l->is_temporary ? store_delete : store_release)(l->object);
    list_remove(&l->node);
    free(l);
}

/* Without its disk: first the operations end, then a flush, then it. */
static void run_gone(struct difference *l)
{
    if (!list_is_empty(&l->ops) || l->page_count)
        return;
    start_flush(l);
    if (!l->is_flushing)
        free_difference(l);
}

static void run_waiting(struct difference *l)
{
    struct vdisk_disk *d = l->disk;
    uint64_t patience = d->config.give_up_ns;
    if (patience && l->waits_for && d->counters.waiting &&
        l->engine->now_ns >= l->since_ns + patience)
        disk_give_up(d, l->waits_for);
}

bool diff_run(struct vdisk *v)
{
    bool any = false;
    for (struct list *n = v->differences.next, *next; n != &v->differences; n = next) {
        next = n->next;
        struct difference *l = diff_of(n);
        if (!l->disk) {
            run_gone(l);
        } else if (!l->object) {
            if (!l->is_temporary || spill_is_wanted(l))
                any = try_open(l) || any;
            if (!l->object && !l->is_temporary)
                run_waiting(l);
            else if (!l->object)
                spill_run(l);
        } else {
            diff_retry(l);
            spill_run(l);
            if (list_is_empty(&l->ops) && l->written == l->flushed)
                l->wants_flush = false;
            if (l->wants_flush)
                start_flush(l);
        }
    }
    return any;
}

static uint64_t deadline(const struct difference *l)
{
    uint64_t now_ns = l->engine->now_ns;
    bool is_waiting = l->disk && !l->object && l->waits_for && !l->disk->refusal;
    if (!list_is_empty(&l->wait) || (is_waiting && l->engine->store))
        return now_ns + (l->is_temporary ? RETRY_NS : RETRY_NS / 10);
    if (is_waiting && !l->is_temporary && l->disk->config.give_up_ns && l->disk->counters.waiting)
        return l->since_ns + l->disk->config.give_up_ns;
    return UINT64_MAX;
}

uint64_t diff_deadline(const struct vdisk *v)
{
    uint64_t when = UINT64_MAX;
    for (const struct list *n = v->differences.next; n != &v->differences; n = n->next) {
        uint64_t its = deadline(LIST_ENTRY(n, struct difference, node));
        if (its < when)
            when = its;
    }
    return when;
}

const char *diff_trouble(const struct difference *l)
{
    return l->said_failed    ? ", which has failed"
           : l->said_full    ? ", which is full"
           : l->said_damaged ? ", where blocks are damaged"
           : l->said_near    ? ", which is nearly full"
                             : "";
}

void diff_drain(struct vdisk *v)
{
    for (struct list *n = v->differences.next; n != &v->differences; n = n->next)
        diff_of(n)->wants_flush = true;
}

bool diff_is_drained(const struct vdisk *v)
{
    for (const struct list *n = v->differences.next; n != &v->differences; n = n->next) {
        const struct difference *l = LIST_ENTRY(n, struct difference, node);
        if (l->is_temporary)
            continue;
        if (!list_is_empty(&l->ops) || l->is_flushing || l->written != l->flushed)
            return false;
    }
    return true;
}

/* What the store will never say is said here. */
static void abandon(struct difference *l)
{
    struct list *node;
    while ((node = list_pop(&l->ops))) {
        struct diff_op *o = LIST_ENTRY(node, struct diff_op, node);
        if (o->request)
            disk_complete(o->request, LEAT_EIO);
        else
            free(o);
    }
    while ((node = list_pop(&l->wait)))
        disk_complete(LIST_ENTRY(node, struct vdisk_request, node), LEAT_EIO);
    l->object = NULL;
    spill_abandon(l, true);
    l->is_flushing = false;
    l->flushed = l->written;
}

void diff_store_gone(struct vdisk *v)
{
    for (struct list *n = v->differences.next; n != &v->differences; n = n->next) {
        struct difference *l = diff_of(n);
        bool was_needed = l->object && (!l->is_temporary || store_object_bytes(l->object));
        abandon(l);
        if (was_needed && l->disk)
            refuse(l, "the local store has been taken away");
    }
}

void diff_end(struct vdisk *v)
{
    while (!list_is_empty(&v->differences)) {
        struct difference *l = diff_of(v->differences.next);
        struct store_object *object = l->object;
        abandon(l);
        l->object = object;
        free_difference(l);
    }
}
