// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/work.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>

struct lane {
    struct work *first, **end; // end: NULL when there is none
    unsigned queued;
    pthread_cond_t more;
    pthread_t thread;
    bool runs;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lane lanes[WORK_LANES];
static struct work *finished, **finished_end = &finished;
static int event = -1; // an eventfd: the loop has something to finish
static bool stops;

static void *serve(void *context)
{
    struct lane *lane = context;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!lane->first && !stops)
            pthread_cond_wait(&lane->more, &lock);
        struct work *work = lane->first;
        if (!work)
            break;
        lane->first = work->next;
        lane->queued--;
        if (!lane->first)
            lane->end = &lane->first;
        pthread_mutex_unlock(&lock);
        work->run(work);
        pthread_mutex_lock(&lock);
        work->next = NULL;
        *finished_end = work;
        finished_end = &work->next;
        eventfd_write(event, 1);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static bool start(struct lane *lane)
{
    if (event < 0)
        event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event < 0)
        return false;
    lane->end = &lane->first;
    pthread_cond_init(&lane->more, NULL);
    return !pthread_create(&lane->thread, NULL, serve, lane);
}

static bool has_room(enum work_lane number)
{
    bool is_for_machines = number == WORK_LOOK || number == WORK_READ;
    return !stops && lanes[number].queued < (is_for_machines ? WORK_MOST_MACHINES : WORK_MOST);
}

bool work_begin(enum work_lane number, struct work *work, void (*done)(void *context),
                void *context)
{
    struct lane *lane = &lanes[number];
    work->done = done;
    work->context = context;
    work->next = NULL;
    pthread_mutex_lock(&lock);
    bool is_taken = has_room(number) && (lane->runs = lane->runs || start(lane));
    if (is_taken) {
        lane->queued++;
        *lane->end = work;
        lane->end = &work->next;
        pthread_cond_signal(&lane->more);
    }
    pthread_mutex_unlock(&lock);
    return is_taken;
}

int work_file(void)
{
    return event;
}

void work_finish(void)
{
    eventfd_t count;
    pthread_mutex_lock(&lock);
    struct work *work = finished;
    finished = NULL;
    finished_end = &finished;
    if (work)
        eventfd_read(event, &count);
    pthread_mutex_unlock(&lock);
    while (work) {
        struct work *next = work->next; // `done` may free it
        work->done(work->context);
        work = next;
    }
}

/* What its thread has not begun is over. */
static void stop(struct lane *lane)
{
    if (lane->first) {
        *finished_end = lane->first;
        finished_end = lane->end;
    }
    lane->first = NULL;
    pthread_cond_signal(&lane->more);
}

void work_stop(void)
{
    pthread_mutex_lock(&lock);
    stops = true;
    for (unsigned i = 0; i < WORK_LANES; i++)
        if (lanes[i].runs)
            stop(&lanes[i]);
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < WORK_LANES; i++)
        if (lanes[i].runs)
            pthread_join(lanes[i].thread, NULL);
    work_finish();
}

void work_free(struct work *work)
{
    if (work && work->drop)
        work->drop(work);
    free(work);
}
