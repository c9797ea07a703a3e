// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a handle can name. Objects are counted; whoever keeps a pointer over a block or a preemption
 * point keeps a reference. The last object_put destroys, in thread context, and may let other
 * threads run (sched_preempt_point): call it with no half-made state.
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include "kernel/quota.h"

enum object_kind {
    OBJECT_ANY, /* of look-ups only */
    OBJECT_NONE,
    OBJECT_DOMAIN,
    OBJECT_NOTIF,
    OBJECT_MEM,
    OBJECT_IRQ,
    OBJECT_PORTS,
    OBJECT_MACHINE,
    OBJECT_GUEST,
    OBJECT_VCPU,
};

struct object;

struct object_type {
    enum object_kind kind;
    const char *name;
    void (*destroy)(struct object *object); /* releases what it holds and its memory */
};

/* First member of every kernel object. */
struct object {
    const struct object_type *type;
    uint32_t refs;
    struct quota *payer;    /* holds a reference; NULL: nobody pays */
    uint64_t charged_pages; /* given back to payer after destroy */
};

/* A zeroed object of `bytes`, of which struct object is the first member: one reference, the caller's; `pages` are
   charged to payer. NULL: no quota or no memory. */
void *object_new(const struct object_type *type, size_t bytes, struct quota *payer, uint64_t pages);

/* The same of memory that is there; the caller has charged charged_pages to payer already. */
void object_init(struct object *object, const struct object_type *type, struct quota *payer,
                 uint64_t charged_pages);

static inline void object_get(struct object *object)
{
    object->refs++;
}

void object_destroy(struct object *object); /* for object_put only */

static inline void object_put(struct object *object)
{
    if (--object->refs == 0)
        object_destroy(object);
}

/* Of a local variable: the reference in it, if any, is put at the end of its block. */
#define HELD __attribute__((cleanup(object_put_held)))
static inline void object_put_held(struct object **object)
{
    if (*object)
        object_put(*object);
}

#endif
