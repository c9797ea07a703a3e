// SPDX-License-Identifier: BSD-2-Clause
/*
 * Basic types of the Leat ABI. Freestanding: only <stdint.h>, <stddef.h>, <stdbool.h>.
 *
 * The three address kinds are distinct struct types so that mixing them does not compile.
 * They are used inside programs; structures that cross a protection boundary carry plain uint64_t
 * fields whose names end in the kind (foo_gpa, foo_hpa).
 */
#ifndef LEAT_TYPES_H
#define LEAT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t raw;
} hpa_t; /* host-physical address */

typedef struct {
    uint64_t raw;
} gpa_t; /* guest-physical address */

typedef struct {
    uint64_t raw;
} gva_t; /* guest-virtual (linear) address */

static inline hpa_t hpa(uint64_t raw) { return (hpa_t){raw}; }
static inline gpa_t gpa(uint64_t raw) { return (gpa_t){raw}; }
static inline gva_t gva(uint64_t raw) { return (gva_t){raw}; }

#define LEAT_PAGE_SIZE 4096ull
#define LEAT_LARGE_PAGE_SIZE (2ull << 20)

enum leat_prot { /* of mem_map and guest_map; WRITE and EXEC together is refused in mem_map (W^X) */
    LEAT_PROT_READ = 1u << 0,
    LEAT_PROT_WRITE = 1u << 1,
    LEAT_PROT_EXEC = 1u << 2,
};

/* A capability: an index into the calling domain's handle table. 0 is never a valid handle. */
typedef uint32_t leat_handle_t;

/* Every system call and every library function of ring 3 that can fail returns one of these. */
enum leat_error {
    LEAT_OK = 0,
    LEAT_EINVAL = -1,    /* an argument is out of its documented range */
    LEAT_EBADF = -2,     /* no such handle, or a handle of another kind */
    LEAT_EPERM = -3,     /* the handle lacks the right */
    LEAT_ENOMEM = -4,    /* the domain's quota or the machine's memory is used up */
    LEAT_EFAULT = -5,    /* a user pointer is not mapped as needed */
    LEAT_ETIMEDOUT = -6, /* the deadline passed */
    LEAT_EBUSY = -7,     /* already in use: bound, mapped, running */
    LEAT_ENOSYS = -8,    /* no such call, or the CPU cannot do it */
    LEAT_ENOENT = -9,    /* the thing named does not exist */
    LEAT_EIO = -10,      /* a device, server or disk failed */
    LEAT_EDEAD = -11,    /* the object's domain or peer has died */
    LEAT_ERANGE = -12,   /* offset or length outside the object */
    LEAT_EAGAIN = -13,   /* would have to wait */
    LEAT_EPROTO = -14,   /* a peer broke the protocol */
    LEAT_EROFS = -15,    /* write to something read-only */
    LEAT_ENOSPC = -16,   /* no room is left for what is to be written */
};

#endif
