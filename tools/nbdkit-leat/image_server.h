// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who serves an image by NBD: a server that is there, or a child of ours with one connection. A child has bounded memory, and
 * ends with its connection, with the thread that has started it, and with this process, however that ends.
 */
#ifndef NBDKIT_LEAT_IMAGE_SERVER_H
#define NBDKIT_LEAT_IMAGE_SERVER_H

#include "tools/nbdkit-leat/image.h"

#define IMAGE_SERVER_WORDS 32u
#define IMAGE_SERVER_MADE 6u
#define IMAGE_SERVER_MEMORY (512ull << 20) /* of a child, if nothing is said */

enum image_server_kind {
    IMAGE_SERVER_THERE,  /* uri */
    IMAGE_SERVER_STDIO,  /* a child that speaks NBD on its standard input and output */
    IMAGE_SERVER_SOCKET, /* a child that is given a listening socket as systemd does it */
};

struct image_server {
    enum image_server_kind kind;
    const char *argv[IMAGE_SERVER_WORDS]; /* the words are in here, or constant */
    unsigned words, count;                /* of argv; of made */
    char made[IMAGE_SERVER_MADE][GRANT_PATH + 256];
    char uri[GRANT_PATH];
};

/* What the administrator of this server has said. Texts stay the caller's; "" or NULL: nothing. */
struct image_server_settings {
    uint64_t memory;         /* bytes of a child's private memory */
    const char *authorities; /* a PEM file: who may vouch for servers of https:// */
    const char *s3;          /* a file: where S3 buckets are, and keys for them */
    const char *ceph;        /* Ceph's configuration, which names the keyring */
    const char *ceph_user;
};

/* Once, before images are opened. */
void image_server_configure(const struct image_server_settings *settings);

/* False: nobody can serve this; error has one sentence. Must stay where it is: words point into it. */
bool image_server_of(struct image_server *server, const char *name, bool is_uri,
                     enum grant_format format, char error[IMAGE_ERROR]);

struct nbd_handle;

/* A connection, for which a child is started if it takes one; it lives as long as the calling thread at most. NULL: error
   has one sentence. */
struct nbd_handle *image_server_connect(const struct image_server *server, char error[IMAGE_ERROR]);
/* Ends it, and the child. NULL: nothing. */
void image_server_hang_up(struct nbd_handle *h);

#endif
