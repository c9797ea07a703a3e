// SPDX-License-Identifier: BSD-2-Clause
/*
 * A lock between the threads of one process. Free or held without contention: no system call. Spins
 * for a moment if there are several CPUs, then waits on a notification of its own. Not recursive;
 * hands over to whoever comes first, not in order.
 */
#ifndef LIB_MUTEX_H
#define LIB_MUTEX_H

#include <leat/types.h>

struct leat_mutex {
    uint32_t state; /* 0 free, 1 held, 2 held and somebody may wait */
    leat_handle_t notif;
};

/* LEAT_ENOMEM: no notification to be had. */
int leat_mutex_init(struct leat_mutex *mutex);
void leat_mutex_lock(struct leat_mutex *mutex);
void leat_mutex_unlock(struct leat_mutex *mutex);

#endif
