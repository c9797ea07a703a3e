// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/meter.h"

#include <string.h>

#define EPOCH_NS 5000000000ull /* what is older than one or two of these is forgotten */
#define WINDOW_FIRST (512u << 10)
#define WINDOW_LEAST (64u << 10)
#define WINDOW_MOST (8u << 20)
#define FLAT_ROUNDS 3u
#define WHILE_NS 50000000ull

static uint64_t smaller(uint64_t a, uint64_t b) /* 0: unknown */
{
    return !a || (b && b < a) ? b : a;
}

void meter_sent(struct meter *m, struct meter_mark *mark, uint32_t flying, uint64_t now_ns)
{
    if (!flying) { /* the link was idle: its rate counts from now */
        m->delivered_ns = m->while_ns = now_ns;
        m->while_delivered = m->delivered;
    }
    mark->delivered = m->delivered;
    mark->delivered_ns = m->delivered_ns;
}

static void next_epoch(struct meter *m, uint64_t now_ns)
{
    if (now_ns - m->epoch_ns < EPOCH_NS)
        return;
    m->epoch_ns = now_ns;
    m->rtt_ns[1] = m->rtt_ns[0];
    m->rtt_ns[0] = 0;
    if (m->was_full) {
        m->peak[1] = m->peak[0];
        m->mean[1] = m->mean[0];
        m->peak[0] = m->mean[0] = 0;
    }
    m->was_full = false;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t rate_of(uint64_t bytes, uint64_t ns)
{
    return bytes * 1000000 / (ns / 1000 + 1);
}

static void judge_mean(struct meter *m, uint64_t now_ns)
{
    if (now_ns - m->while_ns < WHILE_NS + 2 * meter_rtt_ns(m))
        return;
    m->mean[0] =
        larger(m->mean[0], rate_of(m->delivered - m->while_delivered, now_ns - m->while_ns));
    m->while_ns = now_ns;
    m->while_delivered = m->delivered;
}

/* Once each round trip: does a larger window still bring more? */
static void judge_growth(struct meter *m, uint64_t now_ns)
{
    uint64_t rate = larger(m->peak[0], m->peak[1]);
    if (now_ns - m->round_ns < meter_rtt_ns(m))
        return;
    m->round_ns = now_ns;
    if (rate > m->round_rate + m->round_rate / 4) {
        m->round_rate = rate;
        m->rounds_flat = 0;
    } else if (m->rounds_flat < FLAT_ROUNDS) {
        m->rounds_flat++;
    }
}

void meter_answered(struct meter *m, const struct meter_mark *mark, uint64_t sent_ns,
                    uint32_t bytes, uint64_t now_ns)
{
    next_epoch(m, now_ns);
    m->delivered += bytes;
    m->delivered_ns = now_ns;
    uint64_t took = now_ns - sent_ns, span = now_ns - mark->delivered_ns;
    m->rtt_ns[0] = smaller(m->rtt_ns[0], took ? took : 1);
    span = larger(span, took);
    if (span)
        m->peak[0] = larger(m->peak[0], rate_of(m->delivered - mark->delivered, span));
    judge_growth(m, now_ns);
    judge_mean(m, now_ns);
}

void meter_reset(struct meter *m)
{
    uint64_t delivered = m->delivered;
    memset(m, 0, sizeof *m);
    m->delivered = delivered;
}

uint64_t meter_rtt_ns(const struct meter *m)
{
    return smaller(m->rtt_ns[0], m->rtt_ns[1]);
}

static bool is_growing(const struct meter *m)
{
    return m->rounds_flat < FLAT_ROUNDS;
}

uint64_t meter_rate(const struct meter *m)
{
    uint64_t mean = larger(m->mean[0], m->mean[1]);
    return is_growing(m) || !mean ? larger(m->peak[0], m->peak[1]) : mean;
}

uint64_t meter_window(const struct meter *m)
{
    return meter_window_for(m, meter_rtt_ns(m));
}

uint64_t meter_window_for(const struct meter *m, uint64_t rtt_ns)
{
    uint64_t rate = meter_rate(m), rtt_us = rtt_ns / 1000;
    if (!rate || !rtt_us)
        return WINDOW_FIRST;
    if (rate > UINT64_MAX / 2 / (rtt_us + 1))
        return WINDOW_MOST;
    uint64_t holds = rate * rtt_us / 1000000; /* bandwidth-delay product */
    /* Twice that as long as it still grows, then an eighth more: the queue that a read finds. */
    uint64_t window = is_growing(m) ? holds * 2 : holds + holds / 8;
    if (is_growing(m) && window < WINDOW_FIRST)
        window = WINDOW_FIRST;
    return window < WINDOW_LEAST ? WINDOW_LEAST : window > WINDOW_MOST ? WINDOW_MOST : window;
}

void meter_count(uint64_t histogram[METER_BUCKETS], uint64_t ns)
{
    uint64_t us = ns / 1000;
    unsigned bucket = us < 2 ? 0 : 63u - (unsigned)__builtin_clzll(us);
    histogram[bucket < METER_BUCKETS ? bucket : METER_BUCKETS - 1]++;
}

uint64_t meter_below_us(const uint64_t histogram[METER_BUCKETS], unsigned permille)
{
    uint64_t all = 0, below = 0;
    for (unsigned i = 0; i < METER_BUCKETS; i++)
        all += histogram[i];
    for (unsigned i = 0; all && i < METER_BUCKETS; i++) {
        below += histogram[i];
        if (below && below >= (all * permille + 999) / 1000)
            return 2ull << i;
    }
    return 0;
}
