// SPDX-License-Identifier: BSD-2-Clause
/*
 * Extended page tables: one guest's map from guest-physical to host-physical memory. SDM vol.
 * 3, 29.3.
 *
 * Portable: knows no CPU instruction and no allocator; the three ept_frame_* functions come from
 * the kernel (vmx/nested.c) or from a test. Not thread-safe. After ept_unmap the caller must INVEPT
 * before it lets go of the memory that was mapped.
 */
#ifndef ARCH_X86_64_VMX_EPT_H
#define ARCH_X86_64_VMX_EPT_H

#include <leat/types.h>

#define EPT_READ (1ull << 0)
#define EPT_WRITE (1ull << 1)
#define EPT_EXEC (1ull << 2)
#define EPT_RIGHTS (EPT_READ | EPT_WRITE | EPT_EXEC)

/* Each leaf carries a small number of the caller's, in bits that the CPU ignores (56:52); unmapping
   counts 4 KiB pages by tag, so that the caller knows which of its objects are still mapped. */
#define EPT_TAGS 32u

struct ept {
    uint64_t root_hpa;  /* the top table */
    unsigned max_level; /* of a leaf: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB, as the CPU can */
    void *owner;        /* for ept_frame_new */
};

/* A zeroed page for a table. false: none left. */
bool ept_frame_new(struct ept *ept, uint64_t *hpa_out);
void ept_frame_free(struct ept *ept, uint64_t hpa);
uint64_t *ept_frame_at(uint64_t hpa); /* where the kernel sees it */

/* LEAT_ENOMEM. ept->max_level and ept->owner are set by the caller before. */
int ept_init(struct ept *ept);
void ept_destroy(struct ept *ept);

/* gpa, hpa, size: multiples of 4 KiB, gpa + size <= 2^48. rights: READ, perhaps WRITE and EXEC. The
   largest pages that fit are used. LEAT_EBUSY: something is mapped there; LEAT_ENOMEM: in both
   cases the range is as it was before. */
int ept_map(struct ept *ept, uint64_t gpa, uint64_t hpa, uint64_t size, uint64_t rights,
            unsigned tag);

/* Removes whatever is mapped in the range, splitting large pages at its ends; adds the number of 4
   KiB pages removed to pages[tag]. LEAT_ENOMEM: a split had no memory, and nothing was removed. */
int ept_unmap(struct ept *ept, uint64_t gpa, uint64_t size, uint64_t pages[EPT_TAGS]);

/* The leaf entry that maps gpa (address, rights and all), 0 if none; *level as max_level. */
uint64_t ept_find(const struct ept *ept, uint64_t gpa, unsigned *level);

#endif
