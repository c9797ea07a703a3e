// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/qcow2.h"

#include <string.h>

/* QEMU's docs/interop/qcow2.txt: magic 0, version 4, backing_file_offset 8, incompatible features 72. */
#define BACKING_AT 8u
#define FEATURES_AT 72u
#define FEATURE_DATA_FILE 4u /* bit 2: external data file */

static uint64_t big_endian(const uint8_t *from, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | from[i];
    return value;
}

const char *qcow2_trouble(const uint8_t *header, size_t size)
{
    if (size < FEATURES_AT || memcmp(header, "QFI\xfb", 4))
        return "it is no qcow2 file";
    uint64_t version = big_endian(header + 4, 4);
    if (version < 2 || version > 3 || (version == 3 && size < QCOW2_HEADER))
        return "it is a qcow2 file of an unknown version";
    if (big_endian(header + BACKING_AT, 8))
        return "it has a backing file; qemu-img convert makes one that stands alone";
    if (version == 3 && big_endian(header + FEATURES_AT, 8) & FEATURE_DATA_FILE)
        return "its data are in another file; qemu-img convert makes one that stands alone";
    return NULL;
}
