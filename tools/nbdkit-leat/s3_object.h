// SPDX-License-Identifier: BSD-2-Clause
/* An object of an S3 bucket, read by HTTP requests with AWS's signature (version 4, made by libcurl). Any thread may read. */
#ifndef NBDKIT_LEAT_S3_OBJECT_H
#define NBDKIT_LEAT_S3_OBJECT_H

#include <pthread.h>
#include <stdint.h>

#include "tools/nbdkit-leat/s3_settings.h"

#define S3_URL (S3_TEXT + S3_BUCKET + S3_KEY + 3)

struct s3_transfer;

struct s3_object {
    struct s3_settings settings;
    char url[S3_URL];
    char same[S3_TEXT]; /* a header: only as long as it is the object that was opened */
    uint64_t size;
    pthread_mutex_t lock;
    struct s3_transfer *idle; /* connections that nobody uses now */
};

/* Asks for the object's size and tag (ETag); without a tag it cannot be told from another one, and is refused.
   settings, bucket and key as s3_settings.h has them. NULL: error has one sentence. */
struct s3_object *s3_open(const struct s3_settings *settings, const char *bucket, const char *key,
                          char error[S3_ERROR]);
/* What tells the object from another one of its name: as long as the object is open. */
const char *s3_tag(const struct s3_object *object);
void s3_close(struct s3_object *object);

/* Inside of the size. 0 or -errno, with a sentence. Tried again while the server is not well, for 28 s: who reads waits
   for 30 (image_wait.h). */
int s3_read(struct s3_object *object, void *to, uint32_t count, uint64_t offset,
            char error[S3_ERROR]);

#endif
