// SPDX-License-Identifier: BSD-2-Clause
/* The plugin's connections: those are cut that are named, and at SIGTERM all; nothing else is, and for many there is one look
   at the process' files. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/nbdkit-leat/peers.h"

#define CLIENTS 64u
#define WAIT_MS 60000

static atomic_uint looks, terms;
static pthread_barrier_t entered, leaving;
static struct visit *visits[1024]; /* by file */

/* Instead of the C library's. */
int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
    looks++;
    return (int)syscall(SYS_getpeername, fd, address, length);
}

static void nbdkits(int number)
{
    (void)number;
    terms++;
}

static void *serve(void *fd)
{
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    memset(&peer, 0, sizeof peer);
    assert_int_equal(getpeername(*(int *)fd, (struct sockaddr *)&peer, &length), 0);
    assert_null(peers_enter("127.0.0.1", &peer, length));
    peers_shook_hands();
    visits[*(int *)fd] = peers_visit();
    pthread_barrier_wait(&entered);
    pthread_barrier_wait(&leaving);
    return NULL;
}

static int listen_at(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    assert_int_equal(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
    assert_int_equal(listen(fd, CLIENTS), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)address, &length), 0);
    return fd;
}

static void join(const struct sockaddr_in *address, int listener, int pair[2])
{
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(pair[0], (const struct sockaddr *)address, sizeof *address), 0);
    pair[1] = accept(listener, NULL, NULL);
    assert_true(pair[1] >= 0);
}

static bool has_ended(int fd, int within)
{
    char byte;
    struct pollfd of = {.fd = fd, .events = POLLIN};
    return poll(&of, 1, within) == 1 && !recv(fd, &byte, 1, MSG_DONTWAIT);
}

static void all_are_cut_at_once(void **state)
{
    (void)state;
    struct sockaddr_in address;
    pthread_t threads[CLIENTS];
    int listener = listen_at(&address), pairs[CLIENTS][2], other[2], local[2];
    pthread_barrier_init(&entered, NULL, CLIENTS + 1);
    pthread_barrier_init(&leaving, NULL, CLIENTS + 1);
    signal(SIGTERM, nbdkits);
    assert_true(peers_init(0, 0));
    join(&address, listener, other); /* as an image's server has one: no visit */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, local), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        join(&address, listener, pairs[i]);
        assert_int_equal(pthread_create(&threads[i], NULL, serve, &pairs[i][1]), 0);
    }
    pthread_barrier_wait(&entered);
    for (unsigned i = 0; i < CLIENTS / 2; i++)
        peers_cut(visits[pairs[i][1]]);
    peers_cut(NULL);
    for (unsigned i = 0; i < CLIENTS / 2; i++)
        assert_true(has_ended(pairs[i][0], WAIT_MS));
    assert_false(has_ended(pairs[CLIENTS / 2][0], 0));
    looks = 0;
    raise(SIGTERM);
    assert_int_equal(terms, 1);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_true(has_ended(pairs[i][0], WAIT_MS));
    assert_false(has_ended(other[0], 0));
    assert_false(has_ended(local[0], 0));
    pthread_barrier_wait(&leaving);
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    peers_end();
    assert_in_range(looks, CLIENTS, 4 * CLIENTS);
    struct sigaction now;
    assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
    assert_true(now.sa_handler == nbdkits);
    for (unsigned i = 0; i < CLIENTS; i++)
        close(pairs[i][0]), close(pairs[i][1]);
    close(other[0]), close(other[1]), close(local[0]), close(local[1]), close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_are_cut_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
