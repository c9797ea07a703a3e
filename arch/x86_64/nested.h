// SPDX-License-Identifier: BSD-2-Clause
/*
 * Nested page tables: one guest's map from guest-physical to host-physical memory, in the form that
 * the back end's CPUs want: EPT (SDM vol. 3, 29.3) or NPT (AMD APM vol. 2, 15.25).
 *
 * nested.c is portable: it knows no CPU instruction and no allocator; the three nested_frame_*
 * functions come from the kernel (nested_ops.c) or from a test. Called with the kernel's lock held.
 * After nested_unmap the caller must flush before it lets go of the memory that was mapped.
 */
#ifndef ARCH_X86_64_NESTED_H
#define ARCH_X86_64_NESTED_H

#include <leat/syscall.h>
#include <leat/types.h>

struct quota;

/* Each leaf carries a small number of the caller's, in bits that the CPU ignores (56:52); unmapping
   counts 4 KiB pages by tag, so that the caller knows which of its objects are still mapped. */
#define NESTED_TAG_NUMBERS 32u

#define NESTED_LARGE (1ull << 7) /* leaf above level 1, in both forms */
#define NESTED_ADDRESS 0x000ffffffffff000ull

struct nested_format {
    uint64_t present; /* any of these bits: the entry leads somewhere */
    uint64_t table;   /* flags of an entry that points to a table: the leaf alone decides */
    uint64_t leaf;    /* flags of every leaf, readable */
    uint64_t write, exec, no_exec; /* added to a leaf that is writable, executable, not so */
};
extern const struct nested_format nested_ept, nested_npt;

struct nested {
    const struct nested_format *format;
    uint64_t root_hpa;  /* the top table */
    unsigned max_level; /* of a leaf: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB, as the CPU can */
    void *owner;        /* for nested_frame_new */
    /* The back end's: CPUs (bit n: CPU n) that a flush must reach; how many flushes there were. */
    uint64_t cpus, generation;
};

/* A zeroed page for a table. false: none left. */
bool nested_frame_new(struct nested *nested, uint64_t *hpa_out);
void nested_frame_free(struct nested *nested, uint64_t hpa);
uint64_t *nested_frame_at(uint64_t hpa); /* where the kernel sees it */

/* LEAT_ENOMEM. format, max_level and owner are set by the caller before. */
int nested_init(struct nested *nested);
void nested_free_tables(struct nested *nested);

/* As nested_map, nested_unmap of kernel/virt.h. The largest pages that fit are used; unmapping splits large
   pages at the range's ends. */
int nested_map(struct nested *nested, gpa_t at, hpa_t to, uint64_t size, uint32_t prot,
               unsigned tag);
int nested_unmap(struct nested *nested, gpa_t at, uint64_t size,
                 uint64_t pages[NESTED_TAG_NUMBERS]);

/* The leaf entry that maps gpa (address, rights and all), 0 if none; *level as max_level. */
uint64_t nested_find(const struct nested *nested, uint64_t gpa, unsigned *level);

/* nested_ops.c: for the back ends' nested_create, and their nested_destroy. */
int nested_make(const struct nested_format *format, unsigned max_level, struct quota *payer,
                struct nested **made);
void nested_destroy(struct nested *nested);

#endif
