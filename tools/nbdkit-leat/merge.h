// SPDX-License-Identifier: BSD-2-Clause
/* A new image of an old one and a difference over it. */
#ifndef NBDKIT_LEAT_MERGE_H
#define NBDKIT_LEAT_MERGE_H

#include "tools/nbdkit-leat/disk.h"

/* Writes what the disk reads as to a raw file, sparse and durable, that must not be there yet; it gets its name
   when it is complete. 0 or -errno with one sentence. */
int merge_to(struct disk *disk, const char *path, char error[DIFF_ERROR]);

#endif
