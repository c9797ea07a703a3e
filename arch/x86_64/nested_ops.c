// SPDX-License-Identifier: BSD-2-Clause
/* Nested page tables out of the kernel's frames. */
#include "arch/x86_64/nested.h"
#include "kernel/arch.h"
#include "kernel/frame.h"
#include "kernel/kmem.h"
#include "kernel/quota.h"
#include "kernel/virt.h"

_Static_assert(NESTED_TAG_NUMBERS == NESTED_TAGS, "tags of the interface fit into entries");

bool nested_frame_new(struct nested *nested, uint64_t *hpa_out)
{
    if (quota_charge(nested->owner, 1) != LEAT_OK)
        return false;
    void *page = page_alloc();
    if (!page) {
        quota_uncharge(nested->owner, 1);
        return false;
    }
    *hpa_out = ptr_to_phys(page).raw;
    return true;
}

void nested_frame_free(struct nested *nested, uint64_t at)
{
    page_free(phys_to_ptr(hpa(at)));
    quota_uncharge(nested->owner, 1);
}

uint64_t *nested_frame_at(uint64_t at)
{
    return phys_to_ptr(hpa(at));
}

int nested_make(const struct nested_format *format, unsigned max_level, struct quota *payer,
                struct nested **made)
{
    struct nested *nested = kzalloc(sizeof(*nested));
    if (!nested)
        return LEAT_ENOMEM;
    *nested = (struct nested){.format = format, .max_level = max_level, .owner = payer};
    if (nested_init(nested) != LEAT_OK) {
        kfree(nested);
        return LEAT_ENOMEM;
    }
    *made = nested;
    return LEAT_OK;
}

void nested_destroy(struct nested *nested)
{
    nested_free_tables(nested);
    kfree(nested);
}
