// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/object.h"
#include "kernel/assert.h"
#include "kernel/kmem.h"

void object_init(struct object *object, const struct object_type *type, struct quota *payer,
                 uint64_t charged_pages)
{
    *object =
        (struct object){.type = type, .refs = 1, .payer = payer, .charged_pages = charged_pages};
    if (payer)
        quota_get(payer);
}

void *object_new(const struct object_type *type, size_t bytes, struct quota *payer, uint64_t pages)
{
    if (quota_charge(payer, pages) != LEAT_OK)
        return NULL;
    struct object *object = kzalloc(bytes);
    if (object)
        object_init(object, type, payer, pages);
    else
        quota_uncharge(payer, pages);
    return object;
}

void object_destroy(struct object *object)
{
    struct quota *payer = object->payer;
    uint64_t pages = object->charged_pages;
    KASSERT(object->refs == 0);
    object->type->destroy(object);
    if (payer) {
        quota_uncharge(payer, pages);
        quota_put(payer);
    }
}
