// SPDX-License-Identifier: BSD-2-Clause
/* What difference.c and diff_data.c share. */
#ifndef NBDKIT_LEAT_DIFF_INSIDE_H
#define NBDKIT_LEAT_DIFF_INSIDE_H

#include <stdatomic.h>

#include "tools/nbdkit-leat/difference.h"
#include "tools/nbdkit-leat/ranges.h"

struct difference {
    struct diff_device device;
    struct diff_below below;
    struct diff_header header;
    unsigned header_copy;
    bool is_writable;
    uint64_t limit;
    struct diff_map map;
    struct ranges writing;
    atomic_bool is_spoilt;
    /* Flushes: one runs, and serves all that have asked before it began. */
    pthread_mutex_t flush_lock;
    pthread_cond_t flushed;
    uint64_t begun, ended;
    bool is_flushing;
};

#endif
