// SPDX-License-Identifier: BSD-2-Clause
/* nbdkit's calls. docs/nbdkit-leat.md says what is served. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/nbdkit-leat/control.h"
#include "tools/nbdkit-leat/cut.h"
#include "tools/nbdkit-leat/image_server.h"
#include "tools/nbdkit-leat/image_wait.h"
#include "tools/nbdkit-leat/lease.h"
#include "tools/nbdkit-leat/peers.h"
#include "tools/nbdkit-leat/plugin_io.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
#define CONNECTIONS_EACH 64u  /* of one address, if nothing is said */
#define HANDSHAKE_SECONDS 20u /* the same; a client of Leat's gives up after 10 */
#define PREFERRED_BYTES 4096u
#define REQUEST_BYTES (32u << 20) /* the NBD protocol's own bound for clients that have not asked */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool has_socket;
static int64_t limit;
static unsigned each = CONNECTIONS_EACH, handshake = HANDSHAKE_SECONDS;

static void log_line(const char *sentence)
{
    nbdkit_error("%s", sentence);
}

static void cut_all(const struct lease *lease)
{
    pthread_mutex_lock(&lock);
    for (struct connection *c = lease->connections; c; c = c->next)
        peers_cut(c->visit);
    pthread_mutex_unlock(&lock);
}

static void join(struct connection *c)
{
    pthread_mutex_lock(&lock);
    c->next = c->lease->connections;
    c->at = &c->lease->connections;
    if (c->next)
        c->next->at = &c->next;
    c->lease->connections = c;
    pthread_mutex_unlock(&lock);
}

static void part(struct connection *c)
{
    pthread_mutex_lock(&lock);
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    pthread_mutex_unlock(&lock);
}

static const struct lease_hooks hooks = {log_line, cut_all};
static struct image_server_settings images = {.memory = IMAGE_SERVER_MEMORY, .log = log_line};

/* Of the images' servers: absolute, since nbdkit changes its folder. */
static int config_images(const char *key, const char *value)
{
    const struct {
        const char *key, **to;
    } files[] = {{"https-ca", &images.authorities}, {"s3", &images.s3}, {"ceph", &images.ceph}};
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++)
        if (!strcmp(key, files[i].key))
            return (*files[i].to = nbdkit_realpath(value)) ? 0 : -1;
    if (!strcmp(key, "ceph-user")) {
        images.ceph_user = value;
        return 0;
    }
    if (!strcmp(key, "child-memory")) {
        int64_t size = nbdkit_parse_size(value);
        images.memory = size < 0 ? 0 : (uint64_t)size;
        return size < 0 ? -1 : 0;
    }
    nbdkit_error("there is no parameter %s; nbdkit --help says which there are", key);
    return -1;
}

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
    if (!strcmp(key, "connections"))
        return nbdkit_parse_unsigned("connections", value, &each);
    if (!strcmp(key, "handshake"))
        return nbdkit_parse_unsigned("handshake", value, &handshake);
    return config_images(key, value);
}

static int leat_config_complete(void)
{
    if (!has_socket) {
        nbdkit_error("socket=PATH is missing: leatd's control socket");
        return -1;
    }
    lease_init(&hooks, (uint64_t)limit);
    image_server_configure(&images);
    return 0;
}

/* nbdkit listens by now. */
static int leat_after_fork(void)
{
    keep_alive();
    if (peers_init(each, handshake) && lease_start_renewing(2 * peers_most()))
        return 0;
    nbdkit_error("the threads that renew leases and watch handshakes cannot be started");
    return -1;
}

static void leat_cleanup(void)
{
    lease_stop_renewing();
    peers_end();
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

static bool get_peer(struct sockaddr_storage *peer, socklen_t *length, char name[LEASE_PEER])
{
    *peer = (struct sockaddr_storage){0};
    *length = sizeof *peer;
    if (nbdkit_peer_name((struct sockaddr *)peer, length))
        peer->ss_family = AF_UNSPEC;
    return name_peer(peer, name);
}

/* Not more than one line a second: who is refused may come again as fast as he can. */
static void say_refused(const char *peer, const char *why)
{
    static _Atomic time_t said;
    time_t now = time(NULL);
    if (atomic_exchange(&said, now) != now)
        nbdkit_error("a connection is refused to %s: %s", *peer ? peer : "a local client", why);
}

/* Before the handshake, of which a client can make as much as it likes. */
static int leat_preconnect(int readonly)
{
    struct sockaddr_storage peer;
    socklen_t length;
    char name[LEASE_PEER];
    (void)readonly;
    bool is_known = get_peer(&peer, &length, name);
    const char *why = peers_enter(is_known ? name : "?", &peer, length);
    if (why) {
        say_refused(name, why);
        return -1;
    }
    return 0;
}

static bool is_quitting(const void *unused)
{
    (void)unused;
    return peers_are_quitting();
}

static void *leat_open(int readonly)
{
    struct sockaddr_storage address;
    socklen_t length;
    char peer[LEASE_PEER];
    const char *token = nbdkit_export_name();
    peers_shook_hands();
    image_wait_unless(is_quitting, NULL);
    struct connection *c = calloc(1, sizeof *c);
    if (!c || !token) {
        nbdkit_error("there is no memory for a connection");
        free(c);
        return NULL;
    }
    if (get_peer(&address, &length, peer))
        c->lease = lease_open(token, peer, readonly);
    else
        nbdkit_error("an export is refused: the client's address is not known");
    if (!c->lease) {
        free(c);
        return NULL;
    }
    c->visit = peers_visit();
    join(c);
    return c;
}

static void leat_close(void *handle)
{
    struct connection *c = handle;
    part(c);
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

#define CONFIG_HELP                                                                                \
    "socket=PATH  (required) leatd's control socket\n"                                             \
    "limit=SIZE   the most that the file of one difference may take (no limit)\n"                  \
    "connections=N  the most of one address (64; 0: no limit)\n"                                   \
    "handshake=SECONDS  until a client has to have opened an export (20; 0: no limit)\n"           \
    "child-memory=SIZE  private memory of who serves an image that is no raw file (512M)\n"        \
    "https-ca=FILE  who vouches for servers of https:// (the system's authorities)\n"              \
    "s3=FILE      where S3 buckets are, and keys for them\n"                                       \
    "ceph=FILE    Ceph's configuration (/etc/ceph/ceph.conf)\n"                                    \
    "ceph-user=NAME  the user of Ceph, without \"client.\" (admin)"

static struct nbdkit_plugin plugin = {
    .name = "leat",
    .longname = "Leat's data plane",
    .description = "serves disks to the clients that leatd has given a token",
    .config = leat_config,
    .config_complete = leat_config_complete,
    .config_help = CONFIG_HELP,
    .after_fork = leat_after_fork,
    .cleanup = leat_cleanup,
    .preconnect = leat_preconnect,
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
