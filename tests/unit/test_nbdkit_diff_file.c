// SPDX-License-Identifier: BSD-2-Clause
/* Names of difference files, and what a crash leaves of them while one is made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/nbdkit-leat/diff_file.h"

#define SIZE (1u << 20)
#define MARK_AT (1u << 20) /* behind header and map */

static char error[DIFF_ERROR];

/* In a folder of its own, made in the one that the test is run in. */
static int in_folder(void **state)
{
    char *folder = strdup("difference.XXXXXX");
    *state = folder;
    return !folder || !mkdtemp(folder) || chdir(folder);
}

static int leave_folder(void **state)
{
    static const char *const names[] = {"d", "d.new", "moved"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(names[i]);
    int failed = chdir("..") || rmdir(*state);
    free(*state);
    return failed;
}

static int make(bool reset)
{
    struct diff_file file;
    int number = diff_file_create(&file, "d", reset, "image", SIZE, 4096, error);
    if (!number)
        diff_file_close(&file);
    return number;
}

/* As the plugin leaves a difference that was written to, in short. */
static void make_marked(void)
{
    struct diff_file file;
    assert_int_equal(diff_file_create(&file, "d", false, "image", SIZE, 4096, error), 0);
    assert_int_equal(pwrite(file.fd, "mark", 4, MARK_AT), 4);
    diff_file_close(&file);
}

static bool is_marked(const char *name)
{
    char mark[4] = {0};
    int fd = open(name, O_RDONLY);
    bool marked = fd >= 0 && pread(fd, mark, 4, MARK_AT) == 4 && !memcmp(mark, "mark", 4);
    if (fd >= 0)
        close(fd);
    return marked;
}

static bool is_there(const char *name)
{
    return !access(name, F_OK);
}

/* A crash between the two steps that give the new file its name: it has both. */
static void test_two_names_open(void **state)
{
    (void)state;
    struct diff_file file;
    make_marked();
    assert_int_equal(link("d", "d.new"), 0);
    assert_int_equal(diff_file_open(&file, "d", true, error), 0);
    assert_false(is_there("d.new"));
    diff_file_close(&file);
    assert_true(is_marked("d"));
}

static void test_two_names_reset(void **state)
{
    (void)state;
    make_marked();
    assert_int_equal(link("d", "d.new"), 0);
    if (make(true))
        fail_msg("reset: %s", error);
    assert_false(is_marked("d"));
    assert_false(is_there("d.new"));
}

/* The same, and then the file was moved: the second name still is the data. */
static void test_two_names_moved(void **state)
{
    (void)state;
    make_marked();
    assert_int_equal(link("d", "d.new"), 0);
    assert_int_equal(rename("d", "moved"), 0);
    assert_int_equal(make(false), 0);
    assert_true(is_marked("moved"));
    assert_false(is_marked("d"));
    assert_false(is_there("d.new"));
}

/* A crash before the new file has its name leaves one that nobody needs; another's is left alone. */
static void test_left_over(void **state)
{
    (void)state;
    struct stat st;
    int fd = open("d.new", O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, "rubbish", 7), 7);
    close(fd);
    assert_int_equal(make(false), 0);
    assert_false(is_there("d.new"));
    assert_int_equal(stat("d", &st), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(make(false), -EEXIST);
    assert_false(is_there("d.new"));
    assert_int_equal(make(true), 0);
}

/* What somebody else is making just now is not touched. */
static void test_being_made(void **state)
{
    (void)state;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open("d.new", O_RDWR | O_CREAT, 0600);
    assert_int_equal(write(fd, "half", 4), 4);
    assert_int_equal(fcntl(fd, F_SETLK, &whole), 0);
    assert_int_equal(make(false), -EBUSY);
    assert_true(is_there("d.new"));
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_names_open, in_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_two_names_reset, in_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_two_names_moved, in_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_left_over, in_folder, leave_folder),
        cmocka_unit_test_setup_teardown(test_being_made, in_folder, leave_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
