// SPDX-License-Identifier: BSD-2-Clause
#include "lib/mutex.h"

#include "lib/clock.h"
#include "lib/sys.h"

#define SPINS 100u /* some microseconds: what a system call and a wake-up would cost */

int leat_mutex_init(struct leat_mutex *mutex)
{
    int64_t notif = leat_notif_create();

    mutex->state = 0;
    mutex->notif = notif > 0 ? (leat_handle_t)notif : 0;
    return notif > 0 ? LEAT_OK : (int)notif;
}

static bool try_lock(struct leat_mutex *mutex)
{
    uint32_t expected = 0;

    return __atomic_compare_exchange_n(&mutex->state, &expected, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

/* Whoever holds it on another CPU is mostly done soon. Taken as "held" even if others sleep: they
   were woken, or will be, by who found them noted in the state, and then note themselves again. */
static bool spin(struct leat_mutex *mutex)
{
    if (leat_info()->cpus < 2) {
        return false;
    }
    for (unsigned i = 0; i < SPINS; i++) {
        if (__atomic_load_n(&mutex->state, __ATOMIC_RELAXED) == 0 && try_lock(mutex)) {
            return true;
        }
        __builtin_ia32_pause();
    }
    return false;
}

void leat_mutex_lock(struct leat_mutex *mutex)
{
    if (try_lock(mutex) || spin(mutex)) {
        return;
    }
    /* From here on this thread takes the lock as "somebody may wait", since it cannot know whether
       it was the only one that slept. */
    while (__atomic_exchange_n(&mutex->state, 2, __ATOMIC_ACQUIRE) != 0) {
        if (mutex->notif == 0) {
            leat_thread_yield();
        } else {
            leat_notif_wait(mutex->notif, 1, LEAT_FOREVER);
        }
    }
}

void leat_mutex_unlock(struct leat_mutex *mutex)
{
    if (__atomic_exchange_n(&mutex->state, 0, __ATOMIC_RELEASE) == 2 && mutex->notif != 0) {
        leat_notif_signal(mutex->notif, 1);
    }
}
