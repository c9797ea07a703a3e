// SPDX-License-Identifier: BSD-2-Clause
#include "tools/nbdkit-leat/ranges.h"

#include <stddef.h>

void ranges_init(struct ranges *ranges)
{
    pthread_mutex_init(&ranges->lock, NULL);
    pthread_cond_init(&ranges->left, NULL);
    ranges->taken = NULL;
}

void ranges_free(struct ranges *ranges)
{
    pthread_cond_destroy(&ranges->left);
    pthread_mutex_destroy(&ranges->lock);
}

static const struct range *in_the_way(const struct ranges *ranges, const struct range *range)
{
    for (const struct range *r = ranges->taken; r; r = r->next)
        if (r->first <= range->last && range->first <= r->last)
            return r;
    return NULL;
}

void ranges_take(struct ranges *ranges, struct range *range, uint64_t first, uint64_t last)
{
    range->first = first;
    range->last = last;
    pthread_mutex_lock(&ranges->lock);
    while (in_the_way(ranges, range))
        pthread_cond_wait(&ranges->left, &ranges->lock);
    range->next = ranges->taken;
    ranges->taken = range;
    pthread_mutex_unlock(&ranges->lock);
}

void ranges_leave(struct ranges *ranges, struct range *range)
{
    pthread_mutex_lock(&ranges->lock);
    struct range **at = &ranges->taken;
    while (*at != range)
        at = &(*at)->next;
    *at = range->next;
    pthread_cond_broadcast(&ranges->left);
    pthread_mutex_unlock(&ranges->lock);
}
