// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/image_server.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/nbdkit-leat/qcow2.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define NAME_LETTERS LETTERS "0123456789._-"

static struct image_server_settings settings = {.memory = IMAGE_SERVER_MEMORY};

void image_server_configure(const struct image_server_settings *given)
{
    settings = *given;
}

void image_server_log(const char *sentence)
{
    if (settings.log)
        settings.log(sentence);
}

static bool starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

static bool refuse(char error[IMAGE_ERROR], const char *sentence)
{
    snprintf(error, IMAGE_ERROR, "the image cannot be served: %s", sentence);
    return false;
}

static void add(struct image_server *server, const char *word)
{
    server->argv[server->words++] = word;
    server->argv[server->words] = NULL;
}

__attribute__((format(printf, 2, 3))) static void make(struct image_server *server,
                                                       const char *format, ...)
{
    char *word = server->made[server->count++];
    va_list list;
    va_start(list, format);
    vsnprintf(word, sizeof server->made[0], format, list);
    va_end(list);
    add(server, word);
}

/*
 * What bounds a child: setrlimit(2)'s RLIMIT_DATA counts what it may write to and shares with nobody, its threads' stacks
 * too. It is killed when the thread ends that has made it; sh looks whether that was before the kernel knew of it.
 */
static void add_bounds(struct image_server *server)
{
    static const char *const words[] = {"setpriv", "--pdeathsig", "KILL",
                                        "sh",      "-c",          "[ $PPID = $0 ] && exec \"$@\""};
    add(server, "prlimit");
    if (settings.memory)
        make(server, "--data=%" PRIu64, settings.memory);
    add(server, "--stack=2097152");
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        add(server, words[i]);
    make(server, "%d", (int)getpid());
}

static void add_all(struct image_server *server, const char *const *words)
{
    for (; *words; words++)
        add(server, *words);
}

static bool serve_qcow2(struct image_server *server, const char *path, char error[IMAGE_ERROR])
{
    /* Without --persistent qemu-nbd ends when its one client has gone, also when that is killed. */
    static const char *const words[] = {"qemu-nbd", "--read-only", "--format=qcow2", NULL};
    uint8_t header[QCOW2_HEADER];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : pread(fd, header, sizeof header, 0);
    const char *trouble = size < 0 ? strerror(errno) : qcow2_trouble(header, (size_t)size);
    if (fd >= 0)
        close(fd);
    if (trouble)
        snprintf(error, IMAGE_ERROR, "%.120s cannot be served: %s", path, trouble);
    server->kind = IMAGE_SERVER_SOCKET;
    add_bounds(server);
    add_all(server, words);
    make(server, "%s", path);
    server->file = server->argv[server->words - 1];
    return !trouble;
}

static const char *const nbdkit_words[] = {"nbdkit", "-s", "--readonly", "--threads=8", NULL};

static bool serve_http(struct image_server *server, const char *uri)
{
    /* A server that is away for a moment is no I/O error. One that says nothing is asked twice in the time that a read waits
       (image_wait.h). */
    static const char *const words[] = {"--filter=retry-request",
                                        "curl",
                                        "retry-request-retries=25",
                                        "retry-request-delay=1",
                                        "retry-request-open=false",
                                        "timeout=14",
                                        NULL};
    bool is_safe = starts(uri, "https://");
    server->kind = IMAGE_SERVER_STDIO;
    add_bounds(server);
    add_all(server, nbdkit_words);
    add_all(server, words);
    make(server, "url=%s", uri);
    /* Of where it is sent to, too. */
    add(server, is_safe ? "protocols=https" : "protocols=http,https");
    if (settings.authorities && *settings.authorities)
        make(server, "cainfo=%s", settings.authorities);
    return true;
}

/* Our plugins lie in one folder. */
static bool find_folder(char *folder, size_t room)
{
    Dl_info info;
    if (!dladdr(&settings, &info) || !info.dli_fname || !strchr(info.dli_fname, '/'))
        return false;
    const char *slash = strrchr(info.dli_fname, '/');
    return snprintf(folder, room, "%.*s", (int)(slash - info.dli_fname), info.dli_fname) <
           (int)room;
}

static bool serve_s3(struct image_server *server, const char *uri, char error[IMAGE_ERROR])
{
    char folder[GRANT_PATH];
    if (!settings.s3 || !*settings.s3)
        return refuse(error, "it is in an S3 bucket, and s3=FILE does not say where that is");
    if (!find_folder(folder, sizeof folder))
        return refuse(error, "the folder of Leat's plugins is not known");
    server->kind = IMAGE_SERVER_STDIO;
    add_bounds(server);
    add_all(server, nbdkit_words);
    make(server, "%s/nbdkit-leat-s3-plugin.so", folder);
    make(server, "settings=%s", settings.s3);
    make(server, "url=%s", uri);
    server->has_tag = true;
    return true;
}

static bool is_name(const char *text, size_t length)
{
    return length && length < 128 && strspn(text, NAME_LETTERS) >= length;
}

/* rbd:POOL/IMAGE[@SNAPSHOT]; all three are words of their own for qemu, which commas and equal signs would make more of. */
static bool serve_rbd(struct image_server *server, const char *uri, char error[IMAGE_ERROR])
{
    const char *pool = uri + strlen("rbd:"), *slash = strchr(pool, '/');
    const char *image = slash ? slash + 1 : "", *at = strchr(image, '@');
    size_t length = at ? (size_t)(at - image) : strlen(image);
    if (!slash || !is_name(pool, (size_t)(slash - pool)) || !is_name(image, length) ||
        (at && !is_name(at + 1, strlen(at + 1))))
        return refuse(error, "a Ceph image is written rbd:POOL/IMAGE or rbd:POOL/IMAGE@SNAPSHOT");
    server->kind = IMAGE_SERVER_SOCKET;
    add_bounds(server);
    add(server, "qemu-nbd");
    add(server, "--read-only");
    add(server, "--image-opts");
    make(server, "driver=rbd,pool=%.*s,image=%.*s%s%s,conf=%s%s%s", (int)(slash - pool), pool,
         (int)length, image, at ? ",snapshot=" : "", at ? at + 1 : "",
         settings.ceph && *settings.ceph ? settings.ceph : "/etc/ceph/ceph.conf",
         settings.ceph_user && *settings.ceph_user ? ",user=" : "",
         settings.ceph_user ? settings.ceph_user : "");
    return true;
}

/* The authority of a URI, which ends where its path begins, has a user and a password. */
static bool has_password(const char *uri)
{
    const char *host = strstr(uri, "://");
    host = host ? host + 3 : "";
    const char *colon = memchr(host, ':', strcspn(host, "/?#"));
    return colon && memchr(colon, '@', strcspn(colon, "/?#"));
}

static bool serve_uri(struct image_server *server, const char *uri, char error[IMAGE_ERROR])
{
    static const char *const nbd[] = {"nbd://", "nbds://", "nbd+unix://", "nbds+unix://"};
    if (has_password(uri))
        return refuse(error, "its URI has a password, which stands in the database for all to see");
    if (starts(uri, "http://") || starts(uri, "https://"))
        return serve_http(server, uri);
    if (starts(uri, "s3://"))
        return serve_s3(server, uri, error);
    if (starts(uri, "rbd:"))
        return serve_rbd(server, uri, error);
    for (unsigned i = 0; i < sizeof nbd / sizeof nbd[0]; i++) {
        if (!starts(uri, nbd[i]))
            continue;
        snprintf(server->uri, sizeof server->uri, "%s", uri);
        return true;
    }
    return refuse(error,
                  "raw and qcow2 files can, and raw images by nbd://, http(s)://, s3:// and rbd:");
}

bool image_server_of(struct image_server *server, const char *name, bool is_uri,
                     enum grant_format format, char error[IMAGE_ERROR])
{
    memset(server, 0, sizeof *server);
    snprintf(server->name, sizeof server->name, "%s", name);
    if (is_uri && format == GRANT_RAW)
        return serve_uri(server, name, error);
    if (!is_uri && format == GRANT_QCOW2)
        return serve_qcow2(server, name, error);
    return refuse(error, "a qcow2 image has to be a file of this server");
}
