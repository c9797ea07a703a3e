// SPDX-License-Identifier: BSD-2-Clause
/*
 * The boot folder over plain HTTP, for UEFI HTTP boot: [boot] of the configuration. Everybody on the network may read it, so
 * there are no secrets in it, and nothing else is given out: GET and HEAD of regular files that all users of this host may
 * read, one level or more below the folder, through no symbolic link and nothing whose name begins with a dot. A machine has
 * no key yet when it asks; what it loads is as trustworthy as the network between (docs/netboot.md). A thread of its own serves
 * it, which shares nothing with the rest but the configuration: nobody else waits for the folder's disk.
 */
#ifndef LEATD_BOOTFILES_H
#define LEATD_BOOTFILES_H

#include <stdbool.h>
#include <stdint.h>

struct leatd;

#define BOOTFILES_CONNECTIONS 64u /* at once; others wait until they are taken */

/* The descriptors that it may take: each connection, and the file that goes out on it. 0: it is not there. */
unsigned bootfiles_files(const struct leatd *leatd);

/* Serves, if [boot] listen is there. False with a sentence in error (CONFIG_ERROR_BYTES). */
bool bootfiles_open(struct leatd *leatd, char *error);
void bootfiles_close(struct leatd *leatd);

/*
 * The file of a URL's path, decoded ("/leat.efi"), below `folder`: a descriptor, and its bytes in *size. -1: there is none that
 * may be given out.
 */
int bootfiles_find(int folder, const char *path, uint64_t *size);

/*
 * A field Range (RFC 9110, 14.2) with one range of bytes, for a file of `size` bytes: *first and *count. 1: good; 0: to be
 * ignored, as what has no meaning to us; -1: the file has no such bytes (416).
 */
int bootfiles_range(const char *value, uint64_t size, uint64_t *first, uint64_t *count);

#endif
