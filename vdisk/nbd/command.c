// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/nbd/command.h"

#include <string.h>

bool nbd_command_align(struct nbd_command *c, uint32_t unit)
{
    uint32_t back = (uint32_t)(c->offset % unit);
    c->offset -= back;
    c->length += back;
    return back > 0;
}

bool nbd_command_got(struct nbd_command *c, uint32_t start, uint32_t size)
{
    uint32_t end = start + size, i = c->piece_count;
    while (i > 0 && c->pieces[i - 1].start >= end)
        i--;
    /* now pieces[i - 1] starts before `end`, and pieces[i] at or behind it */
    if (i > 0 && c->pieces[i - 1].end > start)
        return false;
    bool joins_left = i > 0 && c->pieces[i - 1].end == start;
    bool joins_right = i < c->piece_count && c->pieces[i].start == end;
    if (joins_left && joins_right) {
        c->pieces[i - 1].end = c->pieces[i].end;
        memmove(&c->pieces[i], &c->pieces[i + 1], (c->piece_count - i - 1) * sizeof c->pieces[0]);
        c->piece_count--;
    } else if (joins_left) {
        c->pieces[i - 1].end = end;
    } else if (joins_right) {
        c->pieces[i].start = start;
    } else {
        if (c->piece_count == NBD_MAX_PIECES)
            return false;
        memmove(&c->pieces[i + 1], &c->pieces[i], (c->piece_count - i) * sizeof c->pieces[0]);
        c->pieces[i] = (struct nbd_piece){start, end};
        c->piece_count++;
    }
    return true;
}

bool nbd_command_is_whole(const struct nbd_command *c)
{
    return c->piece_count == 1 && c->pieces[0].start == 0 && c->pieces[0].end == c->length;
}

uint8_t *nbd_command_place(const struct nbd_command *c, uint32_t position, uint32_t *size)
{
    uint32_t page = position / NBD_PAGE_BYTES, in_page = position % NBD_PAGE_BYTES;
    uint32_t pages = (c->length + NBD_PAGE_BYTES - 1) / NBD_PAGE_BYTES, next = page + 1;
    while (next < pages && c->pages[next] == c->pages[next - 1] + NBD_PAGE_BYTES)
        next++; /* neighbours in memory: one call of the platform for all of them */
    *size = (next - page) * NBD_PAGE_BYTES - in_page;
    return c->pages[page] + in_page;
}
