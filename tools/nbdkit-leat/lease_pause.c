// SPDX-License-Identifier: BSD-2-Clause
/* Past a lease's end nothing is read or written, where another server may have given the disk away. */
#include "tools/nbdkit-leat/lease_inside.h"

bool lease_is_over(struct lease *lease)
{
    int64_t until = atomic_load_explicit(&lease->until, memory_order_relaxed);
    if (until == LEASE_FOR_EVER)
        return atomic_load(&lease->is_paused);
    return atomic_load(&lease->is_paused) || lease_milliseconds(CLOCK_BOOTTIME) >= until;
}

bool lease_has_time(const struct lease *lease)
{
    int64_t until = atomic_load(&lease->until);
    return until == LEASE_FOR_EVER || lease_milliseconds(CLOCK_BOOTTIME) < until;
}

void lease_pause(void)
{
    pthread_mutex_lock(&lease_table.lock);
    for (struct lease *l = lease_table.first; l; l = l->next) {
        if (!l->is_open || lease_has_time(l) || atomic_exchange(&l->is_paused, true))
            continue;
        lease_say("disk %s of %s stands still: leatd has not renewed its lease", l->grant.disk,
                  l->grant.client);
    }
    pthread_mutex_unlock(&lease_table.lock);
    lease_close_unused();
}

bool lease_resume(struct lease *lease)
{
    if (!lease->is_open && !lease_open_disk(lease))
        return false;
    if (atomic_exchange(&lease->is_paused, false))
        lease_say("disk %s of %s goes on", lease->grant.disk, lease->grant.client);
    pthread_cond_broadcast(&lease_table.changed);
    return true;
}

bool lease_is_vain(const struct lease *lease)
{
    return atomic_load(&lease->is_gone) || !lease_has_time(lease);
}

void lease_give_up(const struct lease *lease)
{
    if (atomic_load(&lease->is_gone))
        return;
    lease_say("disk %s of %s: its connections are cut, so that it looks for another server",
              lease->grant.disk, lease->grant.client);
    lease_table.hooks.gone(lease);
}

bool lease_await(struct lease *lease)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LEASE_PAUSE_SECONDS;
    bool has_waited = false, goes_on = true;
    pthread_mutex_lock(&lease_table.lock);
    while (goes_on && !atomic_load(&lease->is_gone) && lease_is_over(lease)) {
        if (has_waited) {
            lease_give_up(lease);
            goes_on = false;
        } else if (lease_has_time(lease) && !lease->is_changing)
            has_waited = !lease_resume(lease);
        else
            has_waited = pthread_cond_clockwait(&lease_table.changed, &lease_table.lock,
                                                CLOCK_MONOTONIC, &until);
    }
    goes_on = goes_on && !atomic_load(&lease->is_gone);
    pthread_mutex_unlock(&lease_table.lock);
    return goes_on;
}
