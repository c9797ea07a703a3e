// SPDX-License-Identifier: BSD-2-Clause
/*
 * Blobs: a new one is written beside the old one as an object that the disk knows as DYING, made
 * durable, then made LIVE by one record. Of two LIVE ones of a name the younger counts, so the old
 * one ends afterwards.
 */
#include "vdisk/store/inside.h"

#include <string.h>

enum blob_step { BLOB_NEW, BLOB_CONTENT, BLOB_NAMED };

static enum store_status make(struct store *s, struct store_op *op)
{
    op->blob = object_make(s, FORMAT_BLOB, op->name, NULL, op->length);
    if (!op->blob)
        return STORE_NO_MEMORY;
    op->blob->is_building = true;
    op->object = op->blob;
    op->step = BLOB_CONTENT;
    op->offset = op->next = 0;
    op->end = object_blocks(op->blob);
    return STORE_OK;
}

void blob_abandon(struct store_op *op)
{
    if (!op->blob)
        return;
    op->blob->is_building = false;
    store_delete(op->blob);
    op->blob = NULL;
}

bool blob_step(struct store *s, struct store_op *op)
{
    if (op->step == BLOB_NEW)
        op->status = make(s, op);
    while (op->status == STORE_OK && op->next < op->end)
        if (!write_step(s, op))
            break;
    return op->status != STORE_OK || op->next == op->end;
}

static void kill_older(struct store *s, const struct store_object *blob)
{
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        struct store_object *o = &s->objects[i];
        if (o->record.state == FORMAT_OBJECT_LIVE && o->record.kind == FORMAT_BLOB &&
            !o->is_building && o->record.id < blob->record.id &&
            strcmp(o->record.name, blob->record.name) == 0)
            object_kill(o);
    }
}

void blob_flushed(struct store *s, struct store_op *op)
{
    if (op->step == BLOB_CONTENT) {
        op->blob->is_building = false;
        object_changed(op->blob);
        op->step = BLOB_NAMED;
        journal_wait(s, op);
        return;
    }
    kill_older(s, object_by_name(s, FORMAT_BLOB, op->name));
    store_release(op->blob);
    store_finish(s, op, STORE_OK);
}
