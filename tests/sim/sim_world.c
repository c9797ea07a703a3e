// SPDX-License-Identifier: BSD-2-Clause
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/splitmix.h"

#define TX_BYTES (48u << 10) /* what a connection takes before the server has read it */

struct event {
    uint64_t when, number;
    sim_event_fn *fn;
    void *ctx;
    uint64_t arg;
};

static uint64_t rng, now_ns, ticks, current_seed, event_number;
static struct event *events;
static size_t event_count, event_room;
static struct sim_conn conns[SIM_CONNS];
struct sim_profile sim_profile;
bool sim_faults_on;
bool sim_verbose;

uint64_t sim_random(void)
{
    return splitmix64(&rng);
}

bool sim_chance(uint32_t in_1000)
{
    return sim_faults_on && sim_random() % 1000 < in_1000;
}
uint64_t sim_now(void)
{
    return now_ns;
}
void sim_wait(uint64_t until_ns)
{
    if (until_ns > now_ns)
        now_ns = until_ns;
}
uint64_t sim_tick(void)
{
    return ++ticks;
}

void sim_fail(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "seed %llu failed at %llu ms: ", (unsigned long long)current_seed,
            (unsigned long long)(now_ns / SIM_MS));
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nrepeat it with: test_vdisk_sim --seed %llu --verbose\n",
            (unsigned long long)current_seed);
    exit(1);
}

void sim_world_init(uint64_t seed)
{
    current_seed = seed;
    rng = seed * 0xd1342543de82ef95ull + 1;
    now_ns = 1000 * SIM_MS;
    ticks = event_number = sim_version = 0;
    event_count = 0;
    sim_faults_on = true;
    memset(conns, 0, sizeof conns);
}

void sim_at(uint64_t delay_ns, sim_event_fn *fn, void *ctx, uint64_t arg)
{
    if (event_count == event_room) {
        event_room = event_room ? event_room * 2 : 64;
        struct event *more = realloc(events, event_room * sizeof *events);
        if (!more)
            sim_fail("no memory for events");
        events = more;
    }
    events[event_count++] = (struct event){now_ns + delay_ns, event_number++, fn, ctx, arg};
}

static size_t next_event(void)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < event_count; i++)
        if (best == SIZE_MAX || events[i].when < events[best].when ||
            (events[i].when == events[best].when && events[i].number < events[best].number))
            best = i;
    return best;
}

uint64_t sim_next(void)
{
    size_t i = next_event();
    return i == SIZE_MAX ? UINT64_MAX : events[i].when;
}

bool sim_step(uint64_t engine_when)
{
    size_t best = next_event();
    if (best == SIZE_MAX || engine_when < events[best].when) {
        if (engine_when == UINT64_MAX)
            return false;
        if (engine_when > now_ns)
            now_ns = engine_when;
        return true;
    }
    struct event e = events[best];
    events[best] = events[--event_count];
    if (e.when > now_ns)
        now_ns = e.when;
    e.fn(e.ctx, e.arg);
    return true;
}

static uint64_t delay(void)
{
    return (1 + sim_random() % (sim_profile.delay_ms * 2 + 1)) * SIM_MS / 2;
}

/* -- connections -- */

static void tell_connected(void *ctx, uint64_t generation)
{
    struct sim_conn *c = ctx;
    if (!c->is_used || c->generation != generation)
        return;
    if (!sim_server_is_up() || sim_chance(50)) {
        c->is_told = true;
        c->events->closed(c->owner, "connection refused");
        return;
    }
    c->is_open = true;
    sim_server_accept(c);
    c->events->connected(c->owner);
}

static void *conn_connect(void *ctx, const char *host, uint16_t port,
                          const struct vdisk_conn_events *conn_events, void *owner)
{
    (void)ctx, (void)host, (void)port;
    for (unsigned i = 0; i < SIM_CONNS; i++) {
        struct sim_conn *c = &conns[i];
        if (c->is_used)
            continue;
        uint64_t generation = c->generation + 1;
        free(c->rx);
        free(c->tx);
        *c = (struct sim_conn){
            .is_used = true, .generation = generation, .events = conn_events, .owner = owner};
        if (!sim_chance(20)) /* else: an answer that never comes */
            sim_at(delay(), tell_connected, c, generation);
        return c;
    }
    return NULL;
}

static void conn_close(void *ctx, void *conn)
{
    (void)ctx;
    struct sim_conn *c = conn;
    if (!c->is_used)
        sim_fail("the engine closes a connection twice");
    if (c->is_open)
        sim_server_gone(c);
    c->is_used = c->is_open = false;
}

static void tell_server(void *ctx, uint64_t generation)
{
    struct sim_conn *c = ctx;
    if (!c->is_used || !c->is_open || c->generation != generation)
        return;
    c->in_transit = 0;
    sim_server_input(c);
    if (c->is_used && c->is_open && c->generation == generation)
        c->events->progress(c->owner);
}

static size_t conn_send(void *ctx, void *conn, const void *data, size_t size)
{
    (void)ctx;
    struct sim_conn *c = conn;
    if (!c->is_open)
        return 0;
    size_t n = TX_BYTES - c->in_transit;
    if (n > size)
        n = size;
    if (n > 1 && sim_random() % 4 == 0)
        n = 1 + sim_random() % n;
    if (!n)
        return 0;
    if (c->tx_size + n > c->tx_room) {
        c->tx_room = (c->tx_size + n) * 2;
        c->tx = realloc(c->tx, c->tx_room);
    }
    memcpy(c->tx + c->tx_size, data, n);
    c->tx_size += n;
    if (!c->in_transit)
        sim_at(delay(), tell_server, c, c->generation);
    c->in_transit += n;
    return n;
}

static size_t conn_receive(void *ctx, void *conn, void *data, size_t size)
{
    (void)ctx;
    struct sim_conn *c = conn;
    size_t n = c->rx_size < size ? c->rx_size : size;
    if (n)
        memcpy(data, c->rx, n);
    if (n)
        memmove(c->rx, c->rx + n, c->rx_size - n);
    c->rx_size -= n;
    return n;
}

struct delivery {
    struct sim_conn *conn;
    size_t size;
    uint8_t data[];
};

static void arrive(void *ctx, uint64_t generation)
{
    struct delivery *d = ctx;
    struct sim_conn *c = d->conn;
    if (c->is_used && !c->is_told && c->generation == generation) {
        c->rx = realloc(c->rx, c->rx_size + d->size + 1);
        memcpy(c->rx + c->rx_size, d->data, d->size);
        c->rx_size += d->size;
        c->events->progress(c->owner);
    }
    free(d);
}

void sim_world_end(void)
{
    for (unsigned i = 0; i < SIM_CONNS; i++) {
        free(conns[i].rx);
        free(conns[i].tx);
    }
    for (size_t i = 0; i < event_count; i++)
        if (events[i].fn == arrive) /* never delivered */
            free(events[i].ctx);
    free(events);
    events = NULL;
    event_room = event_count = 0;
}

/* In order, as TCP does: no delivery overtakes an earlier one. */
static uint64_t delivery_delay(struct sim_conn *c)
{
    uint64_t when = now_ns + delay();
    if (when < c->last_delivery_ns)
        when = c->last_delivery_ns;
    c->last_delivery_ns = when;
    return when - now_ns;
}

void sim_conn_deliver(struct sim_conn *c, const uint8_t *data, size_t size)
{
    while (size) {
        size_t n = sim_random() % 3 == 0 ? 1 + sim_random() % size : size;
        struct delivery *d = malloc(sizeof *d + n);
        d->conn = c;
        d->size = n;
        memcpy(d->data, data, n);
        sim_at(delivery_delay(c), arrive, d, c->generation);
        data += n;
        size -= n;
    }
}

static void tell_closed(void *ctx, uint64_t generation)
{
    struct sim_conn *c = ctx;
    if (!c->is_used || c->generation != generation || c->is_told)
        return;
    c->is_told = true;
    c->events->closed(c->owner, "connection reset");
}

void sim_conn_cut(struct sim_conn *c, const char *why)
{
    (void)why;
    if (!c->is_open)
        return;
    c->is_open = false;
    sim_server_gone(c);
    sim_at(delivery_delay(c), tell_closed, c, c->generation);
}

static uint64_t platform_now(void *ctx)
{
    (void)ctx;
    return now_ns;
}
static uint64_t platform_random(void *ctx)
{
    (void)ctx;
    return sim_random();
}
static void platform_log(void *ctx, const char *line)
{
    (void)ctx;
    if (sim_verbose)
        fprintf(stderr, "%8llu ms  %s\n", (unsigned long long)(now_ns / SIM_MS), line);
}

const struct vdisk_platform sim_platform = {NULL,      platform_now, conn_connect,    conn_close,
                                            conn_send, conn_receive, platform_random, platform_log,
                                            sim_sha256};
