// SPDX-License-Identifier: BSD-2-Clause
/* client/: files that come, and boot profiles that go up. */
#include <string.h>

#include "client_leatd.h"

static void a_download_goes_on_where_it_broke(void **state)
{
    (void)state;
    leatd.cut_files = 2;
    start_to_config();
    assert_string_equal(leatd.ranges, "0 100000 200000 ");
    assert_memory_equal(leatd_memory[0], leatd_kernel, sizeof leatd_kernel);
}

static void wrong_bytes_are_asked_for_again_and_then_left_out(void **state)
{
    (void)state;
    leatd.bad_files = 2;
    start_to_config();
    assert_int_equal(leatd.files, 3);
    assert_non_null(strstr(world.config, "[vm debian]"));
    world_end();
    leatd_begin(NULL);
    leatd.bad_files = 100;
    start_to_config();
    assert_int_equal(leatd.files, 3);
    assert_null(strstr(world.config, "[vm"));
    assert_non_null(strstr(world.log, "debian.kernel could not be had: its SHA-256"));
    assert_non_null(strstr(world.notice, "Nothing that was chosen can be started"));
}

/* Up to the first file's memory. */
static void choose(void)
{
    assert_true(world_run(has_offer, 10 * S));
    client_choose(client, 3);
    assert_true(world_run(wants_memory, 10 * S));
}

static void without_memory_there_is_a_configuration_without_it(void **state)
{
    (void)state;
    choose();
    client_memory(client, world.file_number, NULL);
    assert_true(world_run(has_config, 10 * S));
    assert_non_null(strstr(world.log, "no memory for debian.kernel"));
}

static void a_long_download_says_how_far_it_is(void **state)
{
    (void)state;
    choose();
    world.piece_ns = S / 4;
    leatd.cut_files = 1;
    give_memory();
    assert_true(world_run(has_notice, 60 * S));
    assert_string_equal(world.progress, "Downloading debian.kernel: 0 of 0 MiB.");
    world.progress[0] = '\0';
    assert_true(world_run(has_config, 120 * S));
    assert_non_null(strstr(world.progress, "Downloading "));
    assert_string_equal(world.notice, "");
}

static void profiles_go_up(void **state)
{
    static uint8_t profile[50000];
    (void)state;
    start_to_config();
    client_profile(client, "debian", profile, sizeof profile);
    assert_true(world_run(is_taken, 10 * S));
    assert_int_equal(leatd.puts, 1);
    client_profile(client, "../debian", profile, sizeof profile);
    assert_int_equal(world.profiles_taken, 2);
    world.servers[0] = world.servers[1] = WORLD_DOWN;
    client_profile(client, "debian", profile, sizeof profile);
    world_run(world_never, 600 * S); /* no use trying for ever */
    assert_int_equal(world.profiles_taken, 3);
    assert_int_equal(leatd.puts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_download_goes_on_where_it_broke),
        T(wrong_bytes_are_asked_for_again_and_then_left_out),
        T(without_memory_there_is_a_configuration_without_it),
        T(a_long_download_says_how_far_it_is),
        T(profiles_go_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
