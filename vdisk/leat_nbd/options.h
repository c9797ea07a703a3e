// SPDX-License-Identifier: BSD-2-Clause
/* leat-nbd's command line. */
#ifndef VDISK_LEAT_NBD_OPTIONS_H
#define VDISK_LEAT_NBD_OPTIONS_H

#include "vdisk/vdisk.h"

struct options {
    struct vdisk_limits limits;
    struct vdisk_config config;
    const char *psk, *ca, *certificate, *key, *tls_name; /* files, but for tls_name; or NULL */
    const char *socket_path;                             /* NULL: a TCP port */
    const char *profile_path;                            /* NULL: none */
    const char *store_path;                              /* NULL: no local store */
    uint64_t store_bytes;                                /* a smaller file is made so large */
    bool must_format;
    uint16_t port;
};

/* Ends the program, with the usage, when the command line makes no sense. */
void options_parse(struct options *o, int argc, char **argv);

#endif
