// SPDX-License-Identifier: BSD-2-Clause
/*
 * Boot profiles while the service lives: kept here when the last disk of an image ends, given back when a disk of it
 * comes again. Portable. (With a local store the engine keeps them there too: over a reboot.)
 */
#ifndef VDISK_SERVICE_PROFILES_H
#define VDISK_SERVICE_PROFILES_H

#include "vdisk/vdisk.h"

#define PROFILES_BYTES (4u << 20) /* of all that is kept; the oldest goes */

/* A disk has been attached, and is its image's only one: streams the profile that is kept of the image, or else that of the
   local store, or else `file` (size 0: none), whatever that holds. NULL: good; else why the file is not used, for people. */
const char *profiles_begin(struct vdisk_disk *disk, const void *file, size_t size);
/* Keeps what the engine has that is new. Cheap when there is nothing. name: of the disk, for profiles_unsent. */
void profiles_keep(struct vdisk_disk *disk, const char *name);
/* The disk is about to be detached, and is its image's only one. */
void profiles_end(struct vdisk_disk *disk, const char *name);

/* Copies a kept profile that was recorded here and has not been asked for by this yet, the oldest first; size: of data, larger
   ones are left out. Returns its size and, until the next profile is kept, the name of a disk of the image; 0: there
   is none. */
size_t profiles_unsent(void *data, size_t size, const char **name);

/* Do the two disks show the same image, as far as their configuration tells? */
bool profiles_same_image(const struct vdisk_config *a, const struct vdisk_config *b);

#endif
