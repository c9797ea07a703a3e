// SPDX-License-Identifier: BSD-2-Clause
/*
 * leatd's two APIs as bytes on a connection: request lines, headers, bodies, several requests, pieces. The first byte says whose
 * connection it is ("A" the administrators' API, "C" a client's, "E" an enrolment's, as if TLS had said so), the second after
 * how many bytes (times 8) the rest comes later. "aT" and "sT" stand for tokens that are good. Whatever comes, leatd does not
 * crash, and what it says begins as HTTP does and is JSON where it says so.
 */
#include "tests/fuzz/leatd_world.h"
#include "tools/leatd/api.h"
#include "tools/leatd/exchange.h"
#include "tools/leatd/peer.h"
#include "tools/leatd/work.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_BYTES 8192u
#define ANSWER_BYTES (1u << 20)
#define ROUNDS 200u // of the event loop, at most

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const union MHD_ConnectionInfo *__real_MHD_get_connection_info(struct MHD_Connection *connection,
                                                               enum MHD_ConnectionInfoType kind,
                                                               ...);
const union MHD_ConnectionInfo *__wrap_MHD_get_connection_info(struct MHD_Connection *connection,
                                                               enum MHD_ConnectionInfoType kind,
                                                               ...);
bool __wrap_work_begin(enum work_lane lane, struct work *work, void (*done)(void *context),
                       void *context);

static struct MHD_Daemon *admin_daemon, *client_daemon;
static const char *identity;

/* The clients' connections are plain ones here; exchange_client asks who TLS has shown the client to be. */
const union MHD_ConnectionInfo *__wrap_MHD_get_connection_info(struct MHD_Connection *connection,
                                                               enum MHD_ConnectionInfoType kind,
                                                               ...)
{
    static union MHD_ConnectionInfo none;
    return kind == MHD_CONNECTION_INFO_GNUTLS_SESSION
               ? &none
               : __real_MHD_get_connection_info(connection, kind);
}

const char *gnutls_psk_server_get_username(gnutls_session_t session)
{
    (void)session;
    return identity;
}

/* No threads: it is done at once. */
bool __wrap_work_begin(enum work_lane lane, struct work *work, void (*done)(void *context),
                       void *context)
{
    (void)lane;
    work->run(work);
    done(context);
    return true;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *slot = peer_begin(context, connection);
        return;
    }
    peer_end(*slot);
    *slot = NULL;
}

/* As tools/leatd/http.c starts them, without a port of their own. */
static struct MHD_Daemon *start(MHD_AccessHandlerCallback handler)
{
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, peer_may_connect,
        &world, handler, &world, MHD_OPTION_NOTIFY_CONNECTION, on_connection, &world,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_done, &world, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)16384, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    require(daemon != NULL);
    return daemon;
}

static size_t put(uint8_t *out, const void *from, size_t size)
{
    memcpy(out, from, size);
    return size;
}

/* The input with its tokens. */
static size_t expand(uint8_t *out, const uint8_t *data, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < size && used < INPUT_BYTES - TOKEN_BYTES; i++) {
        bool is_token = i + 1 < size && data[i + 1] == 'T' && (data[i] == 'a' || data[i] == 's');
        const char *token = data[i] == 'a' ? world_admin : world_session;
        used += is_token ? put(out + used, token, strlen(token)) : put(out + used, data + i, 1);
        i += is_token;
    }
    return used;
}

/* Runs the loop until nothing more comes. Bytes of what was said, from `used` on. */
static size_t listen_to(struct MHD_Daemon *daemon, int socket, char *said, size_t used)
{
    for (unsigned quiet = 0, round = 0; quiet < 2 && round < ROUNDS; round++) {
        MHD_run(daemon);
        ssize_t size = recv(socket, said + used, ANSWER_BYTES - 1 - used, MSG_DONTWAIT);
        quiet = size > 0 ? 0 : quiet + 1;
        used += size > 0 ? (size_t)size : 0;
        if (!size || used == ANSWER_BYTES - 1)
            break;
    }
    return used;
}

/* The first answer: a status, and a body of its Content-Length, which is JSON if it says so. */
static void check(const char *said, size_t size)
{
    const char *why;
    require(size >= 12 && !memcmp(said, "HTTP/1.", 7));
    int status = atoi(said + 9);
    require((status >= 200 && status < 600) || status == 100);
    const char *body = memmem(said, size, "\r\n\r\n", 4);
    const char *kind = memmem(said, size, "application/json", 16);
    const char *length = memmem(said, size, "Content-Length: ", 16);
    if (!body || !kind || kind > body || !length || length > body || status == 100)
        return;
    size_t most = (size_t)(said + size - body - 4), bytes = strtoul(length + 16, NULL, 10);
    if (bytes > most)
        return; // more than was waited for
    cJSON *json = json_parse(body + 4, bytes, &why);
    require(json || !bytes);
    require(status < 400 || !json || json_text(json, "error"));
    cJSON_Delete(json);
}

static void converse(struct MHD_Daemon *daemon, const uint8_t *data, size_t size, size_t first)
{
    static char said[ANSWER_BYTES];
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(1)};
    int pair[2];
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    require(MHD_add_connection(daemon, pair[1], (struct sockaddr *)&from, sizeof from) == MHD_YES);
    require(send(pair[0], data, first, MSG_NOSIGNAL) == (ssize_t)first);
    size_t used = listen_to(daemon, pair[0], said, 0);
    if (first < size && send(pair[0], data + first, size - first, MSG_NOSIGNAL) > 0)
        used = listen_to(daemon, pair[0], said, used);
    shutdown(pair[0], SHUT_WR);
    used = listen_to(daemon, pair[0], said, used);
    said[used] = 0;
    if (used && !memmem(data, size, "HEAD", 4)) // whose answer has no body, but its length
        check(said, used);
    close(pair[0]);
    // Until it is gone: or the next input's would be one too many.
    for (unsigned i = 0; world.peers && i < ROUNDS; i++)
        MHD_run(daemon);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t input[INPUT_BYTES];
    world_next();
    if (!admin_daemon) {
        admin_daemon = start(exchange_admin);
        client_daemon = start(exchange_client);
    }
    if (size < 3 || size > INPUT_BYTES / 2)
        return 0;
    size_t bytes = expand(input, data + 2, size - 2);
    size_t first = data[1] && data[1] * 8u < bytes ? data[1] * 8u : bytes;
    identity = data[0] == 'E' ? "enrol" : WORLD_UUID;
    converse(data[0] == 'A' ? admin_daemon : client_daemon, input, bytes, first);
    return 0;
}
