// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat-nbd: serves an export of an NBD server, through the streaming engine, as a local NBD export.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vdisk/leat_nbd/client.h"
#include "vdisk/leat_nbd/keyfiles.h"
#include "vdisk/leat_nbd/local_store.h"
#include "vdisk/leat_nbd/options.h"
#include "vdisk/leat_nbd/profile_file.h"
#include "vdisk/leat_nbd/sockets.h"

#define MAX_CLIENTS 64

static struct client *clients[MAX_CLIENTS];
static struct vdisk *engine;
static struct served {
    struct vdisk_disk *disk;
    const char *socket_path; /* NULL: a TCP port */
    int listener;            /* -1: none yet */
} served[OPTION_CLIENTS];
static unsigned served_count;
static const char *profile_path;
static volatile sig_atomic_t must_print, must_end;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        must_print = 1;
    else
        must_end = 1;
}

static void disk_changed(void *owner)
{
    (void)owner;
}

static void print_counters(void)
{
    char text[VDISK_JSON_BYTES];
    for (unsigned i = 0; i < served_count; i++) {
        vdisk_json(served[i].disk, text, sizeof text);
        fprintf(stderr, "%s\n", text);
    }
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "leat-nbd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) ||
        listen(listener, 16))
        die(path);
    return listener;
}

static int listen_tcp(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0)
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) ||
        listen(listener, 16))
        die("cannot listen");
    return listener;
}

static void accept_client(const struct served *s)
{
    int fd = accept(s->listener, NULL, NULL), one = 1;
    if (fd < 0)
        return;
    if (!s->socket_path)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < MAX_CLIENTS; i++)
        if (!clients[i]) {
            clients[i] = client_new(fd, s->disk);
            return;
        }
    close(fd);
}

static void serve_clients(const struct pollfd *fds)
{
    for (int i = 0; i < MAX_CLIENTS; i++) {
        if (!clients[i] || !fds[i].revents)
            continue;
        bool is_good = true;
        if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
            is_good = client_input(clients[i]);
        if (!is_good) {
            client_drop(clients[i]);
            clients[i] = NULL;
        }
    }
}

static void send_answers(void)
{
    for (int i = 0; i < MAX_CLIENTS; i++)
        if (clients[i] && !client_output(clients[i])) {
            client_drop(clients[i]);
            clients[i] = NULL;
        }
}

static int timeout_ms(uint64_t when)
{
    uint64_t now = sockets_platform.now_ns(NULL);
    if (when == UINT64_MAX)
        return -1;
    if (when <= now)
        return 0;
    uint64_t ms = (when - now) / 1000000 + 1;
    return ms > 1000 ? 1000 : (int)ms;
}

static void step(uint64_t when, const sigset_t *signals)
{
    struct pollfd fds[SOCKETS_MAX + MAX_CLIENTS + 1 + OPTION_CLIENTS];
    int n = sockets_poll_set(fds);
    for (int i = 0; i < MAX_CLIENTS; i++) {
        struct client *c = clients[i];
        fds[n + i] = (struct pollfd){.fd = c ? c->fd : -1};
        if (c && client_wants_input(c))
            fds[n + i].events |= POLLIN;
        if (c && c->out)
            fds[n + i].events |= POLLOUT;
    }
    struct pollfd *store = fds + n + MAX_CLIENTS, *listeners = store + 1;
    *store = (struct pollfd){.fd = local_store_event(), .events = POLLIN};
    for (unsigned i = 0; i < served_count; i++)
        listeners[i] = (struct pollfd){.fd = served[i].listener, .events = POLLIN};
    int ms = sockets_have_news() ? 0 : timeout_ms(when);
    struct timespec limit = {ms / 1000, ms % 1000 * 1000000l};
    int ready =
        ppoll(fds, (nfds_t)n + MAX_CLIENTS + 1 + served_count, ms < 0 ? NULL : &limit, signals);
    if (ready < 0)
        memset(fds, 0, sizeof fds);
    sockets_deliver(fds, n);
    if (store->revents)
        local_store_deliver();
    if (ready <= 0)
        return;
    serve_clients(fds + n);
    for (unsigned i = 0; i < served_count; i++)
        if (listeners[i].revents)
            accept_client(&served[i]);
}

static bool is_known(const struct vdisk_disk *disk)
{
    struct leat_blk_info info;
    vdisk_info(disk, &info);
    if (info.state == LEAT_BLK_FAILED)
        exit(1); /* the reason has been logged */
    return info.size_bytes != 0;
}

/* After SIGTERM, when everything is durable. */
static bool is_over(void)
{
    static bool has_begun;
    if (!must_end)
        return false;
    if (!has_begun) {
        vdisk_profile_end(served[0].disk);
        vdisk_drain(engine);
    }
    has_begun = true;
    return vdisk_is_drained(engine);
}

static void run(uint16_t port)
{
    sigset_t normal, blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, &normal);
    while (!is_over()) {
        uint64_t when = vdisk_run(engine);
        send_answers();
        if (profile_path)
            profile_file_save(served[0].disk, profile_path);
        for (struct served *s = served; s < served + served_count; s++)
            if (s->listener < 0 && is_known(s->disk))
                s->listener = s->socket_path ? listen_unix(s->socket_path) : listen_tcp(port);
        step(when, &normal);
        if (must_end)
            vdisk_drain(engine);
        if (must_print)
            print_counters();
        must_print = 0;
    }
    if (profile_path)
        profile_file_save(served[0].disk, profile_path);
    print_counters();
    for (unsigned i = 0; i < served_count; i++)
        if (served[i].socket_path && served[i].listener >= 0)
            unlink(served[i].socket_path);
}

/* In mode server each client has a disk of its own. */
static bool attach_all(const struct options *options)
{
    for (; served_count < options->client_count; served_count++) {
        const struct option_client *c = &options->clients[served_count];
        struct vdisk_config config = options->config;
        memcpy(config.client_export, c->export_name, sizeof config.client_export);
        if (config.mode == VDISK_SERVER)
            snprintf(config.name, sizeof config.name, "%.63s", c->export_name);
        struct vdisk_disk *disk = vdisk_attach(engine, &config, disk_changed, NULL);
        if (!disk)
            return false;
        served[served_count] = (struct served){disk, c->socket_path, -1};
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options;
    options_parse(&options, argc, argv);
    keyfiles_load(&options);
    profile_path = options.profile_path;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    engine = vdisk_create(&sockets_platform, &options.limits);
    struct store *store = local_store_open(&options);
    if (engine && store)
        vdisk_use_store(engine, store);
    if (!engine || !attach_all(&options)) {
        fputs("leat-nbd: no memory\n", stderr);
        return 1;
    }
    if (profile_path)
        profile_file_load(served[0].disk, profile_path);
    run(options.port);
    return 0;
}
