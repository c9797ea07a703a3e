// SPDX-License-Identifier: BSD-2-Clause
#include "client_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lib/splitmix.h"
#include "vdisk/tls/sha256.h"

#define LATENCY_NS 1000000ull

struct conn {
    bool is_used, has_taken, is_ending, is_refused;
    unsigned server;
    enum client_identity identity;
    uint64_t open_ns, data_ns; /* when it stands; when the next bytes are there */
    size_t in_size, out_size, out_at;
    char in[80000];
    char out[WORLD_BYTES + 4096];
};

struct world world;
struct client *client;
static struct conn conns[4];
static struct conn *answering;
static struct world_request request;

time_t tls_wall_clock(time_t *now);
time_t tls_wall_clock(time_t *now)
{
    return time(now);
}

/* -- the platform -- */

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return world.now_ns;
}

static uint64_t next_random(void *ctx)
{
    (void)ctx;
    return splitmix64(&world.seed);
}

static void *open_conn(void *ctx, const char *host, uint16_t port, enum client_identity identity)
{
    (void)ctx;
    assert_int_equal(port, CLIENT_PORT);
    for (unsigned i = 0; i < 4; i++) {
        struct conn *c = &conns[i];
        if (c->is_used)
            continue;
        memset(c, 0, offsetof(struct conn, in));
        c->is_used = true;
        c->server = strcmp(host, "one") != 0;
        c->identity = identity;
        c->open_ns = world.now_ns + LATENCY_NS;
        c->is_refused = world.refuses_own && identity == CLIENT_OWN;
        world.connects++;
        return c;
    }
    return NULL;
}

static enum client_conn_state conn_state(void *ctx, void *conn, const char **why)
{
    struct conn *c = conn;
    (void)ctx;
    if (world.now_ns < c->open_ns || world.servers[c->server] == WORLD_AWAY)
        return CLIENT_CONN_CONNECTING;
    *why = "connection refused or reset";
    if (world.servers[c->server] == WORLD_DOWN)
        return CLIENT_CONN_ENDED;
    if (c->is_refused)
        return CLIENT_CONN_REFUSED;
    if (c->is_ending && c->out_at == c->out_size)
        return CLIENT_CONN_ENDED;
    *why = NULL;
    return CLIENT_CONN_OPEN;
}

/* True: the request is whole, and stands in `request`. */
static bool take_request(struct conn *c)
{
    c->in[c->in_size] = 0;
    char *end = strstr(c->in, "\r\n\r\n"), *field;
    if (!end)
        return false;
    size_t head = (size_t)(end - c->in) + 4, length = 0;
    memset(&request, 0, offsetof(struct world_request, body));
    assert_int_equal(sscanf(c->in, "%7s %127s HTTP/1.1\r\n", request.method, request.path), 2);
    if ((field = strstr(c->in, "\r\nContent-Length: ")) && field < end)
        length = strtoul(field + 18, NULL, 10);
    if (c->in_size < head + length)
        return false;
    if ((field = strstr(c->in, "\r\nAuthorization: Bearer ")) && field < end)
        sscanf(field + 24, "%99s", request.token);
    if ((field = strstr(c->in, "\r\nRange: bytes=")) && field < end)
        request.from = strtoull(field + 15, NULL, 10);
    assert_int_equal(c->in_size, head + length);
    request.identity = c->identity;
    request.server = c->server;
    request.body_size = length;
    memcpy(request.body, c->in + head, length);
    request.body[length] = 0;
    c->in_size = 0;
    return true;
}

static size_t send_bytes(void *ctx, void *conn, const void *data, size_t size)
{
    struct conn *c = conn;
    (void)ctx;
    if (world.now_ns < c->open_ns + LATENCY_NS || c->is_ending || c->is_refused)
        return 0;
    size = size > 1000 ? 1000 : size;
    c->has_taken = true;
    assert_true(c->in_size + size < sizeof c->in);
    memcpy(c->in + c->in_size, data, size);
    c->in_size += size;
    if (world.servers[c->server] == WORLD_SILENT || !take_request(c))
        return size;
    world.requests++;
    c->out_size = c->out_at = 0;
    c->data_ns = world.now_ns + LATENCY_NS;
    answering = c;
    world.serve(&request);
    assert_true(c->out_size || c->is_ending);
    return size;
}

static size_t receive_bytes(void *ctx, void *conn, void *data, size_t size)
{
    struct conn *c = conn;
    (void)ctx;
    if (world.now_ns < c->data_ns || c->out_at == c->out_size)
        return 0;
    size_t n = 1 + (size_t)(splitmix64(&world.seed) % 3000);
    c->data_ns = world.now_ns + world.piece_ns;
    if (world.servers[c->server] == WORLD_DRIBBLES) {
        n = 1;
        c->data_ns = world.now_ns + 20 * S;
    }
    n = n < size ? n : size;
    n = n < c->out_size - c->out_at ? n : c->out_size - c->out_at;
    memcpy(data, c->out + c->out_at, n);
    c->out_at += n;
    if (c->out_at == c->out_size && world.closes_kept)
        c->is_ending = true;
    return n;
}

static void close_conn(void *ctx, void *conn)
{
    (void)ctx;
    assert_true(((struct conn *)conn)->is_used);
    ((struct conn *)conn)->is_used = false;
}

static void take_log(void *ctx, const char *line)
{
    (void)ctx;
    size_t used = strlen(world.log);
    snprintf(world.log + used, sizeof world.log - used, "%s\n", line);
}

static void sum(const void *data, size_t size, uint8_t out[32])
{
    tls_sha256("", 0, data, size, out);
}

const struct client_platform world_platform = {
    NULL,          now_ns,     open_conn,   conn_state, send_bytes,
    receive_bytes, close_conn, next_random, take_log,   sum,
};

void world_sum(const void *data, size_t size, char out[65])
{
    uint8_t bytes[32];
    sum(data, size, bytes);
    for (unsigned i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* -- the server -- */

void world_answer_bytes(unsigned status, const void *body, size_t size, const char *fields,
                        size_t cut)
{
    struct conn *c = answering;
    int head = snprintf(c->out, 4096, "HTTP/1.1 %u Whatever\r\nContent-Length: %zu\r\n%s\r\n",
                        status, size, fields);
    assert_true(size <= WORLD_BYTES);
    memcpy(c->out + head, body, cut);
    c->out_size = (size_t)head + cut;
    c->is_ending = cut < size;
}

void world_answer(unsigned status, const char *body)
{
    world_answer_bytes(status, body, strlen(body), "Content-Type: application/json\r\n",
                       strlen(body));
}

/* -- what the client gives -- */

static void on_notice(void *ctx, const char *text, uint64_t wait_s)
{
    (void)ctx;
    snprintf(world.notice, sizeof world.notice, "%s", text);
    world.notice_wait_s = wait_s;
    world.notices++;
}

static void on_offer(void *ctx, const struct leat_client_offer *offer)
{
    (void)ctx;
    world.offer = *offer;
    world.offers++;
}

static void on_memory(void *ctx, const char *name, uint64_t size, uint64_t number)
{
    (void)ctx;
    assert_int_equal(world.file_number, 0);
    snprintf(world.file_name, sizeof world.file_name, "%s", name);
    world.file_size = size;
    world.file_number = number;
}

static void on_config(void *ctx, const char *text, size_t size)
{
    (void)ctx;
    memcpy(world.config, text, size);
    world.config_size = size;
    world.configs++;
}

static void on_ended(void *ctx, const char *why)
{
    (void)ctx;
    snprintf(world.ended, sizeof world.ended, "%s", why);
    world.endings++;
}

static void on_start_again(void *ctx, const char *why)
{
    (void)ctx, (void)why;
    world.restarts++;
}

static void on_profile_taken(void *ctx, size_t size)
{
    (void)ctx, (void)size;
    world.profiles_taken++;
}

static void on_want_report(void *ctx)
{
    (void)ctx;
    world.reports_wanted++;
}

static void on_progress(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(world.progress, sizeof world.progress, "%s", text);
}

static void on_busy(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(world.busy, sizeof world.busy, "%s", text);
}

const struct client_output world_output = {
    NULL,           on_notice,        on_offer,       on_memory,   on_config, on_ended,
    on_start_again, on_profile_taken, on_want_report, on_progress, on_busy,
};

/* -- the world -- */

void world_plug(void)
{
    const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 1};
    client_set_mac(client, mac);
    client_network_up(client);
}

void world_begin(bool may_enrol)
{
    world_begin_unplugged(may_enrol);
    world_plug();
}

void world_begin_unplugged(bool may_enrol)
{
    static struct client_config config;
    const char *why;
    memset(&world, 0, sizeof world);
    memset(conns, 0, sizeof conns);
    memset(&config, 0, sizeof config);
    world.now_ns = S;
    world.seed = 1;
    assert_true(client_take_servers(&config, "one, two:9471"));
    strcpy(config.psk, WORLD_UUID ":" WORLD_KEY);
    strcpy(config.version, "0.1.0");
    strcpy(config.product, "Emu \"1\"");
    config.may_enrol = may_enrol;
    client = client_create(&config, &world_platform, &world_output, &why);
    assert_non_null(client);
}

void world_end(void)
{
    client_free(client);
    for (unsigned i = 0; i < 4; i++)
        assert_false(conns[i].is_used);
}

static uint64_t next_event_ns(void)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < 4; i++) {
        const struct conn *c = &conns[i];
        const uint64_t times[] = {c->open_ns, c->open_ns + LATENCY_NS, c->data_ns};
        for (unsigned k = 0; c->is_used && k < 3; k++)
            if (times[k] > world.now_ns && times[k] < next)
                next = times[k];
    }
    return next;
}

/* A conn that has something now. */
static bool has_work(void)
{
    for (unsigned i = 0; i < 4; i++) {
        const struct conn *c = &conns[i];
        if (c->is_used && c->out_at < c->out_size && world.now_ns >= c->data_ns)
            return true;
    }
    return false;
}

bool world_never(void)
{
    return false;
}

bool world_run(bool (*condition)(void), uint64_t ns)
{
    uint64_t end = world.now_ns + ns;
    for (unsigned rounds = 0; rounds < 200000; rounds++) {
        uint64_t when = client_run(client), next = next_event_ns();
        if (condition() || world.now_ns >= end)
            return condition();
        if (has_work())
            continue;
        when = when < next ? when : next;
        when = when < end ? when : end;
        world.now_ns = when > world.now_ns ? when : world.now_ns + LATENCY_NS / 100;
    }
    fail_msg("the client works without an end");
    return false;
}
