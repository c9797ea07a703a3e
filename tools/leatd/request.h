// SPDX-License-Identifier: BSD-2-Clause
/* One HTTP request, without HTTP: what was asked, by whom, and what is answered. */
#ifndef LEATD_REQUEST_H
#define LEATD_REQUEST_H

#include "tools/leatd/db.h"
#include "tools/leatd/json.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/work.h"

#include <netinet/in.h>

struct leatd;

#define REQUEST_SEGMENTS 8u
#define REQUEST_SENTENCE 256u
#define REQUEST_BODY_BYTES (64u << 10)
#define REQUEST_STRANGER_BYTES (4u << 10) /* without a token */
#define REQUEST_FILTERS 4u
#define REQUEST_PROFILE_BYTES (1u << 20) /* of a boot profile */
#define REQUEST_PIECE_BYTES (1u << 20)   /* of a file; PUT alone has bodies that are no JSON */

enum request_method { REQUEST_GET, REQUEST_POST, REQUEST_PUT, REQUEST_PATCH, REQUEST_DELETE };

/* "?name=value" of a list, but limit and after. */
struct request_filter {
    const char *name, *value;
};

struct request {
    struct leatd *leatd;
    enum request_method method;
    const char *segments[REQUEST_SEGMENTS + 1]; /* of the path; NULL at the end */
    const char *after;                          /* query: NULL if it has none */
    int64_t limit;
    struct request_filter filters[REQUEST_FILTERS];
    unsigned filter_count; /* more than REQUEST_FILTERS: there were too many */
    const char *token; /* of "Authorization: Bearer", or of the web page; NULL if there is none */
    bool is_page;      /* the web page's script has sent it: page.h */
    char joined[TOKEN_BYTES]; /* a token that came in two parts */
    const char *identity; /* who TLS has shown the client to be; NULL on the administrators' side */
    const char *key_hash; /* SHA-256 of the key, as text, that TLS has shown it by; NULL likewise */
    char address[INET6_ADDRSTRLEN]; /* of the peer, IPv4 as such */
    const cJSON *body;              /* NULL if there is none */
    const void *data;               /* a PUT's body as it is */
    size_t data_size;
    char who[64];              /* the administrator, once the token is known */
    const char *range;         /* the header of that name; NULL if there is none */
    const char *content_range; /* likewise */

    int status;
    cJSON *answer;     /* owned by the request; NULL if there is none */
    void *answer_data; /* instead: bytes from malloc, owned by the request */
    size_t answer_size;
    int answer_file; /* instead: answer_size bytes from range_from on of this descriptor + 1, owned by the request */
    int64_t range_from;  /* 206: where the answer begins */
    int64_t range_total; /* 206 and 416: bytes of the whole */
    char cookie[128];    /* that the browser is to keep; "" if there is none */
    struct work *work;   /* that the answer needs, or needed; from malloc, owned by the request */
    enum work_lane lane;
    bool waits; /* the work has to be done first: then the request is handled once more */
    char sentence[REQUEST_SENTENCE]; /* an error's; "" if there is none */
};

/* Answers with a status and {"error": sentence}; what the transaction has done is kept if the caller returns DB_OK. */
void request_refuse(struct request *request, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An empty object as the answer, with the status; what had been answered before is gone. */
cJSON *request_answer(struct request *request, int status);

/*
 * Answers with data of that size, which is copied, or with a file, whose descriptor it takes. With "Range: bytes=N-" (RFC 9110,
 * section 14; any other is as none) from N on, 206; 416 when there is nothing from there on.
 */
void request_answer_data(struct request *request, const void *data, size_t size);
void request_answer_file(struct request *request, int file, int64_t size);

/* Takes the path and the query apart, in place. False: too many parts, or characters that no name has. */
bool request_path(struct request *request, char *path);

/* One part of the query, "name=value"; value may be NULL. The texts live as long as the request. */
void request_query(struct request *request, const char *name, const char *value);

/* limit, after and filters; false with a refusal when they make no sense. */
bool request_page(struct request *request);

/*
 * For a handler whose answer needs work that a thread does: so many bytes, zeros but for `run`, that begin with struct work. The
 * handler fills them in and returns without an answer (DB_UNDONE, or DB_OK for what is to be kept), and is called again when the
 * work is done. NULL with a refusal if there is no memory.
 */
void *request_wait(struct request *request, enum work_lane lane, size_t size,
                   void (*run)(struct work *work));

/*
 * Before a handler is called, perhaps once more because its transaction is repeated: the answer that it gave, and work that it
 * asked for and that was not begun, are forgotten.
 */
void request_repeat(struct request *request);

/* The work of that function, when it is done; NULL: it is still to be asked for, by request_wait. */
void *request_done(const struct request *request, void (*run)(struct work *work));

/* Frees what the request owns. */
void request_free(struct request *request);

#endif
