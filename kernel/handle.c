// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/handle.h"
#include "kernel/arch.h"
#include "kernel/assert.h"
#include "kernel/frame.h"

void handle_table_init(struct handle_table *table, struct quota *quota)
{
    *table = (struct handle_table){.quota = quota};
}

static struct handle_slot *slot_at(const struct handle_table *table, uint64_t handle)
{
    if (handle == 0 || handle >= (uint64_t)table->page_count * HANDLES_PER_PAGE)
        return NULL;
    handle = arch_index(handle, (uint64_t)table->page_count * HANDLES_PER_PAGE);
    return &table->pages[handle / HANDLES_PER_PAGE][handle % HANDLES_PER_PAGE];
}

static struct handle_slot *used_slot(const struct handle_table *table, uint64_t handle)
{
    struct handle_slot *slot = slot_at(table, handle);
    return slot && slot->object ? slot : NULL;
}

static bool grow(struct handle_table *table)
{
    if (table->page_count == HANDLE_PAGES || quota_charge(table->quota, 1) != LEAT_OK)
        return false;
    struct handle_slot *page = page_alloc();
    if (!page) {
        quota_uncharge(table->quota, 1);
        return false;
    }
    uint32_t base = table->page_count * HANDLES_PER_PAGE;
    table->pages[table->page_count++] = page;
    /* Lowest numbers first; slot 0 of the first page stays unused. */
    for (uint32_t i = HANDLES_PER_PAGE; i-- > (base == 0 ? 1u : 0u);) {
        page[i].next_free = table->first_free;
        table->first_free = base + i;
    }
    return true;
}

int64_t handle_add(struct handle_table *table, struct object *object, uint32_t rights)
{
    if (table->first_free == 0 && !grow(table))
        return LEAT_ENOMEM;
    uint32_t handle = table->first_free;
    struct handle_slot *slot = slot_at(table, handle);
    KASSERT(slot);
    table->first_free = slot->next_free;
    slot->object = object;
    slot->rights = rights;
    object_get(object);
    return handle;
}

int handle_get(const struct handle_table *table, uint64_t handle, enum object_kind kind,
               uint32_t rights, struct object **object)
{
    const struct handle_slot *slot = used_slot(table, handle);
    if (!slot || (kind != OBJECT_ANY && slot->object->type->kind != kind))
        return LEAT_EBADF;
    if ((slot->rights & rights) != rights)
        return LEAT_EPERM;
    object_get(slot->object);
    *object = slot->object;
    return LEAT_OK;
}

uint32_t handle_rights(const struct handle_table *table, uint64_t handle)
{
    const struct handle_slot *slot = used_slot(table, handle);
    return slot ? slot->rights : 0;
}

int handle_close(struct handle_table *table, uint64_t handle)
{
    struct handle_slot *slot = used_slot(table, handle);
    if (!slot)
        return LEAT_EBADF;
    struct object *object = slot->object;
    slot->object = NULL;
    slot->next_free = table->first_free;
    table->first_free = (uint32_t)handle;
    object_put(object);
    return LEAT_OK;
}

void handle_table_clear(struct handle_table *table)
{
    for (uint32_t h = 1; h < table->page_count * HANDLES_PER_PAGE; h++)
        handle_close(table, h);
    while (table->page_count > 0) {
        page_free(table->pages[--table->page_count]);
        quota_uncharge(table->quota, 1);
    }
    table->first_free = 0;
}
