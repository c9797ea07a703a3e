// SPDX-License-Identifier: BSD-2-Clause
/*
 * Mode `ram` with a local store: when the overlay is nearly full, pages that have not been written to
 * lately go to the disk's temporary difference. A page stays in the overlay until the difference has
 * it, and hides what lies there from reads, so that the newest of each sector is seen at any time.
 *
 * A read that began before the difference had a page looked for it in the overlay only, or rather
 * will when it ends: as long as such a read is under way, the page stays.
 */
#include <stdlib.h>

#include "vdisk/engine.h"

#define PAGES_MOST 16u /* on their way at a time */
#define ROOM_PART 8u   /* of the bound is kept free: 1/8 */
#define SECTORS_A_PAGE 8u
#define LOOKED_AT_MOST 4096u /* pages, for one that can leave */

struct leaving {
    struct store_op op;
    struct list node; /* in difference->pages */
    struct difference *diff;
    struct overlay_page page;
    uint8_t left; /* sectors that are still to be stored */
    bool is_forgotten;
};

static void store_next(struct leaving *p);

/* Reads that began before now, and have not looked into the overlay yet. */
static bool is_being_read(const struct vdisk_disk *d, uint64_t page)
{
    uint64_t start = page * OVERLAY_PAGE_BYTES, end = start + OVERLAY_PAGE_BYTES;
    for (const struct list *n = d->requests.next; n != &d->requests; n = n->next) {
        const struct vdisk_request *r = LIST_ENTRY(n, struct vdisk_request, disk_node);
        if (r->op == LEAT_BLK_READ && r->offset < end && start < r->offset + r->length)
            return true;
    }
    return false;
}

/* A full store is asked again a second later. */
static void say_full(struct difference *l, bool is_full)
{
    l->said_full = is_full;
    l->look_ns = l->engine->now_ns + SECOND_NS;
}

static void page_done(struct store_op *op, enum store_status status)
{
    struct leaving *p = op->owner;
    struct difference *l = p->diff;
    bool is_wanted = !p->is_forgotten && overlay_owns(&l->disk->overlay, &p->page);
    if (status == STORE_OK && p->left && is_wanted) {
        store_next(p);
        return;
    }
    l->page_count--;
    l->engine->has_read = true; /* those who wait for room can go on */
    list_remove(&p->node);
    if (!p->is_forgotten) {
        bool is_stored = status == STORE_OK && !is_being_read(l->disk, p->page.number);
        overlay_left(&l->disk->overlay, &p->page, is_stored);
        say_full(l, status == STORE_FULL);
        l->said_failed |= status == STORE_FAILED;
    }
    free(p);
}

/* The first run of the sectors that are left. */
static void store_next(struct leaving *p)
{
    uint32_t first = 0, end;
    while (!(p->left >> first & 1))
        first++;
    for (end = first; end < SECTORS_A_PAGE && p->left >> end & 1; end++)
        p->left &= (uint8_t) ~(1u << end);
    p->op = (struct store_op){.type = STORE_WRITE,
                              .object = p->diff->object,
                              .offset = p->page.number * OVERLAY_PAGE_BYTES +
                                        (uint64_t)first * OVERLAY_SECTOR_BYTES,
                              .length = (uint64_t)(end - first) * OVERLAY_SECTOR_BYTES,
                              .data = p->page.data + (uint64_t)first * OVERLAY_SECTOR_BYTES,
                              .done = page_done,
                              .owner = p};
    store_submit(p->diff->engine->store, &p->op);
}

/* The next page that nobody reads. False: none; *are_read: some are read, perhaps from a server that is
   away, and would be stored for nothing. */
static bool choose(struct vdisk_disk *d, struct overlay_page *page, bool *are_read)
{
    for (uint32_t n = 0; n < LOOKED_AT_MOST && overlay_leave(&d->overlay, page); n++) {
        if (!is_being_read(d, page->number))
            return true;
        overlay_left(&d->overlay, page, false);
        *are_read = true;
    }
    return false;
}

/* False: there is none, or no memory. */
static bool store_a_page(struct difference *l, bool *are_read)
{
    struct leaving *p = malloc(sizeof *p);
    if (!p || !choose(l->disk, &p->page, are_read)) {
        free(p);
        return false;
    }
    p->diff = l;
    p->left = p->page.held;
    p->is_forgotten = false;
    list_push_back(&l->pages, &p->node);
    l->page_count++;
    store_next(p);
    return true;
}

static bool is_nearly_full(const struct overlay *o)
{
    return o->used_bytes > o->bound_bytes - o->bound_bytes / ROOM_PART;
}

/* The store takes pages, as far as is known. */
static bool is_of_use(const struct difference *l)
{
    bool is_full = l->said_full && l->engine->now_ns < l->look_ns;
    bool is_coming = !l->object && l->engine->store && !l->retry_ns; /* not refused yet */
    bool is_refused = l->disk->refusal != NULL;
    return (l->object || is_coming) && !is_full && !l->said_failed && !is_refused;
}

bool spill_is_wanted(const struct difference *l)
{
    bool is_full = l->disk->has_overlay && is_nearly_full(&l->disk->overlay);
    return is_full || !list_is_empty(&l->room);
}

bool spill_wait(struct vdisk_disk *d, struct vdisk_request *r)
{
    if (!d->diff || !is_of_use(d->diff))
        return false;
    list_push_back(&d->diff->room, &r->node);
    return true;
}

/* Each goes on as far as there is room; the first that must wait again waits before the others. */
static void go_on(struct difference *l)
{
    struct list waiting;
    struct list *node;
    list_init(&waiting);
    while ((node = list_pop(&l->room)))
        list_push_back(&waiting, node);
    while (list_is_empty(&l->room) && (node = list_pop(&waiting)))
        disk_write_overlay(l->disk, LIST_ENTRY(node, struct vdisk_request, node));
    while ((node = list_pop(&waiting)))
        list_push_back(&l->room, node);
}

void spill_run(struct difference *l)
{
    if (!l->is_temporary || !l->disk->has_overlay)
        return;
    if (!list_is_empty(&l->room))
        go_on(l);
    bool is_waited_for = !list_is_empty(&l->room), are_read = false;
    if (!l->object || !is_of_use(l))
        return;
    if (!is_waited_for && l->engine->now_ns < l->idle_ns)
        return;
    while (l->page_count < PAGES_MOST && (is_waited_for || is_nearly_full(&l->disk->overlay)))
        if (!store_a_page(l, &are_read)) {
            l->idle_ns = l->engine->now_ns + SECOND_NS / 100;
            break;
        }
    if (is_waited_for && !l->page_count && !are_read) { /* nothing can leave */
        say_full(l, true);
        go_on(l);
    }
}

void spill_abandon(struct difference *l, bool is_store_gone)
{
    for (struct list *n = l->pages.next, *next; n != &l->pages; n = next) {
        struct leaving *p = LIST_ENTRY(n, struct leaving, node);
        next = n->next;
        if (!p->is_forgotten && l->disk)
            overlay_left(&l->disk->overlay, &p->page, false);
        if (!p->is_forgotten && !is_store_gone)
            store_cancel(&p->op);
        p->is_forgotten = true;
        if (!is_store_gone)
            continue;
        l->page_count--;
        list_remove(&p->node);
        free(p);
    }
    if (l->disk && is_store_gone)
        go_on(l);
}
