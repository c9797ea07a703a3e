// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/exchange.h"

#include "tools/leatd/api.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/page.h"
#include "tools/leatd/peer.h"
#include "tools/leatd/reply.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/tls.h"
#include "tools/leatd/web.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct exchange {
    struct request request;
    char path[512];
    char *body; // from malloc, grows with what arrives
    size_t used, most;
    bool too_large, is_read;
    cJSON *json;
    struct MHD_Connection *connection;
    const struct web_file *file; // what is asked for, if it is one of these
};

static bool find_method(struct request *request, const char *name)
{
    static const char *const names[] = {[REQUEST_GET] = "GET",
                                        [REQUEST_POST] = "POST",
                                        [REQUEST_PUT] = "PUT",
                                        [REQUEST_PATCH] = "PATCH",
                                        [REQUEST_DELETE] = "DELETE"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(names[i], name)) {
            request->method = i;
            return true;
        }
    return false;
}

static const char *bearer(struct MHD_Connection *connection)
{
    const char *value =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    return value && !strncmp(value, "Bearer ", 7) ? value + 7 : NULL;
}

/*
 * How much of a body is kept, by what the headers show: a stranger's is a login or a hello; a profile is a session's, of which
 * the database says whether it lives, a file's piece an administrator's. 0 for a request that is refused already, or now.
 */
static size_t most_of(struct request *request)
{
    bool is_client = request->identity;
    if (!is_client && api_admin_sends_file(request))
        return REQUEST_PIECE_BYTES;
    if (request->status || (is_client && !api_client_may_send(request)))
        return 0;
    if (!request->token || !secret_is_token(request->token, is_client ? 's' : 'a'))
        return REQUEST_STRANGER_BYTES;
    return is_client && request->method == REQUEST_PUT ? REQUEST_PROFILE_BYTES : REQUEST_BODY_BYTES;
}

static void read_page(struct request *request, struct MHD_Connection *connection)
{
    char name[PAGE_NAME_BYTES];
    page_cookie_name(request->leatd, name);
    page_join(request, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, PAGE_HEADER),
              MHD_lookup_connection_value(connection, MHD_COOKIE_KIND, name));
}

static struct exchange *begin(struct leatd *leatd, struct MHD_Connection *connection,
                              const char *url, const char *method, const struct peer *peer,
                              const char *identity)
{
    struct exchange *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    struct request *request = &e->request;
    request->leatd = leatd;
    request->token = bearer(connection);
    request->range =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_RANGE);
    request->content_range =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_RANGE);
    request->identity = identity;
    request->key_hash = identity ? peer->key_hash : NULL;
    if (!identity)
        read_page(request, connection);
    memcpy(request->address, peer->address, sizeof request->address);
    bool good = (size_t)snprintf(e->path, sizeof e->path, "%s", url) < sizeof e->path &&
                request_path(request, e->path);
    bool is_method = find_method(request, method);
    if (!identity && is_method && request->method == REQUEST_GET)
        e->file = web_find(url);
    if (!is_method)
        request_refuse(request, 405, "the method is none of GET, POST, PUT, PATCH and DELETE");
    else if (!good && !e->file)
        request_refuse(request, 404, "there is nothing of that name here");
    e->most = most_of(request);
    return e;
}

/* What is too large is read to its end, so that the client gets to see the answer, but not kept. */
static void take(struct exchange *e, const char *data, size_t size)
{
    char *body = NULL;
    if (!e->too_large && size <= e->most - e->used)
        body = realloc(e->body, e->used + size);
    if (!body) {
        e->too_large = true;
        return;
    }
    e->body = body;
    memcpy(e->body + e->used, data, size);
    e->used += size;
}

/* The body as JSON, but that of a PUT. False with a refusal. */
static bool read_body(struct exchange *e)
{
    const char *why;
    struct request *request = &e->request;
    if (e->too_large) {
        request_refuse(request, 413, "the request is too large");
        return false;
    }
    request->data = e->body;
    request->data_size = e->used;
    if (!e->used || request->method == REQUEST_PUT)
        return true;
    request->body = e->json = json_parse(e->body, e->used, &why);
    if (!e->json)
        request_refuse(request, 400, "%s", why);
    return e->json;
}

static enum MHD_Result take_query(void *context, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)kind;
    request_query(context, name, value);
    return MHD_YES;
}

static void go_on(void *exchange)
{
    struct exchange *e = exchange;
    e->request.waits = false;
    peer_goes_on(e->connection);
    MHD_resume_connection(e->connection);
}

/* The connection rests until the work is done, as long as that takes; then libmicrohttpd calls again. */
static enum MHD_Result wait_first(struct exchange *e)
{
    struct request *request = &e->request;
    MHD_suspend_connection(e->connection);
    peer_rests(e->connection);
    if (!work_begin(request->lane, request->work, go_on, e)) {
        request_refuse(request, 503, "the server has too much to do for it now: try again later");
        go_on(e);
    }
    return MHD_YES;
}

/* Nobody has shown who he is: a machine that would be enrolled, or no administrator. */
static bool is_stranger(const struct request *request)
{
    return request->identity ? !strcmp(request->identity, TLS_ENROL_IDENTITY) : !request->who[0];
}

/* Query and body, once. */
static void read_all(struct exchange *e)
{
    struct request *request = &e->request;
    if (e->is_read)
        return;
    e->is_read = true;
    MHD_get_connection_values(e->connection, MHD_GET_ARGUMENT_KIND, take_query, request);
    if (!request->status && read_body(e))
        request_page(request);
}

static enum MHD_Result run(struct MHD_Connection *connection, struct exchange *e,
                           void (*api)(struct request *))
{
    struct request *request = &e->request;
    if (e->file)
        return web_answer(connection, e->file);
    e->connection = connection;
    read_all(e);
    if (!request->status)
        api(request);
    if (request->waits && !request->status)
        return wait_first(e);
    if (!is_stranger(request) && request->status < 400)
        peer_trust(request->leatd, connection);
    return reply(connection, request);
}

static enum MHD_Result handle(struct leatd *leatd, struct MHD_Connection *connection,
                              const char *url, const char *method, const char *data, size_t *size,
                              void **exchange, const char *identity, void (*api)(struct request *))
{
    struct exchange *e = *exchange;
    leatd->progress++;
    if (!e) {
        const struct peer *peer = peer_of(connection);
        e = *exchange = peer ? begin(leatd, connection, url, method, peer, identity) : NULL;
        peer_asks(connection);
        return e ? MHD_YES : MHD_NO;
    }
    if (*size) {
        take(e, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return run(connection, e, api);
}

enum MHD_Result exchange_admin(void *leatd, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **exchange)
{
    (void)version;
    return handle(leatd, connection, url, method, data, size, exchange, NULL, api_admin);
}

enum MHD_Result exchange_client(void *leatd, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **exchange)
{
    (void)version;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    const char *identity = info ? gnutls_psk_server_get_username(info->tls_session) : NULL;
    if (!identity)
        return MHD_NO; // TLS without a pre-shared key is not offered, so this cannot be
    struct peer *peer = peer_of(connection);
    if (peer)
        peer->served = true;
    return handle(leatd, connection, url, method, data, size, exchange, identity, api_client);
}

void exchange_done(void *leatd, struct MHD_Connection *connection, void **exchange,
                   enum MHD_RequestTerminationCode code)
{
    struct exchange *e = *exchange;
    ((struct leatd *)leatd)->progress++;
    (void)code;
    peer_answered(connection);
    if (!e)
        return;
    request_free(&e->request);
    cJSON_Delete(e->json);
    if (e->body)
        secret_wipe(e->body, e->used); // it may have been a password
    free(e->body);
    free(e);
    *exchange = NULL;
}
