// SPDX-License-Identifier: BSD-2-Clause
/* A connection that has an export open, and nbdkit's calls that read and write it. */
#ifndef NBDKIT_LEAT_PLUGIN_IO_H
#define NBDKIT_LEAT_PLUGIN_IO_H

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <sys/socket.h>

#include "tools/nbdkit-leat/lease.h"

struct connection {
    struct lease *lease;
    struct visit *visit;
    struct connection *next, **at; /* of its lease */
};

/* As nbdkit-plugin(3) has them: 0, or -1 with errno. */
int leat_pread(void *handle, void *to, uint32_t count, uint64_t offset, uint32_t flags);
int leat_pwrite(void *handle, const void *from, uint32_t count, uint64_t offset, uint32_t flags);
int leat_flush(void *handle, uint32_t flags);
int leat_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags);
int leat_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags);
int leat_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                 struct nbdkit_extents *extents);

#endif
