// SPDX-License-Identifier: BSD-2-Clause
/* A boot profile in a file. */
#ifndef VDISK_LEAT_NBD_PROFILE_FILE_H
#define VDISK_LEAT_NBD_PROFILE_FILE_H

#include "vdisk/vdisk.h"

/* Gives the disk the file's profile. A file that is not there is the first boot; one that is no good
 * is told and not used. */
void profile_file_load(struct vdisk_disk *disk, const char *path);
/* Writes what has become known, if anything has: the whole file or nothing of it. */
void profile_file_save(struct vdisk_disk *disk, const char *path);

#endif
