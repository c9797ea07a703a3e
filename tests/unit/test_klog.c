// SPDX-License-Identifier: BSD-2-Clause
/* The log ring keeps the newest bytes at their positions; the formatter prints as printf does, and
 * never too much. */
#include "kernel/log.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void the_ring_keeps_the_newest(void **state)
{
    (void)state;
    char bytes[16], out[32] = "";
    struct log_ring ring = {bytes, sizeof(bytes), 0};
    uint64_t at = 0;
    assert_int_equal(log_ring_read(&ring, out, sizeof(out), &at), 0);
    log_ring_write(&ring, "hello", 5);
    at = 1;
    assert_int_equal(log_ring_read(&ring, out, 3, &at), 3);
    assert_memory_equal(out, "ell", 3);
    log_ring_write(&ring, "0123456789abcdef", 16);
    log_ring_write(&ring, "xyz", 3);
    at = 0;
    assert_int_equal(log_ring_read(&ring, out, sizeof(out), &at), 16);
    assert_int_equal(at, 8);
    assert_memory_equal(out, "3456789abcdefxyz", 16);
    at = 24;
    assert_int_equal(log_ring_read(&ring, out, sizeof(out), &at), 0);
    at = UINT64_MAX;
    assert_int_equal(log_ring_read(&ring, out, sizeof(out), &at), 0);
}

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char mine[64], theirs[64];                                                                 \
        size_t length = format(mine, sizeof(mine), __VA_ARGS__);                                   \
        assert_int_equal(length, snprintf(theirs, sizeof(theirs), __VA_ARGS__));                   \
        assert_string_equal(mine, theirs);                                                         \
    } while (0)

static void formats_are_printfs(void **state)
{
    (void)state;
    SAME("plain %% text");
    SAME("%d %d %d", 0, -1, 2147483647);
    SAME("%ld %lu", INT64_MIN, UINT64_MAX);
    SAME("%x %#lx %016lx", 0xabcu, 0x123456789abcul, 0xfful);
    SAME("%5d|%-5d|%05d|%05d", 42, 42, 42, -42);
    SAME("%s|%10s|%-10s|", "abc", "abc", "abc");
    SAME("%c%c", 'o', 'k');
    SAME("%zu %zx", (size_t)77, (size_t)0x77);
    SAME("[%5lu.%06lu]", 12ul, 34ul);
    SAME("%#x", 0x10u);
}

static void output_is_cut(void **state)
{
    (void)state;
    char small[5] = "....";
    assert_int_equal(format(small, sizeof(small), "%s", "longer than that"), 4);
    assert_string_equal(small, "long");
    assert_int_equal(format(small, 1, "%d", 7), 0);
    assert_string_equal(small, "");
    assert_int_equal(format(small, 0, "%d", 7), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ring_keeps_the_newest),
        cmocka_unit_test(formats_are_printfs),
        cmocka_unit_test(output_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
