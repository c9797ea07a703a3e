// SPDX-License-Identifier: BSD-2-Clause
/* EPT with the kernel's frames and the CPU's instructions. */
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frame.h"
#include "kernel/kmem.h"

/* EPT pointer, SDM vol. 3, table 25-9: write-back, page walks of four levels; no accessed bits */
#define EPTP_FLAGS (6ull | 3ull << 3)
#define INVEPT_ONE_CONTEXT 1ull

_Static_assert(EPT_TAGS == NESTED_TAGS, "tags of the interface fit into EPT entries");

bool ept_frame_new(struct ept *ept, uint64_t *hpa_out)
{
    if (quota_charge(ept->owner, 1) != LEAT_OK)
        return false;
    void *page = page_alloc();
    if (!page) {
        quota_uncharge(ept->owner, 1);
        return false;
    }
    *hpa_out = ptr_to_phys(page).raw;
    return true;
}

void ept_frame_free(struct ept *ept, uint64_t at)
{
    page_free(phys_to_ptr(hpa(at)));
    quota_uncharge(ept->owner, 1);
}

uint64_t *ept_frame_at(uint64_t at)
{
    return phys_to_ptr(hpa(at));
}

int vmx_nested_create(struct quota *payer, struct nested **made)
{
    struct nested *nested = kzalloc(sizeof(*nested));
    if (!nested)
        return LEAT_ENOMEM;
    nested->ept.max_level = vmx_capability.ept_max_level;
    nested->ept.owner = payer;
    if (ept_init(&nested->ept) != LEAT_OK) {
        kfree(nested);
        return LEAT_ENOMEM;
    }
    nested->eptp = nested->ept.root_hpa | EPTP_FLAGS;
    *made = nested;
    return LEAT_OK;
}

void vmx_nested_destroy(struct nested *nested)
{
    ept_destroy(&nested->ept);
    kfree(nested);
}

int vmx_nested_map(struct nested *nested, gpa_t at, hpa_t to, uint64_t size, uint32_t prot,
                   unsigned tag)
{
    uint64_t rights = EPT_READ | (prot & LEAT_PROT_WRITE ? EPT_WRITE : 0) |
                      (prot & LEAT_PROT_EXEC ? EPT_EXEC : 0);
    return ept_map(&nested->ept, at.raw, to.raw, size, rights, tag);
}

int vmx_nested_unmap(struct nested *nested, gpa_t at, uint64_t size, uint64_t pages[NESTED_TAGS])
{
    return ept_unmap(&nested->ept, at.raw, size, pages);
}

void vmx_nested_flush(struct nested *nested)
{
    struct {
        uint64_t eptp, reserved;
    } descriptor = {nested->eptp, 0};
    bool is_failed;
    __asm__ volatile("invept %[descriptor], %[type]"
                     : "=@ccbe"(is_failed)
                     : [descriptor] "m"(descriptor), [type] "r"(INVEPT_ONE_CONTEXT)
                     : "memory");
    if (is_failed)
        vmx_operation_failed("INVEPT");
}
