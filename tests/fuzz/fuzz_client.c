// SPDX-License-Identifier: BSD-2-Clause
/*
 * A hostile leatd: client/ whose server says what the input says, from hello to renewals. Whatever comes, the configuration
 * has the lines that it may have and no others, files are written within their memory, and the client comes to rest.
 *
 * The input is records: a byte for the kind, two for the size, then so many bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client.h"
#include "client/value.h"
#include "fuzz_input.h"

#define ROUNDS 400u
#define KEY                                                                                        \
    "4c4c4544-0000-2010-8020-80c04f202020:"                                                        \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum kind { RAW, GOOD, REFUSED, END, PART, TIME, STOP, NO_TLS, NO_MEMORY, KINDS };

struct conn {
    bool is_used, has_asked, has_ended, is_refused;
    const uint8_t *data; /* of the input: what comes next */
    size_t size, head_size, head_at;
    char head[200];
};

static struct {
    struct fuzz_input in;
    uint64_t now_ns;
    struct conn conns[4];
    struct client *client;
    unsigned long long from; /* of the last request's Range */
    bool has_no_memory, has_offer;
    unsigned memories;
    void *memory[200];
} world;

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static uint64_t now_ns(void *ctx)
{
    (void)ctx;
    return world.now_ns;
}

static uint64_t fixed_random(void *ctx)
{
    (void)ctx;
    return 4;
}

static void *open_conn(void *ctx, const char *host, uint16_t port, enum client_identity identity)
{
    (void)ctx, (void)host, (void)port, (void)identity;
    for (unsigned i = 0; i < 4; i++)
        if (!world.conns[i].is_used) {
            memset(&world.conns[i], 0, sizeof world.conns[i]);
            world.conns[i].is_used = true;
            return &world.conns[i];
        }
    return NULL;
}

static enum client_conn_state conn_state(void *ctx, void *conn, const char **why)
{
    struct conn *c = conn;
    (void)ctx;
    if (!c->has_ended)
        return CLIENT_CONN_OPEN;
    *why = "gone";
    return c->is_refused ? CLIENT_CONN_REFUSED : CLIENT_CONN_ENDED;
}

static void put_head(struct conn *c, enum kind kind, size_t size)
{
    if (kind == PART)
        c->head_size = (size_t)snprintf(
            c->head, sizeof c->head,
            "HTTP/1.1 206 P\r\nContent-Length: %zu\r\nContent-Range: bytes %llu-%llu/*\r\n\r\n",
            size, world.from, world.from + size);
    else
        c->head_size = (size_t)snprintf(c->head, sizeof c->head,
                                        "HTTP/1.1 %u X\r\nContent-Length: %zu\r\n\r\n",
                                        kind == GOOD ? 200 : 403, size);
}

/* The next record, for the connection that has asked. */
static void take_record(struct conn *c)
{
    enum kind kind = (enum kind)(fuzz_take(&world.in, 1) % KINDS);
    size_t size = (size_t)fuzz_take(&world.in, 2);
    size = size < world.in.size ? size : world.in.size;
    c->head_at = c->head_size = 0;
    c->data = world.in.data;
    c->size = size;
    c->has_asked = false;
    if (kind == GOOD || kind == REFUSED || kind == PART)
        put_head(c, kind, size);
    c->has_ended = kind == END || kind == NO_TLS;
    c->is_refused = kind == NO_TLS;
    if (kind == TIME)
        world.now_ns += 40000000000ull;
    world.has_no_memory = kind == NO_MEMORY;
    if (kind == STOP)
        client_stop(world.client);
    world.in.data += size;
    world.in.size -= size;
}

static size_t send_bytes(void *ctx, void *conn, const void *data, size_t size)
{
    struct conn *c = conn;
    static const char range[] = "Range: bytes=";
    (void)ctx;
    const char *at = memmem(data, size, range, sizeof range - 1);
    world.from = at ? strtoull(at + sizeof range - 1, NULL, 10) : world.from;
    c->has_asked = true;
    return size;
}

static size_t receive_bytes(void *ctx, void *conn, void *data, size_t size)
{
    struct conn *c = conn;
    (void)ctx;
    size_t n = c->head_size - c->head_at;
    n = n < size ? n : size;
    memcpy(data, c->head + c->head_at, n);
    c->head_at += n;
    if (n)
        return n;
    n = c->size < size ? c->size : size;
    if (!n)
        return 0;
    memcpy(data, c->data, n);
    c->data += n;
    c->size -= n;
    return n;
}

static void close_conn(void *ctx, void *conn)
{
    (void)ctx;
    ((struct conn *)conn)->is_used = false;
}

static void no_log(void *ctx, const char *line)
{
    (void)ctx, (void)line;
}

/* So that an input can have a sum that fits: zeros. */
static void no_sum(const void *data, size_t size, uint8_t out[32])
{
    (void)data, (void)size;
    memset(out, 0, 32);
}

static const struct client_platform platform = {
    NULL,          now_ns,     open_conn,    conn_state, send_bytes,
    receive_bytes, close_conn, fixed_random, no_log,     no_sum,
};

static void on_notice(void *ctx, const char *text, uint64_t wait_s)
{
    char shown[400];
    (void)ctx, (void)wait_s;
    value_show(shown, sizeof shown, text);
    require(!strcmp(shown, text), "a notice is not fit for the screen");
}

static void on_offer(void *ctx, const struct leat_client_offer *offer)
{
    (void)ctx;
    require(offer->count && offer->count <= LEAT_CLIENT_ENTRIES &&
                offer->chosen_first < offer->count,
            "an offer");
    for (unsigned i = 0; i < offer->count; i++)
        require(value_is_name(offer->entries[i].name), "a name in the offer");
    world.has_offer = true;
}

static void choose(void)
{
    world.has_offer = false;
    client_choose(world.client, fuzz_take(&world.in, 1));
}

static void on_memory(void *ctx, const char *name, uint64_t size, uint64_t number)
{
    (void)ctx, (void)name;
    void *memory = world.has_no_memory || size > (1u << 20) ? NULL : malloc(size);
    world.memory[world.memories++] = memory;
    client_memory(world.client, number, memory);
}

static void check_line(const char *line)
{
    static const char *const keys[] = {
        "address",       "port",         "tls_psk",      "export",  "mode",      "read_only",
        "client_export", "client_layer", "fallback",     "content", "root_hash", "hash_export",
        "iops",          "bandwidth",    "profile_file", "memory",  "cpus",      "kernel",
        "initrd",        "cmdline",      "disks",
    };
    char name[40] = "", end[3] = "";
    if (!*line || !strcmp(line, "[server]"))
        return;
    if (sscanf(line, "[disk %31[^]]%2s", name, end) == 2 ||
        sscanf(line, "[vm %31[^]]%2s", name, end) == 2) {
        require(value_is_name(name) && !strcmp(end, "]"), "a section's name");
        return;
    }
    for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t n = strlen(keys[i]);
        if (!strncmp(line, keys[i], n) && !strncmp(line + n, " = ", 3)) {
            require(value_is_text(line + n + 3, 2048), "a value");
            return;
        }
    }
    require(false, line);
}

static void on_config(void *ctx, const char *text, size_t size)
{
    char *copy = strndup(text, size);
    (void)ctx;
    require(strlen(copy) == size, "a NUL in the configuration");
    for (char *line = copy, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        check_line(line);
    }
    free(copy);
    for (; world.memories; world.memories--) /* from here on it is somebody else's */
        free(world.memory[world.memories - 1]);
    client_profile(world.client, "a", "profile", 7);
}

static void on_text(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

static void on_size(void *ctx, size_t size)
{
    (void)ctx, (void)size;
}

static void on_want_report(void *ctx)
{
    (void)ctx;
    client_report(world.client, "{\"a\":1}", 7);
}

static void on_shown(void *ctx, const char *text)
{
    on_notice(ctx, text, 0);
}

static const struct client_output output = {
    NULL,    on_notice, on_offer,       on_memory, on_config, on_text,
    on_text, on_size,   on_want_report, on_shown,  on_shown,
};

static void run(void)
{
    for (unsigned round = 0; round < ROUNDS && world.in.size; round++) {
        uint64_t when = client_run(world.client);
        bool has_asked = false;
        for (unsigned i = 0; i < 4; i++)
            if (world.conns[i].is_used && world.conns[i].has_asked) {
                take_record(&world.conns[i]);
                has_asked = true;
            }
        if (!has_asked && world.has_offer)
            choose();
        else if (!has_asked && when != UINT64_MAX && when > world.now_ns)
            world.now_ns = when;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct client_config config = {.psk = KEY, .may_enrol = true, .version = "1"};
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    const char *why;
    memset(&world, 0, sizeof world);
    world.in = (struct fuzz_input){data, size};
    world.now_ns = 1;
    client_take_servers(&config, "a, b");
    world.client = client_create(&config, &platform, &output, &why);
    client_set_mac(world.client, mac);
    run();
    client_free(world.client);
    for (unsigned i = 0; i < world.memories; i++)
        free(world.memory[i]);
    for (unsigned i = 0; i < 4; i++)
        require(!world.conns[i].is_used, "a connection was not closed");
    return 0;
}
