// SPDX-License-Identifier: BSD-2-Clause
/* What leatd says, good and hostile: heads of HTTP, JSON, and the sections of leat.conf that are made of it, which
   leat.conf's own parser judges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/answer.h"
#include "client/sections.h"
#include "client/value.h"
#include "lib/config/config.h"

#define SUM "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define PSK "4c4c4544-0000-2010-8020-80c04f202020:" SUM
#define KERNEL                                                                                     \
    "\"kernel\":{\"path\":\"/client/v1/file/a/kernel\",\"size\":5000,\"sha256\":\"" SUM "\"}"
#define GOOD "\"mode\":\"ram\",\"export\":\"x.one\"," KERNEL

static struct client_hello hello;
static struct leat_config config;
static char notes[4000], text[LEAT_CLIENT_CONFIG_BYTES];

static void note(void *ctx, const char *disk, const char *why)
{
    size_t used = strlen(notes);
    (void)ctx;
    snprintf(notes + used, sizeof notes - used, "%s: %s\n", disk, why);
}

/* A hello's answer with these disks and further fields. */
static const char *take(const char *disks, const char *more)
{
    static char answer[200000];
    snprintf(answer, sizeof answer,
             "{\"state\":\"ok\",\"session\":\"s.one\",\"renew\":30,\"servers\":[\"10.0.0.1\"],"
             "\"disks\":[%s]%s}",
             disks, more);
    notes[0] = 0;
    return answer_hello(answer, strlen(answer), &hello, note, NULL);
}

/* The sections of all disks, parsed. */
static void parse(void)
{
    static struct sections_disk disks[LEAT_CLIENT_ENTRIES];
    static char names[LEAT_CLIENT_ENTRIES][3][LEAT_CLIENT_FILE];
    struct leat_config_error error;
    struct text out;
    for (unsigned i = 0; i < hello.disk_count; i++) {
        const struct client_disk *disk = &hello.disks[i];
        sections_file_name(disk, "kernel", names[i][0]);
        sections_file_name(disk, "initrd", names[i][1]);
        sections_file_name(disk, "profile", names[i][2]);
        disks[i] = (struct sections_disk){disk, names[i][0], disk->initrd.size ? names[i][1] : "",
                                          disk->profile.size ? names[i][2] : ""};
    }
    text_begin(&out, text, sizeof text);
    assert_true(sections_put(&out, &hello, PSK, disks, hello.disk_count));
    if (leat_config_parse(text, out.used, &config, &error))
        fail_msg("%s\n%s", error.text, text);
}

static void all_modes_become_sections(void **state)
{
    (void)state;
    assert_null(take(
        "{\"name\":\"a\",\"mode\":\"read-only\",\"export\":\"x.1\"," KERNEL "},"
        "{\"name\":\"b\",\"mode\":\"ram\",\"export\":\"x.2\",\"iops\":300,\"bandwidth\":"
        "1000," KERNEL "},"
        "{\"name\":\"c\",\"mode\":\"local\",\"export\":\"x.3\",\"content\":\"c 1\"," KERNEL "},"
        "{\"name\":\"d\",\"mode\":\"private\",\"export\":\"x.4\",\"content\":\"c "
        "1\",\"memory\":777,\"cpus\":99," KERNEL "},"
        "{\"name\":\"e\",\"mode\":\"server\",\"export\":\"x.5\",\"base\":\"x.6\",\"cmdline\":\"a=b "
        "\\\"c\\\" é\","
        "\"label\":\"L\",\"default\":true,\"start\":\"always\",\"initrd\":{\"path\":\"/client/v1/"
        "file/e/initrd\","
        "\"size\":7,\"sha256\":\"" SUM
        "\"},\"profile\":{\"path\":\"/client/v1/profile/e\",\"size\":9,"
        "\"sha256\":\"" SUM "\"}," KERNEL "}",
        ""));
    assert_string_equal(notes, "");
    parse();
    assert_int_equal(config.disk_count, 5);
    assert_int_equal(config.vm_count, 5);
    assert_string_equal(config.server, "10.0.0.1");
    assert_int_equal(config.server_port, 10809);
    assert_string_equal(config.tls.psk, PSK);
    const struct leat_config_disk *d = config.disks;
    assert_true(d[0].mode == LEAT_CONFIG_PRIVATE && d[0].read_only &&
                !strcmp(d[0].export_name, "x.1"));
    assert_true(d[1].mode == LEAT_CONFIG_RAM && d[1].rates.iops == 300 &&
                d[1].rates.bandwidth == 4096);
    assert_true(d[2].mode == LEAT_CONFIG_LOCAL && !strcmp(d[2].content, "c 1"));
    assert_true(d[3].mode == LEAT_CONFIG_PRIVATE && !d[3].read_only && !d[3].content[0]);
    assert_true(d[4].mode == LEAT_CONFIG_LAYER && d[4].client_holes);
    assert_string_equal(d[4].export_name, "x.6");
    assert_string_equal(d[4].client_export, "x.5");
    assert_string_equal(d[4].profile_file, "e.profile");
    const struct leat_config_vm *v = config.vms;
    assert_true(v[0].memory_bytes == 512ull << 20 && v[0].cpus == 1 &&
                !strcmp(v[0].kernel, "a.kernel"));
    assert_true(v[3].memory_bytes == 778ull << 20 && v[3].cpus == 16);
    assert_string_equal(v[4].cmdline, "a=b \"c\" é");
    assert_string_equal(v[4].initrd, "e.initrd");
    assert_string_equal(v[4].disk_name[0], "e");
    assert_true(hello.disks[4].always && hello.first == 4 && !strcmp(hello.disks[4].label, "L"));
}

#define TREE(blocks, size)                                                                         \
    "\"root_hash\":\"" SUM "\",\"root_blocks\":" blocks ",\"tree\":\"x.tree\",\"size\":" size ","

/* Each mode that can be verified; a disk as large as its image, or larger. */
static void trees_become_root_hashes(void **state)
{
    (void)state;
    assert_null(take(
        "{\"name\":\"a\",\"content\":\"c\"," TREE("3", "12288") GOOD
        "},"
        "{\"name\":\"b\",\"mode\":\"read-only\",\"export\":\"x.1\"," TREE("3", "16384") KERNEL
        "},"
        "{\"name\":\"c\",\"mode\":\"local\",\"export\":\"x.2\"," TREE("1", "4096") KERNEL
        "},"
        "{\"name\":\"d\",\"mode\":\"server\",\"export\":\"x.3\",\"base\":\"x.4\"," TREE(
            "7", "9007199254736896") KERNEL "},"
                                            "{\"name\":\"e\",\"content\":\"c\",\"root_hash\":\"" SUM
                                            "\",\"root_blocks\":7,\"tree\":null," GOOD "}",
        ""));
    assert_string_equal(notes, "");
    parse();
    const struct leat_config_disk *d = config.disks;
    assert_string_equal(d[0].root_hash, SUM ":3");
    assert_string_equal(d[1].root_hash, SUM ":3:4");
    assert_string_equal(d[2].root_hash, SUM ":1");
    assert_string_equal(d[3].root_hash, SUM ":7:2199023255551");
    for (unsigned i = 0; i < 4; i++) {
        assert_string_equal(d[i].hash_export, "x.tree");
        assert_string_equal(d[i].content, "");
    }
    assert_true(!d[4].root_hash[0] && !d[4].hash_export[0] && !strcmp(d[4].content, "c"));
}

/* It is left out, with its sentence: nobody goes on without a tree that he was promised. */
static void a_tree_that_makes_no_sense_is_no_disk(void **state)
{
    static const struct {
        const char *fields, *words;
    } bad[] = {
        {TREE("3", "12288") "\"mode\":\"private\",\"export\":\"x.1\"," KERNEL, "and is written"},
        {TREE("4", "12288") GOOD, "do not fit each other"},
        {TREE("3", "12800") GOOD, "do not fit each other"},
        {TREE("0", "12288") GOOD, "do not fit each other"},
        {TREE("2.5", "12288") GOOD, "do not fit each other"},
        {TREE("-1", "12288") GOOD, "do not fit each other"},
        {TREE("1e300", "1e300") GOOD, "do not fit each other"},
        {TREE("null", "12288") GOOD, "do not fit each other"},
        {TREE("\"3\"", "12288") GOOD, "do not fit each other"},
        {TREE("3", "null") GOOD, "do not fit each other"},
        {"\"tree\":\"x.t\",\"root_blocks\":3,\"size\":12288," GOOD, "no SHA-256"},
        {"\"tree\":\"x.t\",\"root_hash\":\"" SUM "0\",\"root_blocks\":3,\"size\":12288," GOOD,
         "no SHA-256"},
        {"\"tree\":\"x.t\",\"root_hash\":\"\\n" SUM "\",\"root_blocks\":3,\"size\":12288," GOOD,
         "no SHA-256"},
        {"\"tree\":7,\"root_hash\":\"" SUM "\",\"root_blocks\":3,\"size\":12288," GOOD,
         "no usable name"},
        {"\"tree\":\"x.one\",\"root_hash\":\"" SUM "\",\"root_blocks\":3,\"size\":12288," GOOD,
         "no usable name"},
        {"\"tree\":\"x.t\\nread_only = no\",\"root_hash\":\"" SUM
         "\",\"root_blocks\":3,\"size\":12288," GOOD,
         "no usable name"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char disks[2000];
        snprintf(disks, sizeof disks, "{\"name\":\"a\",%s},{\"name\":\"good\"," GOOD "}",
                 bad[i].fields);
        assert_null(take(disks, ""));
        if (hello.disk_count != 1 || !strstr(notes, bad[i].words))
            fail_msg("%s: %s", bad[i].fields, notes);
    }
}

/* A value that would be more than one value. */
static void no_value_becomes_another_key(void **state)
{
    static const char *const bad[] = {
        "\"name\":\"a\\nb\"," GOOD,
        "\"name\":\"a]\"," GOOD,
        "\"name\":\"\"," GOOD,
        "\"name\":\"aaaaaaaaaabbbbbbbbbbccccccccccdd\"," GOOD,
        "\"name\":\"a\",\"cmdline\":\"x\\n[vm evil]\"," GOOD,
        "\"name\":\"a\",\"cmdline\":\"x\\r\"," GOOD,
        "\"name\":\"a\",\"cmdline\":\"x ; y\"," GOOD,
        "\"name\":\"a\",\"cmdline\":\"\\u0001\"," GOOD,
        "\"name\":\"a\",\"cmdline\":\"\xff\"," GOOD,
        "\"name\":\"a\",\"mode\":\"ram\",\"export\":\"x\\ntls_psk = 1\"," KERNEL,
        "\"name\":\"a\",\"mode\":\"ram\",\"export\":\"{vm}\"," KERNEL,
        "\"name\":\"a\",\"mode\":\"ram\",\"export\":null," KERNEL,
        "\"name\":\"a\",\"mode\":\"server\",\"export\":\"x.1\",\"base\":null," KERNEL,
        "\"name\":\"a\",\"mode\":\"server\",\"export\":\"x.1\",\"base\":\"x.1\"," KERNEL,
        "\"name\":\"a\",\"mode\":\"rom\",\"export\":\"x.1\"," KERNEL,
        "\"name\":\"a\",\"mode\":\"ram\",\"export\":\"x.1\"",
        "\"name\":\"a\",\"mode\":\"ram\",\"export\":\"x.1\",\"kernel\":{\"path\":\"/client/v1/../"
        "x\",\"size\":1,\"sha256\":\"" SUM "\"}",
        "\"name\":\"a\",\"mode\":\"ram\",\"export\":\"x.1\",\"kernel\":{\"path\":\"/client/v1/x "
        "y\",\"size\":1,\"sha256\":\"" SUM "\"}",
        "\"name\":\"a\",\"mode\":\"ram\",\"export\":\"x.1\",\"kernel\":{\"path\":\"/client/v1/"
        "x\",\"size\":1e12,\"sha256\":\"" SUM "\"}",
        "\"name\":\"a\",\"mode\":\"ram\",\"export\":\"x.1\",\"kernel\":{\"path\":\"/client/v1/"
        "x\",\"size\":1,\"sha256\":\"0\"}",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char disks[2000];
        snprintf(disks, sizeof disks, "{%s},{\"name\":\"good\"," GOOD "}", bad[i]);
        assert_null(take(disks, ""));
        if (hello.disk_count != 1)
            fail_msg("it passes: %s", bad[i]);
        assert_string_equal(hello.disks[0].name, "good");
        assert_true(notes[0] != 0);
        parse();
        assert_int_equal(config.vm_count, 1);
    }
}

static void what_makes_no_sense_is_left_out_or_bounded(void **state)
{
    char disks[3000], *at = disks;
    (void)state;
    assert_null(take("{\"name\":\"a\",\"content\":\"x;y\",\"label\":\"one\\ntwo\",\"iops\":-3,"
                     "\"bandwidth\":1e300,"
                     "\"memory\":\"much\",\"cpus\":0.5,\"profile\":\"/client/v1/profile/a\"," GOOD
                     "},"
                     "{\"name\":\"a\"," GOOD "}",
                     ",\"menu\":{\"timeout\":1e99,\"default\":7}"));
    assert_int_equal(hello.disk_count, 1);
    assert_string_equal(notes, "a: another one has its name\n");
    assert_string_equal(hello.disks[0].label, "one?two");
    assert_int_equal(hello.menu_s, 3600);
    parse();
    assert_true(config.disks[0].rates.iops == 0 && config.disks[0].rates.bandwidth == 1ull << 40);
    assert_true(config.vms[0].memory_bytes == 512ull << 20 && config.vms[0].cpus == 1);
    assert_string_equal(config.disks[0].profile_file, "");
    assert_non_null(take("", ""));
    for (unsigned i = 0; i < 70; i++)
        at += sprintf(at, "%s{\"name\":\"d%u\"}", i ? "," : "", i);
    assert_non_null(take(disks, ""));
}

static void as_many_as_there_is_room_for(void **state)
{
    static char disks[150000];
    size_t used = 0;
    (void)state;
    for (unsigned i = 0; i < 70; i++)
        used += (size_t)snprintf(disks + used, sizeof disks - used,
                                 "%s{\"name\":\"disk-%u\",\"mode\":\"ram\",\"export\":\"x.%u\","
                                 "\"cmdline\":\"%01000u\"," KERNEL "}",
                                 i ? "," : "", i, i, i);
    assert_null(take(disks, ""));
    assert_int_equal(hello.disk_count, 64);
    assert_non_null(strstr(notes, "disk-69: this machine can have no more than 64"));
    parse();
    assert_int_equal(config.vm_count, 64);
}

static void servers_are_hosts(void **state)
{
    (void)state;
    assert_null(answer_hello("{}", 2, &hello, note, NULL) ? NULL : "taken");
    const char *good = "{\"state\":\"ok\",\"session\":\"s.one\",\"renew\":30,\"servers\":[\"1.2."
                       "3\",\"a b:1\",7,\"h:0\","
                       "\"h:70000\",\"nbd-1.example:5\",\"10.0.0.2:10810\",\"10.0.0.3\"],\"disks\":"
                       "[{\"name\":\"a\"," GOOD "}]}";
    assert_null(answer_hello(good, strlen(good), &hello, note, NULL));
    assert_int_equal(hello.server_count, 3);
    parse();
    assert_string_equal(config.server, "nbd-1.example");
    assert_int_equal(config.server_port, 5);
    assert_string_equal(config.disks[0].fallback, "10.0.0.2:10810, 10.0.0.3:10809");
}

static void an_answer_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{} x",
        "{\"state\":\"ok\"}",
        "{\"state\":\"ok\",\"session\":\"s.a\\r\\nX: y\",\"renew\":30,\"servers\":[\"a\"]}",
        "{\"state\":\"ok\",\"session\":\"s.a\",\"renew\":0,\"servers\":[\"a\"]}",
        "{\"state\":\"ok\",\"session\":\"s.a\",\"renew\":30,\"servers\":[]}",
        "{\"a\":[[[[[[[[[[[[]]]]]]]]]]]]}",
    };
    struct client_reply reply;
    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_non_null(answer_hello(bad[i], strlen(bad[i]), &hello, note, NULL));
    const char *said = "{\"state\":\"unknown\",\"error\":\"Who\\u001b[2J?\",\"wait\":1e9}";
    assert_true(answer_reply(said, strlen(said), &reply));
    assert_string_equal(reply.error, "Who?[2J?");
    assert_int_equal(reply.wait_s, 3600);
}

#define HELD "{\"disk\":\"a\",\"holder\":\"lab\"}"

static void disks_of_others(void **state)
{
    (void)state;
    static const char said[] = "{\"renew\":30,\"busy\":[7,[],{},{\"disk\":\"x "
                               "y\",\"holder\":\"lab\"},{\"disk\":\"a\",\"holder\":\"\"},"
                               "{\"disk\":\"b\",\"holder\":\"l\\u001b[b\"}," HELD "," HELD "," HELD
                               "," HELD "," HELD "," HELD "," HELD "," HELD "," HELD "]}";
    struct client_reply reply;
    assert_true(answer_reply(said, sizeof said - 1, &reply));
    assert_int_equal(reply.renew_s, 30);
    assert_int_equal(reply.busy_count, CLIENT_BUSY);
    assert_string_equal(reply.busy[0].disk, "b");
    assert_string_equal(reply.busy[0].holder, "l?[b");
    assert_string_equal(reply.busy[CLIENT_BUSY - 1].holder, "lab");
    for (const char *const *odd = (const char *const[]){"{\"busy\":7}", "{\"busy\":\"a\"}",
                                                        "{\"busy\":{\"a\":[]}}", NULL};
         *odd; odd++) {
        assert_true(answer_reply(*odd, strlen(*odd), &reply));
        assert_int_equal(reply.busy_count, 0);
    }
}

/* In pieces of each size the same. */
static const char *read_head(const char *bytes, struct http_head *head, size_t *taken)
{
    const char *why = NULL;
    size_t size = strlen(bytes);
    for (size_t piece = 1; piece <= size; piece++) {
        http_begin(head);
        for (*taken = 0; *taken < size && !head->is_whole;) {
            size_t n = piece < size - *taken ? piece : size - *taken;
            *taken += http_take(head, bytes + *taken, n, &why);
            if (why)
                break;
        }
    }
    return why;
}

static void heads_are_read(void **state)
{
    struct http_head head;
    size_t taken;
    (void)state;
    const char *good =
        "HTTP/1.1 206 Partial Content\r\ncontent-length:  5 \r\nConnection: Keep-Alive\r\n"
        "Content-Range: bytes 10-14/15\r\n\r\n12345";
    assert_null(read_head(good, &head, &taken));
    assert_true(head.is_whole && taken == strlen(good) - 5);
    assert_true(head.answer.status == 206 && head.answer.length == 5 && head.answer.from == 10 &&
                !head.answer.closes);
    assert_null(read_head("HTTP/1.0 404 \nContent-Length: 0\n\n", &head, &taken));
    assert_true(head.answer.status == 404 && head.answer.closes);
    assert_null(read_head("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n",
                          &head, &taken));
    assert_true(head.answer.closes);
}

static void bad_heads_are_refused(void **state)
{
    static const char *const bad[] = {
        "\r\n\r\n",
        "NBDMAGIC\r\n",
        "HTTP/2.0 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n",
        "HTTP/1.1 99999999999999999999 OK\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Range: bytes 0-4/5\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 206 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 206 OK\r\nContent-Range: bytes 4-0/5\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: x\r\n",
        "HTTP/1.1 200 OK\r\nnothing\r\n",
    };
    static char many[4000], long_line[3000];
    struct http_head head;
    size_t taken;
    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (!read_head(bad[i], &head, &taken))
            fail_msg("it passes: %s", bad[i]);
    strcpy(many, "HTTP/1.1 200 OK\r\n");
    for (unsigned i = 0; i < 70; i++)
        strcat(many, "A: b\r\n");
    assert_non_null(read_head(many, &head, &taken));
    memset(long_line, 'x', sizeof long_line - 1);
    assert_non_null(read_head(long_line, &head, &taken));
}

static void requests_are_written(void **state)
{
    char bytes[500], cut[40];
    struct text out;
    struct http_request r = {"GET", "/client/v1/file/a/kernel", "10.0.0.1", "s.x", 77, 0};
    (void)state;
    text_begin(&out, bytes, sizeof bytes);
    http_put_request(&out, &r);
    assert_string_equal(
        bytes,
        "GET /client/v1/file/a/kernel HTTP/1.1\r\nHost: 10.0.0.1\r\nAuthorization: Bearer s.x\r\n"
        "Range: bytes=77-\r\n\r\n");
    text_begin(&out, cut, sizeof cut);
    http_put_request(&out, &r);
    assert_true(out.is_cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_modes_become_sections),
        cmocka_unit_test(trees_become_root_hashes),
        cmocka_unit_test(a_tree_that_makes_no_sense_is_no_disk),
        cmocka_unit_test(no_value_becomes_another_key),
        cmocka_unit_test(what_makes_no_sense_is_left_out_or_bounded),
        cmocka_unit_test(as_many_as_there_is_room_for),
        cmocka_unit_test(servers_are_hosts),
        cmocka_unit_test(an_answer_that_is_none_is_refused),
        cmocka_unit_test(disks_of_others),
        cmocka_unit_test(heads_are_read),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(requests_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
