// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/s3_settings.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

struct reading {
    struct s3_settings *settings;
    const char *bucket;
    char wrong[S3_TEXT]; /* the first key that is none, or whose value is too long */
    bool has_own;        /* the bucket's section has been met: the default's values are not its */
};

bool s3_split(const char *uri, char bucket[S3_BUCKET], char key[S3_KEY])
{
    if (strncmp(uri, "s3://", 5))
        return false;
    const char *begin = uri + 5, *slash = strchr(begin, '/');
    size_t length = slash ? (size_t)(slash - begin) : 0;
    if (!length || length >= S3_BUCKET || strspn(begin, LETTERS ".-") != length)
        return false;
    /* These are the letters that a path's signature and a path have alike (RFC 3986, 2.3, and the slash). */
    if (!slash[1] || strlen(slash + 1) >= S3_KEY || slash[1 + strspn(slash + 1, LETTERS "-._~/")])
        return false;
    snprintf(bucket, S3_BUCKET, "%.*s", (int)length, begin);
    strcpy(key, slash + 1);
    return true;
}

static char *find(struct s3_settings *settings, const char *name)
{
    const struct {
        const char *name;
        char *value;
    } known[] = {{"endpoint", settings->endpoint},
                 {"region", settings->region},
                 {"access_key", settings->access_key},
                 {"secret_key", settings->secret_key},
                 {"ca", settings->ca}};
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(known[i].name, name))
            return known[i].value;
    return NULL;
}

static int on_line(void *context, const char *section, const char *name, const char *value)
{
    struct reading *reading = context;
    struct s3_settings unused;
    bool is_own = !strcmp(section, reading->bucket);
    bool is_wanted = is_own || (!strcmp(section, "default") && !reading->has_own);
    if (is_own && !reading->has_own)
        memset(reading->settings, 0, sizeof *reading->settings);
    reading->has_own = reading->has_own || is_own;
    char *to = find(is_wanted ? reading->settings : &unused, name);
    if (!to || strlen(value) >= S3_TEXT) {
        snprintf(reading->wrong, sizeof reading->wrong, "%.60s in [%.60s]", name, section);
        return 0;
    }
    strcpy(to, value);
    return 1;
}

/* Of the file itself; NULL: nothing. */
static const char *trouble_of(const char *file)
{
    struct stat about;
    if (stat(file, &about))
        return strerror(errno);
    return about.st_mode & S_IRWXO ? "it holds keys, and everybody may read it: chmod 640" : NULL;
}

static bool check(const struct s3_settings *s, const char *bucket, char error[S3_ERROR])
{
    const char *wrong = NULL;
    if (strncmp(s->endpoint, "https://", 8) && strncmp(s->endpoint, "http://", 7))
        wrong = "has no endpoint, which begins with https:// or http://";
    else if (!s->access_key[0] != !s->secret_key[0])
        wrong = "has one of access_key and secret_key, which go together";
    if (wrong)
        snprintf(error, S3_ERROR, "the S3 bucket %.60s %s", bucket, wrong);
    return !wrong;
}

bool s3_settings_read(struct s3_settings *settings, const char *file, const char *bucket,
                      char error[S3_ERROR])
{
    struct reading reading = {.settings = settings, .bucket = bucket};
    memset(settings, 0, sizeof *settings);
    const char *trouble = trouble_of(file);
    int line = trouble ? 0 : ini_parse(file, on_line, &reading);
    if (trouble || line < 0)
        snprintf(error, S3_ERROR, "%.100s: %s", file, trouble ? trouble : "it cannot be read");
    else if (line)
        snprintf(error, S3_ERROR, "%.100s, line %d: %s", file, line,
                 reading.wrong[0] ? reading.wrong : "neither [section] nor key = value");
    if (trouble || line)
        return false;
    if (!settings->region[0])
        strcpy(settings->region, "us-east-1");
    size_t length = strlen(settings->endpoint);
    if (length && settings->endpoint[length - 1] == '/')
        settings->endpoint[length - 1] = 0;
    return check(settings, bucket, error);
}
