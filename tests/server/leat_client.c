// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat_client SERVERS UUID:HEX MAC FOLDER [enrol]: client/ as a Linux program, with the TLS of ring 3, for tests against a real
 * leatd. What it gives goes to standard output, a line each, files and configuration into FOLDER; standard input takes
 * "choose BITS", "report JSON", "profile DISK FILE", "stop".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/client.h"
#include "vdisk/tls/sha256.h"
#include "vdisk/tls/tls.h"

#define CONNS 4u
#define FILES 200u

struct conn {
    int socket; /* -1: free */
    struct tls *tls;
    bool is_connected, has_ended;
    char why[160];
    enum client_identity identity;
};

static struct conn conns[CONNS] = {{.socket = -1}, {.socket = -1}, {.socket = -1}, {.socket = -1}};
static struct tls_keys *keys[2];
static struct client *client;
static const char *folder;
static struct {
    char name[LEAT_CLIENT_FILE];
    void *memory;
    size_t size;
} files[FILES];
static unsigned file_count;
static void *profile;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "leat_client: %s\n", what);
    exit(2);
}

time_t tls_wall_clock(time_t *now)
{
    return time(now);
}

static int take_random(void *ctx, unsigned char *to, size_t size)
{
    (void)ctx;
    return getrandom(to, size, 0) != (ssize_t)size;
}

/* -- the platform -- */

static uint64_t now_ns(void *ctx)
{
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(void *ctx)
{
    uint64_t number = 0;
    (void)ctx;
    take_random(NULL, (void *)&number, sizeof number);
    return number;
}

static long wire_send(void *ctx, const void *data, size_t size)
{
    ssize_t n = send(((struct conn *)ctx)->socket, data, size, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
}

static long wire_receive(void *ctx, void *data, size_t size)
{
    ssize_t n = recv(((struct conn *)ctx)->socket, data, size, 0);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
}

static void *open_conn(void *ctx, const char *host, uint16_t port, enum client_identity identity)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct conn *c = conns;
    (void)ctx;
    while (c < conns + CONNS && c->socket >= 0)
        c++;
    if (c == conns + CONNS || inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return NULL;
    memset(c, 0, sizeof *c);
    c->identity = identity;
    c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->socket < 0)
        return NULL;
    if (connect(c->socket, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
        c->has_ended = true;
    snprintf(c->why, sizeof c->why, "no connection");
    return c;
}

static void look(struct conn *c)
{
    struct pollfd p = {c->socket, POLLOUT, 0};
    int error = 0;
    socklen_t size = sizeof error;
    if (c->is_connected || c->has_ended || poll(&p, 1, 0) <= 0)
        return;
    getsockopt(c->socket, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        snprintf(c->why, sizeof c->why, "%s", strerror(error));
        c->has_ended = true;
        return;
    }
    c->is_connected = true;
    c->tls = tls_open(keys[c->identity], "", &(struct tls_wire){wire_send, wire_receive, c});
}

static enum client_conn_state conn_state(void *ctx, void *conn, const char **why)
{
    struct conn *c = conn;
    (void)ctx;
    look(c);
    if (c->tls) {
        do
            tls_pump(c->tls);
        while (tls_has_more(c->tls));
    }
    if (c->tls && tls_end_reason(c->tls)) {
        snprintf(c->why, sizeof c->why, "%s", tls_end_reason(c->tls));
        c->has_ended = true;
    }
    if (!c->has_ended)
        return c->is_connected ? CLIENT_CONN_OPEN : CLIENT_CONN_CONNECTING;
    *why = c->why;
    return c->tls && tls_is_refused(c->tls) ? CLIENT_CONN_REFUSED : CLIENT_CONN_ENDED;
}

static size_t send_bytes(void *ctx, void *conn, const void *data, size_t size)
{
    struct conn *c = conn;
    (void)ctx;
    return c->tls ? tls_send(c->tls, data, size) : 0;
}

static size_t receive_bytes(void *ctx, void *conn, void *data, size_t size)
{
    struct conn *c = conn;
    (void)ctx;
    return c->tls ? tls_receive(c->tls, data, size) : 0;
}

static void close_conn(void *ctx, void *conn)
{
    struct conn *c = conn;
    (void)ctx;
    if (c->tls)
        tls_close(c->tls);
    close(c->socket);
    c->socket = -1;
    c->tls = NULL;
}

static void take_log(void *ctx, const char *line)
{
    (void)ctx;
    say("log %s", line);
}

static void sum(const void *data, size_t size, uint8_t out[32])
{
    tls_sha256("", 0, data, size, out);
}

static const struct client_platform platform = {
    NULL,          now_ns,     open_conn,   conn_state, send_bytes,
    receive_bytes, close_conn, next_random, take_log,   sum,
};

/* -- what the client gives -- */

static void put_file(const char *name, const void *data, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file))
        die("a file cannot be written");
}

static void on_notice(void *ctx, const char *text, uint64_t wait_s)
{
    (void)ctx;
    say("notice %llu %s", (unsigned long long)wait_s, text);
}

static void on_offer(void *ctx, const struct leat_client_offer *offer)
{
    (void)ctx;
    say("offer %u %u %u", offer->count, offer->chosen_first, offer->timeout_s);
    for (unsigned i = 0; i < offer->count; i++)
        say("entry %s %u %s", offer->entries[i].name, offer->entries[i].always,
            offer->entries[i].label);
}

static void on_memory(void *ctx, const char *name, uint64_t size, uint64_t number)
{
    (void)ctx;
    snprintf(files[file_count].name, sizeof files[0].name, "%s", name);
    files[file_count].memory = malloc(size);
    files[file_count].size = size;
    client_memory(client, number, files[file_count++].memory);
}

static void on_config(void *ctx, const char *text, size_t size)
{
    (void)ctx;
    put_file("config", text, size);
    for (; file_count; file_count--) {
        put_file(files[file_count - 1].name, files[file_count - 1].memory,
                 files[file_count - 1].size);
        free(files[file_count - 1].memory);
    }
    say("config");
}

static void on_ended(void *ctx, const char *why)
{
    (void)ctx;
    say("ended %s", why);
}

static void on_start_again(void *ctx, const char *why)
{
    (void)ctx;
    say("again %s", why);
    exit(3);
}

static void on_profile_taken(void *ctx, size_t size)
{
    (void)ctx;
    free(profile);
    profile = NULL;
    say("taken %zu", size);
}

static void on_want_report(void *ctx)
{
    (void)ctx;
    say("report?");
}

static void on_progress(void *ctx, const char *text)
{
    (void)ctx;
    say("progress %s", text);
}

static void on_busy(void *ctx, const char *text)
{
    (void)ctx;
    say("busy %s", text);
}

static const struct client_output output = {
    NULL,           on_notice,        on_offer,       on_memory,   on_config, on_ended,
    on_start_again, on_profile_taken, on_want_report, on_progress, on_busy,
};

/* -- commands -- */

static void send_profile(const char *disk, const char *path)
{
    FILE *file = fopen(path, "rb");
    profile = malloc(LEAT_CLIENT_PROFILE_BYTES);
    size_t size = file ? fread(profile, 1, LEAT_CLIENT_PROFILE_BYTES, file) : 0;
    if (!file || fclose(file))
        die("the profile cannot be read");
    client_profile(client, disk, profile, size);
}

static void obey(char *line)
{
    char disk[64], path[900];
    line[strcspn(line, "\n")] = 0;
    if (!strncmp(line, "choose ", 7))
        client_choose(client, strtoull(line + 7, NULL, 0));
    else if (!strncmp(line, "report ", 7))
        client_report(client, line + 7, strlen(line + 7));
    else if (sscanf(line, "profile %63s %899s", disk, path) == 2)
        send_profile(disk, path);
    else if (!strcmp(line, "stop"))
        client_stop(client);
    else
        die("a command that there is not");
}

/* True: there was a line. The input is read by bytes, so that poll tells of each. */
static bool read_command(void)
{
    static char line[70000];
    static size_t used;
    char c;
    if (read(0, &c, 1) != 1)
        die("the test has gone");
    if (used + 1 == sizeof line)
        die("a command that is too long");
    line[used++] = c;
    line[used] = 0;
    if (c != '\n')
        return false;
    used = 0;
    obey(line);
    return true;
}

static void wait(uint64_t when)
{
    struct pollfd fds[CONNS + 1] = {{0, POLLIN, 0}};
    for (unsigned i = 0; i < CONNS; i++) {
        struct conn *c = &conns[i];
        bool wants_out = c->socket >= 0 && (!c->is_connected || (c->tls && tls_is_sending(c->tls)));
        fds[i + 1] =
            (struct pollfd){c->has_ended ? -1 : c->socket, wants_out ? POLLOUT : POLLIN, 0};
    }
    uint64_t now = now_ns(NULL), ms = when > now ? (when - now) / 1000000 + 1 : 0;
    poll(fds, CONNS + 1, ms > 1000 ? 1000 : (int)ms);
    while (fds[0].revents & (POLLIN | POLLHUP) && !read_command())
        poll(fds, 1, 0);
}

static struct tls_keys *make_keys(const char *psk)
{
    const char *why;
    struct tls_keys *made =
        tls_keys_make(&(struct tls_keys_text){.psk = psk}, take_random, NULL, &why);
    if (!made)
        die(why);
    return made;
}

int main(int argc, char **argv)
{
    static struct client_config config = {.version = "0.1.0", .product = "test"};
    char enrol[CLIENT_PSK_BYTES];
    unsigned mac[6];
    const char *why;
    if (argc < 5 || !client_take_servers(&config, argv[1]) ||
        sscanf(argv[3], "%x:%x:%x:%x:%x:%x", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
        die("SERVERS UUID:HEX MAC FOLDER [enrol]");
    snprintf(config.psk, sizeof config.psk, "%s", argv[2]);
    config.may_enrol = argc > 5;
    folder = argv[4];
    client_enrol_psk(&platform, enrol);
    keys[CLIENT_OWN] = make_keys(config.psk);
    keys[CLIENT_ENROL] = make_keys(enrol);
    client = client_create(&config, &platform, &output, &why);
    if (!client)
        die(why);
    client_set_mac(client, (uint8_t[]){(uint8_t)mac[0], (uint8_t)mac[1], (uint8_t)mac[2],
                                       (uint8_t)mac[3], (uint8_t)mac[4], (uint8_t)mac[5]});
    for (;;) {
        uint64_t when = client_run(client);
        if (client_is_over(client))
            break;
        wait(when);
    }
    client_free(client);
    tls_keys_free(keys[CLIENT_OWN]);
    tls_keys_free(keys[CLIENT_ENROL]);
    free(profile);
    say("over");
    return 0;
}
