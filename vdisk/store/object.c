// SPDX-License-Identifier: BSD-2-Clause
/*
 * Images, differences and blobs. A change of an object's record reaches the journal before the next
 * changes of slots (journal.c), so the disk never knows a slot of an object that it does not know.
 */
#include "vdisk/store/inside.h"

#include <string.h>

#define MAX_SIZE_BYTES (1ull << 52) /* 2^40 blocks */

void object_changed(struct store_object *o)
{
    o->is_dirty = true;
    o->store->journal.objects_changed++;
}

uint64_t object_blocks(const struct store_object *o)
{
    return (o->record.size_bytes + STORE_BLOCK_BYTES - 1) / STORE_BLOCK_BYTES;
}

bool object_is_image(const struct store_object *o)
{
    return o->record.kind == FORMAT_IMAGE;
}

void object_kill(struct store_object *o)
{
    o->record.state = FORMAT_OBJECT_DYING;
    o->sweep = 0;
    o->store->dying++;
    object_changed(o);
}

/* Its number may be given again only when the disk knows that nothing is left of it. */
static bool is_number_free(const struct store_object *o)
{
    return o->record.state == FORMAT_OBJECT_FREE && !o->is_dirty && !o->is_sent;
}

/* Makes room for another object: the closed image of which least is cached. */
static void forget_an_image(struct store *s)
{
    struct store_object *least = NULL;
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        struct store_object *o = &s->objects[i];
        if (o->record.state != FORMAT_OBJECT_LIVE || !object_is_image(o) || o->refs)
            continue;
        if (!least || s->table.mapped[i] < s->table.mapped[least->record.number])
            least = o;
    }
    if (least)
        object_kill(least);
}

struct store_object *object_make(struct store *s, enum format_object_kind kind, const char *name,
                                 const uint8_t *content, uint64_t size_bytes)
{
    struct store_object *o = NULL;
    uint32_t free_numbers = 0;
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        if (!is_number_free(&s->objects[i]))
            continue;
        free_numbers++;
        if (!o)
            o = &s->objects[i];
    }
    if (free_numbers < STORE_OBJECTS / 8 && s->dying == 0)
        forget_an_image(s); /* in time: a number comes back only after some commits */
    if (!o || s->info.failure)
        return NULL;
    o->record = (struct format_object){.number = o->record.number,
                                       .state = FORMAT_OBJECT_LIVE,
                                       .kind = (uint8_t)kind,
                                       .id = s->next_object_id++,
                                       .size_bytes = size_bytes};
    if (content)
        memcpy(o->record.content, content, STORE_CONTENT_BYTES);
    if (name)
        memcpy(o->record.name, name, strlen(name) + 1);
    o->refs = 1;
    o->is_building = false;
    object_changed(o);
    return o;
}

struct store_object *object_by_name(struct store *s, enum format_object_kind kind, const char *name)
{
    struct store_object *youngest = NULL; /* of a blob that is being replaced, there are two */
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        struct store_object *o = &s->objects[i];
        if (o->record.state == FORMAT_OBJECT_LIVE && o->record.kind == kind && !o->is_building &&
            strcmp(o->record.name, name) == 0 && (!youngest || o->record.id > youngest->record.id))
            youngest = o;
    }
    return youngest;
}

struct store_object *store_image(struct store *s, const uint8_t content[STORE_CONTENT_BYTES],
                                 uint64_t size_bytes)
{
    if (!s->is_open || size_bytes > MAX_SIZE_BYTES)
        return NULL;
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        struct store_object *o = &s->objects[i];
        if (o->record.state == FORMAT_OBJECT_LIVE && object_is_image(o) &&
            o->record.size_bytes == size_bytes &&
            memcmp(o->record.content, content, STORE_CONTENT_BYTES) == 0) {
            o->refs++;
            return o;
        }
    }
    return object_make(s, FORMAT_IMAGE, NULL, content, size_bytes);
}

enum store_status store_difference(struct store *s, const char *name,
                                   const uint8_t base[STORE_CONTENT_BYTES], uint64_t size_bytes,
                                   struct store_object **object)
{
    *object = NULL;
    if (!s->is_open || size_bytes > MAX_SIZE_BYTES || size_bytes % STORE_SECTOR_BYTES ||
        name[0] == '\0' || strlen(name) >= STORE_NAME_BYTES)
        return STORE_INVALID;
    struct store_object *o = object_by_name(s, FORMAT_DIFFERENCE, name);
    if (o) {
        if (o->record.size_bytes != size_bytes ||
            memcmp(o->record.content, base, STORE_CONTENT_BYTES))
            return STORE_MISMATCH;
        o->refs++;
    } else {
        o = object_make(s, FORMAT_DIFFERENCE, name, base, size_bytes);
    }
    *object = o;
    return o ? STORE_OK : s->info.failure ? STORE_FAILED : STORE_NO_MEMORY;
}

struct store_object *store_blob(struct store *s, const char *name, uint64_t *size)
{
    struct store_object *o = s->is_open ? object_by_name(s, FORMAT_BLOB, name) : NULL;
    if (!o)
        return NULL;
    o->refs++;
    *size = o->record.size_bytes;
    return o;
}

const char *store_oldest_blob(const struct store *s, const char *beginning, uint32_t *count)
{
    const struct store_object *oldest = NULL;
    *count = 0;
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        const struct store_object *o = &s->objects[i];
        if (o->record.state != FORMAT_OBJECT_LIVE || o->record.kind != FORMAT_BLOB ||
            o->is_building || strncmp(o->record.name, beginning, strlen(beginning)))
            continue;
        ++*count;
        if (!oldest || o->record.id < oldest->record.id)
            oldest = o;
    }
    return oldest ? oldest->record.name : NULL;
}

void store_release(struct store_object *o)
{
    o->refs--;
}

void store_delete(struct store_object *o)
{
    o->refs--;
    if (o->record.state == FORMAT_OBJECT_LIVE)
        object_kill(o);
}

uint32_t store_delete_differences(struct store *s, const char *prefix)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < STORE_OBJECTS; i++) {
        struct store_object *o = &s->objects[i];
        if (o->record.state != FORMAT_OBJECT_LIVE || o->record.kind != FORMAT_DIFFERENCE ||
            o->refs || strncmp(o->record.name, prefix, strlen(prefix)))
            continue;
        object_kill(o);
        s->wants_again = true;
        count++;
    }
    return count;
}

uint64_t store_object_bytes(const struct store_object *o)
{
    return (uint64_t)o->store->table.mapped[o->record.number] * STORE_BLOCK_BYTES;
}

bool store_is_damaged(const struct store_object *o)
{
    return o->record.is_damaged;
}
