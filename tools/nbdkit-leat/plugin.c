// SPDX-License-Identifier: BSD-2-Clause
/* nbdkit's calls. docs/nbdkit-leat.md says what is served. */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tools/nbdkit-leat/control.h"
#include "tools/nbdkit-leat/cut.h"
#include "tools/nbdkit-leat/lease.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
#define PREFERRED_BYTES 4096u
#define REQUEST_BYTES (32u << 20) /* the NBD protocol's own bound for clients that have not asked */
#define EXTENTS_AT_ONCE 16384u    /* an answer may be shorter than what was asked for */
#define ZEROS_BYTES 65536u

struct connection {
    struct lease *lease;
    struct sockaddr_storage peer;
    socklen_t peer_length;
    struct connection *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct connection *connections;
static bool has_socket;
static int64_t limit;
static const char zeros[ZEROS_BYTES];

static void log_line(const char *sentence)
{
    nbdkit_error("%s", sentence);
}

static void cut_all(const struct lease *lease)
{
    pthread_mutex_lock(&lock);
    for (struct connection *c = connections; c; c = c->next)
        if (c->lease == lease)
            cut_connection(&c->peer, c->peer_length);
    pthread_mutex_unlock(&lock);
}

static const struct lease_hooks hooks = {log_line, cut_all};

static int leat_config(const char *key, const char *value)
{
    if (!strcmp(key, "socket")) {
        char *path = nbdkit_absolute_path(value);
        has_socket = path && control_init(path);
        free(path);
        if (!has_socket)
            nbdkit_error("socket=%s: the path is too long for a Unix socket", value);
        return has_socket ? 0 : -1;
    }
    if (!strcmp(key, "limit")) {
        limit = nbdkit_parse_size(value);
        return limit < 0 ? -1 : 0;
    }
    nbdkit_error("there is no parameter %s; there are socket and limit", key);
    return -1;
}

static int leat_config_complete(void)
{
    if (!has_socket) {
        nbdkit_error("socket=PATH is missing: leatd's control socket");
        return -1;
    }
    lease_init(&hooks, (uint64_t)limit);
    return 0;
}

static int leat_after_fork(void)
{
    if (lease_start_renewing())
        return 0;
    nbdkit_error("the thread that renews leases cannot be started");
    return -1;
}

static void leat_cleanup(void)
{
    lease_stop_renewing();
}

/* The address without port; an IPv4 address that came by an IPv6 socket as IPv4. "": a Unix socket. False: none of
   these (AF_VSOCK), or it is not known: never taken for a client of this host. */
static bool name_peer(const struct sockaddr_storage *peer, char name[LEASE_PEER])
{
    const struct sockaddr_in *in4 = (const void *)peer;
    const struct sockaddr_in6 *in6 = (const void *)peer;
    name[0] = 0;
    if (peer->ss_family == AF_INET)
        inet_ntop(AF_INET, &in4->sin_addr, name, LEASE_PEER);
    else if (peer->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
        inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], name, LEASE_PEER);
    else if (peer->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &in6->sin6_addr, name, LEASE_PEER);
    return name[0] || peer->ss_family == AF_UNIX;
}

static void *leat_open(int readonly)
{
    char peer[LEASE_PEER];
    const char *token = nbdkit_export_name();
    struct connection *c = calloc(1, sizeof *c);
    if (!c || !token) {
        nbdkit_error("there is no memory for a connection");
        free(c);
        return NULL;
    }
    c->peer_length = sizeof c->peer;
    if (nbdkit_peer_name((struct sockaddr *)&c->peer, &c->peer_length))
        c->peer.ss_family = AF_UNSPEC;
    if (name_peer(&c->peer, peer))
        c->lease = lease_open(token, peer, readonly);
    else
        nbdkit_error("an export is refused: the client's address is not known");
    if (!c->lease) {
        free(c);
        return NULL;
    }
    pthread_mutex_lock(&lock);
    c->next = connections;
    connections = c;
    pthread_mutex_unlock(&lock);
    return c;
}

static void leat_close(void *handle)
{
    struct connection *c = handle;
    pthread_mutex_lock(&lock);
    struct connection **at = &connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    pthread_mutex_unlock(&lock);
    lease_close(c->lease);
    free(c);
}

/* Nothing is listed, whoever asks. */
static int leat_list_exports(int readonly, int is_tls, struct nbdkit_exports *exports)
{
    (void)readonly;
    (void)is_tls;
    (void)exports;
    return 0;
}

static int64_t leat_get_size(void *handle)
{
    const struct connection *c = handle;
    return (int64_t)c->lease->disk.size;
}

static int leat_can_write(void *handle)
{
    const struct connection *c = handle;
    return c->lease->disk.is_writable;
}

static int leat_yes(void *handle)
{
    (void)handle;
    return 1;
}

static int leat_can_fua(void *handle)
{
    (void)handle;
    return NBDKIT_FUA_NATIVE;
}

static int leat_block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
    (void)handle;
    *minimum = 1;
    *preferred = PREFERRED_BYTES;
    *maximum = REQUEST_BYTES;
    return 0;
}

/* Around each use of the disk. */
static bool begin(const struct connection *c)
{
    errno = ESHUTDOWN;
    return lease_enter(c->lease);
}

/* An error as nbdkit wants it. A lease that is gone is said as such, whatever else has failed. */
static int end(const struct connection *c, int error)
{
    if (atomic_load(&c->lease->is_gone))
        error = -ESHUTDOWN;
    lease_leave(c->lease);
    if (!error)
        return 0;
    errno = -error;
    return -1;
}

static int leat_pread(void *handle, void *to, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *c = handle;
    (void)flags;
    if (!begin(c))
        return -1;
    atomic_fetch_add_explicit(&c->lease->read, count, memory_order_relaxed);
    return end(c, disk_read(&c->lease->disk, to, count, offset));
}

static int end_change(struct connection *c, uint32_t flags, int error)
{
    if (!error && flags & NBDKIT_FLAG_FUA)
        error = difference_flush(c->lease->disk.difference);
    return end(c, error);
}

static int leat_pwrite(void *handle, const void *from, uint32_t count, uint64_t offset,
                       uint32_t flags)
{
    struct connection *c = handle;
    if (!begin(c))
        return -1;
    atomic_fetch_add_explicit(&c->lease->written, count, memory_order_relaxed);
    return end_change(c, flags, difference_write(c->lease->disk.difference, from, count, offset));
}

static int leat_flush(void *handle, uint32_t flags)
{
    struct connection *c = handle;
    (void)flags;
    if (!begin(c))
        return -1;
    return end(c, leat_can_write(c) ? difference_flush(c->lease->disk.difference) : 0);
}

static int leat_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *c = handle;
    if (!begin(c))
        return -1;
    return end_change(c, flags, difference_trim(c->lease->disk.difference, count, offset));
}

/* Without MAY_TRIM the room must be there afterwards: zeros are written as data. */
static int write_zeros(struct difference *difference, uint64_t count, uint64_t offset)
{
    int error = 0;
    while (count && !error) {
        size_t n = ZEROS_BYTES - offset % ZEROS_BYTES;
        if (n > count)
            n = count;
        error = difference_write(difference, zeros, n, offset);
        offset += n;
        count -= n;
    }
    return error;
}

static int leat_zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
    struct connection *c = handle;
    if (!begin(c))
        return -1;
    struct difference *difference = c->lease->disk.difference;
    if (flags & NBDKIT_FLAG_MAY_TRIM)
        return end_change(c, flags, difference_zero(difference, count, offset));
    if (flags & NBDKIT_FLAG_FAST_ZERO)
        return end(c, -EOPNOTSUPP);
    return end_change(c, flags, write_zeros(difference, count, offset));
}

static int add_extents(struct disk *disk, uint64_t offset, uint64_t end_at, uint32_t flags,
                       struct nbdkit_extents *extents)
{
    for (unsigned i = 0; offset < end_at && i < EXTENTS_AT_ONCE; i++) {
        bool hole, zero;
        uint64_t next;
        int error = disk_extent(disk, end_at - offset, offset, &hole, &zero, &next);
        if (error)
            return error;
        uint32_t type = (hole ? NBDKIT_EXTENT_HOLE : 0) | (zero ? NBDKIT_EXTENT_ZERO : 0);
        if (nbdkit_add_extent(extents, offset, next - offset, type))
            return -errno;
        offset = next;
        if (flags & NBDKIT_FLAG_REQ_ONE)
            break;
    }
    return 0;
}

static int leat_extents(void *handle, uint32_t count, uint64_t offset, uint32_t flags,
                        struct nbdkit_extents *extents)
{
    struct connection *c = handle;
    if (!begin(c))
        return -1;
    return end(c, add_extents(&c->lease->disk, offset, offset + count, flags, extents));
}

#define CONFIG_HELP                                                                                \
    "socket=PATH  (required) leatd's control socket\n"                                             \
    "limit=SIZE   the most that the file of one difference may take (no limit)"

static struct nbdkit_plugin plugin = {
    .name = "leat",
    .longname = "Leat's data plane",
    .description = "serves disks to the clients that leatd has given a token",
    .config = leat_config,
    .config_complete = leat_config_complete,
    .config_help = CONFIG_HELP,
    .after_fork = leat_after_fork,
    .cleanup = leat_cleanup,
    .list_exports = leat_list_exports,
    .open = leat_open,
    .close = leat_close,
    .get_size = leat_get_size,
    .can_write = leat_can_write,
    .can_flush = leat_yes,
    .can_trim = leat_yes,
    .can_zero = leat_yes,
    .can_fast_zero = leat_yes,
    .can_fua = leat_can_fua,
    .can_multi_conn = leat_yes,
    .can_extents = leat_yes,
    .block_size = leat_block_size,
    .pread = leat_pread,
    .pwrite = leat_pwrite,
    .flush = leat_flush,
    .trim = leat_trim,
    .zero = leat_zero,
    .extents = leat_extents,
    .errno_is_preserved = 1,
};

/* nbdkit's macro defines the one function that it looks for, without a declaration. */
struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
