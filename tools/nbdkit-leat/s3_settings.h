// SPDX-License-Identifier: BSD-2-Clause
/*
 * Where S3 buckets are, and keys for them: an INI file that others than its owner's group cannot read, with a section for each
 * bucket ([default]: all that have none) and the keys
 *
 *     endpoint = https://s3.example.org     region = us-east-1
 *     access_key = ...                      secret_key = ...          ca = /path/of/authorities.pem
 *
 * Without access_key nothing is signed: a bucket for everybody.
 */
#ifndef NBDKIT_LEAT_S3_SETTINGS_H
#define NBDKIT_LEAT_S3_SETTINGS_H

#include <stdbool.h>

#define S3_TEXT 256u
#define S3_BUCKET 64u
#define S3_KEY 1024u
#define S3_ERROR 512u

struct s3_settings {
    char endpoint[S3_TEXT], region[S3_TEXT], access_key[S3_TEXT], secret_key[S3_TEXT], ca[S3_TEXT];
};

/* s3://BUCKET/KEY in two. False: it is none, or has letters that would have to be escaped. */
bool s3_split(const char *uri, char bucket[S3_BUCKET], char key[S3_KEY]);

/* What the file says of a bucket. False with one sentence, which has none of the file's values. */
bool s3_settings_read(struct s3_settings *settings, const char *file, const char *bucket,
                      char error[S3_ERROR]);

#endif
