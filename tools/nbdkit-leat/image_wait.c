// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/image_wait.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#define STEP_MS 1000

/* A read goes through the difference, which knows nothing of leases: so it is the thread's. */
static _Thread_local image_is_vain *vain;
static _Thread_local const void *vain_of;

void image_wait_unless(image_is_vain *is_vain, const void *of)
{
    vain = is_vain;
    vain_of = of;
}

int64_t image_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct image_wait image_wait_begin(void)
{
    int64_t now = image_clock();
    return (struct image_wait){now, now + STEP_MS};
}

static int64_t end_of(const struct image_wait *wait, int64_t answered)
{
    int64_t last = wait->begun + IMAGE_LONGEST_SECONDS * 1000;
    int64_t heard = answered > wait->begun ? answered : wait->begun;
    int64_t end = heard + IMAGE_SILENT_SECONDS * 1000;
    return end < last ? end : last;
}

/* By the clock and not by what the call says: others' answers wake all who wait, perhaps all the time. */
int image_wait_more(struct image_wait *wait, int64_t answered, pthread_cond_t *changed,
                    pthread_mutex_t *lock)
{
    int64_t now = image_clock(), end = end_of(wait, answered);
    if (now >= wait->look_at) {
        wait->look_at = now + STEP_MS;
        if (vain && vain(vain_of))
            return -ESHUTDOWN;
    }
    if (now >= end)
        return -EIO;
    int64_t next = end < wait->look_at ? end : wait->look_at;
    struct timespec until = {next / 1000, next % 1000 * 1000000};
    pthread_cond_clockwait(changed, lock, CLOCK_MONOTONIC, &until);
    return 0;
}
