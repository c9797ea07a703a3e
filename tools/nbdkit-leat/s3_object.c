// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/s3_object.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ALL_TRIES_MS 28000
#define RETRY_MS 200 /* doubled each time */
#define CONNECT_SECONDS 10L
#define SILENT_SECONDS 14L /* of one try */
#define SAME "If-Match: "
#define LONGEST_TAG 200u

/* What a request without a body is signed with: SHA-256 of nothing. libcurl 7.88 does not send it by itself, and S3 wants it. */
#define NOTHING                                                                                    \
    "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* One connection, kept for the next request. */
struct s3_transfer {
    CURL *curl;
    struct curl_slist *headers;
    char *to;
    size_t left;
    struct s3_transfer *next;
};

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct s3_transfer *t = context;
    size_t bytes = size * count;
    if (bytes > t->left)
        return 0; /* more than was asked for: the transfer ends with an error */
    memcpy(t->to, data, bytes);
    t->to += bytes;
    t->left -= bytes;
    return bytes;
}

static void end(struct s3_transfer *t)
{
    curl_slist_free_all(t->headers);
    curl_easy_cleanup(t->curl);
    free(t);
}

static bool add_header(struct s3_transfer *t, const char *header)
{
    struct curl_slist *more = *header ? curl_slist_append(t->headers, header) : t->headers;
    bool ok = more || !*header;
    t->headers = more ? more : t->headers;
    return ok;
}

static void set_keys(CURL *curl, const struct s3_settings *settings)
{
    char provider[S3_TEXT + 16], keys[2 * S3_TEXT];
    if (settings->ca[0])
        curl_easy_setopt(curl, CURLOPT_CAINFO, settings->ca);
    if (!settings->access_key[0])
        return;
    snprintf(provider, sizeof provider, "aws:amz:%s:s3", settings->region);
    snprintf(keys, sizeof keys, "%s:%s", settings->access_key, settings->secret_key);
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, provider);
    curl_easy_setopt(curl, CURLOPT_USERPWD, keys);
    explicit_bzero(keys, sizeof keys);
}

static struct s3_transfer *begin(const struct s3_object *object)
{
    struct s3_transfer *t = calloc(1, sizeof *t);
    CURL *curl = t ? curl_easy_init() : NULL;
    if (!curl) {
        free(t);
        return NULL;
    }
    t->curl = curl;
    bool signs = object->settings.access_key[0];
    if (!add_header(t, signs ? NOTHING : "") || !add_header(t, object->same)) {
        end(t);
        return NULL;
    }
    curl_easy_setopt(curl, CURLOPT_URL, object->url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR,
                     strncmp(object->url, "https:", 6) ? "http" : "https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, SILENT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    set_keys(curl, &object->settings);
    return t;
}

static struct s3_transfer *get(struct s3_object *object)
{
    pthread_mutex_lock(&object->lock);
    struct s3_transfer *t = object->idle;
    if (t)
        object->idle = t->next;
    pthread_mutex_unlock(&object->lock);
    return t ? t : begin(object);
}

static void put(struct s3_object *object, struct s3_transfer *t)
{
    pthread_mutex_lock(&object->lock);
    t->next = object->idle;
    object->idle = t;
    pthread_mutex_unlock(&object->lock);
}

static const char *reason(CURLcode code, long status)
{
    if (code && code != CURLE_WRITE_ERROR)
        return curl_easy_strerror(code);
    switch (status) {
    case 401:
    case 403:
        return "the server does not allow it: are the keys right, and the clock?";
    case 404:
        return "there is no such object";
    case 412:
        return "the object has been replaced by another";
    default:
        return "the server's answer is not what was asked for";
    }
}

/* Whether the same again may succeed. */
static bool is_passing(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK:
        return status == 429 || status >= 500;
    case CURLE_WRITE_ERROR: /* the text of an error, longer than what was asked for */
        return status == 429 || status >= 500;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return false;
    default:
        return true;
    }
}

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* One request, some times. The status that is wanted has all of its bytes. */
static int perform(const struct s3_object *object, struct s3_transfer *t, long wanted, void *to,
                   size_t count, char error[S3_ERROR])
{
    int64_t end = milliseconds() + ALL_TRIES_MS, left = ALL_TRIES_MS;
    for (int64_t pause = RETRY_MS;; pause *= 2) {
        long status = 0;
        t->to = to;
        t->left = count;
        curl_easy_setopt(t->curl, CURLOPT_TIMEOUT_MS, (long)left);
        CURLcode code = curl_easy_perform(t->curl);
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
        if (!code && status == wanted && !t->left)
            return 0;
        left = end - milliseconds() - pause;
        if (left <= 0 || !is_passing(code, status)) {
            snprintf(error, S3_ERROR, "%.140s: %s (status %ld)", object->url, reason(code, status),
                     status);
            return status == 404 ? -ENOENT : -EIO;
        }
        usleep((useconds_t)pause * 1000);
    }
}

int s3_read(struct s3_object *object, void *to, uint32_t count, uint64_t offset,
            char error[S3_ERROR])
{
    char range[64];
    struct s3_transfer *t = count ? get(object) : NULL;
    if (!t) {
        snprintf(error, S3_ERROR, "there is no memory for a request");
        return count ? -ENOMEM : 0;
    }
    snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, offset, offset + count - 1);
    curl_easy_setopt(t->curl, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
    int number = perform(object, t, 206, to, count, error);
    put(object, t);
    return number;
}

static bool note_same(struct s3_object *object, CURL *curl)
{
    struct curl_header *tag;
    if (curl_easy_header(curl, "ETag", 0, CURLH_HEADER, -1, &tag) || !*tag->value ||
        strlen(tag->value) > LONGEST_TAG)
        return false;
    snprintf(object->same, sizeof object->same, SAME "%s", tag->value);
    return true;
}

const char *s3_tag(const struct s3_object *object)
{
    return object->same + strlen(SAME);
}

/* Size and tag. The connection is not kept, since later requests have a header more. */
static int look(struct s3_object *object, char error[S3_ERROR])
{
    curl_off_t size = -1;
    struct s3_transfer *t = begin(object);
    if (!t) {
        snprintf(error, S3_ERROR, "there is no memory for a request");
        return -ENOMEM;
    }
    curl_easy_setopt(t->curl, CURLOPT_NOBODY, 1L);
    int number = perform(object, t, 200, NULL, 0, error);
    if (!number)
        curl_easy_getinfo(t->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    if (!number && size < 0) {
        snprintf(error, S3_ERROR, "%.140s: the server does not say how large it is", object->url);
        number = -EIO;
    }
    object->size = (uint64_t)size;
    if (!number && !note_same(object, t->curl)) {
        snprintf(error, S3_ERROR, "%.140s: the server gives it no ETag to tell it from another",
                 object->url);
        number = -EIO;
    }
    end(t);
    return number;
}

struct s3_object *s3_open(const struct s3_settings *settings, const char *bucket, const char *key,
                          char error[S3_ERROR])
{
    struct s3_object *object = calloc(1, sizeof *object);
    if (!object) {
        snprintf(error, S3_ERROR, "there is no memory for an object");
        return NULL;
    }
    object->settings = *settings;
    pthread_mutex_init(&object->lock, NULL);
    snprintf(object->url, sizeof object->url, "%s/%s/%s", settings->endpoint, bucket, key);
    if (!look(object, error))
        return object;
    s3_close(object);
    return NULL;
}

void s3_close(struct s3_object *object)
{
    for (struct s3_transfer *t; (t = object->idle);) {
        object->idle = t->next;
        end(t);
    }
    explicit_bzero(&object->settings, sizeof object->settings);
    free(object);
}
