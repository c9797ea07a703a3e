// SPDX-License-Identifier: BSD-2-Clause
/*
 * tls_cost handshake KIND COUNT, tls_cost receive KIND MIB: the work of vdisk/tls as a client, with a server in
 * the same process that is not counted: all of the client's is done in client_pump and client_receive, which
 * callgrind is told to look at. KIND: psk; or a path: certificates PATH.pem and PATH-ca.pem, key PATH-key.pem.
 * The last line: seconds in the client's functions, and the most heap that a client had.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/unit/tls_server.h"
#include "vdisk/tls/random.h"
#include "vdisk/tls/tls.h"

#define PIPE_BYTES (1u << 20)

struct pipe {
    uint8_t data[PIPE_BYTES];
    size_t start, end;
};

struct ends {
    struct pipe *in, *out;
};

static struct pipe up, down;
static const struct ends client_ends = {&down, &up}, server_ends = {&up, &down};
static double seconds;
static size_t most_heap;

time_t tls_wall_clock(time_t *now)
{
    return time(now);
}

static long pipe_send(void *ctx, const void *data, size_t size)
{
    struct pipe *p = ((const struct ends *)ctx)->out;
    if (p->start == p->end)
        p->start = p->end = 0;
    if (size > PIPE_BYTES - p->end)
        size = PIPE_BYTES - p->end;
    memcpy(p->data + p->end, data, size);
    p->end += size;
    return (long)size;
}

static long pipe_receive(void *ctx, void *data, size_t size)
{
    struct pipe *p = ((const struct ends *)ctx)->in;
    if (size > p->end - p->start)
        size = p->end - p->start;
    memcpy(data, p->data + p->start, size);
    p->start += size;
    return (long)size;
}

void client_pump(struct tls *t);
size_t client_receive(struct tls *t, void *data, size_t size);

__attribute__((noinline)) void client_pump(struct tls *t)
{
    tls_pump(t);
    __asm__ volatile(""); /* no tail call: callgrind would miss the end */
}

__attribute__((noinline)) size_t client_receive(struct tls *t, void *data, size_t size)
{
    size_t n = tls_receive(t, data, size);
    __asm__ volatile("" : "+r"(n));
    return n;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "tls_cost: %s\n", what);
    exit(1);
}

static char *load(const char *stem, const char *ending)
{
    char path[4096];
    static char text[4][65536];
    static unsigned used;
    snprintf(path, sizeof path, "%s%s", stem, ending);
    FILE *f = fopen(path, "r");
    if (!f || used == 4 || !fread(text[used], 1, sizeof text[0] - 1, f))
        die(path);
    fclose(f);
    return text[used++];
}

/* One handshake, the heap that the client has at its end included. */
static void shake_hands(struct tls *t, struct tls_server *s)
{
    int done = 0;
    for (unsigned i = 0; i < 20 && done == 0; i++) {
        size_t before = mallinfo2().uordblks;
        double start = now();
        do
            client_pump(t);
        while (tls_has_more(t));
        seconds += now() - start;
        size_t after = mallinfo2().uordblks;
        most_heap += after - before;
        done = tls_server_handshake(s);
    }
    client_pump(t);
    if (done != 1 || tls_end_reason(t))
        die("the handshake failed");
}

static void receive(struct tls *t, struct tls_server *s, size_t bytes)
{
    static uint8_t from[16384], to[262144];
    size_t sent = 0, got = 0;
    while (got < bytes) {
        long n = 1;
        while (sent < bytes && n > 0 && (n = tls_server_send(s, from, sizeof from)) > 0)
            sent += (size_t)n;
        double start = now();
        size_t more;
        while ((more = client_receive(t, to, sizeof to)))
            got += more;
        seconds += now() - start;
        if (n < 0 || tls_end_reason(t))
            die("the connection ended");
    }
}

int main(int argc, char **argv)
{
    static const unsigned char psk[32] = "0123456789abcdef0123456789abcdef";
    struct tls_keys_text text = {.server_name = "disks.example"};
    struct tls_server_keys server_keys = {.psk = psk, .psk_size = sizeof psk};
    const char *why;
    if (argc != 4)
        die("usage: tls_cost handshake|receive psk|PATH COUNT");
    if (!strcmp(argv[2], "psk")) {
        text = (struct tls_keys_text){
            .psk = "leat:3031323334353637383961626364656630313233343536373839616263646566"};
    } else {
        text.ca = load(argv[2], "-ca.pem");
        server_keys = (struct tls_server_keys){.certificate = load(argv[2], ".pem"),
                                               .key = load(argv[2], "-key.pem")};
    }
    if (tls_random_begin(tls_server_source()))
        die("no random numbers");
    struct tls_keys *keys = tls_keys_make(&text, tls_random_take, NULL, &why);
    if (!keys)
        die(why);
    bool is_bulk = !strcmp(argv[1], "receive");
    size_t count = strtoull(argv[3], NULL, 10), rounds = is_bulk ? 1 : count;
    const struct tls_wire client_wire = {pipe_send, pipe_receive, (void *)&client_ends};
    const struct tls_wire server_wire = {pipe_send, pipe_receive, (void *)&server_ends};
    for (size_t i = 0; i < rounds; i++) {
        most_heap = 0;
        size_t before = mallinfo2().uordblks;
        struct tls *t = tls_open(keys, "disks.example", &client_wire);
        most_heap = mallinfo2().uordblks - before;
        struct tls_server *s = tls_server_open(&server_keys, &server_wire);
        shake_hands(t, s);
        if (i == 0)
            fprintf(stderr, "%s\n", tls_server_suite(s));
        if (is_bulk) {
            seconds = 0;
            receive(t, s, count << 20);
        }
        tls_close(t);
        tls_server_close(s);
        up.start = up.end = down.start = down.end = 0;
    }
    tls_keys_free(keys);
    fprintf(stderr, "%.6f s, %zu bytes of heap\n", seconds, most_heap);
    return 0;
}
