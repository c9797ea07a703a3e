// SPDX-License-Identifier: BSD-2-Clause
/* leat-nbd's command line. */
#ifndef VDISK_LEAT_NBD_OPTIONS_H
#define VDISK_LEAT_NBD_OPTIONS_H

#include "vdisk/vdisk.h"

#define OPTION_CLIENTS 16u

struct options {
    struct vdisk_limits limits;
    struct vdisk_config config;
    const char *psk, *ca, *certificate, *key, *tls_name; /* files, but for tls_name; or NULL */
    const char *socket_path;                             /* NULL: a TCP port */
    struct option_client {
        char export_name[256];
        const char *socket_path;
    } clients[OPTION_CLIENTS]; /* of mode server; else as one of no export, on socket_path */
    unsigned client_count;
    const char *profile_path; /* NULL: none */
    const char *store_path;   /* NULL: no local store */
    uint64_t store_bytes;     /* a smaller file is made so large */
    bool must_format;
    uint16_t port;
};

/* Ends the program, with the usage, when the command line makes no sense. */
void options_parse(struct options *o, int argc, char **argv);

#endif
