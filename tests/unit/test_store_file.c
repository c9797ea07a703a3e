// SPDX-License-Identifier: BSD-2-Clause
/* The store on a file of Linux: what was flushed is there for the next process, and only one has it. */
#include "vdisk/leat_nbd/store_file.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define BYTES (8u << 20)
#define BLOCKS 200u

static char path[] = "store-file.XXXXXX";
static bool is_done;
static enum store_status result;

static void opened(void *owner, enum store_status status)
{
    (void)owner;
    is_done = true;
    result = status;
}

static void done(struct store_op *op, enum store_status status)
{
    (void)op;
    is_done = true;
    result = status;
}

/* Runs the store until something has called opened() or done(). */
static enum store_status wait(struct store_file *f, struct store *s)
{
    const struct store_platform *platform = store_file_platform(f);
    for (;;) {
        uint64_t when = store_run(s), now = platform->now_ns(platform->ctx);
        if (is_done)
            break;
        if (when <= now)
            continue;
        struct pollfd p = {.fd = store_file_event(f), .events = POLLIN};
        assert_true(poll(&p, 1, 20000) == 1 || when != UINT64_MAX);
        store_file_deliver(f);
    }
    is_done = false;
    return result;
}

static struct store *make(struct store_file *f)
{
    struct store_options options = {
        .range_offset = 4096, .range_bytes = store_file_bytes(f) - 4096, .sector_bytes = 512};
    struct store *s = store_create(store_file_platform(f), &options);
    assert_non_null(s);
    return s;
}

static enum store_status run(struct store_file *f, struct store *s, struct store_op op)
{
    op.done = done;
    store_submit(s, &op);
    return wait(f, s);
}

static struct store_object *difference(struct store *s)
{
    static const uint8_t base[STORE_CONTENT_BYTES] = {1};
    struct store_object *o;
    assert_int_equal(store_difference(s, "vm/root", base, 16u << 20, &o), STORE_OK);
    return o;
}

static void what_is_flushed_is_there_again(void **state)
{
    (void)state;
    static uint8_t data[BLOCKS * 4096], back[BLOCKS * 4096], held[BLOCKS];
    const char *why;
    struct store_file *f = store_file_open(path, BYTES, &why);
    assert_non_null(f);
    assert_int_equal(store_file_bytes(f), BYTES);
    assert_null(store_file_open(path, BYTES, &why)); /* it is taken */
    assert_non_null(strstr(why, "another process"));
    struct store *s = make(f);
    store_open(s, opened, NULL);
    assert_int_equal(wait(f, s), STORE_BLANK);
    store_format(s, opened, NULL);
    assert_int_equal(wait(f, s), STORE_OK);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + (i >> 12));
    struct store_op op = {.type = STORE_WRITE,
                          .object = difference(s),
                          .length = sizeof data,
                          .data = data,
                          .held = held};
    assert_int_equal(run(f, s, op), STORE_OK);
    assert_int_equal(run(f, s, (struct store_op){.type = STORE_FLUSH}), STORE_OK);
    store_file_close(f); /* as the end of the process: commands under way end, the store does not */
    store_destroy(s);

    f = store_file_open(path, 0, &why);
    assert_non_null(f);
    s = make(f);
    store_open(s, opened, NULL);
    assert_int_equal(wait(f, s), STORE_OK);
    op.type = STORE_READ;
    op.object = difference(s);
    op.data = back;
    assert_int_equal(run(f, s, op), STORE_OK);
    assert_memory_equal(back, data, sizeof data);
    store_file_close(f);
    store_destroy(s);
}

static void what_cannot_be_opened_is_named(void **state)
{
    (void)state;
    const char *why;
    assert_null(store_file_open("/nowhere/store", BYTES, &why));
    assert_string_equal(why, "store file '/nowhere/store': No such file or directory");
}

int main(void)
{
    int fd = mkstemp(path); /* in the folder that the test is run in */
    if (fd < 0)
        return 1;
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_flushed_is_there_again),
        cmocka_unit_test(what_cannot_be_opened_is_named),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
