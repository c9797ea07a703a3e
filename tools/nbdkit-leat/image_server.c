// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/image_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/nbdkit-leat/qcow2.h"

/* Without --persistent qemu-nbd ends when its one client has gone, also when that is killed. */
static const char *const qemu_words[] = {"qemu-nbd", "--read-only", "--format=qcow2", NULL};
/* The filter exitlast does the same for nbdkit. */
static const char *const http_words[] = {
    "nbdkit", "--foreground", "--readonly", "--filter=exitlast", "curl", NULL};

static bool starts(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

static bool check_qcow2(const char *path, char error[IMAGE_ERROR])
{
    uint8_t header[QCOW2_HEADER];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : pread(fd, header, sizeof header, 0);
    const char *trouble = size < 0 ? strerror(errno) : qcow2_trouble(header, (size_t)size);
    if (fd >= 0)
        close(fd);
    if (trouble)
        snprintf(error, IMAGE_ERROR, "%.120s cannot be served: %s", path, trouble);
    return !trouble;
}

static void use(struct image_server *server, const char *const *words, const char *prefix,
                const char *name)
{
    unsigned i = 0;
    for (; words[i]; i++)
        server->argv[i] = words[i];
    snprintf(server->name, sizeof server->name, "%s%s", prefix, name);
    server->argv[i++] = server->name;
    server->argv[i] = NULL;
}

bool image_server_of(struct image_server *server, const char *name, bool is_uri,
                     enum grant_format format, char error[IMAGE_ERROR])
{
    memset(server, 0, sizeof *server);
    if (!is_uri && format == GRANT_QCOW2) {
        use(server, qemu_words, "", name);
        return check_qcow2(name, error);
    }
    if (is_uri && format == GRANT_RAW && (starts(name, "http://") || starts(name, "https://"))) {
        use(server, http_words, "url=", name);
        return true;
    }
    if (is_uri && format == GRANT_RAW &&
        (starts(name, "nbd://") || starts(name, "nbds://") || starts(name, "nbd+unix://") ||
         starts(name, "nbds+unix://"))) {
        snprintf(server->uri, sizeof server->uri, "%s", name);
        return true;
    }
    /* The URI may hold a password: it is not said. */
    snprintf(error, IMAGE_ERROR,
             "the image cannot be served: raw and qcow2 files can, and raw images by nbd:// and "
             "http(s)://");
    return false;
}
