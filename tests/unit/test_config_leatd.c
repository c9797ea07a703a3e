// SPDX-License-Identifier: BSD-2-Clause
/* leat.conf with [leatd], and the configuration from the server behind it. */
#include "tests/unit/config_fixture.h"

#include <stdlib.h>
#include <string.h>

#define UUID "4c4c4544-0000-2010-8020-80C04F202020"
#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LEATD "[leatd]\nservers = a.example, 10.0.0.2:9472\n"
#define VM "[vm web]\nmemory=64M\nkernel=web/kernel\ndisks=web\n"

/* Both texts in one exact piece of the heap. */
static int parse_both(const char *own, const char *given)
{
    size_t own_size = strlen(own), size = own_size + strlen(given);
    char *text = malloc(size + 1);
    memcpy(text, own, own_size);
    memcpy(text + own_size, given, size - own_size);
    char *exact = memcpy(malloc(size), text, size);
    int status = leat_config_parse_joined(exact, size, own_size, &config, &error);
    free(exact);
    free(text);
    return status;
}

static void expect_both(const char *own, const char *given, const char *message)
{
    assert_int_equal(parse_both(own, given), -1);
    assert_string_equal(error.text, message);
}

static void test_section(void **state)
{
    (void)state;
    assert_int_equal(parse("[net]\n"), 0);
    assert_int_equal(config.leatd.line, 0);
    assert_int_equal(parse(LEATD "psk_file = leat.psk\n[store]\nuse=no\n[console]\nview=web\n"), 0);
    assert_int_equal(config.leatd.line, 1);
    assert_string_equal(config.leatd.servers, "a.example, 10.0.0.2:9472");
    assert_string_equal(config.leatd.psk_file, "leat.psk");
    assert_string_equal(config.console_view, "web");
    assert_int_equal(parse(LEATD "psk = " UUID ":" HEX64 "\n"), 0);
    assert_string_equal(config.leatd.psk, UUID ":" HEX64);
    leat_config_wipe_keys(&config);
    for (unsigned i = 0; i < sizeof(config.leatd.psk); i++)
        assert_int_equal(config.leatd.psk[i], 0);
}

static void test_mistakes(void **state)
{
    (void)state;
    expect_error("[net]\n[leatd]\npsk_file=k\n", 2,
                 "leat.conf line 2: [leatd] servers is missing; write for example servers = "
                 "192.168.1.10");
    expect_error("[leatd]\nservers=,\n", 2,
                 "leat.conf line 2: [leatd] servers = ,: names no server");
    expect_error("[leatd]\nservers=a b c d e\n", 2,
                 "leat.conf line 2: [leatd] servers = a b c d e: names more than four servers");
    expect_error("[leatd]\nservers=a\nservers=b\n", 3,
                 "leat.conf line 3: [leatd] servers = b: given twice in this section");
    expect_error("[leatd]\nservers=\n", 2, "leat.conf line 2: [leatd] servers = : is empty");
    expect_error(LEATD "psk_file=k\npsk=" UUID ":" HEX64 "\n", 1,
                 "leat.conf line 1: [leatd] psk and psk_file are the same thing: give one of them");
    expect_error(LEATD "[net]\n[disk d]\nserver=s\n[server]\naddress=a\n", 4,
                 "leat.conf line 4 is a section that the server of [leatd] gives: take it or "
                 "[leatd] out");
    expect_error("[vm web]\nmemory=64M\nkernel=k\n" LEATD, 1,
                 "leat.conf line 1 is a section that the server of [leatd] gives: take it or "
                 "[leatd] out");
    expect_error(LEATD LEATD, 3, "leat.conf line 3: [leatd] this section is there already");
}

/* What may be a key is never shown. */
static void test_secrets(void **state)
{
    (void)state;
    static const char *const wrong[] = {"psk = " HEX64, "psk = leat:" HEX64,
                                        "psk = " UUID ":" HEX64 "x", "psk = " UUID ":0123",
                                        "pks = " UUID ":" HEX64};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[300] = LEATD;
        strcat(strcat(text, wrong[i]), "\n");
        assert_int_equal(parse(text), -1);
        assert_null(strstr(error.text, "0123"));
        assert_int_equal(error.line, 3);
    }
    expect_error(
        LEATD "psk=leat:" HEX64 "\n", 3,
        "leat.conf line 3: [leatd] psk: must be UUID:HEX: the client's UUID and the key that "
        "leatd has made");
}

static void test_joined(void **state)
{
    (void)state;
    assert_int_equal(parse_both(LEATD "[cache]\nsize=8M\n",
                                "[server]\naddress=10.0.0.1\n[disk web]\nmode=ram\n" VM),
                     0);
    assert_int_equal(config.cache_bytes, 8u << 20);
    assert_int_equal(config.vm_count, 1);
    assert_string_equal(config.disks[0].server, "10.0.0.1");
    assert_string_equal(config.vms[0].kernel, "web/kernel");
    /* No line goes over the border. */
    assert_int_equal(parse_both(LEATD "[cache]\nsize=8M", "[server]\naddress=b\n"), 0);
    assert_int_equal(config.cache_bytes, 8u << 20);
    assert_string_equal(config.server, "b");
    assert_int_equal(parse_both(LEATD, ""), 0);
}

static void test_joined_mistakes(void **state)
{
    (void)state;
    expect_both(LEATD, "\n[disk web]\nmode=rum\n",
                "the configuration from the server line 3: [disk web] mode = rum: must be private, "
                "ram, local or server");
    expect_both(
        LEATD, "[server]\naddress=a\n" VM,
        "the configuration from the server line 6: [vm web] disks = web: there is no [disk] "
        "section of that name");
    expect_both(
        LEATD, "[store]\nformat=yes\n",
        "the configuration from the server line 1: [store] is no section that a server gives; "
        "those are server, disk, vm and tenant");
    expect_both(LEATD "[net]\nmode=static\n", "[server]\naddress=a\n",
                "leat.conf line 3: [net] mode = static needs address and netmask");
    expect_both(LEATD "[cache]\n", "size=8M\n",
                "the configuration from the server line 1: size = 8M: stands before the first "
                "[section]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_section),         cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_secrets),         cmocka_unit_test(test_joined),
        cmocka_unit_test(test_joined_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
