// SPDX-License-Identifier: BSD-2-Clause
/* client/: the session once it has begun: renewed, busy, ended, gone on with. */
#include <string.h>

#include "client_leatd.h"

static void who_has_a_disk_is_said_once(void **state)
{
    (void)state;
    leatd.busy =
        "[{\"disk\":\"other\",\"holder\":\"lab-02\"},{\"disk\":\"third\",\"holder\":\"lab-03\"}]";
    start_to_config();
    assert_int_equal(said("in use"), 0);
    world_run(world_never, 10 * S);
    assert_int_equal(said("in use"), 1);
    world_run(world_never, 100 * S);
    assert_in_range(leatd.renewals, 4, 5);
    assert_int_equal(said("disk other is in use by lab-02: its VM waits until that is over"), 1);
    assert_string_equal(world.busy,
                        "disk 'other/other': in use by lab-02: this VM waits until that is over");
    world.busy[0] = '\0';
    assert_int_equal(said("third"), 0); /* nothing here waits for it */
    leatd.busy = NULL;
    world_run(world_never, 40 * S);
    assert_int_equal(said("in use"), 1);
    assert_string_equal(world.busy, "");
    leatd.busy =
        "[{\"disk\":\"debian\",\"holder\":\"lab-03\"},{\"disk\":\"other\",\"holder\":\"lab-02\"}]";
    world_run(world_never, 100 * S);
    assert_int_equal(
        said("disk debian is in use by lab-03, disk other is in use by lab-02: its VM"), 1);
    assert_int_equal(world.notices, 0);
}

static void renewals_survive_servers(void **state)
{
    (void)state;
    start_to_config();
    world.servers[0] = world.servers[1] = WORLD_DOWN;
    world_run(world_never, 300 * S);
    assert_int_equal(leatd.renewals, 0);
    assert_false(has_ended());
    world.servers[1] = WORLD_WELL;
    world_run(world_never, 70 * S);
    assert_in_range(leatd.renewals, 1, 4);
    assert_non_null(strstr(world.log, "renewed again"));
    leatd.ends = true;
    assert_true(world_run(has_ended, 40 * S));
    assert_string_equal(world.ended, "the administrator has ended it");
    unsigned requests = world.requests;
    world_run(world_never, 600 * S);
    assert_int_equal(world.requests, requests);
    client_stop(client);
    assert_true(world_run(is_over, S));
}

static void a_session_that_ends_while_files_come_begins_the_start_again(void **state)
{
    (void)state;
    leatd.renew_s = 1;
    assert_true(world_run(has_offer, 10 * S));
    client_choose(client, 3);
    assert_true(world_run(wants_memory, 10 * S));
    leatd.ends = true;
    world_run(world_never, 10 * S);
    assert_int_equal(world.restarts, 1);
    assert_int_equal(world.configs, 0);
}

static void a_transfer_does_not_outlive_the_session(void **state)
{
    static uint8_t profile[50000];
    (void)state;
    start_to_config();
    leatd.ends = true;
    world_run(world_never, 15 * S);
    world.servers[0] =
        WORLD_SILENT; /* the profile hangs there, the renewal hears of the end at the other */
    world_run(world_never, 35 * S);
    client_profile(client, "debian", profile, sizeof profile);
    assert_true(world_run(has_ended, 120 * S));
    client_run(client);
    world.now_ns += 600 * S;
    assert_true(client_run(client) > world.now_ns); /* it can sleep */
}

static void one_made_anew_goes_on_without_a_hello(void **state)
{
    struct client_saved saved, bad;
    (void)state;
    start_to_config();
    client_save(client, &saved);
    world_end();
    leatd_begin(NULL);
    bad = saved;
    bad.magic[0]++;
    assert_false(client_go_on(client, &bad));
    bad = saved;
    bad.session[1] = '\r';
    assert_false(client_go_on(client, &bad));
    assert_true(client_go_on(client, &saved));
    leatd.busy = "[{\"disk\":\"other\",\"holder\":\"lab-02\"}]";
    world_run(world_never, 35 * S);
    assert_int_equal(said("disk other is in use by lab-02"), 1);
    assert_int_equal(leatd.hellos, 0);
    assert_int_equal(leatd.renewals, 2);
    assert_int_equal(world.configs + world.offers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_has_a_disk_is_said_once),
        T(renewals_survive_servers),
        T(a_session_that_ends_while_files_come_begins_the_start_again),
        T(a_transfer_does_not_outlive_the_session),
        T(one_made_anew_goes_on_without_a_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
