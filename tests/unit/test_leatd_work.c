// SPDX-License-Identifier: BSD-2-Clause
/* Lanes of work while one of them is stuck. */
#include "tools/leatd/work.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct work stuck, others[WORK_MOST], machines[WORK_MOST_MACHINES], one_more;
static sem_t begun, ran;
static atomic_bool goes_on;

static void wait_long(struct work *work)
{
    (void)work;
    sem_post(&begun);
    while (!goes_on)
        usleep(1000);
}

static void run(struct work *work)
{
    (void)work;
    sem_post(&ran);
}

static void count(void *context)
{
    ++*(unsigned *)context;
}

static bool begin(enum work_lane lane, struct work *work, unsigned *done)
{
    work->run = work->run ? work->run : run;
    return work_begin(lane, work, count, done);
}

/* Two lanes, one after the other, each with one that is being done and as many behind it as may be. */
static void fill(enum work_lane lane, struct work *works, unsigned most, unsigned *done)
{
    stuck.run = wait_long;
    goes_on = false;
    assert_true(begin(lane, &stuck, done));
    sem_wait(&begun);
    for (unsigned i = 0; i < most; i++)
        assert_true(begin(lane, &works[i], done));
    assert_false(begin(lane, &one_more, done));
}

static void test_full(void **state)
{
    (void)state;
    unsigned done = 0;
    fill(WORK_READ, machines, WORK_MOST_MACHINES, &done);
    assert_true(begin(WORK_LOOK, &others[0], &done)); // another lane is as free as ever
    goes_on = true;
    for (unsigned i = 0; i <= WORK_MOST_MACHINES; i++)
        sem_wait(&ran);
    while (done < WORK_MOST_MACHINES + 2)
        work_finish();
    assert_true(begin(WORK_READ, &one_more, &done)); // and this one is again
    sem_wait(&ran);
    while (done < WORK_MOST_MACHINES + 3)
        work_finish();
}

/* In place of the C library's: when leatd waits for its threads, the one that is stuck goes on. */
int pthread_join(pthread_t thread, void **result)
{
    int (*join)(pthread_t, void **);
    *(void **)&join = dlsym(RTLD_NEXT, "pthread_join");
    goes_on = true;
    return join(thread, result);
}

static void test_stop(void **state)
{
    (void)state;
    unsigned done = 0;
    int left;
    fill(WORK_PASSWORD, others, WORK_MOST, &done);
    work_stop();
    assert_int_equal(done, 1 + WORK_MOST);
    sem_getvalue(&ran, &left);
    assert_int_equal(left, 0); // none of those that waited
    assert_false(begin(WORK_PASSWORD, &one_more, &done));
    assert_false(begin(WORK_HASH, &one_more, &done));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_full), cmocka_unit_test(test_stop)};
    sem_init(&begun, 0, 0);
    sem_init(&ran, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
