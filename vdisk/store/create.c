// SPDX-License-Identifier: BSD-2-Clause
/*
 * A new, empty store: old superblocks are erased first and the new one comes last, so that a power
 * cut on the way leaves no store at all. The first checkpoint does all but the erasing.
 */
#include "vdisk/store/inside.h"

#include <string.h>

static bool open_step(struct store *s)
{
    checkpoint_run(s);
    if (s->info.failure) {
        recovery_end(s, STORE_FAILED);
        return false;
    }
    if (s->checkpoint.phase != CHECKPOINT_IDLE)
        return false;
    store_open(s, s->recovery.opened, s->recovery.owner);
    return true;
}

static bool checkpoint_step(struct store *s)
{
    s->checkpoint.is_wanted = true;
    s->recovery.step = open_step;
    return true;
}

static bool flush_step(struct store *s)
{
    meta_flush(&s->checkpoint.write);
    s->recovery.step = checkpoint_step;
    return true;
}

static bool erase_step(struct store *s)
{
    struct meta_write *w = &s->checkpoint.write;
    memset(w->pages, 0, 2 * (size_t)FORMAT_PAGE);
    for (unsigned i = 0; i < 2; i++)
        meta_write_page(w, i, format_super_page(&s->layout, i),
                        format_super_page(&s->layout, 2 + i));
    s->recovery.step = flush_step;
    return true;
}

static bool refuse_step(struct store *s)
{
    recovery_end(s, s->recovery.result);
    return false;
}

static enum store_status lay_out(struct store *s)
{
    uint64_t pages = store_range_pages(s), wanted = s->options.use_bytes / FORMAT_PAGE;
    if (wanted && wanted < pages)
        pages = wanted;
    if (!format_layout(pages, &s->layout))
        return STORE_INVALID;
    return index_memory(s) ? STORE_OK : STORE_NO_MEMORY;
}

void store_format(struct store *s, store_opened_fn *opened, void *owner)
{
    enum store_status status = lay_out(s);
    s->recovery = (struct recovery){.opened = opened, .owner = owner, .result = status};
    s->recovery.step = status == STORE_OK ? erase_step : refuse_step;
    s->store_id = s->platform->random(s->platform->ctx);
    s->next_object_id = 1;
    s->checkpoint.number = 0;
    s->journal.next = 1;
    s->journal.chain = 0;
    s->wants_again = true;
}
