// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guests: a guest-physical address space, doorbells and what CPUID answers, shared by the guest's
 * vCPUs.
 */
#ifndef KERNEL_GUEST_H
#define KERNEL_GUEST_H

#include "kernel/doorbell.h"
#include "kernel/guest_cpuid.h"
#include "kernel/object.h"
#include "kernel/virt.h"

struct mem;

struct guest {
    struct object object;
    struct nested *nested;
    struct guest_cpuid *cpuid;
    uint64_t vcpus; /* bit n: a vCPU with index n exists */
    bool busy;      /* a map or unmap is under way and has let others run */
    /* What is mapped: tag n of the nested tables stands for mems[n], a reference while its pages are
       > 0. */
    struct mem *mems[NESTED_TAGS];
    uint64_t mem_pages[NESTED_TAGS];
    struct doorbells doorbells;
};

static inline struct guest *guest_of(struct object *object)
{
    return (struct guest *)object;
}

#endif
