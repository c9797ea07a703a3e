// SPDX-License-Identifier: BSD-2-Clause
/* Raw images as the plugin reads them, and what happens when their bytes go away under it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tools/nbdkit-leat/image.h"

#define PART 65536u
#define SIZE (PART * 100 + 1234) /* half a page at the end */
#define THREADS 4u

static uint8_t content[SIZE];

/* In a folder of its own, made in the one that the test is run in. */
static int in_folder(void **state)
{
    char *folder = strdup("image.XXXXXX");
    *state = folder;
    srand(7);
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (uint8_t)rand();
    return !folder || !mkdtemp(folder) || chdir(folder);
}

static int leave_folder(void **state)
{
    unlink("raw");
    int failed = chdir("..") || rmdir(*state);
    free(*state);
    return failed;
}

static void write_image(void)
{
    int fd = open("raw", O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, content, SIZE, 0), SIZE);
    close(fd);
}

static struct image *open_image(void)
{
    char error[IMAGE_ERROR], path[4096];
    write_image();
    assert_non_null(realpath("raw", path));
    struct image *image = image_open(path, false, GRANT_RAW, error);
    assert_non_null(image);
    assert_int_equal(image->size, SIZE);
    return image;
}

static void expect(struct image *image, size_t count, uint64_t offset)
{
    uint8_t *got = malloc(count);
    assert_non_null(got);
    assert_int_equal(image_read(image, got, count, offset), 0);
    assert_memory_equal(got, content + offset, count);
    free(got);
}

/* Of any size and place, most of them more than once. */
static void test_reads(void **state)
{
    (void)state;
    struct image *image = open_image();
    for (int i = 0; i < 3000; i++) {
        size_t count = (size_t)rand() % (3 * PART) + 1;
        expect(image, count, (uint64_t)rand() % (SIZE - count + 1));
    }
    expect(image, SIZE, 0);
    expect(image, SIZE, 0);
    expect(image, 1, SIZE - 1);
    image_release(image);
}

static void test_end(void **state)
{
    (void)state;
    uint8_t got[200], zeros[200] = {0};
    struct image *image = open_image();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(image_read(image, got, 200, SIZE - 100), 0);
        assert_memory_equal(got, content + SIZE - 100, 100);
        assert_memory_equal(got + 100, zeros, 100);
    }
    image_release(image);
}

static void *read_cut(void *context)
{
    static const uint64_t gone[] = {PART * 50, PART * 99,
                                    SIZE - 5000}; /* behind the new end's page */
    uint8_t got[5000];
    for (int i = 0; i < 300; i++)
        if (image_read(context, got, sizeof got, gone[i % 3]) != -EIO)
            return "a read of what is not there ended well";
    return NULL;
}

/* The file is cut, and whoever reads is told so, again and again; what is there is read on, and what comes back too. */
static void test_cut(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    void *wrong;
    struct image *image = open_image();
    expect(image, SIZE, 0);
    expect(image, SIZE, 0);
    assert_int_equal(truncate("raw", PART * 10), 0);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_cut, image), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    expect(image, PART * 10, 0);
    write_image();
    expect(image, SIZE, 0);
    image_release(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, in_folder, leave_folder);
}
