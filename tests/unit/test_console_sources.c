// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sources of the console that write without end: others have their turns all the same, where the serial line is slow,
 * and what is shown nowhere does not wait for it; and no source has more than its bytes a second.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "services/console/sources.h"

#define SECOND 1000000000ull

struct writer {
    struct source source;
    uint64_t waiting, taken; /* bytes */
    bool is_endless, is_hidden;
};

static struct sources all;
static struct writer writers[3];
static uint32_t room; /* of the serial line */

static uint32_t take(void *context, uint32_t most)
{
    struct writer *w = context;
    uint32_t count = w->is_endless || w->waiting > most ? most : (uint32_t)w->waiting;

    w->waiting -= w->is_endless ? 0 : count;
    w->taken += count;
    if (!w->is_hidden) {
        room -= count < room ? count : room;
    }
    return count;
}

static bool is_empty(void *context)
{
    const struct writer *w = context;

    return !w->is_endless && w->waiting == 0;
}

static bool is_shown(void *context)
{
    const struct writer *w = context;

    return !w->is_hidden;
}

static bool has_room(void)
{
    return room >= SOURCE_TURN;
}

static int begin(void **state)
{
    (void)state;
    all.first = NULL;
    for (unsigned i = 0; i < 3; i++) {
        writers[i] = (struct writer){.source = {&writers[i], take, is_empty, is_shown, NULL, {0}}};
        sources_add(&all, &writers[i].source);
    }
    room = 0;
    return 0;
}

/* A second of rounds; the line takes so many bytes a millisecond. */
static void run_a_second(uint64_t start_ns, uint32_t line_bytes)
{
    uint64_t next_ns;

    for (uint64_t ms = 0; ms < 1000; ms++) {
        room += line_bytes;
        while (sources_serve(&all, has_room, start_ns + ms * 1000000, &next_ns)) {
        }
    }
}

static void a_slow_line_is_shared(void **state)
{
    (void)state;
    writers[0].is_endless = writers[2].is_endless = true;
    writers[1].waiting = 3000;
    run_a_second(SECOND, 12);
    assert_int_equal(writers[1].waiting, 0);
    assert_in_range(writers[0].taken, SOURCE_TURN, 3 * SOURCE_TURN);
    assert_in_range(writers[2].taken, SOURCE_TURN, 3 * SOURCE_TURN);
}

static void what_is_hidden_needs_no_room(void **state)
{
    (void)state;
    writers[2].is_endless = true;
    writers[0].waiting = 10000;
    writers[0].is_hidden = true;
    run_a_second(SECOND, 0);
    assert_int_equal(writers[0].taken, 10000);
    assert_int_equal(writers[2].taken, 0);
}

static void bytes_a_second_are_bounded(void **state)
{
    uint64_t next_ns;

    (void)state;
    writers[1].is_endless = true;
    writers[2].is_endless = writers[2].is_hidden = true;
    run_a_second(SECOND, 1 << 20);
    assert_in_range(writers[2].taken, SECOND / SOURCE_BYTE_NS,
                    SECOND / SOURCE_BYTE_NS + SOURCE_BURST + SOURCE_TURN);
    assert_in_range(writers[1].taken, writers[2].taken / SOURCE_SHOWN_COST - SOURCE_TURN,
                    writers[2].taken / SOURCE_SHOWN_COST + SOURCE_TURN);
    writers[2].is_endless = false;
    assert_false(sources_serve(&all, has_room, 2 * SECOND - 1000000, &next_ns));
    assert_in_range(next_ns, 2 * SECOND - 999999,
                    2 * SECOND + SOURCE_TURN * SOURCE_SHOWN_COST * SOURCE_BYTE_NS);
    assert_true(sources_serve(&all, has_room, next_ns, &next_ns));
}

static void one_leaves(void **state)
{
    (void)state;
    writers[0].is_endless = writers[1].is_endless = true;
    run_a_second(SECOND, 12);
    sources_remove(&all, &writers[1].source);
    sources_remove(&all, &writers[1].source);
    writers[1].taken = 0;
    run_a_second(2 * SECOND, 12);
    assert_int_equal(writers[1].taken, 0);
    assert_true(writers[0].taken > 4 * SOURCE_TURN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_slow_line_is_shared, begin),
        cmocka_unit_test_setup(what_is_hidden_needs_no_room, begin),
        cmocka_unit_test_setup(bytes_a_second_are_bounded, begin),
        cmocka_unit_test_setup(one_leaves, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
