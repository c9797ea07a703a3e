// SPDX-License-Identifier: BSD-2-Clause
/* What leatd judges texts by, and makes secrets of; the configuration; the rate limit; what reports tell. */
#include "tools/leatd/check.h"
#include "tools/leatd/config.h"
#include "tools/leatd/json.h"
#include "tools/leatd/lies.h"
#include "tools/leatd/limit.h"
#include "tools/leatd/password.h"
#include "tools/leatd/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *refusal(const char *text)
{
    const char *why;
    cJSON *object = json_parse(text, strlen(text), &why);
    cJSON_Delete(object);
    return object ? "" : why;
}

static void test_json(void **state)
{
    (void)state;
    assert_string_equal(refusal(" {\"a\": [1, {\"a\": null}], \"b\": \"\\u00fc\\\\u0000\"}\r\n"),
                        "");
    assert_non_null(strstr(refusal("[]"), "object"));
    assert_non_null(strstr(refusal("{} {}"), "not JSON"));
    assert_non_null(strstr(refusal("{\"a\": {\"b\": 1, \"c\": 2, \"b\": 3}}"), "twice"));
    assert_non_null(strstr(refusal("{\"a\": \"x\\u0000y\"}"), "NUL"));
    assert_non_null(strstr(refusal("{\"a\": \"x\\ny\"}"), "control"));
    assert_non_null(strstr(refusal("{\"a\": {\"\xff\xfe\": 1}}"), "UTF-8"));
    assert_non_null(strstr(refusal("{\"a\\u0007b\": 1}"), "control"));
    assert_non_null(strstr(refusal("{\"a\": [{\"\x7f\": 1}]}"), "control"));
    assert_string_equal(refusal("{\"Gr\u00fc\u00dfe\": 1}"), "");
    assert_non_null(strstr(refusal("{\"a\": [[[[[[[[1]]]]]]]]}"), "deep"));
    assert_string_equal(refusal("{\"a\": [[[[[[[1]]]]]]]}"), "");
    assert_string_equal(refusal("{\"a\": \"[[[[[[[[[[[[[[[[\"}"), "");
    const char *why;
    assert_null(json_parse("{}\0", 3, &why));
    assert_null(json_parse("", 0, &why));
}

static void test_json_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        int64_t number;
    } cases[] = {
        {"0", true, 0},     {"-5", true, -5},    {"9007199254740991", true, 9007199254740991},
        {"1.0", true, 1},   {"1e3", true, 1000}, {"9007199254740993", false, 0},
        {"1.5", false, 0},  {"1e400", false, 0}, {"\"1\"", false, 0},
        {"true", false, 0}, {"null", false, 0},  {"-1e300", false, 0}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t number = -1;
        cJSON *item = cJSON_Parse(cases[i].text);
        assert_int_equal(json_integer(item, &number), cases[i].good);
        if (cases[i].good)
            assert_int_equal(number, cases[i].number);
        cJSON_Delete(item);
    }
}

static bool is_text(const char *text)
{
    return check_text(text, strlen(text));
}

static void test_texts(void **state)
{
    (void)state;
    char out[UUID_BYTES];
    assert_true(is_text("plain") && is_text("Grüße") && is_text("\xf0\x9f\x98\x80") && is_text(""));
    static const char *const bad[] = {"\xc0\x80",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\x80",
                                      "\xc3",
                                      "\xe2\x82",
                                      "a\tb",
                                      "\x7f",
                                      "\xc2\x85",
                                      "\xf0\x8f\xbf\xbf"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(is_text(bad[i]));
    assert_int_equal(check_cut("abc", 3), 3);
    assert_int_equal(check_cut("abc", 2), 2);
    assert_int_equal(check_cut("a\xc3\xbc", 3), 3);
    assert_int_equal(check_cut("a\xc3\xbc", 2), 1);
    assert_int_equal(check_cut("\xf0\x9f\x98\x80", 3), 0);
    assert_true(check_name("a") && check_name("0.b_c-d"));
    assert_false(check_name("") || check_name("-a") || check_name("A") || check_name("a b") ||
                 check_name("a/b"));
    assert_true(check_uuid(out, "4C4C4544-0000-2010-8020-80C04F202020"));
    assert_string_equal(out, "4c4c4544-0000-2010-8020-80c04f202020");
    assert_false(check_uuid(out, "4c4c4544-0000-2010-8020-80c04f20202"));
    assert_false(check_uuid(out, "4c4c4544-0000-2010-8020-80c04f20202g"));
    assert_false(check_uuid(out, "4c4c4544000002010-8020-80c04f2020200"));
    assert_true(check_mac(out, "52-54-00-AB-CD-EF"));
    assert_string_equal(out, "52:54:00:ab:cd:ef");
    assert_false(check_mac(out, "52:54:00:ab:cd:e") || check_mac(out, "52:54:00:ab:cd:eg"));
}

static void test_places(void **state)
{
    (void)state;
    assert_true(check_relative_path("a") && check_relative_path("a/b.raw") &&
                check_relative_path("..a/.b"));
    static const char *const bad[] = {"",       "/a",   "a/", "a//b", "..",  "../a",
                                      "a/../b", "a/..", ".",  "./a",  "a b", "a\nb"};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(check_relative_path(bad[i]));
    assert_true(check_uri("nbd://h/x") && check_uri("https://h/") && check_uri("rbd:pool/image"));
    assert_false(check_uri("nbd://") || check_uri("file:///etc/passwd") ||
                 check_uri("http://a b") || check_uri("x") || check_uri("nbd+unix://"));
    assert_true(check_uri("nbd+unix:///?socket=/s") && check_uri("nbds+unix:///e?socket=/s"));
    assert_true(check_socket("nbd+unix:///?socket=/run/s") && check_socket("nbd://h/e") &&
                check_socket("nbds+unix:///e?tls-certificates=/c&socket=/s"));
    assert_false(check_socket("nbd+unix:///?socket=s") || check_socket("nbd+unix:///socket=/s") ||
                 check_socket("nbds+unix:///?nosocket=/s"));
}

static void test_secrets(void **state)
{
    (void)state;
    char id[2][ID_BYTES], token[2][TOKEN_BYTES], hash[HASH_BYTES];
    for (unsigned i = 0; i < 2; i++) {
        secret_id(id[i]);
        secret_token(token[i], 'x');
        assert_int_equal(strlen(id[i]), 24);
        assert_true(secret_is_token(token[i], 'x'));
        assert_false(secret_is_token(token[i], 's'));
        assert_false(secret_is_token(token[i] + 1, 'x'));
    }
    assert_string_not_equal(id[0], id[1]);
    assert_true(strncmp(id[0], id[1], 16) <= 0);
    assert_string_not_equal(token[0], token[1]);
    // FIPS 180-2, appendix B.1.
    secret_hash(hash, "abc");
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    uint8_t bytes[2];
    assert_true(secret_unhex(bytes, 2, "0aff"));
    assert_memory_equal(bytes, "\x0a\xff", 2);
    assert_false(secret_unhex(bytes, 2, "0aF") || secret_unhex(bytes, 2, "0aFF") ||
                 secret_unhex(bytes, 2, "0af"));
}

static void test_passwords(void **state)
{
    (void)state;
    char hash[2][PASSWORD_HASH_BYTES];
    assert_true(password_hash(hash[0], "correct horse") && password_hash(hash[1], "correct horse"));
    assert_string_not_equal(hash[0], hash[1]);
    assert_memory_equal(hash[0], "$argon2id$v=19$m=19456,t=2,p=1$", 31);
    assert_true(password_is(hash[0], "correct horse"));
    assert_false(password_is(hash[0], "correct horsf"));
    assert_false(password_is(NULL, "correct horse"));
}

static void test_limit(void **state)
{
    (void)state;
    static struct limit limit = {.key = {1, 2}};
    const enum limit_kind a = LIMIT_LOGIN_ADDRESS, b = LIMIT_LOGIN_NAME;
    for (unsigned i = 0; i < 3; i++)
        assert_true(limit_take(&limit, a, "name", 3, 100));
    assert_false(limit_take(&limit, a, "name", 3, 159));
    assert_true(limit_take(&limit, b, "name", 3, 159));
    assert_true(limit_take(&limit, a, "other", 3, 159));
    assert_true(limit_take(&limit, a, "name", 3, 160));
    limit_clear(&limit, a, "other");
    for (unsigned i = 0; i < 3; i++)
        assert_true(limit_take(&limit, a, "other", 3, 161));
    assert_false(limit_take(&limit, a, "other", 3, 161));
}

static void test_limit_full(void **state)
{
    (void)state;
    static struct limit limit = {.key = {1, 2}};
    const enum limit_kind a = LIMIT_LOGIN_ADDRESS, b = LIMIT_LOGIN_NAME;
    char name[16];
    assert_true(limit_take(&limit, a, "name", 1, 100));
    for (unsigned i = 0; i < 3 * LIMIT_NAMES; i++) {
        snprintf(name, sizeof name, "%u", i);
        assert_int_equal(limit_take(&limit, a, name, 1, 100 + i % 50), i < LIMIT_NAMES - 1);
    }
    assert_false(limit_take(&limit, a, "name", 1, 159)); // nothing has made it forgotten
    assert_true(limit_take(&limit, b, "name", 1, 159));  // nor is another kind full
    assert_true(limit_take(&limit, a, "late", 1, 160));
    assert_true(limit_take(&limit, a, "name", 1, 240));
}

static void test_limit_clients(void **state)
{
    (void)state;
    static struct limit limit = {.key = {1, 2}};
    char name[16];
    for (unsigned turn = 0; turn < 3; turn++)
        for (unsigned i = 0; i < LIMIT_CLIENTS; i++) {
            snprintf(name, sizeof name, "%u", i);
            assert_int_equal(limit_take(&limit, LIMIT_HELLO_CLIENT, name, 2, 100), turn < 2);
        }
    assert_false(limit_take(&limit, LIMIT_HELLO_CLIENT, "one more", 2, 159));
    limit_clear(&limit, LIMIT_HELLO_CLIENT, "nobody");
    limit_clear(&limit, LIMIT_HELLO_CLIENT, "7");
    assert_true(limit_take(&limit, LIMIT_HELLO_CLIENT, "7", 1, 159));
    assert_false(limit_take(&limit, LIMIT_HELLO_CLIENT, "8", 2, 159));
    assert_true(limit_take(&limit, LIMIT_CHOSEN, "one more", 2, 159));
    assert_true(limit_take(&limit, LIMIT_HELLO_CLIENT, "one more", 2, 160));
}

static void test_limit_networks(void **state)
{
    (void)state;
    static struct limit limit = {.key = {1, 2}};
    const enum limit_kind a = LIMIT_LOGIN_ADDRESS;
    assert_true(limit_take_address(&limit, a, "2001:db8::1", 1, 100));
    assert_false(limit_take_address(&limit, a, "2001:db8::ffff:1", 1, 100));
    assert_true(limit_take_address(&limit, a, "2001:db8:0:1::1", 1, 100));
    assert_true(limit_take_address(&limit, a, "10.0.0.1", 1, 100));
    assert_true(limit_take_address(&limit, a, "10.0.0.2", 1, 100));
    assert_true(limit_take_address(&limit, a, "unknown", 1, 100));
}

static bool read_config(struct config *config, const char *text, char *error)
{
    char path[] = "leatd-conf.XXXXXX"; /* in the folder that the test is run in */
    int file = mkstemp(path);
    assert_true(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    bool ok = config_read(config, path, error);
    unlink(path);
    return ok;
}

static void test_config(void **state)
{
    (void)state;
    struct config config;
    char error[CONFIG_ERROR_BYTES];
    assert_true(read_config(&config, "", error));
    assert_string_equal(config.database, "sqlite:/var/lib/leat/leat.db");
    assert_string_equal(config.images, "/var/lib/leat/images");
    assert_int_equal(config.session_term, 90);
    assert_true(
        read_config(&config,
                    "[state]\nfolder = /srv/leat\nimages = /images\n[export]\nservers = a:1, b:2\n"
                    "[admin]\nlisten = [::1]:1\n[times]\nlease = 5\n",
                    error));
    assert_string_equal(config.control, "/srv/leat/control.sock");
    assert_string_equal(config.images, "/images");
    assert_int_equal(config.server_count, 2);
    assert_string_equal(config.servers[1], "b:2");
    assert_int_equal(config.admin.ss_family, AF_INET6);
    static const char *const bad[][2] = {{"[admin]\nlisten = 0.0.0.0:9470\n", "loopback"},
                                         {"[admin]\nlisten = localhost:9470\n", "line 2"},
                                         {"[admin]\nlisten = 127.0.0.1:99999\n", "port"},
                                         {"[admin]\ncertificate = a\n", "together"},
                                         {"[state]\nfolder = here\n", "absolute"},
                                         {"[state]\ncolour = red\n", "no key colour"},
                                         {"[times]\nlease = soon\n", "seconds"},
                                         {"[times]\nlease = 0\n", "seconds"},
                                         {"[state\n", "line 1"},
                                         {"[export]\nservers = a\n", "HOST:PORT"}};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(read_config(&config, bad[i][0], error));
        if (!strstr(error, bad[i][1]))
            fail_msg("%s has no word of %s", error, bad[i][1]);
    }
    assert_false(config_read(&config, "/nowhere", error));
    assert_non_null(strstr(error, "cannot be read"));
}

static unsigned read_lies(const char *text, struct lies_told told[LIES_DISKS], cJSON **report)
{
    const char *why;
    *report = json_parse(text, strlen(text), &why);
    assert_non_null(*report);
    return lies_read(*report, told);
}

/* Each disk is compared with each of the last report: so they are few, whatever a report is full of. */
static void test_lies(void **state)
{
    (void)state;
    struct lies_told told[LIES_DISKS];
    cJSON *report;
    assert_int_equal(read_lies("{\"disks\": [0, {\"verity\": {\"lies\": 1}}, [], \"a\", null,"
                               " {\"disk\": \"\", \"verity\": {\"lies\": 2}},"
                               " {\"disk\": 7, \"verity\": {\"lies\": 3}},"
                               " {\"disk\": \"none\", \"verity\": {\"lies\": 0}},"
                               " {\"disk\": \"d\", \"verity\": {\"lies\": 4, \"tree_lies\": 1}}]}",
                               told, &report),
                     1);
    assert_string_equal(told[0].disk, "d");
    assert_true(told[0].lies == 5);
    cJSON_Delete(report);
    assert_int_equal(read_lies("{\"disks\": 1}", told, &report), 0);
    cJSON_Delete(report);
    char text[16384] = "{\"disks\": [0";
    for (unsigned i = 0; i < 2 * LIES_DISKS; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used,
                 ", {\"disk\": \"d%u\", \"verity\": {\"lies\": 1}}", i);
    }
    strcat(text, "]}");
    assert_int_equal(read_lies(text, told, &report), LIES_DISKS);
    assert_string_equal(told[LIES_DISKS - 1].disk, "d63");
    cJSON_Delete(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),          cmocka_unit_test(test_json_numbers),
        cmocka_unit_test(test_texts),         cmocka_unit_test(test_places),
        cmocka_unit_test(test_secrets),       cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_limit),         cmocka_unit_test(test_limit_full),
        cmocka_unit_test(test_limit_clients), cmocka_unit_test(test_limit_networks),
        cmocka_unit_test(test_config),        cmocka_unit_test(test_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
