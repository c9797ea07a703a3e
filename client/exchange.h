// SPDX-License-Identifier: BSD-2-Clause
/*
 * One request to a server and its answer, with a time limit for each step. The connection is kept for the next
 * request to the same server, and a request for which a kept one turns out to be dead is made once more on a new one.
 */
#ifndef CLIENT_EXCHANGE_H
#define CLIENT_EXCHANGE_H

#include "client/http.h"
#include "client/platform.h"

#define CLIENT_HOST_BYTES 128u /* as in struct leat_net_slot */
#define EXCHANGE_SHAKE_NS 20000000000ull
#define EXCHANGE_SILENCE_NS 30000000000ull /* without a byte either way */
#define EXCHANGE_ERROR_BYTES 2048u
#define EXCHANGE_HEAD_BYTES 1024u

struct client_server {
    char host[CLIENT_HOST_BYTES];
    uint16_t port;
};

enum exchange_state { EXCHANGE_IDLE, EXCHANGE_BUSY, EXCHANGE_DONE, EXCHANGE_FAILED };

struct exchange_request {
    const char *method, *path;
    const char *token; /* NULL: none */
    enum client_identity identity;
    const void *body; /* stays until the exchange is over */
    size_t body_size;
    uint64_t from;     /* as in struct http_request */
    uint64_t limit_ns; /* of the whole exchange; 0: none */
    uint64_t shake_ns; /* from connecting until TLS stands; 0: EXCHANGE_SHAKE_NS */
    /* Where the body goes of an answer that says 200 or 206; it must not be longer. */
    void *into;
    size_t room;
};

struct exchange { /* read-only for others: from `state` on */
    const struct client_platform *platform;
    void *conn; /* NULL: none */
    struct client_server server;
    struct exchange_request request;
    char head[EXCHANGE_HEAD_BYTES];
    size_t head_size, sent; /* of head and body together */
    struct http_head answer_head;
    uint64_t moved_ns, end_ns;
    bool is_reused; /* the connection is from the request before */
    bool is_retried;
    enum exchange_state state;
    bool is_refused;           /* FAILED: by CLIENT_CONN_REFUSED */
    const char *why;           /* FAILED: for people */
    struct http_answer answer; /* DONE; FAILED: status 0 if there was no head */
    uint64_t got;              /* bytes of the body, wherever they went */
    char error
        [EXCHANGE_ERROR_BYTES]; /* the body of an answer that says something else, cut, with a NUL */
    char why_text[160];
};

void exchange_init(struct exchange *x, const struct client_platform *platform);
void exchange_start(struct exchange *x, const struct client_server *server,
                    const struct exchange_request *request);
/* Goes on as far as it can now. Once it is DONE or FAILED, it stays so until the next start. */
enum exchange_state exchange_run(struct exchange *x);
/* Between two requests: a server that says something nobody has asked for, or closes, is hung up on. */
void exchange_watch(struct exchange *x);
/* The connection that `from` has kept is `to`'s from then on, if `to` has none and `from` is not using it: who does two things
   in turn needs one handshake. Neither is BUSY with it afterwards. */
void exchange_pass(struct exchange *from, struct exchange *to);
/* When exchange_run must be called, whatever happens; UINT64_MAX: no such time. */
uint64_t exchange_deadline(const struct exchange *x);
/* Gives up, without an answer, and closes the connection. */
void exchange_stop(struct exchange *x);

#endif
