// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/overlay.h"

#include <stdlib.h>
#include <string.h>

#define LEAF_PAGES 512u
#define PAGE_SECTORS (OVERLAY_PAGE_BYTES / OVERLAY_SECTOR_BYTES)

struct overlay_leaf {
    uint8_t *pages[LEAF_PAGES]; /* NULL with sectors held: they are zeros */
    uint8_t held[LEAF_PAGES];   /* bit i: sector i of the page is in the overlay */
    uint8_t marks[LEAF_PAGES];
    uint32_t page_count; /* that have memory */
};
#define MARK_NEW 1u     /* written to since the hand came by */
#define MARK_LEAVING 2u /* an older or the present content is being stored */
#define MARK_TAKEN 4u   /* the present one: its memory is in use there */

bool overlay_init(struct overlay *o, uint64_t size_bytes, uint64_t bound_bytes)
{
    uint64_t pages = size_bytes / OVERLAY_PAGE_BYTES + 1;
    o->leaf_count = pages / LEAF_PAGES + 1;
    o->bound_bytes = bound_bytes;
    o->used_bytes = o->hand = 0;
    o->leaves = calloc(o->leaf_count, sizeof o->leaves[0]);
    return o->leaves != NULL;
}

static void drop_page(struct overlay *o, struct overlay_leaf *leaf, uint32_t i)
{
    bool is_taken = leaf->marks[i] & MARK_TAKEN;
    leaf->held[i] = 0;
    leaf->marks[i] &= MARK_LEAVING;
    if (!leaf->pages[i])
        return;
    if (!is_taken) { /* else who stores it frees it */
        free(leaf->pages[i]);
        o->used_bytes -= OVERLAY_PAGE_BYTES;
    }
    leaf->pages[i] = NULL;
    leaf->page_count--;
}

void overlay_free(struct overlay *o)
{
    for (uint64_t l = 0; o->leaves && l < o->leaf_count; l++) {
        if (!o->leaves[l])
            continue;
        for (uint32_t i = 0; i < LEAF_PAGES; i++)
            free(o->leaves[l]->pages[i]);
        free(o->leaves[l]);
    }
    free(o->leaves);
    memset(o, 0, sizeof *o);
}

/* One piece of a range: it lies in one page. */
struct piece {
    uint64_t page;
    uint32_t in_page, size;
    uint8_t mask; /* its sectors */
};

static struct piece first_piece(uint64_t offset, uint64_t length)
{
    struct piece p = {.page = offset / OVERLAY_PAGE_BYTES,
                      .in_page = (uint32_t)(offset % OVERLAY_PAGE_BYTES)};
    uint64_t rest = OVERLAY_PAGE_BYTES - p.in_page;
    p.size = (uint32_t)(length < rest ? length : rest);
    uint32_t first = p.in_page / OVERLAY_SECTOR_BYTES, count = p.size / OVERLAY_SECTOR_BYTES;
    p.mask = (uint8_t)(((1u << count) - 1) << first);
    return p;
}

static struct overlay_leaf *leaf_of(const struct overlay *o, uint64_t page)
{
    return o->leaves[page / LEAF_PAGES];
}

static struct overlay_leaf *make_leaf(struct overlay *o, uint64_t page)
{
    struct overlay_leaf **leaf = &o->leaves[page / LEAF_PAGES];
    if (!*leaf && o->used_bytes + sizeof **leaf <= o->bound_bytes) {
        *leaf = calloc(1, sizeof **leaf);
        if (*leaf)
            o->used_bytes += sizeof **leaf;
    }
    return *leaf;
}

/* The page's memory, made if need be; sectors that were held as zeros become zeros in it. */
static uint8_t *make_page(struct overlay *o, struct overlay_leaf *leaf, uint32_t i)
{
    if (!leaf->pages[i] && o->used_bytes + OVERLAY_PAGE_BYTES <= o->bound_bytes) {
        leaf->pages[i] = calloc(1, OVERLAY_PAGE_BYTES);
        if (leaf->pages[i]) {
            o->used_bytes += OVERLAY_PAGE_BYTES;
            leaf->page_count++;
        }
    }
    return leaf->pages[i];
}

uint64_t overlay_write(struct overlay *o, uint64_t offset, uint64_t length, const uint8_t *data)
{
    uint64_t start = offset;
    while (length) {
        struct piece p = first_piece(offset, length);
        struct overlay_leaf *leaf = make_leaf(o, p.page);
        uint8_t *page = leaf ? make_page(o, leaf, p.page % LEAF_PAGES) : NULL;
        if (!page)
            break;
        memcpy(page + p.in_page, data, p.size);
        leaf->held[p.page % LEAF_PAGES] |= p.mask;
        leaf->marks[p.page % LEAF_PAGES] |= MARK_NEW;
        offset += p.size;
        data += p.size;
        length -= p.size;
    }
    return offset - start;
}

uint64_t overlay_zero(struct overlay *o, uint64_t offset, uint64_t length)
{
    uint64_t start = offset;
    while (length) {
        struct piece p = first_piece(offset, length);
        struct overlay_leaf *leaf = make_leaf(o, p.page);
        if (!leaf)
            break;
        uint32_t i = p.page % LEAF_PAGES;
        if (p.size == OVERLAY_PAGE_BYTES)
            drop_page(o, leaf, i);
        else if (leaf->pages[i])
            memset(leaf->pages[i] + p.in_page, 0, p.size);
        leaf->held[i] |= p.mask;
        leaf->marks[i] |= MARK_NEW;
        offset += p.size;
        length -= p.size;
    }
    return offset - start;
}

void overlay_discard(struct overlay *o, uint64_t offset, uint64_t length, bool has_below)
{
    while (length) {
        struct piece p = first_piece(offset, length);
        struct overlay_leaf *leaf = leaf_of(o, p.page);
        uint64_t step = p.size;
        uint32_t i = p.page % LEAF_PAGES;
        if (leaf && p.size == OVERLAY_PAGE_BYTES && leaf->held[i]) {
            drop_page(o, leaf, i);
            leaf->held[i] = has_below ? p.mask : 0;
        }
        if (!leaf) { /* on to the next leaf */
            uint64_t end = (p.page / LEAF_PAGES + 1) * LEAF_PAGES * OVERLAY_PAGE_BYTES;
            step = end - offset < length ? end - offset : length;
        }
        offset += step;
        length -= step;
    }
}

bool overlay_covers(const struct overlay *o, uint64_t offset, uint64_t length)
{
    while (length) {
        struct piece p = first_piece(offset, length);
        const struct overlay_leaf *leaf = leaf_of(o, p.page);
        if (!leaf || (leaf->held[p.page % LEAF_PAGES] & p.mask) != p.mask)
            return false;
        offset += p.size;
        length -= p.size;
    }
    return true;
}

uint64_t overlay_read(const struct overlay *o, uint64_t offset, uint64_t length, uint8_t *data)
{
    uint64_t copied = 0;
    while (length) {
        struct piece p = first_piece(offset, length);
        const struct overlay_leaf *leaf = leaf_of(o, p.page);
        uint32_t i = p.page % LEAF_PAGES;
        uint8_t held = leaf ? leaf->held[i] & p.mask : 0;
        for (uint32_t s = 0; held && s < PAGE_SECTORS; s++) {
            if (!(held >> s & 1))
                continue;
            uint32_t at = s * OVERLAY_SECTOR_BYTES;
            if (leaf->pages[i])
                memcpy(data + (at - p.in_page), leaf->pages[i] + at, OVERLAY_SECTOR_BYTES);
            else
                memset(data + (at - p.in_page), 0, OVERLAY_SECTOR_BYTES);
            copied += OVERLAY_SECTOR_BYTES;
        }
        offset += p.size;
        data += p.size;
        length -= p.size;
    }
    return copied;
}

/* A leaf that holds nothing any more. */
static void drop_leaf_if_empty(struct overlay *o, uint64_t page)
{
    struct overlay_leaf **leaf = &o->leaves[page / LEAF_PAGES];
    for (uint32_t i = 0; i < LEAF_PAGES; i++)
        if ((*leaf)->held[i] || (*leaf)->marks[i])
            return;
    free(*leaf);
    *leaf = NULL;
    o->used_bytes -= sizeof **leaf;
}

/* Twice around at most: the first time marks are taken off. */
bool overlay_leave(struct overlay *o, struct overlay_page *page)
{
    uint64_t all = o->leaf_count * LEAF_PAGES;
    for (uint64_t n = 0; n < 2 * all; n++) {
        uint64_t number = o->hand;
        struct overlay_leaf *leaf = leaf_of(o, number);
        uint32_t i = number % LEAF_PAGES;
        bool is_bare = !leaf || !leaf->page_count;    /* nothing, or zeros */
        uint64_t step = is_bare ? LEAF_PAGES - i : 1; /* on to the next leaf */
        o->hand = number + step < all ? number + step : 0;
        n += step - 1;
        if (is_bare || !leaf->pages[i] || leaf->marks[i] & MARK_LEAVING)
            continue;
        if (leaf->marks[i] & MARK_NEW) {
            leaf->marks[i] = 0;
            continue;
        }
        leaf->marks[i] = MARK_LEAVING | MARK_TAKEN;
        *page = (struct overlay_page){number, leaf->pages[i], leaf->held[i]};
        return true;
    }
    return false;
}

bool overlay_owns(const struct overlay *o, const struct overlay_page *page)
{
    const struct overlay_leaf *leaf = leaf_of(o, page->number);
    return leaf && leaf->marks[page->number % LEAF_PAGES] & MARK_TAKEN;
}

void overlay_left(struct overlay *o, const struct overlay_page *page, bool is_stored)
{
    struct overlay_leaf *leaf = leaf_of(o, page->number);
    uint32_t i = page->number % LEAF_PAGES;
    bool is_owned = overlay_owns(o, page), is_unchanged = !(leaf->marks[i] & MARK_NEW);
    leaf->marks[i] &= MARK_NEW;
    if (!is_owned) {
        free(page->data);
        o->used_bytes -= OVERLAY_PAGE_BYTES;
    } else if (is_stored && is_unchanged) {
        drop_page(o, leaf, i);
    }
    drop_leaf_if_empty(o, page->number);
}

_Static_assert(PAGE_SECTORS == 8, "the sectors of a page fit in a byte");
