// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a difference lies on: a file (diff_file.h), or a model of one that loses power. All functions may be
 * called by several threads at once, block, and return 0 or -errno. What was written is durable
 * when a sync that began after the write's end has returned 0; until then a power cut may leave
 * each 512 bytes of it old or new.
 */
#ifndef NBDKIT_LEAT_DIFF_DEVICE_H
#define NBDKIT_LEAT_DIFF_DEVICE_H

#include <stddef.h>
#include <stdint.h>

struct diff_device {
    void *context;
    int (*read)(void *context, void *to, size_t count, uint64_t offset); /* zeros behind the end */
    int (*write)(void *context, const void *from, size_t count, uint64_t offset);
    int (*sync)(void *context);
    /* Gives room back, if it can; the range then reads as zeros or as before. */
    int (*punch)(void *context, uint64_t count, uint64_t offset);
    int64_t (*used)(void *context); /* bytes that it takes of its file system; negative: -errno */
};

#endif
