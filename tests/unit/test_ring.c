// SPDX-License-Identifier: BSD-2-Clause
/* lib/ring.c carries every byte between processes: it must keep order, and survive a peer that
 * lies. */
#include "lib/ring.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 16u

struct pair {
    struct leat_ring *shared;
    struct leat_ring_end producer, consumer;
};

static struct pair make(uint32_t count, uint32_t entry_size)
{
    struct pair pair;
    size_t bytes = (LEAT_RING_BYTES(count, entry_size) + 63) & ~(size_t)63;

    pair.shared = aligned_alloc(64, bytes);
    memset(pair.shared, 0, bytes);
    leat_ring_join(&pair.producer, pair.shared, count, entry_size, true);
    leat_ring_join(&pair.consumer, pair.shared, count, entry_size, false);
    return pair;
}

static void entries_come_out_in_order_and_full_is_full(void **state)
{
    struct pair p = make(COUNT, 8);
    uint64_t value;

    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            assert_int_equal(leat_ring_put(&p.producer, &i), LEAT_OK);
        }
        value = 99;
        assert_int_equal(leat_ring_put(&p.producer, &value), LEAT_EAGAIN);
        assert_int_equal(leat_ring_readable(&p.consumer), COUNT);
        for (uint64_t i = 0; i < COUNT; i++) {
            assert_int_equal(leat_ring_get(&p.consumer, &value), LEAT_OK);
            assert_int_equal(value, i);
        }
        assert_int_equal(leat_ring_get(&p.consumer, &value), LEAT_EAGAIN);
    }
    free(p.shared);
}

static void indices_wrap_at_32_bits(void **state)
{
    struct pair p = make(COUNT, 4);

    (void)state;
    p.shared->head = p.shared->tail = UINT32_MAX - 3;
    leat_ring_join(&p.producer, p.shared, COUNT, 4, true);
    leat_ring_join(&p.consumer, p.shared, COUNT, 4, false);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t value = 0;

        assert_int_equal(leat_ring_put(&p.producer, &i), LEAT_OK);
        assert_int_equal(leat_ring_get(&p.consumer, &value), LEAT_OK);
        assert_int_equal(value, i);
    }
    free(p.shared);
}

static void byte_streams_wrap_around_the_end(void **state)
{
    struct pair p = make(COUNT, 1);
    char out[COUNT];

    (void)state;
    assert_int_equal(leat_ring_write(&p.producer, "0123456789", 10), 10);
    assert_int_equal(leat_ring_read(&p.consumer, out, 7), 7);
    assert_memory_equal(out, "0123456", 7);
    assert_int_equal(leat_ring_write(&p.producer, "abcdefghijklmnop", 16), 13);
    assert_int_equal(leat_ring_read(&p.consumer, out, sizeof(out)), 16);
    assert_memory_equal(out, "789abcdefghijklm", 16);
    free(p.shared);
}

static void pieces_are_contiguous_and_published_by_advance(void **state)
{
    struct pair p = make(COUNT, 1);
    uint32_t count;
    char *piece;

    (void)state;
    leat_ring_write(&p.producer, "0123456789", 10);
    leat_ring_advance(&p.consumer, 10);
    piece = leat_ring_piece(&p.producer, &count);
    assert_non_null(piece);
    assert_int_equal(count, 6);
    memcpy(piece, "abcdef", 6);
    assert_int_equal(leat_ring_readable(&p.consumer), 0);
    leat_ring_advance(&p.producer, 6);
    piece = leat_ring_piece(&p.consumer, &count);
    assert_int_equal(count, 6);
    assert_memory_equal(piece, "abcdef", 6);
    leat_ring_advance(&p.consumer, 6);
    assert_null(leat_ring_piece(&p.consumer, &count));
    assert_int_equal(count, 0);
    free(p.shared);
}

static void a_lying_peer_breaks_the_ring_for_good(void **state)
{
    struct pair p = make(COUNT, 4);
    uint32_t value = 0;

    (void)state;
    p.shared->head = COUNT + 1;
    assert_int_equal(leat_ring_get(&p.consumer, &value), LEAT_EPROTO);
    p.shared->head = 1;
    assert_int_equal(leat_ring_get(&p.consumer, &value), LEAT_EPROTO);
    assert_int_equal(leat_ring_readable(&p.consumer), 0);
    p.shared->tail = 5; /* beyond what was ever produced */
    assert_int_equal(leat_ring_put(&p.producer, &value), LEAT_EPROTO);
    assert_int_equal(leat_ring_writable(&p.producer), 0);
    assert_true(leat_ring_may_sleep(&p.producer));
    free(p.shared);
}

/* Whatever the peer writes into the shared words at any time, only the ring's own memory is
   touched; the sanitizers watch. */
static void random_peer_indices_stay_inside(void **state)
{
    struct pair p = make(COUNT, 1);
    char buffer[64];

    (void)state;
    srand(1);
    for (unsigned i = 0; i < 20000; i++) {
        leat_ring_join(&p.consumer, p.shared, COUNT, 1, false);
        leat_ring_join(&p.producer, p.shared, COUNT, 1, true);
        p.shared->head = (uint32_t)rand() * 3u;
        p.shared->tail = p.shared->head - (uint32_t)(rand() % 20);
        assert_true(leat_ring_read(&p.consumer, buffer, sizeof(buffer)) <= COUNT);
        assert_true(leat_ring_write(&p.producer, buffer, sizeof(buffer)) <= COUNT);
    }
    free(p.shared);
}

static void nonsense_geometry_is_broken_at_once(void **state)
{
    _Alignas(64) uint8_t memory[256] = {0};
    struct leat_ring_end end;

    (void)state;
    leat_ring_join(&end, memory, 12, 1, true);
    assert_int_equal(leat_ring_put(&end, "x"), LEAT_EPROTO);
    leat_ring_join(&end, memory, 0, 1, true);
    assert_int_equal(leat_ring_put(&end, "x"), LEAT_EPROTO);
}

static void who_sleeps_is_signalled_once(void **state)
{
    struct pair p = make(COUNT, 4);
    uint32_t value = 7;

    (void)state;
    leat_ring_put(&p.producer, &value);
    assert_false(leat_ring_must_signal(&p.producer));
    leat_ring_get(&p.consumer, &value);
    assert_true(leat_ring_may_sleep(&p.consumer));
    leat_ring_put(&p.producer, &value);
    assert_true(leat_ring_must_signal(&p.producer));
    assert_false(leat_ring_must_signal(&p.producer));
    assert_false(leat_ring_may_sleep(&p.consumer));
    free(p.shared);
}

static void looking_without_moving_wakes_nobody(void **state)
{
    struct pair p = make(COUNT, 4);
    uint32_t value = 7;

    (void)state;
    assert_true(leat_ring_may_sleep(&p.consumer));
    assert_false(leat_ring_must_signal(&p.producer));
    assert_int_equal(p.shared->consumer_waits, 1);
    leat_ring_put(&p.producer, &value);
    assert_true(leat_ring_must_signal(&p.producer));
    free(p.shared);
}

/* -- two threads, sleeping and waking by a condition variable that stands for the notification --
 */

#define STRESS_BYTES (4u << 20)

struct notif {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_set;
};

struct stress {
    struct pair pair;
    struct notif to_consumer, to_producer;
};

static void notif_signal(struct notif *n)
{
    pthread_mutex_lock(&n->mutex);
    n->is_set = true;
    pthread_cond_signal(&n->changed);
    pthread_mutex_unlock(&n->mutex);
}

static void notif_wait(struct notif *n)
{
    pthread_mutex_lock(&n->mutex);
    while (!n->is_set) {
        pthread_cond_wait(&n->changed, &n->mutex);
    }
    n->is_set = false;
    pthread_mutex_unlock(&n->mutex);
}

static void *produce(void *context)
{
    struct stress *s = context;
    struct leat_ring_end *end = &s->pair.producer;
    unsigned seed = 5;
    uint32_t sent = 0;

    while (sent < STRESS_BYTES) {
        uint8_t bytes[97];
        uint32_t want = 1 + (uint32_t)rand_r(&seed) % sizeof(bytes);
        uint32_t done;

        want = want < STRESS_BYTES - sent ? want : STRESS_BYTES - sent;
        for (uint32_t i = 0; i < want; i++) {
            bytes[i] = (uint8_t)((sent + i) * 31);
        }
        done = leat_ring_write(end, bytes, want);
        sent += done;
        if (leat_ring_must_signal(end)) {
            notif_signal(&s->to_consumer);
        }
        if (done == 0 && leat_ring_may_sleep(end)) {
            notif_wait(&s->to_producer);
        }
    }
    return NULL;
}

static void two_threads_lose_no_byte_and_no_wakeup(void **state)
{
    struct stress s = {.pair = make(256, 1),
                       .to_consumer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false},
                       .to_producer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false}};
    struct leat_ring_end *end = &s.pair.consumer;
    pthread_t thread;
    uint32_t got = 0;
    uint32_t wrong = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, produce, &s), 0);
    while (got < STRESS_BYTES) {
        uint8_t bytes[61];
        uint32_t count = leat_ring_read(end, bytes, sizeof(bytes));

        for (uint32_t i = 0; i < count; i++) {
            wrong += bytes[i] != (uint8_t)((got + i) * 31);
        }
        got += count;
        if (leat_ring_must_signal(end)) {
            notif_signal(&s.to_producer);
        }
        if (count == 0 && leat_ring_may_sleep(end)) {
            notif_wait(&s.to_consumer);
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
    free(s.pair.shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_out_in_order_and_full_is_full),
        cmocka_unit_test(indices_wrap_at_32_bits),
        cmocka_unit_test(byte_streams_wrap_around_the_end),
        cmocka_unit_test(pieces_are_contiguous_and_published_by_advance),
        cmocka_unit_test(a_lying_peer_breaks_the_ring_for_good),
        cmocka_unit_test(random_peer_indices_stay_inside),
        cmocka_unit_test(nonsense_geometry_is_broken_at_once),
        cmocka_unit_test(who_sleeps_is_signalled_once),
        cmocka_unit_test(looking_without_moving_wakes_nobody),
        cmocka_unit_test(two_threads_lose_no_byte_and_no_wakeup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
