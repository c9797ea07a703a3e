// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/kmem.h"
#include "kernel/assert.h"
#include "kernel/frame.h"

/* One page of equal objects. Its free objects are chained through their first word. */
struct slab {
    struct list link; /* in its class while it has room */
    void *first_free;
    uint32_t used, class;
};

static const uint16_t class_bytes[] = {64, 128, 256, 512, 1008, KMEM_MAX_BYTES};
#define CLASSES (sizeof(class_bytes) / sizeof(class_bytes[0]))
#define SLAB_HEADER 64u
#define SLAB_OBJECTS(class) ((LEAT_PAGE_SIZE - SLAB_HEADER) / class_bytes[class])

_Static_assert(sizeof(struct slab) <= SLAB_HEADER, "header fits");
_Static_assert(SLAB_HEADER + 2 * KMEM_MAX_BYTES <= LEAT_PAGE_SIZE, "two of the largest fit");

static struct list with_room[CLASSES]; /* of the machine; next == NULL: not yet initialized */

static struct slab *slab_new(uint32_t class)
{
    struct slab *slab = page_alloc();
    if (!slab)
        return NULL;
    slab->class = class;
    for (uint32_t i = 0; i < SLAB_OBJECTS(class); i++) {
        void **object = (void **)((char *)slab + SLAB_HEADER + i * class_bytes[class]);
        *object = slab->first_free;
        slab->first_free = object;
    }
    list_push_front(&with_room[class], &slab->link);
    return slab;
}

void *kzalloc(size_t bytes)
{
    uint32_t class = 0;
    while (class < CLASSES && class_bytes[class] < bytes)
        class ++;
    KASSERT(class < CLASSES);
    if (!with_room[class].next)
        list_init(&with_room[class]);
    struct slab *slab = list_empty(&with_room[class])
                            ? slab_new(class)
                            : LIST_ENTRY(with_room[class].next, struct slab, link);
    if (!slab)
        return NULL;
    void **object = slab->first_free;
    slab->first_free = *object;
    if (++slab->used == SLAB_OBJECTS(class))
        list_remove(&slab->link);
    return __builtin_memset(object, 0, class_bytes[class]);
}

void kfree(void *object)
{
    if (!object)
        return;
    struct slab *slab = (struct slab *)((uintptr_t)object & ~(LEAT_PAGE_SIZE - 1));
    KASSERT(slab->class < CLASSES && slab->used > 0);
    *(void **)object = slab->first_free;
    slab->first_free = object;
    if (slab->used-- == SLAB_OBJECTS(slab->class))
        list_push_front(&with_room[slab->class], &slab->link);
    if (slab->used == 0) {
        list_remove(&slab->link);
        page_free(slab);
    }
}
