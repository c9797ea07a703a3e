// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/edges.h"

#include <stdlib.h>
#include <string.h>

#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define UNIT_PAGES 16u /* 64 KiB: the largest minimum */

struct edge_read {
    struct nbd_command command;
    struct write_record *record;
    uint8_t edges; /* that it brings */
    uint8_t *pages[UNIT_PAGES];
    uint8_t bytes[UNIT_PAGES * NBD_PAGE_BYTES];
};

void edges_widen(const struct vdisk_export *e, struct write_record *w)
{
    uint32_t unit = e->identity.min_block;
    uint64_t end = w->offset + w->length;
    w->client_length = w->length;
    w->lead = (uint32_t)(w->offset % unit);
    w->offset -= w->lead;
    w->length = (end + unit - 1) / unit * unit - w->offset;
    w->edges = w->lead ? EDGE_HEAD : 0;
    if (w->lead + w->client_length < w->length)
        w->edges |= EDGE_TAIL;
}

/* Into the record, but for what the client wrote. */
static void merge(struct write_record *w, uint64_t from, const uint8_t *bytes, uint32_t size)
{
    uint64_t start = w->lead, end = w->lead + w->client_length, to = from + size;
    if (from < start)
        memcpy(w->data + from, bytes, (to < start ? to : start) - from);
    if (to > end) {
        uint64_t rest = from > end ? from : end;
        memcpy(w->data + rest, bytes + (rest - from), to - rest);
    }
}

/* wlog_rewind has the record sent again. */
static void edge_lost(struct nbd_command *command)
{
    free(LIST_ENTRY(command, struct edge_read, command));
}

static void edge_done(struct nbd_command *command, uint32_t error)
{
    struct edge_read *r = LIST_ENTRY(command, struct edge_read, command);
    struct write_record *w = r->record;
    if (!error) {
        merge(w, command->offset - w->offset, r->bytes, command->length);
        w->edges &= (uint8_t)~r->edges;
        list_push_front(&w->export->ready, &w->ready_node);
    }
    free(r);
    if (error)
        wlog_part_failed(w, error);
}

bool edges_read(struct vdisk_export *e, struct write_record *w)
{
    uint32_t unit = e->identity.min_block;
    struct nbd_session *s = link_room(e, unit);
    struct edge_read *r = s ? malloc(sizeof *r) : NULL;
    if (!r)
        return false;
    memset(&r->command, 0, sizeof r->command);
    for (uint32_t i = 0; i < UNIT_PAGES; i++)
        r->pages[i] = r->bytes + i * NBD_PAGE_BYTES;
    r->record = w;
    r->edges = w->length == unit ? w->edges : w->edges & EDGE_HEAD ? EDGE_HEAD : EDGE_TAIL;
    r->command.type = NBD_CMD_READ;
    r->command.offset = r->edges & EDGE_HEAD ? w->offset : w->offset + w->length - unit;
    r->command.length = unit;
    r->command.pages = r->pages;
    r->command.done = edge_done;
    r->command.lost = edge_lost;
    list_remove(&w->ready_node);
    nbd_session_send(s, &r->command, e->engine->now_ns);
    return true;
}
