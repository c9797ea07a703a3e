// SPDX-License-Identifier: BSD-2-Clause
/* The frame allocator gives each frame once, aligned, and merges what comes back. */
#include "kernel/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

_Noreturn void assert_failed(const char *what, const char *file, int line);
void assert_failed(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

#define FRAMES 4096u /* 16 MiB */

struct arena {
    struct frame_pool pool;
    uint8_t *memory;
    void *books;
};

static int setup(void **state)
{
    struct arena *a = calloc(1, sizeof(*a));
    a->memory = aligned_alloc(4096, (size_t)FRAMES * 4096);
    a->books = malloc(frame_pool_bytes(FRAMES));
    memset(a->memory, 0xee, (size_t)FRAMES * 4096);
    frame_pool_init(&a->pool, a->books, FRAMES, a->memory);
    *state = a;
    return 0;
}

static int teardown(void **state)
{
    struct arena *a = *state;
    free(a->books);
    free(a->memory);
    free(a);
    return 0;
}

static void an_empty_pool_gives_nothing(void **state)
{
    struct arena *a = *state;
    assert_int_equal(frame_pool_alloc(&a->pool, 0, 0).raw, 0);
}

static void odd_ranges_come_back_whole(void **state)
{
    struct arena *a = *state;
    frame_pool_add(&a->pool, hpa(3 * 4096), 1021 * 4096);
    frame_pool_add(&a->pool, hpa(1024 * 4096), 2049 * 4096);
    assert_int_equal(a->pool.free_frames, 3070);
    static uint8_t seen[FRAMES];
    uint64_t count = 0;
    memset(seen, 0, sizeof(seen));
    for (hpa_t f; (f = frame_pool_alloc(&a->pool, 0, FRAME_ZERO)).raw; count++) {
        uint64_t n = f.raw / 4096;
        assert_true(n >= 3 && n < 3073 && !seen[n]);
        seen[n] = 1;
        for (unsigned i = 0; i < 4096; i += 512)
            assert_int_equal(a->memory[f.raw + i], 0);
    }
    assert_int_equal(count, 3070);
    assert_int_equal(a->pool.free_frames, 0);
    for (uint64_t n = 0; n < FRAMES; n++)
        if (seen[n])
            frame_pool_free(&a->pool, hpa(n * 4096), 0);
    /* Merged again: frames 1024 ... 3071 are two blocks of 4 MiB. */
    hpa_t first = frame_pool_alloc(&a->pool, FRAME_ORDER_TOP, 0);
    hpa_t second = frame_pool_alloc(&a->pool, FRAME_ORDER_TOP, 0);
    assert_true(first.raw && second.raw && first.raw != second.raw);
    assert_int_equal(first.raw % (4 << 20), 0);
    assert_int_equal(frame_pool_alloc(&a->pool, FRAME_ORDER_TOP, 0).raw, 0);
}

static void random_use_never_overlaps(void **state)
{
    struct arena *a = *state;
    static struct {
        hpa_t at;
        unsigned order;
    } held[256];
    static uint8_t owner[FRAMES];
    memset(owner, 0, sizeof(owner));
    memset(held, 0, sizeof(held));
    frame_pool_add(&a->pool, hpa(4096), (FRAMES - 1) * 4096ull);
    srand(1);
    for (int i = 0; i < 200000; i++) {
        unsigned k = (unsigned)rand() % 256;
        if (held[k].at.raw) {
            uint64_t n = held[k].at.raw / 4096;
            for (uint64_t f = n; f < n + (1u << held[k].order); f++) {
                assert_int_equal(owner[f], 1);
                owner[f] = 0;
            }
            memset(a->memory + held[k].at.raw, 0xdd, 4096ull << held[k].order);
            frame_pool_free(&a->pool, held[k].at, held[k].order);
            held[k].at.raw = 0;
            continue;
        }
        unsigned order = (unsigned)rand() % 6;
        hpa_t at = frame_pool_alloc(&a->pool, order, 0);
        if (!at.raw)
            continue;
        assert_int_equal(at.raw % (4096u << order), 0);
        for (uint64_t f = at.raw / 4096; f < at.raw / 4096 + (1u << order); f++) {
            assert_int_equal(owner[f], 0);
            owner[f] = 1;
        }
        held[k].at = at;
        held[k].order = order;
    }
    for (unsigned k = 0; k < 256; k++)
        if (held[k].at.raw)
            frame_pool_free(&a->pool, held[k].at, held[k].order);
    assert_int_equal(a->pool.free_frames, FRAMES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_pool_gives_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_ranges_come_back_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(random_use_never_overlaps, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
