// SPDX-License-Identifier: BSD-2-Clause
/* nbdkit's calls for an image in an S3 bucket: what nbdkit-leat-plugin.so starts as a child. nbdkit 1.32 has no plugin for it. */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "tools/nbdkit-leat/s3_object.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static struct s3_settings settings;
static char *file;
static char bucket[S3_BUCKET], key[S3_KEY];

static void s3_load(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int s3_config(const char *name, const char *value)
{
    if (!strcmp(name, "settings"))
        return (file = nbdkit_realpath(value)) ? 0 : -1;
    if (strcmp(name, "url")) {
        nbdkit_error("there is no parameter %s; there are url and settings", name);
        return -1;
    }
    if (s3_split(value, bucket, key))
        return 0;
    nbdkit_error(
        "an image in an S3 bucket is written s3://BUCKET/KEY, in letters, digits and -._~/");
    return -1;
}

static int s3_config_complete(void)
{
    char error[S3_ERROR];
    if (!file || !*bucket) {
        nbdkit_error("url=s3://BUCKET/KEY and settings=FILE are needed");
        return -1;
    }
    if (s3_settings_read(&settings, file, bucket, error))
        return 0;
    nbdkit_error("%s", error);
    return -1;
}

static void *s3_plugin_open(int readonly)
{
    char error[S3_ERROR];
    (void)readonly;
    struct s3_object *object = s3_open(&settings, bucket, key, error);
    if (!object)
        nbdkit_error("%s", error);
    return object;
}

static void s3_plugin_close(void *handle)
{
    s3_close(handle);
}

static int64_t s3_get_size(void *handle)
{
    const struct s3_object *object = handle;
    return (int64_t)object->size;
}

/* Which object it is: the one who has started this process compares it with an earlier one's. */
static const char *s3_export_description(void *handle)
{
    return s3_tag(handle);
}

static int s3_pread(void *handle, void *to, uint32_t count, uint64_t offset, uint32_t flags)
{
    char error[S3_ERROR];
    (void)flags;
    int number = s3_read(handle, to, count, offset, error);
    if (!number)
        return 0;
    nbdkit_error("%s", error);
    errno = -number;
    return -1;
}

static struct nbdkit_plugin plugin = {
    .name = "leat-s3",
    .longname = "Leat's S3 images",
    .description = "reads an object of an S3 bucket",
    .load = s3_load,
    .config = s3_config,
    .config_complete = s3_config_complete,
    .config_help = "url=s3://BUCKET/KEY  (required) the image\n"
                   "settings=FILE        (required) where the bucket is, and keys for it",
    .magic_config_key = "url",
    .open = s3_plugin_open,
    .close = s3_plugin_close,
    .get_size = s3_get_size,
    .export_description = s3_export_description,
    .pread = s3_pread,
    .errno_is_preserved = 1,
};

/* nbdkit's macro defines the one function that it looks for, without a declaration. */
struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
