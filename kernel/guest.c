// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/guest.h"
#include "kernel/frame.h"
#include "kernel/mem.h"
#include "kernel/notif.h"
#include "kernel/sched.h"
#include "kernel/syscall.h"

#define GUEST_PAGES 2u /* the object, the CPUID table */
#define PROT_ALL (LEAT_PROT_READ | LEAT_PROT_WRITE | LEAT_PROT_EXEC)
#define RUN_PIECES 512u /* of a mem object mapped at a time, between preemption points */
/* Unmapped at a time; no smaller: that would split 1 GiB pages. */
#define UNMAP_BYTES (1ull << 30)

_Static_assert(sizeof(struct guest) <= LEAT_PAGE_SIZE, "a guest is one page");
_Static_assert(sizeof(struct guest_cpuid) <= LEAT_PAGE_SIZE, "a CPUID table is one page");

static void guest_destroy(struct object *object)
{
    struct guest *guest = guest_of(object);
    virt->nested_flush(guest->nested);
    virt->nested_destroy(guest->nested);
    for (unsigned i = 0; i < NESTED_TAGS; i++)
        if (guest->mems[i])
            object_put(&guest->mems[i]->object);
    for (uint32_t i = 0; i < guest->doorbells.count; i++)
        object_put(&guest->doorbells.bell[i].notif->object);
    page_free(guest->cpuid);
    page_free(guest);
}

static const struct object_type guest_type = {OBJECT_GUEST, "guest", guest_destroy};

SYSCALL(guest_create)
{
    if (!virt)
        return LEAT_ENOSYS;
    struct quota *payer = self->domain->quota;
    if (quota_charge(payer, GUEST_PAGES) != LEAT_OK)
        return LEAT_ENOMEM;
    struct guest *guest = page_alloc();
    struct guest_cpuid *cpuid = page_alloc();
    if (!guest || !cpuid || virt->nested_create(payer, &guest->nested) != LEAT_OK) {
        if (guest)
            page_free(guest);
        if (cpuid)
            page_free(cpuid);
        quota_uncharge(payer, GUEST_PAGES);
        return LEAT_ENOMEM;
    }
    guest->cpuid = cpuid;
    object_init(&guest->object, &guest_type, payer, GUEST_PAGES);
    return syscall_give(self, &guest->object, LEAT_RIGHT_ALL);
}

static bool is_guest_range(uint64_t at, uint64_t size)
{
    return size && !((at | size) & (LEAT_PAGE_SIZE - 1)) && at < NESTED_GPA_END &&
           size <= NESTED_GPA_END - at;
}

/* The tag of mem, a new one with a reference if it has none; NESTED_TAGS: all in use. */
static unsigned tag_of(struct guest *guest, struct mem *mem)
{
    unsigned unused = NESTED_TAGS;
    for (unsigned i = 0; i < NESTED_TAGS; i++) {
        if (guest->mems[i] == mem)
            return i;
        if (!guest->mems[i])
            unused = i;
    }
    if (unused < NESTED_TAGS) {
        guest->mems[unused] = mem;
        object_get(&mem->object);
    }
    return unused;
}

static void drop_unmapped(struct guest *guest)
{
    for (unsigned i = 0; i < NESTED_TAGS; i++) {
        struct mem *mem = guest->mems[i];
        if (mem && !guest->mem_pages[i]) {
            guest->mems[i] = NULL;
            object_put(&mem->object);
        }
    }
}

/* guest->busy is set. */
static int unmap(struct guest *guest, uint64_t at, uint64_t size)
{
    int error = LEAT_OK;
    for (uint64_t end = at + size; at < end && error == LEAT_OK;) {
        uint64_t next = (at | (UNMAP_BYTES - 1)) + 1;
        if (next > end)
            next = end;
        uint64_t pages[NESTED_TAGS] = {0};
        error = virt->nested_unmap(guest->nested, gpa(at), next - at, pages);
        for (unsigned i = 0; i < NESTED_TAGS; i++)
            guest->mem_pages[i] -= pages[i];
        at = next;
        if (at < end)
            sched_preempt_point();
    }
    virt->nested_flush(guest->nested);
    return error;
}

/* Maps the physically contiguous bytes of mem from offset on, at most `left`; *done gets how many. */
static int map_run(struct guest *guest, struct mem *mem, uint64_t at, uint64_t offset,
                   uint64_t left, uint32_t prot, uint64_t *done)
{
    uint64_t first = mem_hpa(mem, offset).raw, run = 0;
    for (unsigned i = 0; i < RUN_PIECES && run < left; i++) {
        if (mem_hpa(mem, offset + run).raw != first + run)
            break;
        run += 1ull << mem_map_shift(mem, offset + run, at + run, left - run);
    }
    unsigned tag = tag_of(guest, mem);
    if (tag == NESTED_TAGS)
        return LEAT_ENOMEM;
    int error = virt->nested_map(guest->nested, gpa(at), hpa(first), run, prot, tag);
    if (error == LEAT_OK) {
        guest->mem_pages[tag] += run / LEAT_PAGE_SIZE;
        *done = run;
    }
    return error;
}

static int map(struct guest *guest, struct mem *mem, uint64_t at, uint64_t offset, uint64_t size,
               uint32_t prot)
{
    for (uint64_t done = 0; done < size;) {
        uint64_t run = 0;
        int error = map_run(guest, mem, at + done, offset + done, size - done, prot, &run);
        if (error != LEAT_OK) {
            if (done)
                unmap(guest, at, done); /* as it was mapped: splits no page, cannot fail */
            return error;
        }
        done += run;
        sched_preempt_point();
    }
    return LEAT_OK;
}

SYSCALL(guest_map)
{
    uint64_t at = args[2], offset = args[3], size = args[4], prot = args[5];
    struct guest *guest = guest_of(object);
    struct object *mem_object HELD = NULL;
    if (!is_guest_range(at, size) || (offset & (LEAT_PAGE_SIZE - 1)) || (prot & ~PROT_ALL) ||
        !(prot & LEAT_PROT_READ))
        return LEAT_EINVAL;
    /* The rights have the values of the prot bits: see mem_map. */
    int error = syscall_get(self, args[1], OBJECT_MEM, (uint32_t)prot, &mem_object);
    if (error != LEAT_OK)
        return error;
    struct mem *mem = mem_of(mem_object);
    if (offset > mem->size || size > mem->size - offset)
        return LEAT_ERANGE;
    if (mem->cache != LEAT_CACHE_WB)
        return LEAT_EINVAL; /* nested pages are write-back */
    if (guest->busy)
        return LEAT_EBUSY;
    guest->busy = true;
    error = map(guest, mem, at, offset, size, (uint32_t)prot);
    guest->busy = false;
    drop_unmapped(guest);
    return error;
}

SYSCALL(guest_unmap)
{
    struct guest *guest = guest_of(object);
    if (!is_guest_range(args[1], args[2]))
        return LEAT_EINVAL;
    if (guest->busy)
        return LEAT_EBUSY;
    guest->busy = true;
    int error = unmap(guest, args[1], args[2]);
    guest->busy = false;
    drop_unmapped(guest);
    return error;
}

SYSCALL(guest_doorbell)
{
    struct object *notif = NULL, *unused HELD = NULL;
    struct notif *old;
    if (args[1] > UINT16_MAX || (args[3] & ~NOTIF_VALID_BITS))
        return LEAT_EINVAL;
    int error =
        args[2] ? syscall_get(self, args[2], OBJECT_NOTIF, LEAT_RIGHT_WAIT, &notif) : LEAT_OK;
    if (error != LEAT_OK)
        return error;
    error = doorbell_set(&guest_of(object)->doorbells, (uint16_t)args[1],
                         notif ? notif_of(notif) : NULL, args[3], &old);
    unused = error != LEAT_OK ? notif : old ? &old->object : NULL;
    return error;
}

SYSCALL(guest_cpuid)
{
    struct leat_cpuid_entry entries[GUEST_CPUID_ENTRIES];
    if (args[2] > GUEST_CPUID_ENTRIES)
        return LEAT_EINVAL;
    if (!user_copy_in(entries, args[1], args[2] * sizeof(entries[0])))
        return LEAT_EFAULT;
    return guest_cpuid_set(guest_of(object)->cpuid, entries, args[2]);
}
