// SPDX-License-Identifier: BSD-2-Clause
/* client/: servers that are down, silent, slow, or without their database. */
#include <string.h>

#include "client_leatd.h"

static void the_next_server_is_tried_and_pauses_grow(void **state)
{
    (void)state;
    world.servers[0] = world.servers[1] = WORLD_DOWN;
    assert_true(world_run(has_notice, 10 * S));
    assert_non_null(strstr(world.notice, "The server one:9471: connection refused or reset."));
    world_run(world_never, 600 * S);
    assert_in_range(world.connects, 20, 50); /* of two servers, half a minute apart */
    world.servers[1] = WORLD_WELL;
    assert_true(world_run(has_offer, 80 * S));
    assert_string_equal(world.notice, "");
}

static unsigned asked_of[2];

static void serve_without_database(const struct world_request *r)
{
    asked_of[r->server]++;
    if (r->server)
        leatd_serve(r);
    else
        world_answer(503, "{\"error\":\"the database cannot be used now\"}");
}

static void a_server_without_its_database_is_left_for_the_next_one(void **state)
{
    (void)state;
    asked_of[0] = asked_of[1] = 0;
    world.serve = serve_without_database;
    assert_true(world_run(has_offer, 60 * S));
    assert_int_equal(asked_of[0], 1);
    assert_true(asked_of[1] > 0);
}

/* The machine has its offer after so many seconds. */
static void expect_offer(uint64_t least_s, uint64_t most_s)
{
    uint64_t began_ns = world.now_ns;
    assert_true(world_run(has_offer, 100 * S));
    assert_in_range(world.now_ns - began_ns, least_s * S, most_s * S);
}

static void a_silent_server_has_its_time(void **state)
{
    (void)state;
    world.servers[0] = WORLD_SILENT;
    expect_offer(30, 32);
}

/* Who does not even say no is not waited for while another server has not been asked; then he has his time. */
static void a_server_that_is_away_is_left_soon(void **state)
{
    (void)state;
    world.servers[0] = WORLD_AWAY;
    expect_offer(5, 6);
    world_end();
    leatd_begin(NULL);
    world.servers[0] = world.servers[1] = WORLD_AWAY;
    world_run(world_never, 4 * S);
    assert_int_equal(world.connects, 1);
    world_run(world_never, 2 * S);
    assert_int_equal(world.connects, 2);
    world_run(world_never, 18 * S);
    assert_int_equal(world.connects, 2);
}

/* The person who has chosen is told at once that the server is away, however long it was tried before. */
static void a_choice_in_vain_is_told_at_once(void **state)
{
    (void)state;
    assert_true(world_run(has_offer, 10 * S));
    world.servers[0] = world.servers[1] = WORLD_DOWN;
    world_run(world_never, 600 * S);
    assert_string_equal(world.notice, "");
    client_choose(client, 3);
    world_run(world_never, S);
    assert_non_null(strstr(world.notice, ":9471: connection refused or reset."));
    assert_in_range(world.notice_wait_s, 1, 30);
    world.servers[0] = WORLD_WELL;
    assert_true(world_run(wants_memory, 80 * S));
}

/* One that never stops saying a little is as good as silent. */
static void a_server_that_dribbles_has_its_time(void **state)
{
    (void)state;
    assert_true(world_run(has_offer, 10 * S));
    world.servers[0] = WORLD_DRIBBLES;
    client_choose(client, 3);
    assert_true(world_run(wants_memory, 70 * S)); /* leatd was told, by the second server */
    world.servers[0] = WORLD_WELL;
    world.servers[1] = WORLD_DRIBBLES;
    give_memory();
    assert_true(world_run(has_config, 90 * S));
    assert_memory_equal(leatd_memory[0], leatd_kernel, sizeof leatd_kernel);
}

static void a_kept_connection_that_was_closed_costs_nothing(void **state)
{
    (void)state;
    world.closes_kept = true;
    start_to_config();
    world_run(world_never, 100 * S);
    assert_int_equal(world.notices, 0);
    assert_in_range(leatd.renewals, 3, 4);
    assert_null(strstr(world.log, "tried again"));
}

static void one_that_leaves_does_not_wait_for_ever(void **state)
{
    (void)state;
    start_to_config();
    world.servers[0] = world.servers[1] = WORLD_SILENT;
    uint64_t began_ns = world.now_ns;
    client_stop(client);
    assert_true(world_run(is_over, 10 * S));
    assert_in_range(world.now_ns - began_ns, 0, 4 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_next_server_is_tried_and_pauses_grow),
        T(a_server_without_its_database_is_left_for_the_next_one),
        T(a_silent_server_has_its_time),
        T(a_server_that_is_away_is_left_soon),
        T(a_choice_in_vain_is_told_at_once),
        T(a_server_that_dribbles_has_its_time),
        T(a_kept_connection_that_was_closed_costs_nothing),
        T(one_that_leaves_does_not_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
