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
static struct vdisk_disk *disk;
static const char *socket_path, *profile_path;
static int listener = -1;
static bool is_unix;
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
    vdisk_json(disk, text, sizeof text);
    fprintf(stderr, "%s\n", text);
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "leat-nbd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address.sun_path, path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    is_unix = true;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) ||
        listen(listener, 16))
        die(path);
}

static void listen_tcp(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0)
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) ||
        listen(listener, 16))
        die("cannot listen");
}

static void accept_client(void)
{
    int fd = accept(listener, NULL, NULL), one = 1;
    if (fd < 0)
        return;
    if (!is_unix)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < MAX_CLIENTS; i++)
        if (!clients[i]) {
            clients[i] = client_new(fd, disk);
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
    struct pollfd fds[SOCKETS_MAX + MAX_CLIENTS + 2];
    int n = sockets_poll_set(fds);
    for (int i = 0; i < MAX_CLIENTS; i++) {
        struct client *c = clients[i];
        fds[n + i] = (struct pollfd){.fd = c ? c->fd : -1};
        if (c && client_wants_input(c))
            fds[n + i].events |= POLLIN;
        if (c && c->out)
            fds[n + i].events |= POLLOUT;
    }
    fds[n + MAX_CLIENTS] = (struct pollfd){.fd = listener, .events = POLLIN};
    fds[n + MAX_CLIENTS + 1] = (struct pollfd){.fd = local_store_event(), .events = POLLIN};
    int ms = sockets_have_news() ? 0 : timeout_ms(when);
    struct timespec limit = {ms / 1000, ms % 1000 * 1000000l};
    int ready = ppoll(fds, (nfds_t)n + MAX_CLIENTS + 2, ms < 0 ? NULL : &limit, signals);
    if (ready < 0)
        memset(fds, 0, sizeof fds);
    sockets_deliver(fds, n);
    if (fds[n + MAX_CLIENTS + 1].revents)
        local_store_deliver();
    if (ready <= 0)
        return;
    serve_clients(fds + n);
    if (fds[n + MAX_CLIENTS].revents)
        accept_client();
}

static bool is_known(void)
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
        vdisk_profile_end(disk);
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
            profile_file_save(disk, profile_path);
        if (listener < 0 && is_known()) {
            if (socket_path)
                listen_unix(socket_path);
            else
                listen_tcp(port);
        }
        step(when, &normal);
        if (must_end)
            vdisk_drain(engine);
        if (must_print)
            print_counters();
        must_print = 0;
    }
    if (profile_path)
        profile_file_save(disk, profile_path);
    print_counters();
    if (socket_path && listener >= 0)
        unlink(socket_path);
}

int main(int argc, char **argv)
{
    struct options options;
    options_parse(&options, argc, argv);
    keyfiles_load(&options);
    socket_path = options.socket_path;
    profile_path = options.profile_path;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    engine = vdisk_create(&sockets_platform, &options.limits);
    struct store *store = local_store_open(&options);
    if (engine && store)
        vdisk_use_store(engine, store);
    disk = engine ? vdisk_attach(engine, &options.config, disk_changed, NULL) : NULL;
    if (!disk) {
        fputs("leat-nbd: no memory\n", stderr);
        return 1;
    }
    if (profile_path)
        profile_file_load(disk, profile_path);
    run(options.port);
    return 0;
}
