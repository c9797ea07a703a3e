// SPDX-License-Identifier: BSD-2-Clause
/* What leatd says, and what it is asked; what of a qcow2 file is not served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tools/nbdkit-leat/grant.h"
#include "tools/nbdkit-leat/qcow2.h"

#define GOOD                                                                                       \
    "\"lease\": \"l.1\", \"client\": \"lab-01\", \"disk\": \"debian\", \"expires\": 1800000000, "  \
    "\"renew\": 20, \"size\": 4096"

static enum grant_answer read_it(const char *fields, struct grant *grant)
{
    char line[GRANT_LINE];
    struct grant_refusal refusal;
    snprintf(line, sizeof line, "{%s}", fields);
    return grant_read(line, grant, &refusal);
}

static void test_good(void **state)
{
    (void)state;
    struct grant g;
    assert_int_equal(
        read_it(GOOD ", \"mode\": \"server\", \"read_only\": false, \"path\": \"/a\", "
                     "\"format\": \"qcow2\", \"difference\": \"/d\", \"new\": true, \"more\": [1]",
                &g),
        GRANT_GIVEN);
    assert_int_equal(g.mode, GRANT_SERVER);
    assert_int_equal(g.format, GRANT_QCOW2);
    assert_string_equal(g.image, "/a");
    assert_false(g.is_uri);
    assert_true(g.is_new);
    assert_int_equal(g.expires, 1800000000);
    assert_int_equal(
        read_it(GOOD ", \"mode\": \"read-only\", \"read_only\": true, \"uri\": \"nbd://x\"", &g),
        GRANT_GIVEN);
    assert_int_equal(g.mode, GRANT_SHARED);
    assert_true(g.is_uri);
    assert_int_equal(
        read_it(GOOD ", \"mode\": \"private\", \"read_only\": false, \"difference\": \"/d\"", &g),
        GRANT_GIVEN);
    assert_string_equal(g.image, "");
    assert_false(g.pauses);
    assert_false(g.is_new); /* a leatd that says nothing of it has no new ones */
}

/* Each is a good answer with one thing wrong. */
static void test_nonsense(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        GOOD ", \"mode\": \"server\"",
        GOOD ", \"mode\": \"server\", \"read_only\": 1",
        GOOD ", \"mode\": \"server\", \"read_only\": false", /* writable, and nowhere to write to */
        GOOD ", \"mode\": \"server\", \"read_only\": true, \"path\": \"relative\"",
        GOOD ", \"mode\": \"server\", \"read_only\": true, \"path\": \"/a\\u0007\"",
        GOOD ", \"mode\": \"server\", \"read_only\": true, \"path\": \"/a\", \"uri\": \"nbd://x\"",
        GOOD ", \"mode\": \"server\", \"read_only\": true, \"path\": \"/a\", \"format\": \"vmdk\"",
        GOOD ", \"mode\": \"server\", \"read_only\": true, \"difference\": \"d\"",
        GOOD ", \"mode\": \"server\", \"read_only\": true, \"new\": 1",
        GOOD ", \"mode\": \"server\", \"read_only\": true, \"away\": \"wait\"",
        "\"lease\": \"l\\\"\", \"client\": \"c\", \"disk\": \"d\", \"expires\": 1, \"renew\": 1, "
        "\"size\": 4096, \"mode\": \"server\", \"read_only\": true",
        "\"lease\": \"l\", \"client\": \"c\", \"disk\": \"d\", \"expires\": 1, \"renew\": 0, "
        "\"size\": 4096, \"mode\": \"server\", \"read_only\": true",
        "\"lease\": \"l\", \"client\": \"c\", \"disk\": \"d\", \"expires\": 1, \"renew\": 1, "
        "\"size\": 4097, \"mode\": \"server\", \"read_only\": true",
        "\"lease\": \"l\", \"client\": \"c\", \"disk\": \"d\", \"expires\": 1, \"renew\": 1, "
        "\"size\": 1e300, \"mode\": \"server\", \"read_only\": true",
        "\"error\": \"no\"",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct grant g;
        if (read_it(wrong[i], &g) != GRANT_NONSENSE)
            fail_msg("taken: %s", wrong[i]);
    }
    struct grant g;
    struct grant_refusal refusal;
    assert_int_equal(grant_read("[]", &g, &refusal), GRANT_NONSENSE);
    assert_int_equal(grant_read("", &g, &refusal), GRANT_NONSENSE);
    assert_int_equal(
        grant_read("{\"error\": \"it is taken\", \"reason\": \"busy\", \"holder\": \"lab-02\"}", &g,
                   &refusal),
        GRANT_REFUSED);
    assert_string_equal(refusal.holder, "lab-02");
    assert_string_equal(refusal.reason, "busy");
}

static void test_renewed(void **state)
{
    (void)state;
    struct grant_refusal refusal;
    int64_t expires = 0;
    assert_int_equal(grant_read_renewed("{\"expires\": 5}", &expires, NULL, &refusal), GRANT_GIVEN);
    assert_int_equal(expires, 5);
    bool pauses;
    const char *line = "{\"expires\": 5, \"away\": \"pause\"}";
    assert_int_equal(grant_read_renewed(line, &expires, &pauses, &refusal), GRANT_GIVEN);
    assert_true(pauses);
    line = "{\"expires\": 5, \"away\": 1}";
    assert_int_equal(grant_read_renewed(line, &expires, &pauses, &refusal), GRANT_NONSENSE);
    assert_int_equal(grant_read_renewed("{}", &expires, NULL, &refusal), GRANT_NONSENSE);
    assert_int_equal(grant_read_renewed("{}", NULL, NULL, &refusal), GRANT_GIVEN);
    assert_int_equal(
        grant_read_renewed("{\"error\": \"x\", \"reason\": \"gone\"}", &expires, NULL, &refusal),
        GRANT_REFUSED);
}

static void test_asked(void **state)
{
    (void)state;
    char line[GRANT_LINE], name[300];
    assert_true(grant_ask_open(line, "x.Ab_-9", "10.0.0.1", false));
    assert_string_equal(line, "{\"op\": \"open\", \"token\": \"x.Ab_-9\", \"peer\": \"10.0.0.1\", "
                              "\"read_only\": false}\n");
    static const char *const bad[] = {"",       "x.",    "x",          "a.abc", "x.a b",
                                      "x.a\"b", "x.a\n", "x.\xc3\xa4", "../x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(grant_is_token(bad[i]));
    memset(name, 'a', sizeof name);
    memcpy(name, "x.", 2);
    name[GRANT_TOKEN - 1] = 0;
    assert_true(grant_is_token(name));
    name[GRANT_TOKEN - 1] = 'a';
    name[GRANT_TOKEN] = 0;
    assert_false(grant_is_token(name));
    assert_int_equal(grant_ask_open(line, "x.a", "10.0.0.1\"", false), 0);
    assert_true(grant_ask_renew(line, "l", 1, 2, true));
    assert_string_equal(line, "{\"op\": \"renew\", \"lease\": \"l\", \"read\": 1, \"written\": 2, "
                              "\"made\": true}\n");
}

static void test_qcow2(void **state)
{
    (void)state;
    uint8_t header[QCOW2_HEADER] = {'Q', 'F', 'I', 0xfb, 0, 0, 0, 3};
    assert_null(qcow2_trouble(header, sizeof header));
    assert_non_null(qcow2_trouble(header, sizeof header - 1));
    header[79] = 4;
    assert_non_null(strstr(qcow2_trouble(header, sizeof header), "another file"));
    header[79] = 0;
    header[15] = 1;
    assert_non_null(strstr(qcow2_trouble(header, sizeof header), "backing file"));
    header[0] = 'q';
    assert_non_null(strstr(qcow2_trouble(header, sizeof header), "no qcow2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_renewed), cmocka_unit_test(test_asked),
        cmocka_unit_test(test_qcow2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
