// SPDX-License-Identifier: BSD-2-Clause
/* Whose turn it is: those who are connected, and who comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <microhttpd.h>

#include "tools/leatd/leatd.h"
#include "tools/leatd/peer.h"

#define WAIT_MS 10000
#define MOST 3u
#define PATIENCE 16u /* turns, of which the last one is a newcomer's */

static struct leatd leatd;
static char error[CONFIG_ERROR_BYTES];

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **slot)
{
    (void)context, (void)connection, (void)url, (void)method, (void)version, (void)data;
    (void)size, (void)slot;
    return MHD_NO;
}

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_in *at = (struct sockaddr_in *)&leatd.config.client;
    socklen_t size = sizeof *at;
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    leatd.connections = MOST;
    leatd.peers = NULL;
    leatd.listen = (struct listen){.file = -1};
    leatd.client_daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, answer, NULL,
                         MHD_OPTION_CONNECTION_LIMIT, MOST, MHD_OPTION_END);
    return !leatd.client_daemon || !listen_open(&leatd, error) ||
           getsockname(leatd.listen.file, (struct sockaddr *)at, &size);
}

static int tear_down(void **state)
{
    (void)state;
    MHD_stop_daemon(leatd.client_daemon);
    listen_close(&leatd);
    return 0;
}

/* One who connects, and has arrived. */
static int come(void)
{
    int file = socket(AF_INET, SOCK_STREAM, 0);
    struct pollfd arrived = {.fd = leatd.listen.file, .events = POLLIN};
    assert_int_equal(
        connect(file, (struct sockaddr *)&leatd.config.client, sizeof(struct sockaddr_in)), 0);
    assert_int_equal(poll(&arrived, 1, WAIT_MS), 1);
    return file;
}

static struct pollfd news(void)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(leatd.client_daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return (struct pollfd){.fd = info->epoll_fd, .events = POLLIN};
}

static void say(int file)
{
    struct pollfd heard = news();
    assert_int_equal(send(file, "G", 1, 0), 1);
    assert_int_equal(poll(&heard, 1, WAIT_MS), 1);
}

/* Until nobody who is connected has anything to do. */
static void run(void)
{
    for (struct pollfd heard = news(); poll(&heard, 1, 0) > 0;)
        MHD_run(leatd.client_daemon);
}

static unsigned connected(void)
{
    return MHD_get_daemon_info(leatd.client_daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
        ->num_connections;
}

static void test_turns(void **state)
{
    (void)state;
    listen_take(&leatd); /* nobody is there */
    int first = come();
    listen_take(&leatd);
    assert_int_equal(connected(), 1);
    run();
    int second = come();
    say(first);
    listen_take(&leatd);
    assert_int_equal(connected(), 1);
    run();
    listen_take(&leatd);
    assert_int_equal(connected(), 2);
    close(first);
    close(second);
}

static void test_nobody_starves(void **state)
{
    (void)state;
    int first = come();
    listen_take(&leatd);
    run();
    int second = come();
    for (unsigned turn = 1; turn < PATIENCE; turn++) {
        say(first);
        listen_take(&leatd);
        assert_int_equal(connected(), 1);
        MHD_run(leatd.client_daemon);
    }
    say(first);
    listen_take(&leatd);
    assert_int_equal(connected(), 2);
    close(first);
    close(second);
}

/* As many as may be: the next one waits until one goes. */
static void test_full(void **state)
{
    (void)state;
    int files[MOST + 1];
    for (unsigned i = 0; i < MOST; i++) {
        files[i] = come();
        assert_int_equal(listen_file(&leatd), leatd.listen.file);
        run();
        listen_take(&leatd);
        assert_int_equal(connected(), i + 1);
    }
    files[MOST] = come();
    run();
    listen_take(&leatd);
    assert_int_equal(connected(), MOST);
    assert_int_equal(listen_file(&leatd), -1);
    close(files[0]);
    struct pollfd heard = news();
    assert_int_equal(poll(&heard, 1, WAIT_MS), 1);
    while (connected() == MOST)
        MHD_run(leatd.client_daemon);
    run();
    listen_take(&leatd);
    assert_int_equal(connected(), MOST);
    for (unsigned i = 1; i <= MOST; i++)
        close(files[i]);
}

/* Of a flood of those who say nothing more are taken at once. */
static void test_flood(void **state)
{
    (void)state;
    struct peer strangers[16] = {0};
    for (unsigned i = 0; i < 16; i++) {
        strangers[i] = (struct peer){.is_client = true, .is_trusted = i == 15};
        strangers[i].next = leatd.peers;
        leatd.peers = &strangers[i];
    }
    int first = come(), second = come();
    listen_take(&leatd);
    assert_int_equal(connected(), 1);
    strangers[15].is_trusted = false;
    int third = come();
    run();
    listen_take(&leatd);
    assert_int_equal(connected(), 3);
    close(first);
    close(second);
    close(third);
}

/* No descriptor is to be had: it is tried again a second later, and not all the time. */
static void test_no_descriptor(void **state)
{
    (void)state;
    struct rlimit files, none;
    int first = come(), next = dup(first);
    close(next);
    getrlimit(RLIMIT_NOFILE, &files);
    none = (struct rlimit){(rlim_t)next, files.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    listen_take(&leatd);
    setrlimit(RLIMIT_NOFILE, &files);
    assert_int_equal(connected(), 0);
    assert_int_equal(listen_file(&leatd), -1);
    leatd.listen.rests = leatd_monotonic(); /* the second is over */
    listen_take(&leatd);
    assert_int_equal(connected(), 1);
    close(first);
}

static void test_in_use(void **state)
{
    (void)state;
    int file = leatd.listen.file;
    assert_false(listen_open(&leatd, error));
    assert_non_null(strstr(error, "in use"));
    leatd.listen.file = file;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_starves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_descriptor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_use, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
