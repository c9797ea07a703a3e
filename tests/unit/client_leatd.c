// SPDX-License-Identifier: BSD-2-Clause
#include "client_leatd.h"

#include <stdio.h>
#include <string.h>

uint8_t leatd_kernel[LEATD_KERNEL_BYTES], leatd_memory[3][LEATD_KERNEL_BYTES];
struct client_leatd leatd;
static char kernel_sum[65];

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
                          "one", "\"x.base\"", "debian", LEATD_KERNEL_BYTES, kernel_sum);
    n += (size_t)snprintf(body + n, sizeof body - n, ",");
    n += (size_t)snprintf(body + n, sizeof body - n, disk, "other", "Other", "true", "ram", "two",
                          "null", "other", LEATD_KERNEL_BYTES, kernel_sum);
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
    size_t left = LEATD_KERNEL_BYTES - (size_t)r->from, cut = left;
    leatd.files++;
    snprintf(leatd.ranges + strlen(leatd.ranges), 20, "%llu ", (unsigned long long)r->from);
    snprintf(field, sizeof field, "Content-Range: bytes %llu-%u/%u\r\n",
             (unsigned long long)r->from, LEATD_KERNEL_BYTES - 1, LEATD_KERNEL_BYTES);
    if (leatd.cut_files) {
        leatd.cut_files--;
        cut = 100000;
    }
    leatd_kernel[7] ^= leatd.bad_files ? 1 : 0;
    world_answer_bytes(r->from ? 206 : 200, leatd_kernel + r->from, left, r->from ? field : "",
                       cut);
    leatd_kernel[7] ^= leatd.bad_files ? 1 : 0;
    leatd.bad_files -= leatd.bad_files > 0;
}

static void answer_busy(const char *fields)
{
    char text[400];
    snprintf(text, sizeof text, "{%s%s%s%s}", fields, *fields && leatd.busy ? "," : "",
             leatd.busy ? "\"busy\":" : "", leatd.busy ? leatd.busy : "");
    world_answer(200, text);
}

void leatd_serve(const struct world_request *r)
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

int leatd_begin(void **state)
{
    (void)state;
    memset(&leatd, 0, sizeof leatd);
    leatd.renew_s = 30;
    for (unsigned i = 0; i < LEATD_KERNEL_BYTES; i++)
        leatd_kernel[i] = (uint8_t)(i * 2654435761u >> 13);
    world_sum(leatd_kernel, sizeof leatd_kernel, kernel_sum);
    world_begin(true);
    world.serve = leatd_serve;
    return 0;
}

int leatd_finish(void **state)
{
    (void)state;
    world_end();
    return 0;
}

bool has_offer(void)
{
    return world.offers > 0;
}
bool wants_memory(void)
{
    return world.file_number != 0;
}
bool has_config(void)
{
    return world.configs > 0;
}
bool has_ended(void)
{
    return world.endings > 0;
}
bool has_notice(void)
{
    return world.notice[0] != 0;
}
bool is_over(void)
{
    return client_is_over(client);
}
bool wants_report(void)
{
    return world.reports_wanted > 0;
}
bool is_taken(void)
{
    return world.profiles_taken > 0;
}

void give_memory(void)
{
    uint64_t number = world.file_number;
    assert_int_equal(world.file_size, LEATD_KERNEL_BYTES);
    world.file_number = 0;
    client_memory(client, number, leatd_memory[leatd.files_here++]);
}

void start_to_config(void)
{
    assert_true(world_run(has_offer, 10 * S));
    client_choose(client, 3);
    assert_true(world_run(wants_memory, 10 * S));
    give_memory();
    assert_true(world_run(has_config, 300 * S));
}

unsigned said(const char *words)
{
    unsigned times = 0;
    for (const char *at = world.log; (at = strstr(at, words)); at++)
        times++;
    return times;
}
