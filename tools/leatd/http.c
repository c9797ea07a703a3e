// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/http.h"

#include "tools/leatd/bootfiles.h"
#include "tools/leatd/control_wire.h"
#include "tools/leatd/exchange.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/peer.h"
#include "tools/leatd/tls.h"
#include "tools/leatd/work.h"

#include <gnutls/gnutls.h>
#include <linux/tcp.h> // glibc's struct tcp_info ends before tcpi_bytes_received
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define CONNECTIONS 1024u     // of each API at once, as far as there are descriptors
#define CONNECTIONS_LEAST 16u // with fewer than these it would not be a server
#define OTHER_FILES (CONTROL_CONNECTIONS + 48u) // that no HTTP connection may take
#define FILES_EACH 3u           // a connection of each API, and the file that a client is sent
#define IDLE_SECONDS 30u        // until a connection on which nothing happens is closed
#define CONNECTION_BYTES 16384u // for headers and answers of one
#define FLAGS (MHD_USE_EPOLL | MHD_USE_ERROR_LOG)

/*
 * The key of an identity, for TLS. Who is not known gets a random one, and fails as with a wrong key: whether a UUID is known
 * is nobody's business. libmicrohttpd frees the key.
 */
static int find_key(void *context, const struct MHD_Connection *connection, const char *identity,
                    void **key, size_t *size)
{
    struct peer *peer = peer_of(connection);
    char text[KEY_TEXT_BYTES];
    *key = malloc(KEY_BYTES);
    if (!*key)
        return -1;
    *size = KEY_BYTES;
    bool known = tls_find_key(context, identity, *key);
    if (peer) {
        snprintf(peer->identity, sizeof peer->identity, "%s", identity);
        peer->known = known;
        secret_hex(text, *key, KEY_BYTES);
        secret_hash(peer->key_hash, text);
        secret_wipe(text, sizeof text);
    }
    return 0;
}

struct failure {
    struct leatd *leatd;
    const struct peer *peer;
};

static enum db_result note_failure(void *context)
{
    struct failure *f = context;
    if (!f->peer->identity[0])
        return journal_refused(f->leatd, NULL, f->peer->address,
                               "a connection without a client's key: plain text, or other TLS");
    return f->peer->known
               ? journal_refused(f->leatd, f->peer->identity, f->peer->address,
                                 "TLS for %s was not completed: a wrong key?", f->peer->identity)
               : journal_refused(f->leatd, NULL, f->peer->address,
                                 "TLS with an identity that is not known");
}

static void say_failure(struct leatd *leatd, const struct peer *peer)
{
    struct failure f = {.leatd = leatd, .peer = peer};
    limit_begin(&leatd->limit);
    if (limit_take_address(&leatd->limit, LIMIT_TLS_EVENT, peer->address, 10, leatd_monotonic()) &&
        db_transact(leatd->db, note_failure, &f) != DB_OK)
        limit_undo(&leatd->limit, LIMIT_EVENTS);
}

/* Has the peer of the clients' API said anything that was no TLS with a key? One that has only connected has done nothing. */
static bool has_spoken(const struct leatd *leatd, struct MHD_Connection *connection)
{
    struct tcp_info about = {0};
    socklen_t size = sizeof about;
    const union MHD_ConnectionInfo *daemon =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);
    if (!daemon || daemon->daemon != leatd->client_daemon)
        return false;
    const union MHD_ConnectionInfo *file =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return file && !getsockopt(file->connect_fd, IPPROTO_TCP, TCP_INFO, &about, &size) &&
           about.tcpi_bytes_received > 0;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct peer *peer = *slot;
    ((struct leatd *)context)->progress++;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = peer_begin(context, connection);
        return;
    }
    if (peer && !peer->served && (peer->identity[0] || has_spoken(context, connection)))
        say_failure(context, peer);
    peer_end(peer);
    *slot = NULL;
}

static void on_log(void *context, const char *format, va_list arguments)
{
    char line[256];
    (void)context;
    vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\n")] = 0;
    leatd_log("http: %s", line);
}

/* The file's text, from malloc; NULL with a sentence. */
static char *read_pem(const char *path, char *error)
{
    char *text = calloc(1, REQUEST_BODY_BYTES);
    FILE *file = fopen(path, "re");
    size_t size = file && text ? fread(text, 1, REQUEST_BODY_BYTES - 1, file) : 0;
    if (file)
        fclose(file);
    if (size)
        return text;
    snprintf(error, CONFIG_ERROR_BYTES, "%.200s cannot be read", path);
    free(text);
    return NULL;
}

static struct MHD_Daemon *start_admin(struct leatd *leatd, unsigned connections, unsigned extra,
                                      struct MHD_OptionItem *more)
{
    const struct sockaddr *address = (const struct sockaddr *)&leatd->config.admin;
    unsigned flags = FLAGS | MHD_ALLOW_SUSPEND_RESUME | extra |
                     (address->sa_family == AF_INET6 ? MHD_USE_IPv6 : 0u);
    return MHD_start_daemon(
        flags, 0, peer_may_connect, leatd, exchange_admin, leatd, MHD_OPTION_EXTERNAL_LOGGER,
        on_log, leatd, MHD_OPTION_SOCK_ADDR, address, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        leatd, MHD_OPTION_NOTIFY_COMPLETED, exchange_done, leatd, MHD_OPTION_CONNECTION_LIMIT,
        connections, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
}

static bool open_admin(struct leatd *leatd, unsigned connections, char *error)
{
    const struct config *config = &leatd->config;
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    error[0] = 0;
    if (!config->certificate[0]) {
        leatd->admin_daemon = start_admin(leatd, connections, 0, none);
    } else {
        char *certificate = read_pem(config->certificate, error);
        char *key = certificate ? read_pem(config->key, error) : NULL;
        struct MHD_OptionItem both[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, certificate},
                                        {MHD_OPTION_HTTPS_MEM_KEY, 0, key},
                                        {MHD_OPTION_END, 0, NULL}};
        if (key) {
            leatd->admin_daemon = start_admin(leatd, connections, MHD_USE_TLS, both);
            secret_wipe(key, strlen(key));
        }
        free(key);
        free(certificate);
    }
    if (!leatd->admin_daemon && !error[0])
        snprintf(
            error, CONFIG_ERROR_BYTES,
            "the administrators' API cannot be served: is its port in use, its certificate good?");
    return leatd->admin_daemon;
}

static bool open_client(struct leatd *leatd, unsigned connections, char *error)
{
    unsigned flags = FLAGS | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TLS | MHD_USE_NO_LISTEN_SOCKET;
    leatd->client_daemon = MHD_start_daemon(
        flags, 0, peer_client_may_connect, leatd, exchange_client, leatd,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, leatd, MHD_OPTION_HTTPS_CRED_TYPE, GNUTLS_CRD_PSK,
        MHD_OPTION_GNUTLS_PSK_CRED_HANDLER, find_key, leatd, MHD_OPTION_HTTPS_PRIORITIES,
        TLS_PRIORITIES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, leatd,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_done, leatd, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!leatd->client_daemon)
        snprintf(error, CONFIG_ERROR_BYTES, "the clients' API cannot be served: no TLS");
    return leatd->client_daemon && listen_open(leatd, error);
}

/* How many connections of each API there are descriptors for; the rest stays for the control socket and the database. */
static unsigned find_connections(const struct leatd *leatd, char *error)
{
    unsigned other = OTHER_FILES + bootfiles_files(leatd);
    struct rlimit files;
    rlim_t wanted = FILES_EACH * CONNECTIONS + other,
           least = FILES_EACH * CONNECTIONS_LEAST + other;
    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < wanted) {
        files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
        setrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur >= least)
        return (unsigned)((files.rlim_cur < wanted ? files.rlim_cur : wanted) - other) / FILES_EACH;
    snprintf(error, CONFIG_ERROR_BYTES, "the limit of open files is %u, and has to be %u at least",
             (unsigned)files.rlim_cur, (unsigned)least);
    return 0;
}

bool http_open(struct leatd *leatd, char *error)
{
    unsigned connections = leatd->connections = find_connections(leatd, error);
    return connections && open_admin(leatd, connections, error) &&
           open_client(leatd, connections, error) && bootfiles_open(leatd, error);
}

void http_close(struct leatd *leatd)
{
    bootfiles_close(leatd);
    work_stop(); // no connection may rest when its daemon ends
    if (leatd->admin_daemon)
        MHD_stop_daemon(leatd->admin_daemon);
    if (leatd->client_daemon)
        MHD_stop_daemon(leatd->client_daemon);
    leatd->admin_daemon = leatd->client_daemon = NULL;
    listen_close(leatd);
}

void http_files(const struct leatd *leatd, int files[HTTP_FILES])
{
    files[0] = pace_file(leatd->admin_daemon);
    files[1] = pace_file(leatd->client_daemon);
    files[2] = work_file();
    files[3] = listen_file(leatd);
}

int http_timeout(const struct leatd *leatd, int most)
{
    most = pace_timeout(&leatd->admin_pace, leatd->admin_daemon, most);
    return pace_timeout(&leatd->client_pace, leatd->client_daemon, most);
}

void http_run(struct leatd *leatd)
{
    peer_expire(leatd);
    work_finish();
    pace_run(&leatd->admin_pace, leatd->admin_daemon, &leatd->progress);
    pace_run(&leatd->client_pace, leatd->client_daemon, &leatd->progress);
}
