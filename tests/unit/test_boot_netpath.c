// SPDX-License-Identifier: BSD-2-Clause
/* boot/netpath: names on servers, from whatever firmware and servers say. */
#include "boot/netpath.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void url_folder(void **state)
{
    static const struct {
        const char *url, *folder;
    } cases[] = {
        {"http://10.0.0.1:8080/boot/leat.efi", "http://10.0.0.1:8080/boot/"},
        {"HTTPS://server.example/a/b/leat.efi?x=/y/z#/q", "HTTPS://server.example/a/b/"},
        {"http://server/leat.efi", "http://server/"},
        {"http://server", "http://server/"},
        {"http://server?a/b", "http://server/"},
        {"http://[fe80::1]:80/x", "http://[fe80::1]:80/"},
        {"http:///leat.efi", NULL},
        {"http://", NULL},
        {"ftp://server/leat.efi", NULL},
        {"leat.efi", NULL},
        {"", NULL},
        {"http://server/a b/leat.efi", NULL},
        {"http://server/a\r\nX: y/leat.efi", NULL},
        {"http://server/\xc3\xa4/leat.efi", NULL},
    };
    char folder[NETPATH_BYTES];
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool ok = netpath_url_folder(cases[i].url, strlen(cases[i].url), folder);
        assert_int_equal(ok, cases[i].folder != NULL);
        if (ok)
            assert_string_equal(folder, cases[i].folder);
    }
    assert_true(netpath_url_folder("http://a/b\0/c", 13, folder)); /* it ends at a NUL */
    assert_string_equal(folder, "http://a/");
}

static void url_of_any_length(void **state)
{
    char url[2 * NETPATH_BYTES], folder[NETPATH_BYTES];
    (void)state;
    memset(url, 'a', sizeof(url));
    memcpy(url, "http://a/", 9);
    url[NETPATH_BYTES - 3] = '/';
    assert_true(netpath_url_folder(url, NETPATH_BYTES - 2, folder));
    assert_int_equal(strlen(folder), NETPATH_BYTES - 2);
    assert_false(netpath_url_folder(url, NETPATH_BYTES - 1, folder));
    assert_false(netpath_url_folder(url, sizeof(url), folder));
    for (size_t size = 0; size < 9; size++)
        netpath_url_folder(url, size, folder);
}

static void url_host(void **state)
{
    char host[NETPATH_HOST_BYTES], folder[NETPATH_BYTES];
    (void)state;
    assert_true(netpath_url_host("http://10.0.0.1:8080/boot/", host));
    assert_string_equal(host, "10.0.0.1:8080");
    assert_true(netpath_url_host("https://anna:secret@server/", host));
    assert_string_equal(host, "server");
    assert_false(netpath_url_host("http://anna@/", host));
    assert_false(netpath_url_host("gopher://a/", host));
    memset(folder, 'a', sizeof(folder));
    memcpy(folder, "http://", 7);
    folder[7 + NETPATH_HOST_BYTES - 1] = '\0';
    assert_true(netpath_url_host(folder, host));
    folder[7 + NETPATH_HOST_BYTES - 1] = 'a';
    folder[7 + NETPATH_HOST_BYTES] = '\0';
    assert_false(netpath_url_host(folder, host));
}

static void url_join(void **state)
{
    char url[NETPATH_BYTES], name[NETPATH_BYTES];
    (void)state;
    assert_true(netpath_url_join("http://a/b/", "keys/a b?\xc3\xa4#1.psk", url));
    assert_string_equal(url, "http://a/b/keys/a%20b%3F%C3%A4%231.psk");
    memset(name, 'n', sizeof(name));
    name[NETPATH_BYTES - 4] = '\0'; /* three less than fit: room for one %XX is kept */
    assert_true(netpath_url_join("", name, url));
    assert_int_equal(strlen(url), NETPATH_BYTES - 4);
    name[NETPATH_BYTES - 4] = 'n';
    name[NETPATH_BYTES - 1] = '\0';
    assert_false(netpath_url_join("", name, url));
    assert_false(netpath_url_join(name, "b", url));
}

static void tftp_folder(void **state)
{
    char folder[NETPATH_BYTES], path[NETPATH_BYTES], name[NETPATH_BYTES];
    (void)state;
    assert_true(netpath_folder("boot/x64/leat.efi", 17, folder));
    assert_string_equal(folder, "boot/x64/");
    assert_true(netpath_folder("\\boot\\leat.efi", 14, folder));
    assert_string_equal(folder, "\\boot\\");
    assert_true(netpath_folder("leat.efi\0/x", 11, folder));
    assert_string_equal(folder, "");
    assert_true(netpath_join("boot/", "leat.conf", path));
    assert_string_equal(path, "boot/leat.conf");
    memset(name, '/', sizeof(name));
    assert_true(netpath_folder(name, NETPATH_BYTES - 1, folder));
    assert_false(netpath_folder(name, NETPATH_BYTES, folder));
    assert_false(netpath_join(folder, "a", path));
}

static void content_length(void **state)
{
    uint64_t length = 7;
    (void)state;
    assert_true(netpath_length("0", &length));
    assert_int_equal(length, 0);
    assert_true(netpath_length("41943040", &length));
    assert_int_equal(length, 41943040);
    assert_true(netpath_length("9000000000000000000", &length));
    assert_false(netpath_length("18446744073709551616", &length)); /* 2^64 would be 0 */
    assert_false(netpath_length("99999999999999999999999", &length));
    assert_false(netpath_length("", &length));
    assert_false(netpath_length("-1", &length));
    assert_false(netpath_length("+1", &length));
    assert_false(netpath_length("0x10", &length));
    assert_false(netpath_length("10 ", &length));
    assert_false(netpath_length("10, 10", &length));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_folder),  cmocka_unit_test(url_of_any_length),
        cmocka_unit_test(url_host),    cmocka_unit_test(url_join),
        cmocka_unit_test(tftp_folder), cmocka_unit_test(content_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
