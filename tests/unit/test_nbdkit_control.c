// SPDX-License-Identifier: BSD-2-Clause
/* leatd's control socket: when leatd counts as away, and who hears of it. The test plays leatd: it answers a request when
   its gate is open. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/nbdkit-leat/control.h"

#define CLIENTS 7u /* connections for all but the one thread */
#define HELD (CLIENTS - 1)
#define LATE_SECONDS 10u
#define LONG_SECONDS 120u

static char folder[] = "control-XXXXXX", path[64];
static int listener;
static sem_t heard, gate;

struct asker {
    const char *line;
    unsigned seconds;
    bool answered;
    struct control_state state;
    pthread_t thread;
};

/* "late" never is answered, "held" when the gate opens, all else at once. */
static void *serve(void *fd_of)
{
    int fd = (int)(intptr_t)fd_of;
    char line[16] = "";
    ssize_t n;
    while ((n = recv(fd, line, sizeof line - 1, 0)) > 0) {
        line[n] = 0;
        sem_post(&heard);
        if (!strcmp(line, "late\n"))
            continue;
        if (!strcmp(line, "held\n"))
            sem_wait(&gate);
        send(fd, "yes\n", 4, MSG_NOSIGNAL);
    }
    close(fd);
    return NULL;
}

static void *accept_all(void *unused)
{
    (void)unused;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd), 0);
        pthread_detach(thread);
    }
    return NULL;
}

static void *ask(void *asker_of)
{
    struct asker *asker = asker_of;
    char answer[GRANT_LINE];
    asker->answered =
        control_ask(asker->line, strlen(asker->line), asker->seconds, answer, &asker->state);
    return NULL;
}

static void start(struct asker *asker, const char *line, unsigned seconds)
{
    *asker = (struct asker){.line = line, .seconds = seconds};
    assert_int_equal(pthread_create(&asker->thread, NULL, ask, asker), 0);
}

static struct asker ask_now(const char *line, unsigned seconds)
{
    struct asker asker = {.line = line, .seconds = seconds};
    ask(&asker);
    return asker;
}

static void one_that_is_late_is_not_all(void **state)
{
    (void)state;
    struct asker late, held[HELD], waiter;
    start(&late, "late\n", LATE_SECONDS);
    sem_wait(&heard);
    assert_true(ask_now("quick\n", LONG_SECONDS).answered);
    sem_wait(&heard);
    for (unsigned i = 0; i < HELD; i++)
        start(&held[i], "held\n", LONG_SECONDS);
    for (unsigned i = 0; i < HELD; i++)
        sem_wait(&heard);
    start(&waiter, "quick\n", LONG_SECONDS);
    pthread_join(late.thread, NULL);
    assert_false(late.answered);
    assert_false(late.state.is_away);
    assert_int_equal(late.state.changes, 0);
    pthread_join(waiter.thread, NULL);
    assert_true(waiter.answered);
    sem_wait(&heard);
    for (unsigned i = 0; i < HELD; i++)
        sem_post(&gate);
    for (unsigned i = 0; i < HELD; i++) {
        pthread_join(held[i].thread, NULL);
        assert_true(held[i].answered);
        assert_false(held[i].state.is_away);
    }
}

static void changes_are_counted(void **state)
{
    (void)state;
    struct asker late = ask_now("late\n", 1);
    assert_false(late.answered);
    assert_true(late.state.is_away);
    assert_int_equal(late.state.changes, 1);
    struct asker again = ask_now("quick\n", LONG_SECONDS);
    assert_true(again.answered);
    assert_false(again.state.is_away);
    assert_int_equal(again.state.changes, 2);
}

static bool hears_one_more(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    return !sem_timedwait(&heard, &until);
}

static void *ask_on_own(void *asker_of)
{
    control_reserve();
    return ask(asker_of);
}

/* However many ask for something that leatd does not answer. */
static void one_thread_does_not_wait(void **state)
{
    (void)state;
    struct asker held[CLIENTS + 1], own = {.line = "quick\n", .seconds = LONG_SECONDS};
    for (unsigned i = 0; i <= CLIENTS; i++)
        start(&held[i], "held\n", LONG_SECONDS);
    for (unsigned i = 0; i < CLIENTS; i++)
        sem_wait(&heard);
    assert_false(hears_one_more());
    assert_int_equal(pthread_create(&own.thread, NULL, ask_on_own, &own), 0);
    pthread_join(own.thread, NULL);
    assert_true(own.answered);
    for (unsigned i = 0; i <= CLIENTS; i++)
        sem_post(&gate);
    for (unsigned i = 0; i <= CLIENTS; i++) {
        pthread_join(held[i].thread, NULL);
        assert_true(held[i].answered);
    }
    sem_wait(&heard);
    sem_wait(&heard);
}

static int set_up(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/control", folder);
    strcpy(address.sun_path, path);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 16), 0);
    sem_init(&heard, 0, 0);
    sem_init(&gate, 0, 0);
    assert_true(control_init(path));
    assert_int_equal(pthread_create(&thread, NULL, accept_all, NULL), 0);
    return pthread_detach(thread);
}

static int tear_down(void **state)
{
    (void)state;
    control_close();
    shutdown(listener, SHUT_RDWR);
    return unlink(path) || rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_that_is_late_is_not_all),
                                       cmocka_unit_test(one_thread_does_not_wait),
                                       cmocka_unit_test(changes_are_counted)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
