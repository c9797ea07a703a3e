// SPDX-License-Identifier: BSD-2-Clause
/* Who serves an image by NBD: a server that is there, or a child of ours that ends with its only connection. */
#ifndef NBDKIT_LEAT_IMAGE_SERVER_H
#define NBDKIT_LEAT_IMAGE_SERVER_H

#include "tools/nbdkit-leat/image.h"

#define IMAGE_SERVER_WORDS 12u

struct image_server {
    const char *argv[IMAGE_SERVER_WORDS]; /* [0] NULL: no child; the words are in here */
    char uri[GRANT_PATH];                 /* of a server that is there */
    char name[GRANT_PATH + 8];            /* what a word says */
};

/* False: nobody can serve this; error has one sentence. Must stay where it is: words point into it. */
bool image_server_of(struct image_server *server, const char *name, bool is_uri,
                     enum grant_format format, char error[IMAGE_ERROR]);

#endif
