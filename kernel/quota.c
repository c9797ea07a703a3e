// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/quota.h"
#include "kernel/assert.h"
#include "kernel/kmem.h"

int quota_init(struct quota *quota, struct quota *parent, uint64_t limit_pages)
{
    if (parent) {
        if (quota_charge(parent, limit_pages) != LEAT_OK)
            return LEAT_ENOMEM;
        quota_get(parent);
    }
    *quota = (struct quota){.limit_pages = limit_pages, .parent = parent, .refs = 1};
    return LEAT_OK;
}

int quota_charge(struct quota *quota, uint64_t pages)
{
    if (quota->retired || pages > quota->limit_pages - quota->used_pages)
        return LEAT_ENOMEM;
    quota->used_pages += pages;
    return LEAT_OK;
}

void quota_uncharge(struct quota *quota, uint64_t pages)
{
    /* A retired quota's pages go up to the first ancestor that is still in use, one level after
       another. */
    for (; quota; quota = quota->parent) {
        KASSERT(pages <= quota->used_pages);
        quota->used_pages -= pages;
        if (!quota->retired)
            return;
        quota->limit_pages -= pages;
    }
}

void quota_retire(struct quota *quota)
{
    KASSERT(!quota->retired);
    uint64_t unused = quota->limit_pages - quota->used_pages;
    quota->limit_pages = quota->used_pages;
    quota->retired = true;
    if (quota->parent)
        quota_uncharge(quota->parent, unused);
}

void quota_get(struct quota *quota)
{
    quota->refs++;
}

void quota_put(struct quota *quota)
{
    while (quota && --quota->refs == 0) {
        struct quota *parent = quota->parent;
        KASSERT(quota->used_pages == 0);
        kfree(quota);
        quota = parent;
    }
}
