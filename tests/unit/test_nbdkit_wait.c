// SPDX-License-Identifier: BSD-2-Clause
/* Waiting for an image's server that says nothing, not even in the handshake: it ends, for all who wait; and at once in vain. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/nbdkit-leat/image.h"
#include "tools/nbdkit-leat/image_wait.h"

#define OPENERS 4u

static char folder[] = "wait.XXXXXX", path[64], uri[128];
static int listener;
static atomic_uint connections, waiting, failed;
static atomic_int_fast64_t skipped; /* seconds that the monotonic clock is ahead */

/* Instead of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += clock == CLOCK_MONOTONIC ? skipped : 0;
    return result;
}

/* Each thread counts once. */
static void note_waiting(void)
{
    static _Thread_local bool is_noted;
    waiting += !is_noted;
    is_noted = true;
}

static int wait_really(pthread_cond_t *changed, pthread_mutex_t *lock, long milliseconds)
{
    struct timespec until;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &until);
    until.tv_nsec += milliseconds % 1000 * 1000000;
    until.tv_sec += milliseconds / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_cond_timedwait(changed, lock, &until);
}

/* The same; whoever calls it looks at the clock again. */
int pthread_cond_clockwait(pthread_cond_t *changed, pthread_mutex_t *lock, clockid_t clock,
                           const struct timespec *until)
{
    (void)clock, (void)until;
    note_waiting();
    return wait_really(changed, lock, 10);
}

int pthread_cond_wait(pthread_cond_t *changed, pthread_mutex_t *lock)
{
    note_waiting();
    return wait_really(changed, lock, 3600 * 1000) == EINVAL ? EINVAL : 0;
}

static void *accept_all(void *unused)
{
    (void)unused;
    while (accept(listener, NULL, NULL) >= 0)
        connections++;
    return NULL;
}

static bool is_vain(const void *truth)
{
    const atomic_bool *is = truth;
    return atomic_load(is);
}

static void *open_it(void *vain)
{
    char error[IMAGE_ERROR];
    image_wait_unless(vain ? is_vain : NULL, vain);
    assert_null(image_open(uri, true, GRANT_RAW, error));
    assert_non_null(strstr(error, "cannot be reached: it"));
    image_wait_unless(NULL, NULL);
    failed++;
    return NULL;
}

/* Until there are so many, or have been. */
static void wait_for(atomic_uint *count, unsigned of)
{
    for (unsigned i = 0; i < 60000 && *count < of; i++)
        usleep(1000);
    assert_int_equal(*count, of);
}

/* As one more that waits. */
static pthread_t start(atomic_bool *vain)
{
    pthread_t thread;
    unsigned before = waiting;
    assert_int_equal(pthread_create(&thread, NULL, open_it, vain), 0);
    wait_for(&waiting, before + 1);
    return thread;
}

static int forget(void **state)
{
    (void)state;
    connections = waiting = failed = 0;
    return 0;
}

/* A second at most after the clock has been put forward, and not before. All have waited for one connection. */
static void all_give_up(void **state)
{
    (void)state;
    pthread_t threads[OPENERS];
    for (unsigned i = 0; i < OPENERS; i++)
        threads[i] = start(NULL);
    wait_for(&connections, 1);
    assert_int_equal(failed, 0);
    skipped += IMAGE_SILENT_SECONDS + 1;
    for (unsigned i = 0; i < OPENERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(connections, 1);
}

static void in_vain(void **state)
{
    static atomic_bool vain = true;
    (void)state;
    int64_t begin = image_clock();
    open_it(&vain);
    wait_for(&connections, 1);
    assert_true(image_clock() - begin < (IMAGE_SILENT_SECONDS - 5) * 1000);
}

/* Then somebody else who wants the image begins anew. */
static void given_up_by_the_first(void **state)
{
    (void)state;
    static atomic_bool vain;
    pthread_t first = start(&vain), second = start(NULL);
    wait_for(&connections, 1);
    vain = true;
    pthread_join(first, NULL);
    wait_for(&connections, 2);
    assert_int_equal(failed, 1);
    skipped += IMAGE_SILENT_SECONDS + 1;
    pthread_join(second, NULL);
}

static void given_up_by_the_second(void **state)
{
    (void)state;
    static atomic_bool vain;
    pthread_t first = start(NULL), second = start(&vain);
    wait_for(&connections, 1);
    vain = true;
    wait_for(&failed, 1);
    pthread_join(second, NULL);
    assert_int_equal(failed, 1);
    skipped += IMAGE_SILENT_SECONDS + 1;
    pthread_join(first, NULL);
    assert_int_equal(connections, 1);
}

/* Others' answers wake all who wait, all the time; time passes all the same, and no answer puts off the end for ever. */
static void bounds(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&lock);
    struct image_wait wait = image_wait_begin();
    skipped += IMAGE_SILENT_SECONDS - 1;
    assert_int_equal(image_wait_more(&wait, 0, &changed, &lock), 0);
    int64_t answered = image_clock();
    skipped += 10;
    assert_int_equal(image_wait_more(&wait, answered, &changed, &lock), 0);
    assert_int_equal(image_wait_more(&wait, 0, &changed, &lock), -EIO);
    skipped += IMAGE_LONGEST_SECONDS;
    assert_int_equal(image_wait_more(&wait, image_clock(), &changed, &lock), -EIO);
    pthread_mutex_unlock(&lock);
}

static int begin(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/silent", folder);
    snprintf(uri, sizeof uri, "nbd+unix:///?socket=%s", path);
    strcpy(address.sun_path, path);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 64), 0);
    assert_int_equal(pthread_create(&thread, NULL, accept_all, NULL), 0);
    return pthread_detach(thread);
}

static int end(void **state)
{
    (void)state;
    close(listener);
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_give_up, forget), cmocka_unit_test_setup(in_vain, forget),
        cmocka_unit_test_setup(given_up_by_the_first, forget),
        cmocka_unit_test_setup(given_up_by_the_second, forget), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, begin, end);
}
