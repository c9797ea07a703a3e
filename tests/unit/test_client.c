// SPDX-License-Identifier: BSD-2-Clause
/* client/: from the first hello to the last good-bye, and who is not let in. */
#include <string.h>

#include "client_leatd.h"

static void from_hello_to_bye(void **state)
{
    (void)state;
    assert_true(world_run(has_offer, 10 * S));
    assert_int_equal(world.offer.count, 2);
    assert_int_equal(world.offer.chosen_first, 1);
    assert_int_equal(world.offer.timeout_s, 20);
    assert_string_equal(world.offer.entries[0].label, "Debian 12");
    start_to_config();
    assert_int_equal(leatd.files, 1); /* both have the same kernel */
    assert_memory_equal(leatd_memory[0], leatd_kernel, sizeof leatd_kernel);
    assert_non_null(strstr(world.config, "kernel = debian.kernel"));
    assert_int_equal(leatd.chosen, 1);
    assert_int_equal(world.notices, 0);
    assert_true(world_run(wants_report, 31 * S));
    client_report(client, "{\"boot\":[]}", 11);
    world_run(world_never, S);
    assert_string_equal(leatd.last_report, "{\"report\":{\"boot\":[]}}");
    world_run(world_never, 300 * S); /* nobody reports: it is renewed all the same */
    assert_in_range(leatd.renewals, 10, 11);
    assert_string_equal(leatd.last_report, "");
    client_stop(client);
    assert_true(world_run(is_over, 10 * S));
    assert_int_equal(leatd.byes, 1);
    assert_int_equal(world.connects, 1); /* for files and all the rest */
}

static void a_menu_that_waits_for_hours_keeps_the_session(void **state)
{
    (void)state;
    assert_true(world_run(has_offer, 10 * S));
    world_run(world_never, 3600 * S);
    assert_in_range(leatd.renewals, 119, 121);
    assert_int_equal(world.offers, 1);
    leatd.ends = true;
    leatd.state = "disabled";
    world.notice[0] = 0;
    assert_true(world_run(has_notice, 60 * S));
    assert_non_null(
        strstr(world.notice, "No disabled. UUID " WORLD_UUID ", MAC 52:54:00:00:00:01."));
    leatd.ends = false;
    leatd.state = NULL;
    world.offers = 0;
    assert_true(world_run(has_offer, 10 * S));
    assert_string_equal(world.notice, "");
}

static void who_is_refused_asks_when_it_was_told_to(void **state)
{
    (void)state;
    leatd.state = "expired";
    assert_true(world_run(has_notice, 10 * S));
    assert_int_equal(world.notice_wait_s, 7);
    world_run(world_never, 700 * S);
    assert_in_range(leatd.hellos, 99, 102);
    assert_int_equal(world.connects, leatd.hellos); /* each by a handshake of its own */
    leatd.state = NULL;
    assert_true(world_run(has_offer, 8 * S));
}

static void an_unknown_machine_enrols_when_it_may(void **state)
{
    (void)state;
    world.refuses_own = true;
    assert_true(world_run(has_notice, 10 * S));
    assert_non_null(strstr(world.notice, "Nobody knows you."));
    assert_int_equal(world.notice_wait_s, 9);
    leatd.is_enrolled = true;
    assert_true(world_run(has_offer, 20 * S));
    assert_int_equal(leatd.enrols, 2);
    assert_int_equal(leatd.asked, 0);
}

/* Deleted by the administrator: the key is still taken by TLS, the machine is not known. */
static void a_forgotten_machine_enrols_again(void **state)
{
    (void)state;
    leatd.state = "unknown";
    leatd.is_enrolled = true;
    assert_true(world_run(has_offer, 20 * S));
    assert_int_equal(leatd.enrols, 1);
}

/* leatd says that it has the key, and TLS still fails. */
static void enrolled_in_vain_it_says_so(void **state)
{
    (void)state;
    world.refuses_own = leatd.is_enrolled = leatd.is_in_vain = true;
    assert_true(world_run(has_notice, 20 * S));
    assert_non_null(strstr(world.notice, "by another key"));
    assert_int_equal(leatd.enrols, 1);
    world_run(world_never, 95 * S);
    assert_in_range(leatd.enrols, 8, 11); /* after each pause once */
}

static void a_wrong_key_from_a_file_is_told(void **state)
{
    (void)state;
    client_free(client);
    world_begin(false);
    world.serve = leatd_serve;
    world.refuses_own = true;
    assert_true(world_run(has_notice, 10 * S));
    assert_non_null(strstr(world.notice, "by another key"));
    assert_int_equal(leatd.enrols, 0);
    world.refuses_own = false;
    assert_true(world_run(has_offer, 20 * S));
}

static bool was_asked(void)
{
    return leatd.asked > 0;
}

/* A leatd that dies with the machine's proof in its hand looks as one that has another key, and is soon there again. */
static void one_hello_refused_is_no_other_key(void **state)
{
    (void)state;
    client_free(client);
    world_begin(false);
    world.serve = leatd_serve;
    for (unsigned i = 0; i < 2; i++) {
        leatd.asked = 0;
        world.refuses_own = true;
        assert_true(world_run(was_asked, 10 * S));
        world.refuses_own = false;
        leatd.state = "expired"; /* a hello has come through: it begins anew */
        assert_true(world_run(has_notice, 10 * S));
        assert_string_equal(world.notice,
                            "No expired. UUID " WORLD_UUID ", MAC 52:54:00:00:00:01.");
        assert_int_equal(leatd.hellos, i + 1);
        world.notice[0] = 0;
    }
    leatd.state = NULL;
    assert_true(world_run(has_offer, 10 * S));
    assert_int_equal(said("by another key"), 0);
}

static void why_there_is_no_network_is_shown(void **state)
{
    (void)state;
    world_end();
    world_begin_unplugged(false);
    world.serve = leatd_serve;
    world_run(world_never, S);
    assert_string_equal(world.progress, "Waiting for the network.");
    client_network_waits(client, "no link");
    assert_string_equal(world.progress, "Waiting for the network: no link.");
    world_plug();
    client_run(client);
    assert_string_equal(world.notice, "Asking the server one:9471.");
    assert_true(world_run(has_offer, 10 * S));
    client_network_waits(client, "no link");
    assert_string_equal(world.notice, "");
    assert_string_equal(world.progress, "Waiting for the network: no link.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(from_hello_to_bye),
        T(a_menu_that_waits_for_hours_keeps_the_session),
        T(who_is_refused_asks_when_it_was_told_to),
        T(an_unknown_machine_enrols_when_it_may),
        T(a_forgotten_machine_enrols_again),
        T(enrolled_in_vain_it_says_so),
        T(a_wrong_key_from_a_file_is_told),
        T(one_hello_refused_is_no_other_key),
        T(why_there_is_no_network_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
