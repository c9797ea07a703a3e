// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who serves an image by NBD: a server that is there, or a child of ours with one connection. A child has bounded memory, and
 * ends with its connection, with the thread that has started it, and with this process, however that ends.
 */
#ifndef NBDKIT_LEAT_IMAGE_SERVER_H
#define NBDKIT_LEAT_IMAGE_SERVER_H

#include <stdatomic.h>

#include "tools/nbdkit-leat/image.h"

#define IMAGE_SERVER_WORDS 32u
#define IMAGE_SERVER_MADE 6u
#define IMAGE_SERVER_NAME 160u
#define IMAGE_TAG 256u
#define IMAGE_SERVER_MEMORY (512ull << 20) /* of a child, if nothing is said */

enum image_server_kind {
    IMAGE_SERVER_THERE,  /* uri */
    IMAGE_SERVER_STDIO,  /* a child that speaks NBD on its standard input and output */
    IMAGE_SERVER_SOCKET, /* a child that is given a listening socket as systemd does it */
};

/* What tells an image from another one under the same name, as far as its server says it: an S3 object's tag, which changes
   with its content; of a qcow2 file its inode, size, and when it was written; of all others the size alone. */
struct image_identity {
    int64_t size;
    char tag[IMAGE_TAG];
};

struct image_server {
    enum image_server_kind kind;
    const char *argv[IMAGE_SERVER_WORDS]; /* the words are in here, or constant */
    unsigned words, count;                /* of argv; of made */
    char made[IMAGE_SERVER_MADE][GRANT_PATH + 256];
    char uri[GRANT_PATH];
    char name[IMAGE_SERVER_NAME]; /* of the image, for messages */
    const char *file;             /* what the child reads, in `made`; NULL: no file of ours */
    bool has_tag; /* the child says by the export's description which object it has opened */
    /* The first connection's, and whether the last try has found another one. */
    struct image_identity identity;
    bool is_another;
};

/* What the administrator of this server has said. Texts stay the caller's; "" or NULL: nothing. */
struct image_server_settings {
    uint64_t memory;         /* bytes of a child's private memory */
    const char *authorities; /* a PEM file: who may vouch for servers of https:// */
    const char *s3;          /* a file: where S3 buckets are, and keys for them */
    const char *ceph;        /* Ceph's configuration, which names the keyring */
    const char *ceph_user;
    void (*log)(const char *sentence); /* from any thread; NULL: nobody hears it */
};

/* Once, before images are opened. */
void image_server_configure(const struct image_server_settings *settings);

/* One sentence for the administrator. */
void image_server_log(const char *sentence);

/* False: nobody can serve this; error has one sentence. Must stay where it is: words point into it. */
bool image_server_of(struct image_server *server, const char *name, bool is_uri,
                     enum grant_format format, char error[IMAGE_ERROR]);

struct nbd_handle;

/* What ends a connecting at once: is_wanted, and one written to wake (an eventfd that does not block). */
struct image_server_stop {
    int wake;
    atomic_bool is_wanted;
};

/* A connection, for which a child is started if it takes one; it lives as long as the calling thread at most. The first one
   sets the server's identity. NULL: error has one sentence; so after IMAGE_CONNECT_SECONDS (but for a host's name: the resolver
   has bounds of its own). */
#define IMAGE_CONNECT_SECONDS 30
struct nbd_handle *image_server_connect(struct image_server *server, struct image_server_stop *stop,
                                        char error[IMAGE_ERROR]);
/* The same when that is lost, to the same image: never to another one, of which the log is told once. NULL: not yet. */
struct nbd_handle *image_server_connect_again(struct image_server *server,
                                              struct image_server_stop *stop);
/* Waits so many milliseconds at most (-1: for ever) until there are bytes to move, or it is woken, and moves them. */
void image_server_move(struct nbd_handle *h, struct image_server_stop *stop, int milliseconds);
/* Waits so many milliseconds, unless connecting is to be ended. */
void image_server_pause(struct image_server_stop *stop, int milliseconds);
/* Ends it, and the child. NULL: nothing. */
void image_server_hang_up(struct nbd_handle *h);

#endif
