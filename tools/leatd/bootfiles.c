// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/bootfiles.h"

#include "tools/leatd/leatd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADDRESS_CONNECTIONS 16u // of one address
#define IDLE_SECONDS 30u

/* The next part of a path, up to '/', into name. False: it may not be part of one. */
static bool next_part(const char **path, char *name, size_t most)
{
    size_t size = strcspn(*path, "/");
    if (!size || size >= most || (*path)[0] == '.')
        return false;
    memcpy(name, *path, size);
    name[size] = 0;
    *path += size;
    return true;
}

/* Regular, and readable for all: what its owner keeps to himself is not for the network either. */
static bool may_give(int file, uint64_t *size)
{
    struct stat found;
    if (fstat(file, &found) || !S_ISREG(found.st_mode) || !(found.st_mode & S_IROTH))
        return false;
    *size = (uint64_t)found.st_size;
    return true;
}

int bootfiles_find(int folder, const char *path, uint64_t *size)
{
    char name[NAME_MAX + 1];
    int at = dup(folder);
    while (at >= 0 && *path++ == '/' && next_part(&path, name, sizeof name)) {
        bool is_last = !*path;
        // O_NONBLOCK: opening a FIFO would wait for its writer.
        int below = openat(
            at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (is_last ? 0 : O_DIRECTORY));
        close(at);
        at = below;
        if (is_last && at >= 0 && may_give(at, size))
            return at;
        if (is_last)
            break;
    }
    if (at >= 0)
        close(at);
    return -1;
}

/* Digits alone. False: none, or more than fit. */
static bool number(const char **text, uint64_t *out)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    *text = end;
    return !errno;
}

int bootfiles_range(const char *value, uint64_t size, uint64_t *first, uint64_t *count)
{
    uint64_t last = UINT64_MAX;
    if (strncmp(value, "bytes=", 6))
        return 0;
    value += 6;
    if (*value == '-') { // so many from its end
        value++;
        if (!number(&value, count) || *value)
            return 0;
        *count = *count < size ? *count : size;
        *first = size - *count;
        return *count ? 1 : -1;
    }
    if (!number(&value, first) || *value++ != '-')
        return 0;
    if (*value && (!number(&value, &last) || *value || last < *first))
        return 0;
    if (*first >= size)
        return -1;
    *count = last - *first < size - *first ? last - *first + 1 : size - *first;
    return 1;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static bool ends_in(const char *text, const char *end)
{
    size_t size = strlen(text), most = strlen(end);
    return size >= most && !strcmp(text + size - most, end);
}

static enum MHD_Result give(struct MHD_Connection *connection, const char *path, int file,
                            uint64_t size)
{
    const char *range =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_RANGE);
    // If-Range asks for the whole file unless it is the same as then; nothing here tells files apart.
    if (MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_RANGE))
        range = NULL;
    uint64_t first = 0, count = size;
    int is_part = range ? bootfiles_range(range, size, &first, &count) : 0;
    if (is_part < 0) {
        close(file);
        return refuse(connection, MHD_HTTP_RANGE_NOT_SATISFIABLE, "it has no such bytes\n");
    }
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(count, file, first);
    if (!response) {
        close(file);
        return MHD_NO;
    }
    char text[80];
    snprintf(text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)first,
             (unsigned long long)(first + count - 1), (unsigned long long)size);
    if (is_part)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, text);
    // UEFI 2.10, 24.7.3: what firmware takes for a UEFI program
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            ends_in(path, ".efi") ? "application/efi" : "application/octet-stream");
    MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result result =
        MHD_queue_response(connection, is_part ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK, response);
    MHD_destroy_response(response); // closes the file when it has gone out
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *data, size_t *data_size, void **slot)
{
    const struct leatd *leatd = context;
    static int begun;
    uint64_t size;
    (void)version;
    (void)data;
    if (!*slot) { // the headers alone: an answer now would close the connection
        *slot = &begun;
        return MHD_YES;
    }
    if (*data_size) {
        *data_size = 0; // of a body, which nothing here wants
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    int file = bootfiles_find(leatd->boot_folder, path, &size);
    return file < 0 ? refuse(connection, MHD_HTTP_NOT_FOUND, "there is no such file here\n")
                    : give(connection, path, file, size);
}

unsigned bootfiles_files(const struct leatd *leatd)
{
    return leatd->config.boot.ss_family == AF_UNSPEC ? 0 : 2 * BOOTFILES_CONNECTIONS;
}

bool bootfiles_open(struct leatd *leatd, char *error)
{
    const struct config *config = &leatd->config;
    const struct sockaddr *address = (const struct sockaddr *)&config->boot;
    if (!bootfiles_files(leatd))
        return true;
    leatd->boot_folder = open(config->boot_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (leatd->boot_folder < 0) {
        snprintf(error, CONFIG_ERROR_BYTES,
                 "[boot] folder %.120s: %.60s (leatctl netboot makes it)", config->boot_folder,
                 strerror(errno));
        return false;
    }
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | (address->sa_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    leatd->boot_daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, leatd, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_CONNECTION_LIMIT, BOOTFILES_CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        ADDRESS_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!leatd->boot_daemon)
        snprintf(error, CONFIG_ERROR_BYTES,
                 "the boot files cannot be served: is the port of [boot] listen in use?");
    return leatd->boot_daemon;
}

void bootfiles_close(struct leatd *leatd)
{
    if (!leatd->boot_daemon)
        return;
    MHD_stop_daemon(leatd->boot_daemon);
    close(leatd->boot_folder);
    leatd->boot_daemon = NULL;
}
