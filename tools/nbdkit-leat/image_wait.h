// SPDX-License-Identifier: BSD-2-Clause
/* How long a read, an extent or an opening waits for an image's server. */
#ifndef NBDKIT_LEAT_IMAGE_WAIT_H
#define NBDKIT_LEAT_IMAGE_WAIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define IMAGE_SILENT_SECONDS 30   /* since it began, and since the last answer to anybody */
#define IMAGE_LONGEST_SECONDS 120 /* in all, whoever else is answered */

/* The calling thread's: whether what it waits for is in vain, asked once a second. NULL: never, as at the start. */
typedef bool image_is_vain(const void *of);
void image_wait_unless(image_is_vain *is_vain, const void *of);

/* One waiting; milliseconds of the monotonic clock. */
struct image_wait {
    int64_t begun, look_at;
};
int64_t image_clock(void);
struct image_wait image_wait_begin(void);
/* Waits for the condition, as pthread_cond_wait does, a second at most. answered: when the server has last answered somebody.
   0: look what has changed; -EIO: it has been too long; -ESHUTDOWN: in vain. */
int image_wait_more(struct image_wait *wait, int64_t answered, pthread_cond_t *changed,
                    pthread_mutex_t *lock);

#endif
