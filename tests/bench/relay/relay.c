// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat-relay: relays stream connections over a made-up link with delay, bandwidth and loss in each
 * direction. No rights, no kernel modules. SIGUSR1 prints one line of JSON: connections, bytes and
 * losses each way; SIGTERM prints it and ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/relay/lane.h"

#define MAX_CONNECTIONS 256
#define SECOND_NS 1000000000ull

static const char usage[] =
    "usage: leat-relay [options] LISTEN TO\n"
    "  LISTEN, TO      unix:PATH or ADDRESS:PORT\n"
    "  --rtt MS        round-trip time, half of it each way (may have a fraction)\n"
    "  --rate MBIT     bandwidth each way, in 1,000,000 bits a second, shared by all connections\n"
    "  --rate-up MBIT  from those who connect to TO only\n"
    "  --loss PPM      chance of each segment of 1448 bytes, in millionths: costs one round trip\n"
    "  --queue MS      how much the link queues before it pushes back (5)\n"
    "  --seed N        of the losses (1)\n";

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_in inet;
    };
    socklen_t size;
};

struct connection {
    bool is_used, is_open;
    uint64_t open_ns; /* the other side sees the connection then */
    int near, far;
    struct lane up, down;
};

static struct lane_link up = {.rng = 1}, down = {.rng = 2};
static struct connection connections[MAX_CONNECTIONS];
static struct address target;
static unsigned long accepted;
static volatile sig_atomic_t must_print, must_end;

static void on_signal(int number)
{
    *(number == SIGUSR1 ? &must_print : &must_end) = 1;
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static void print_counts(void)
{
    printf("{\"connections\": %lu, \"up_bytes\": %llu, \"down_bytes\": %llu, \"up_losses\": %llu, "
           "\"down_losses\": %llu}\n",
           accepted, (unsigned long long)up.bytes, (unsigned long long)down.bytes,
           (unsigned long long)up.losses, (unsigned long long)down.losses);
    fflush(stdout);
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "leat-relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct address parse_address(const char *text)
{
    struct address a = {.size = 0};
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!strncmp(text, "unix:", 5) && strlen(text + 5) < sizeof a.local.sun_path) {
        a.local.sun_family = AF_UNIX;
        strcpy(a.local.sun_path, text + 5);
        a.size = sizeof a.local;
        return a;
    }
    if (colon)
        snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    a.inet.sin_family = AF_INET;
    if (!colon || inet_pton(AF_INET, host, &a.inet.sin_addr) != 1) {
        fprintf(stderr, "leat-relay: %s is neither unix:PATH nor ADDRESS:PORT\n", text);
        exit(2);
    }
    a.inet.sin_port = htons((uint16_t)atoi(colon + 1));
    a.size = sizeof a.inet;
    return a;
}

static int make_socket(const struct address *a)
{
    int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        die("socket");
    if (a->any.sa_family == AF_INET) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    return fd;
}

static void close_connection(struct connection *c)
{
    close(c->near);
    if (c->is_open) {
        close(c->far);
        lane_free(&c->up);
        lane_free(&c->down);
    }
    c->is_used = c->is_open = false;
}

static void accept_one(int listener, uint64_t now_ns)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails on a Unix socket */
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *c = &connections[i];
        if (c->is_used)
            continue;
        /* TCP's three-way handshake: the third segment has arrived after one and a half trips. */
        *c = (struct connection){
            .is_used = true, .near = fd, .open_ns = now_ns + 2 * up.delay_ns + down.delay_ns};
        accepted++;
        return;
    }
    close(fd);
}

/* False: the connection is over. */
static bool open_far(struct connection *c)
{
    c->far = make_socket(&target);
    if (connect(c->far, &target.any, target.size)) { /* local: succeeds or fails at once */
        close(c->far);
        return false;
    }
    fcntl(c->far, F_SETFL, O_NONBLOCK);
    lane_init(&c->up, &up, c->near, c->far);
    lane_init(&c->down, &down, c->far, c->near);
    c->is_open = true;
    return true;
}

static short wanted(const struct lane *in, const struct lane *out, uint64_t now_ns, uint64_t *when)
{
    uint64_t again, due = lane_due(out);
    short events = lane_may_read(in, now_ns, &again) ? POLLIN : 0;
    if (again < *when)
        *when = again;
    if (due < *when)
        *when = due;
    return events | (out->is_full ? POLLOUT : 0);
}

static int last_reader; /* who comes behind it is served first, so that all have the same share */

static bool serve(struct connection *c, const struct pollfd *fds, uint64_t now_ns)
{
    uint64_t unused, before = up.bytes + down.bytes;
    if (!c->is_open)
        return now_ns < c->open_ns || open_far(c);
    bool is_good = true;
    if (fds[0].revents && lane_may_read(&c->up, now_ns, &unused))
        is_good = lane_read(&c->up, now_ns);
    if (fds[1].revents && lane_may_read(&c->down, now_ns, &unused))
        is_good = lane_read(&c->down, now_ns) && is_good;
    if (up.bytes + down.bytes != before)
        last_reader = (int)(c - connections);
    is_good = lane_write(&c->up, now_ns) && lane_write(&c->down, now_ns) && is_good;
    return is_good && !(lane_is_done(&c->up) && lane_is_done(&c->down));
}

static void step(int listener, const sigset_t *signals)
{
    static struct pollfd fds[2 * MAX_CONNECTIONS + 1];
    uint64_t when = UINT64_MAX, now_ns = clock_ns();
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *c = &connections[i];
        fds[2 * i] = (struct pollfd){.fd = -1};
        fds[2 * i + 1] = (struct pollfd){.fd = -1};
        if (c->is_used && !c->is_open && c->open_ns < when)
            when = c->open_ns;
        if (!c->is_open)
            continue;
        short near = wanted(&c->up, &c->down, now_ns, &when);
        short far = wanted(&c->down, &c->up, now_ns, &when);
        if (near) /* a socket that ended would wake poll for nothing */
            fds[2 * i] = (struct pollfd){.fd = c->near, .events = near};
        if (far)
            fds[2 * i + 1] = (struct pollfd){.fd = c->far, .events = far};
    }
    fds[2 * MAX_CONNECTIONS] = (struct pollfd){.fd = listener, .events = POLLIN};
    uint64_t wait = when > now_ns ? when - now_ns : 0;
    struct timespec limit = {(time_t)(wait / SECOND_NS), (long)(wait % SECOND_NS)};
    int ready = ppoll(fds, 2 * MAX_CONNECTIONS + 1, when == UINT64_MAX ? NULL : &limit, signals);
    now_ns = clock_ns();
    for (int k = 0, from = last_reader + 1; k < MAX_CONNECTIONS; k++) {
        int i = (from + k) % MAX_CONNECTIONS;
        if (ready <= 0)
            fds[2 * i].revents = fds[2 * i + 1].revents = 0;
        if (connections[i].is_used && !serve(&connections[i], fds + 2 * i, now_ns))
            close_connection(&connections[i]);
    }
    if (ready > 0 && fds[2 * MAX_CONNECTIONS].revents)
        accept_one(listener, now_ns);
}

static uint64_t scaled(const char *text, double unit)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || value < 0) {
        fprintf(stderr, "leat-relay: %s is not a number\n", text);
        exit(2);
    }
    return (uint64_t)(value * unit + 0.5);
}

static int parse(int argc, char **argv)
{
    static const struct option options[] = {{"rtt", 1, NULL, 't'},     {"rate", 1, NULL, 'r'},
                                            {"rate-up", 1, NULL, 'u'}, {"loss", 1, NULL, 'l'},
                                            {"queue", 1, NULL, 'q'},   {"seed", 1, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    uint64_t queue_ns = 5000000;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 't')
            up.delay_ns = down.delay_ns = scaled(optarg, 0.5e6);
        else if (c == 'r')
            up.rate = down.rate = scaled(optarg, 1e6);
        else if (c == 'u')
            up.rate = scaled(optarg, 1e6);
        else if (c == 'l')
            up.loss_ppm = down.loss_ppm = (uint32_t)scaled(optarg, 1);
        else if (c == 'q')
            queue_ns = scaled(optarg, 1e6);
        else if (c == 's')
            down.rng = (up.rng = scaled(optarg, 1) * 2 + 1) * 3;
        else
            return -1;
    }
    up.queue_ns = down.queue_ns = queue_ns;
    up.repair_ns = down.repair_ns = up.delay_ns + down.delay_ns;
    return optind + 2 == argc ? optind : -1;
}

int main(int argc, char **argv)
{
    int at = parse(argc, argv);
    if (at < 0) {
        fputs(usage, stderr);
        return 2;
    }
    struct address here = parse_address(argv[at]);
    target = parse_address(argv[at + 1]);
    int listener = make_socket(&here);
    if (bind(listener, &here.any, here.size) || listen(listener, 64))
        die(argv[at]);
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t normal, blocked;
    sigemptyset(&blocked);
    const int signals[] = {SIGUSR1, SIGTERM, SIGINT};
    for (int i = 0; i < 3; i++) {
        sigaction(signals[i], &action, NULL);
        sigaddset(&blocked, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, &normal);
    prctl(PR_SET_TIMERSLACK, 1000ul); /* ns; the default of 50 us would be seen */
    while (!must_end) {
        step(listener, &normal);
        if (must_print)
            print_counts();
        must_print = 0;
    }
    print_counts();
    if (here.any.sa_family == AF_UNIX)
        unlink(here.local.sun_path);
    return 0;
}
