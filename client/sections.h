// SPDX-License-Identifier: BSD-2-Clause
/*
 * The sections of leat.conf that stand for what was chosen: [server], and for each disk a [disk] and a [vm] of its name.
 */
#ifndef CLIENT_SECTIONS_H
#define CLIENT_SECTIONS_H

#include "client/answer.h"

/* Names of files, of LEAT_CLIENT_FILE bytes each: "DISK.kernel". */
void sections_file_name(const struct client_disk *disk, const char *what,
                        char name[LEAT_CLIENT_FILE]);

struct sections_disk { /* one that runs; names: empty: none */
    const struct client_disk *disk;
    const char *kernel, *initrd, *profile;
};

/* psk: "UUID:HEX", or empty: no TLS. False: the text does not fit. */
bool sections_put(struct text *text, const struct client_hello *hello, const char *psk,
                  const struct sections_disk *disks, unsigned count);

#endif
