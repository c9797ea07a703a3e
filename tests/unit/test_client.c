// SPDX-License-Identifier: BSD-2-Clause
/* client/ from the first hello to the last good-bye, with servers that are down, silent, restarted, or say no. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client_world.h"

#define KERNEL_BYTES 300000u

static uint8_t kernel[KERNEL_BYTES], memory[3][KERNEL_BYTES];
static char kernel_sum[65];
static struct {
    unsigned hellos, asked, enrols, chosen, renewals, byes, files, puts;
    bool is_enrolled;  /* enrol is answered well, and the own key taken from then on */
    bool is_in_vain;   /* or not taken */
    const char *state; /* of a hello that is refused; NULL: it is let in */
    unsigned bad_files, cut_files, lost_renewals;
    const char *busy; /* of the answers to chosen and renewals; NULL: nothing */
    bool ends;        /* renewals are answered by 401 */
    char last_report[200], ranges[200];
    unsigned files_here, renew_s;
} leatd;

static void answer_hello_well(void)
{
    char body[3000];
    const char *disk =
        "{\"name\":\"%s\",\"label\":\"%s\",\"default\":%s,\"mode\":\"%s\",\"size\":4096,"
        "\"export\":\"x.%s\",\"base\":%s,\"content\":\"c1\",\"root_hash\":null,\"root_blocks\":"
        "null,"
        "\"iops\":0,\"bandwidth\":0,\"memory\":0,\"cpus\":0,\"start\":\"menu\",\"profile\":null,"
        "\"kernel\":{\"path\":\"/client/v1/file/%s/kernel\",\"size\":%u,\"sha256\":\"%s\"},"
        "\"initrd\":null,\"cmdline\":\"console=ttyS0 root=/dev/vda\"}";
    size_t n = (size_t)snprintf(
        body, sizeof body,
        "{\"state\":\"ok\",\"session\":\"s.abc\",\"expires\":1,\"renew\":%u,\"name\":\"lab\","
        "\"servers\":[\"10.0.0.1:10809\",\"10.0.0.2:10810\"],\"disks\":[",
        leatd.renew_s);
    n += (size_t)snprintf(body + n, sizeof body - n, disk, "debian", "Debian 12", "false", "server",
                          "one", "\"x.base\"", "debian", KERNEL_BYTES, kernel_sum);
    n += (size_t)snprintf(body + n, sizeof body - n, ",");
    n += (size_t)snprintf(body + n, sizeof body - n, disk, "other", "Other", "true", "ram", "two",
                          "null", "other", KERNEL_BYTES, kernel_sum);
    snprintf(body + n, sizeof body - n, "],\"menu\":{\"timeout\":20,\"default\":\"other\"}}");
    world_answer(200, body);
}

static void answer_hello_request(const struct world_request *r)
{
    char body[300];
    leatd.hellos += r->identity == CLIENT_OWN;
    leatd.asked += r->identity == CLIENT_ENROL;
    assert_string_equal(
        r->body, r->identity == CLIENT_OWN || strstr(r->body, "product")
                     ? "{\"uuid\":\"" WORLD_UUID "\",\"macs\":[\"52:54:00:00:00:01\"],"
                       "\"version\":\"0.1.0\",\"hardware\":{\"product\":\"Emu \\u00221\\u0022\"}}"
                     : "");
    if (r->identity == CLIENT_ENROL) {
        world_answer(200, "{\"state\":\"known\",\"wait\":10}");
    } else if (leatd.state) {
        snprintf(body, sizeof body, "{\"state\":\"%s\",\"error\":\"No %s.\",\"wait\":7}",
                 leatd.state, leatd.state);
        world_answer(!strcmp(leatd.state, "unknown") ? 404 : 403, body);
    } else {
        answer_hello_well();
    }
}

static void answer_enrol(const struct world_request *r)
{
    leatd.enrols++;
    assert_int_equal(r->identity, CLIENT_ENROL);
    assert_non_null(strstr(r->body, "\"key\":\"" WORLD_KEY "\"}"));
    if (leatd.is_enrolled) {
        world.refuses_own = leatd.is_in_vain;
        leatd.state = NULL;
        world_answer(200, "{\"state\":\"known\"}");
    } else {
        world_answer(403, "{\"state\":\"unknown\",\"error\":\"Nobody knows you.\",\"wait\":9}");
    }
}

static void answer_file(const struct world_request *r)
{
    char field[100];
    size_t left = KERNEL_BYTES - (size_t)r->from, cut = left;
    leatd.files++;
    snprintf(leatd.ranges + strlen(leatd.ranges), 20, "%llu ", (unsigned long long)r->from);
    snprintf(field, sizeof field, "Content-Range: bytes %llu-%u/%u\r\n",
             (unsigned long long)r->from, KERNEL_BYTES - 1, KERNEL_BYTES);
    if (leatd.cut_files) {
        leatd.cut_files--;
        cut = 100000;
    }
    kernel[7] ^= leatd.bad_files ? 1 : 0;
    world_answer_bytes(r->from ? 206 : 200, kernel + r->from, left, r->from ? field : "", cut);
    kernel[7] ^= leatd.bad_files ? 1 : 0;
    leatd.bad_files -= leatd.bad_files > 0;
}

static void answer_busy(const char *fields)
{
    char text[400];
    snprintf(text, sizeof text, "{%s%s%s%s}", fields, *fields && leatd.busy ? "," : "",
             leatd.busy ? "\"busy\":" : "", leatd.busy ? leatd.busy : "");
    world_answer(200, text);
}

static void serve(const struct world_request *r)
{
    bool is_in = !strcmp(r->token, "s.abc");
    if (!strcmp(r->path, "/client/v1/hello")) {
        answer_hello_request(r);
    } else if (!strcmp(r->path, "/client/v1/enrol")) {
        answer_enrol(r);
    } else if (!is_in) {
        world_answer(401, "{\"error\":\"no session\"}");
    } else if (!strcmp(r->path, "/client/v1/chosen")) {
        leatd.chosen++;
        assert_string_equal(r->body, "{\"disks\":[\"debian\",\"other\"]}");
        answer_busy("");
    } else if (!strcmp(r->path, "/client/v1/renew")) {
        leatd.renewals++;
        snprintf(leatd.last_report, sizeof leatd.last_report, "%.199s", r->body);
        if (leatd.ends)
            world_answer(401, "{\"error\":\"the administrator has ended it\"}");
        else
            answer_busy("\"expires\":90,\"renew\":30");
    } else if (!strcmp(r->path, "/client/v1/bye")) {
        leatd.byes++;
        world_answer(200, "{}");
    } else if (!strcmp(r->method, "PUT")) {
        leatd.puts++;
        assert_string_equal(r->path, "/client/v1/profile/debian");
        assert_int_equal(r->body_size, 50000);
        world_answer(200, "{}");
    } else {
        answer_file(r);
    }
}

static int begin(void **state)
{
    (void)state;
    memset(&leatd, 0, sizeof leatd);
    leatd.renew_s = 30;
    for (unsigned i = 0; i < KERNEL_BYTES; i++)
        kernel[i] = (uint8_t)(i * 2654435761u >> 13);
    world_sum(kernel, sizeof kernel, kernel_sum);
    world_begin(true);
    world.serve = serve;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    world_end();
    return 0;
}

/* -- conditions -- */

static bool has_offer(void)
{
    return world.offers > 0;
}
static bool wants_memory(void)
{
    return world.file_number != 0;
}
static bool has_config(void)
{
    return world.configs > 0;
}
static bool has_ended(void)
{
    return world.endings > 0;
}
static bool has_notice(void)
{
    return world.notice[0] != 0;
}
static bool is_over(void)
{
    return client_is_over(client);
}
static bool wants_report(void)
{
    return world.reports_wanted > 0;
}
static bool is_taken(void)
{
    return world.profiles_taken > 0;
}

static void give_memory(void)
{
    uint64_t number = world.file_number;
    assert_int_equal(world.file_size, KERNEL_BYTES);
    world.file_number = 0;
    client_memory(client, number, memory[leatd.files_here++]);
}

static void start_to_config(void)
{
    assert_true(world_run(has_offer, 10 * S));
    client_choose(client, 3);
    assert_true(world_run(wants_memory, 10 * S));
    give_memory();
    assert_true(world_run(has_config, 300 * S));
}

/* -- tests -- */

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
    assert_memory_equal(memory[0], kernel, sizeof kernel);
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
    assert_int_equal(world.connects, 2); /* one for files, one for all the rest */
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
    world.serve = serve;
    world.refuses_own = true;
    assert_true(world_run(has_notice, 10 * S));
    assert_non_null(strstr(world.notice, "by another key"));
    assert_int_equal(leatd.enrols, 0);
    world.refuses_own = false;
    assert_true(world_run(has_offer, 20 * S));
}

static void a_download_goes_on_where_it_broke(void **state)
{
    (void)state;
    leatd.cut_files = 2;
    start_to_config();
    assert_string_equal(leatd.ranges, "0 100000 200000 ");
    assert_memory_equal(memory[0], kernel, sizeof kernel);
}

static void wrong_bytes_are_asked_for_again_and_then_left_out(void **state)
{
    (void)state;
    leatd.bad_files = 2;
    start_to_config();
    assert_int_equal(leatd.files, 3);
    assert_non_null(strstr(world.config, "[vm debian]"));
    world_end();
    begin(NULL);
    leatd.bad_files = 100;
    start_to_config();
    assert_int_equal(leatd.files, 3);
    assert_null(strstr(world.config, "[vm"));
    assert_non_null(strstr(world.log, "debian.kernel could not be had: its SHA-256"));
    assert_non_null(strstr(world.notice, "Nothing that was chosen can be started"));
}

static void without_memory_there_is_a_configuration_without_it(void **state)
{
    (void)state;
    assert_true(world_run(has_offer, 10 * S));
    client_choose(client, 3);
    assert_true(world_run(wants_memory, 10 * S));
    client_memory(client, world.file_number, NULL);
    assert_true(world_run(has_config, 10 * S));
    assert_non_null(strstr(world.log, "no memory for debian.kernel"));
}

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
        serve(r);
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

static void a_silent_server_has_its_time(void **state)
{
    (void)state;
    world.servers[0] = WORLD_SILENT;
    uint64_t began_ns = world.now_ns;
    assert_true(world_run(has_offer, 100 * S));
    assert_in_range(world.now_ns - began_ns, 30 * S, 32 * S);
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
    assert_memory_equal(memory[0], kernel, sizeof kernel);
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

static unsigned said(const char *words)
{
    unsigned times = 0;
    for (const char *at = world.log; (at = strstr(at, words)); at++)
        times++;
    return times;
}

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
    assert_int_equal(said("third"), 0); /* nothing here waits for it */
    leatd.busy = NULL;
    world_run(world_never, 40 * S);
    assert_int_equal(said("in use"), 1);
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

static void one_made_anew_goes_on_without_a_hello(void **state)
{
    struct client_saved saved, bad;
    (void)state;
    start_to_config();
    client_save(client, &saved);
    world_end();
    begin(NULL);
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
#define T(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        T(from_hello_to_bye),
        T(a_menu_that_waits_for_hours_keeps_the_session),
        T(who_is_refused_asks_when_it_was_told_to),
        T(an_unknown_machine_enrols_when_it_may),
        T(a_forgotten_machine_enrols_again),
        T(enrolled_in_vain_it_says_so),
        T(a_wrong_key_from_a_file_is_told),
        T(a_download_goes_on_where_it_broke),
        T(wrong_bytes_are_asked_for_again_and_then_left_out),
        T(without_memory_there_is_a_configuration_without_it),
        T(the_next_server_is_tried_and_pauses_grow),
        T(a_server_without_its_database_is_left_for_the_next_one),
        T(a_transfer_does_not_outlive_the_session),
        T(a_silent_server_has_its_time),
        T(a_server_that_dribbles_has_its_time),
        T(a_kept_connection_that_was_closed_costs_nothing),
        T(who_has_a_disk_is_said_once),
        T(renewals_survive_servers),
        T(a_session_that_ends_while_files_come_begins_the_start_again),
        T(profiles_go_up),
        T(one_made_anew_goes_on_without_a_hello),
        T(one_that_leaves_does_not_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
