// SPDX-License-Identifier: BSD-2-Clause
/*
 * A world for tests of client/: servers that a function of the test plays, a clock that only moves when nothing can
 * happen now, and what the client gave. One client at a time.
 */
#ifndef TESTS_UNIT_CLIENT_WORLD_H
#define TESTS_UNIT_CLIENT_WORLD_H

#include "client/client.h"

#define S 1000000000ull
#define WORLD_UUID "4c4c4544-0000-2010-8020-80c04f202020"
#define WORLD_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define WORLD_BYTES (1u << 20)

enum world_server {
    WORLD_WELL,
    WORLD_DOWN,
    WORLD_AWAY, /* nobody says no */
    WORLD_SILENT,
    WORLD_DRIBBLES, /* a byte in 20 s */
};

struct world_request {
    char method[8], path[128], token[100];
    enum client_identity identity;
    unsigned server; /* index */
    uint64_t from;   /* of a Range; 0: none */
    char body[70000];
    size_t body_size;
};

struct world {
    uint64_t now_ns, seed;
    enum world_server servers[2];
    bool refuses_own;  /* TLS by the machine's own key */
    bool closes_kept;  /* between two requests */
    uint64_t piece_ns; /* from one piece of an answer to the next */
    /* Plays the server: calls world_answer once. */
    void (*serve)(const struct world_request *request);
    unsigned requests, connects;
    /* what the client gave */
    char notice[300], progress[300], busy[300];
    uint64_t notice_wait_s;
    unsigned notices, offers, configs, endings, reports_wanted, profiles_taken, restarts;
    struct leat_client_offer offer;
    char file_name[LEAT_CLIENT_FILE];
    uint64_t file_size, file_number; /* 0: none is asked for */
    char config[LEAT_CLIENT_CONFIG_BYTES];
    size_t config_size;
    char ended[300], log[20000];
};
extern struct world world;
extern struct client *client;

extern const struct client_platform world_platform;
extern const struct client_output world_output;

/* The world anew, with a client of two servers, "one" and "two"; without a network, until world_plug. */
void world_begin_unplugged(bool may_enrol);
void world_plug(void);
void world_begin(bool may_enrol); /* both */
void world_end(void);
/* Runs until condition() or for so much of the world's time; returns condition(). */
bool world_run(bool (*condition)(void), uint64_t ns);
bool world_never(void);

/* The server's answer: body as a whole; or only its first `cut` bytes, and then the end of the connection. */
void world_answer(unsigned status, const char *body);
void world_answer_bytes(unsigned status, const void *body, size_t size, const char *fields,
                        size_t cut);

/* SHA-256 of bytes as text. */
void world_sum(const void *data, size_t size, char out[65]);

#endif
