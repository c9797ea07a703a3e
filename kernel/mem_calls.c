// SPDX-License-Identifier: BSD-2-Clause
/* System calls about memory. */
#include "kernel/syscall.h"
#include "kernel/info.h"

#define MEM_RIGHTS                                                                                 \
    (LEAT_RIGHT_READ | LEAT_RIGHT_WRITE | LEAT_RIGHT_EXEC | LEAT_RIGHT_PHYS | LEAT_RIGHT_GRANT)

SYSCALL(mem_create)
{
    struct mem *mem;
    if (args[1] > UINT32_MAX)
        return LEAT_EINVAL;
    int error = mem_create(self->domain->quota, args[0], (uint32_t)args[1], &mem);
    return error != LEAT_OK ? error : syscall_give(self, &mem->object, MEM_RIGHTS);
}

/* Free for drivers: not RAM that the kernel manages, not the kernel, not its interrupt controllers. */
static bool may_be_given(uint64_t base, uint64_t size)
{
    for (uint32_t i = 0; i < boot_info->range_count; i++) {
        const struct leat_memory_range *r = &boot_info->ranges[i];
        bool meets = base < r->base_hpa + r->size && r->base_hpa < base + size;
        if (meets && (r->type == LEAT_MEMORY_FREE || r->type == LEAT_MEMORY_BOOT ||
                      r->type == LEAT_MEMORY_KERNEL))
            return false;
    }
    return !arch_owns_mmio(hpa(base), size);
}

SYSCALL(mem_create_phys)
{
    uint64_t base = args[1], size = args[2], cache = args[3];
    struct mem *mem;
    if (size == 0 || ((base | size) & (LEAT_PAGE_SIZE - 1)) || cache > LEAT_CACHE_WC ||
        base >= arch_phys_end() || size > arch_phys_end() - base)
        return LEAT_EINVAL;
    if (!may_be_given(base, size))
        return LEAT_EPERM;
    int error = mem_create_phys(self->domain->quota, hpa(base), size, (uint32_t)cache, &mem);
    return error != LEAT_OK ? error : syscall_give(self, &mem->object, MEM_RIGHTS);
}

SYSCALL(mem_map)
{
    uint64_t prot = args[5];
    struct domain *domain = domain_of(object);
    struct object *mem HELD = NULL;
    /* The rights READ, WRITE and EXEC have the values of the PROT bits of the same names. */
    _Static_assert((int)LEAT_PROT_READ == LEAT_RIGHT_READ &&
                       (int)LEAT_PROT_WRITE == LEAT_RIGHT_WRITE &&
                       (int)LEAT_PROT_EXEC == LEAT_RIGHT_EXEC,
                   "prot bits are rights bits");
    if (prot & ~7ull)
        return LEAT_EINVAL;
    int error = syscall_get(self, args[1], OBJECT_MEM, (uint32_t)prot, &mem);
    if (error == LEAT_OK)
        error = domain_hold(domain);
    if (error != LEAT_OK)
        return error;
    error = space_map(&domain->space, mem_of(mem), args[2], args[3], args[4], (uint32_t)prot);
    domain_release(domain);
    return error;
}

SYSCALL(mem_unmap)
{
    struct domain *domain = domain_of(object);
    int error = domain_hold(domain);
    if (error != LEAT_OK)
        return error;
    error = space_unmap(&domain->space, args[1], args[2]);
    domain_release(domain);
    return error;
}

SYSCALL(mem_phys)
{
    const struct mem *mem = mem_of(object);
    return args[1] < mem->size ? (int64_t)mem_hpa(mem, args[1]).raw : LEAT_ERANGE;
}
