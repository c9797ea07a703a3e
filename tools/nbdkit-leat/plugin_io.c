// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/plugin_io.h"

#include <errno.h>

#include "tools/nbdkit-leat/image_wait.h"
#include "tools/nbdkit-leat/peers.h"

#define EXTENTS_AT_ONCE 16384u /* an answer may be shorter than what was asked for */
#define ZEROS_BYTES 65536u

static const char zeros[ZEROS_BYTES];

static bool is_vain(const void *lease)
{
    return peers_are_quitting() || lease_is_vain(lease);
}

/* Others' clients take this for an error of their disk's: it is said when the connection is cut, if it can be. */
static int shut_down(const struct connection *c)
{
    peers_await_cut(c->visit);
    errno = ESHUTDOWN;
    return -1;
}

/* Around each use of the disk. */
static bool begin(const struct connection *c)
{
    image_wait_unless(is_vain, c->lease);
    return lease_enter(c->lease) || !shut_down(c);
}

/* An error as nbdkit wants it. A lease that is gone is said as such, whatever else has failed. */
static int end(const struct connection *c, int error)
{
    if (atomic_load(&c->lease->is_gone))
        error = -ESHUTDOWN;
    else if (error == -ESHUTDOWN)
        lease_give_up(c->lease);
    lease_leave(c->lease);
    if (error == -ESHUTDOWN)
        return shut_down(c);
    errno = -error;
    return error ? -1 : 0;
}

int leat_pread(void *handle, void *to, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *c = handle;
    (void)flags;
    if (!begin(c))
        return -1;
    atomic_fetch_add_explicit(&c->lease->read, count, memory_order_relaxed);
    return end(c, disk_read(&c->lease->disk, to, count, offset));
}

static int end_change(struct connection *c, uint32_t flags, int error)
{
    if (!error && flags & NBDKIT_FLAG_FUA)
        error = difference_flush(c->lease->disk.difference);
    return end(c, error);
}

int leat_pwrite(void *handle, const void *from, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *c = handle;
    if (!begin(c))
        return -1;
    atomic_fetch_add_explicit(&c->lease->written, count, memory_order_relaxed);
    return end_change(c, flags, difference_write(c->lease->disk.difference, from, count, offset));
}

int leat_flush(void *handle, uint32_t flags)
{
    struct connection *c = handle;
    (void)flags;
    if (!begin(c))
        return -1;
    return end(c, c->lease->disk.is_writable ? difference_flush(c->lease->disk.difference) : 0);
}

int leat_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *c = handle;
    if (!begin(c))
        return -1;
    return end_change(c, flags, difference_trim(c->lease->disk.difference, count, offset));
}

/* Without MAY_TRIM the room must be there afterwards: zeros are written as data. */
static int write_zeros(struct difference *difference, uint64_t count, uint64_t offset)
{
    int error = 0;
    while (count && !error) {
        size_t n = ZEROS_BYTES - offset % ZEROS_BYTES;
        if (n > count)
            n = count;
        error = difference_write(difference, zeros, n, offset);
        offset += n;
        count -= n;
    }
    return error;
}

int leat_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *c = handle;
    if (!begin(c))
        return -1;
    struct difference *difference = c->lease->disk.difference;
    if (flags & NBDKIT_FLAG_MAY_TRIM)
        return end_change(c, flags, difference_zero(difference, count, offset));
    if (flags & NBDKIT_FLAG_FAST_ZERO)
        return end(c, -EOPNOTSUPP);
    return end_change(c, flags, write_zeros(difference, count, offset));
}

static int add_extents(struct disk *disk, uint64_t offset, uint64_t end_at, uint32_t flags,
                       struct nbdkit_extents *extents)
{
    for (unsigned i = 0; offset < end_at && i < EXTENTS_AT_ONCE; i++) {
        bool hole, zero;
        uint64_t next;
        int error = disk_extent(disk, end_at - offset, offset, &hole, &zero, &next);
        if (error)
            return error;
        uint32_t type = (hole ? NBDKIT_EXTENT_HOLE : 0) | (zero ? NBDKIT_EXTENT_ZERO : 0);
        if (nbdkit_add_extent(extents, offset, next - offset, type))
            return -errno;
        offset = next;
        if (flags & NBDKIT_FLAG_REQ_ONE)
            break;
    }
    return 0;
}

int leat_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                 struct nbdkit_extents *extents)
{
    struct connection *c = handle;
    if (!begin(c))
        return -1;
    return end(c, add_extents(&c->lease->disk, offset, offset + count, flags, extents));
}
