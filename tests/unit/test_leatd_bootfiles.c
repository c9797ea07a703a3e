// SPDX-License-Identifier: BSD-2-Clause
/* leatd's boot folder: which files may be asked for, and which bytes of them. */
#include "tools/leatd/bootfiles.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "bootfiles-XXXXXX";

static void put(const char *name, mode_t mode)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0 && write(file, "0123456789", 10) == 10 && !fchmod(file, mode));
    close(file);
}

static int make_folder(void **state)
{
    char path[200], target[200];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/boot", folder);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/boot/keys", folder);
    mkdir(path, 0755);
    put("secret", 0644); // beside the boot folder
    put("boot/leat.efi", 0644);
    put("boot/leat.psk", 0600);
    put("boot/.hidden", 0644);
    put("boot/keys/ca.pem", 0444);
    snprintf(path, sizeof path, "%s/boot/link", folder);
    snprintf(target, sizeof target, "../secret");
    assert_int_equal(symlink(target, path), 0);
    snprintf(path, sizeof path, "%s/boot/up", folder);
    assert_int_equal(symlink("..", path), 0);
    snprintf(path, sizeof path, "%s/boot/fifo", folder);
    assert_int_equal(mkfifo(path, 0644), 0);
    return 0;
}

static int remove_folder(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void finds(void **state)
{
    static const char *const given[] = {"/leat.efi", "/keys/ca.pem"};
    static const char *const refused[] = {
        "",           "/",           "leat.efi",   "//leat.efi",
        "/leat.efi/", "/none",       "/keys",      "/keys/",
        "/keys/none", "/leat.efi/x", "/leat.psk",  "/.hidden",
        "/.",         "/..",         "/../secret", "/keys/../leat.efi",
        "/link",      "/up/secret",  "/fifo",      "/keys//ca.pem"};
    char path[200], name[600];
    (void)state;
    snprintf(path, sizeof path, "%s/boot", folder);
    int at = open(path, O_RDONLY | O_DIRECTORY);
    assert_true(at >= 0);
    for (unsigned i = 0; i < sizeof given / sizeof given[0]; i++) {
        uint64_t size = 0;
        int file = bootfiles_find(at, given[i], &size);
        assert_true(file >= 0);
        assert_int_equal(size, 10);
        close(file);
    }
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        uint64_t size;
        assert_int_equal(bootfiles_find(at, refused[i], &size), -1);
    }
    memset(name, 'a', sizeof name);
    name[0] = '/';
    name[sizeof name - 1] = 0;
    uint64_t size;
    assert_int_equal(bootfiles_find(at, name, &size), -1);
    int next = open(path, O_RDONLY); // nothing has been left open: the next number is the next
    assert_int_equal(next, at + 1);
    close(next);
    close(at);
}

static void ranges(void **state)
{
    static const struct {
        const char *value;
        int result;
        uint64_t first, count;
    } cases[] = {
        {"bytes=0-", 1, 0, 100},
        {"bytes=10-19", 1, 10, 10},
        {"bytes=99-", 1, 99, 1},
        {"bytes=90-1000", 1, 90, 10},
        {"bytes=0-18446744073709551615", 1, 0, 100},
        {"bytes=-10", 1, 90, 10},
        {"bytes=-1000", 1, 0, 100},
        {"bytes=100-", -1, 0, 0},
        {"bytes=18446744073709551615-", -1, 0, 0},
        {"bytes=-0", -1, 0, 0},
        {"bytes=19-10", 0, 0, 0},
        {"bytes=0-1,5-6", 0, 0, 0},
        {"bytes=", 0, 0, 0},
        {"bytes=-", 0, 0, 0},
        {"bytes=a-b", 0, 0, 0},
        {"bytes= 1-2", 0, 0, 0},
        {"bytes=99999999999999999999-", 0, 0, 0},
        {"lines=1-2", 0, 0, 0},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t first = 0, count = 0;
        assert_int_equal(bootfiles_range(cases[i].value, 100, &first, &count), cases[i].result);
        if (cases[i].result == 1) {
            assert_int_equal(first, cases[i].first);
            assert_int_equal(count, cases[i].count);
        }
    }
    uint64_t first, count;
    assert_int_equal(bootfiles_range("bytes=0-", 0, &first, &count), -1); // an empty file has none
    assert_int_equal(bootfiles_range("bytes=-5", 0, &first, &count), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds), cmocka_unit_test(ranges)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
