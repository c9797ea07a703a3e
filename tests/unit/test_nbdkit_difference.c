// SPDX-License-Identifier: BSD-2-Clause
/* Differences on a file that loses power at any of its steps; and what is said of damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/diff_model.h"
#include "tools/nbdkit-leat/difference.h"

#define BLOCK 4096u
#define PAGE_BYTES ((uint64_t)DIFF_PAGE_BLOCKS * BLOCK)
#define IMAGE                                                                                      \
    (PAGE_BYTES + 6 * BLOCK + 700) /* two pages of the map, and a last block of 700 bytes */
#define DATA_AT (1u << 20)
#define WINDOW_SECTORS 98u /* of each window that is written to */
#define WINDOWS 2u
#define TRACKED (WINDOWS * WINDOW_SECTORS)
#define VERSIONS 24u
#define ID 0x1234567890abcdefu

/* The windows: the image's start; the map's page border and the image's end. */
static const uint64_t window_at[WINDOWS] = {0, PAGE_BYTES - 6 * BLOCK};
static const uint64_t window_bytes[WINDOWS] = {WINDOW_SECTORS * 512, 12 * BLOCK + 700};

static uint64_t seed, histories = 16;

static uint32_t chance(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static sem_t *reading; /* posted when somebody reads below, who then takes his time */

static int below_read(void *context, void *to, size_t count, uint64_t offset)
{
    (void)context;
    assert_true(offset + count <= IMAGE);
    if (reading) {
        sem_post(reading);
        usleep(50000);
    }
    for (size_t i = 0; i < count; i++)
        ((uint8_t *)to)[i] = (uint8_t)((offset + i) * 37 / 256 + offset + i + 1);
    return 0;
}

static const struct diff_below below = {.read = below_read};

/* What each sector may hold: versions[0] was flushed last. */
static uint8_t versions[TRACKED][VERSIONS][512];
static unsigned count_of[TRACKED];

static uint64_t offset_of(unsigned tracked)
{
    return window_at[tracked / WINDOW_SECTORS] + tracked % WINDOW_SECTORS * 512u;
}

static size_t bytes_of(unsigned tracked)
{
    uint64_t offset = offset_of(tracked);
    uint64_t end = window_at[tracked / WINDOW_SECTORS] + window_bytes[tracked / WINDOW_SECTORS];
    return offset >= end ? 0 : end - offset < 512 ? (size_t)(end - offset) : 512;
}

static void guest_starts(void)
{
    for (unsigned t = 0; t < TRACKED; t++) {
        below_read(NULL, versions[t][0], bytes_of(t), offset_of(t));
        count_of[t] = 1;
    }
}

static void guest_flushed(void)
{
    for (unsigned t = 0; t < TRACKED; t++) {
        memmove(versions[t][0], versions[t][count_of[t] - 1], 512);
        count_of[t] = 1;
    }
}

/* data NULL: zeros. */
static void guest_wrote(const uint8_t *data, size_t count, uint64_t offset)
{
    for (unsigned t = 0; t < TRACKED; t++) {
        uint64_t at = offset_of(t), from = at > offset ? at : offset, end = at + bytes_of(t);
        if (end > offset + count)
            end = offset + count;
        if (from >= end)
            continue;
        assert_true(count_of[t] < VERSIONS);
        uint8_t *next = versions[t][count_of[t]];
        memcpy(next, versions[t][count_of[t] - 1], 512);
        if (data)
            memcpy(next + (from - at), data + (from - offset), end - from);
        else
            memset(next + (from - at), 0, end - from);
        count_of[t]++;
    }
}

/* Each sector is one of its versions; with exact, the last one. */
static void compare(struct difference *d, bool exact)
{
    static uint8_t window[WINDOW_SECTORS * 512];
    for (unsigned w = 0; w < WINDOWS; w++) {
        assert_int_equal(difference_read(d, window, window_bytes[w], window_at[w]), 0);
        for (unsigned s = 0; s < WINDOW_SECTORS; s++) {
            unsigned t = w * WINDOW_SECTORS + s, v = count_of[t];
            while (v && memcmp(versions[t][v - 1], window + s * 512, bytes_of(t)))
                v--;
            if (!v || (exact && v != count_of[t]))
                fail_msg("sector at %llu is none of what it may be",
                         (unsigned long long)offset_of(t));
        }
    }
}

/* What it is after a restart it stays. */
static void guest_saw(struct difference *d)
{
    for (unsigned t = 0; t < TRACKED; t++)
        if (bytes_of(t)) {
            assert_int_equal(difference_read(d, versions[t][0], bytes_of(t), offset_of(t)), 0);
            count_of[t] = 1;
        }
}

static struct difference *open_it(struct diff_model *model)
{
    char error[DIFF_ERROR];
    struct difference *d = NULL;
    struct diff_device device = model_device(model);
    struct diff_options options = {.writable = true, .image = "image@1", .image_size = IMAGE};
    int result = difference_open(&d, &device, &below, &options, error);
    if (result && !model_is_cut(model))
        fail_msg("%s", error);
    return result ? NULL : d;
}

static void create_it(struct diff_model *model)
{
    char error[DIFF_ERROR];
    struct diff_device device = model_device(model);
    assert_int_equal(difference_create(&device, "image@1", IMAGE, BLOCK, ID, 1, error), 0);
}

/* One operation of a guest, any length and alignment. False: the power is gone. */
static bool guest_does(struct difference *d)
{
    static uint8_t data[WINDOW_SECTORS * 512];
    unsigned w = chance(WINDOWS), kind = chance(8);
    uint64_t offset = chance((uint32_t)window_bytes[w]);
    size_t count = 1 + chance((uint32_t)(window_bytes[w] - offset));
    if (chance(2)) {
        offset = offset / 512 * 512;
        count = (count + 511) / 512 * 512;
    }
    if (count > window_bytes[w] - offset)
        count = (size_t)(window_bytes[w] - offset);
    memset(data, (int)chance(256), sizeof data);
    if (kind < 2) {
        if (difference_flush(d))
            return false;
        guest_flushed();
        return true;
    }
    offset += window_at[w];
    if (kind == 2) { /* a trim's edges stay: that is what makes it different from zeros */
        uint64_t first = (offset + BLOCK - 1) / BLOCK * BLOCK, last = offset + count;
        last = last == IMAGE ? last : last / BLOCK * BLOCK;
        if (first < last)
            guest_wrote(NULL, last - first, first);
        return !difference_trim(d, count, offset);
    }
    guest_wrote(kind == 3 ? NULL : data, count, offset);
    return !(kind == 3 ? difference_zero(d, count, offset)
                       : difference_write(d, data, count, offset));
}

#define OPERATIONS 14u

/* A history with its end at one step of the device; then what is there is right, also when the power goes
   again while that is put in order, and what is written afterwards stays. Returns the steps that it took. */
static uint64_t history(struct diff_model *model, uint64_t number, uint64_t cut_at,
                        unsigned variant)
{
    seed = number;
    model_clear(model);
    create_it(model);
    guest_starts();
    uint64_t before = model_steps(model);
    model_cut_at(model, cut_at ? before + cut_at : 0);
    struct difference *d = open_it(model);
    for (unsigned i = 0; d && i < OPERATIONS && guest_does(d); i++)
        if (!cut_at)
            compare(d, true);
    bool closed = d && !difference_close(d);
    uint64_t steps = model_steps(model) - before;
    if (closed)
        guest_flushed();
    model_restart(model, variant < 2 ? (enum model_chance)variant : MODEL_SOME, number + variant);
    if (variant == 3) {
        model_cut_at(model, 1 + cut_at % 5);
        if ((d = open_it(model)))
            difference_close(d);
        model_restart(model, MODEL_SOME, number + 77);
    }
    d = open_it(model);
    assert_non_null(d);
    compare(d, closed);
    guest_saw(d);
    for (unsigned i = 0; i < 4; i++)
        assert_true(guest_does(d));
    assert_int_equal(difference_close(d), 0);
    guest_flushed();
    d = open_it(model);
    compare(d, true);
    assert_int_equal(difference_close(d), 0);
    return steps;
}

static void test_every_cut(void **state)
{
    (void)state;
    struct diff_model *model = model_new(DATA_AT + IMAGE + BLOCK);
    for (uint64_t number = 1; number <= histories; number++) {
        uint64_t steps = history(model, number, 0, 0);
        for (uint64_t cut = 1; cut <= steps; cut++)
            for (unsigned variant = 0; variant < 4; variant++)
                history(model, number, cut, variant);
    }
    model_free(model);
}

static struct diff_model *small_one(void)
{
    struct diff_model *model = model_new(DATA_AT + IMAGE + BLOCK);
    create_it(model);
    struct difference *d = open_it(model);
    guest_starts();
    assert_int_equal(difference_write(d, "hello", 5, 10000), 0);
    guest_wrote((const uint8_t *)"hello", 5, 10000);
    assert_int_equal(difference_flush(d), 0);
    assert_int_equal(difference_zero(d, 2 * BLOCK, 0), 0);
    guest_wrote(NULL, 2 * BLOCK, 0);
    assert_int_equal(difference_close(d), 0);
    guest_flushed();
    return model;
}

static void test_states(void **state)
{
    (void)state;
    struct diff_model *model = small_one();
    struct difference *d = open_it(model);
    const enum diff_state expected[] = {DIFF_ZERO, DIFF_ZERO, DIFF_DATA, DIFF_ABSENT};
    for (unsigned i = 0; i < 4; i++) {
        enum diff_state is;
        uint64_t end;
        assert_int_equal(difference_state(d, 100 * BLOCK, i * BLOCK, &is, &end), 0);
        assert_int_equal(is, expected[i]);
    }
    struct diff_map_look look;
    assert_int_equal(difference_look(d, &look), 0);
    assert_int_equal(look.data, 1);
    assert_int_equal(look.zero, 2);
    assert_int_equal(look.damaged + look.cut, 0);
    compare(d, true);
    difference_close(d);
    model_free(model);
}

/* Damage is said, and neither the image nor an older state shows through. */
static void test_damage(void **state)
{
    (void)state;
    struct diff_model *model = small_one();
    uint8_t byte;
    model_flip(model, DIFF_MAP_AT + 100);
    struct difference *d = open_it(model);
    struct diff_map_look look;
    assert_int_equal(difference_look(d, &look), 0);
    assert_int_equal(look.damaged, 1);
    assert_int_equal(difference_read(d, &byte, 1, 10000), -EIO);
    assert_int_equal(difference_write(d, &byte, 1, 20000), -EIO);
    assert_int_equal(difference_read(d, &byte, 1, PAGE_BYTES), 0);
    difference_close(d);
    model_flip(model, DIFF_MAP_AT + 100);
    model_flip(model, 50); /* one header of the two */
    d = open_it(model);
    assert_non_null(d);
    compare(d, true);
    difference_close(d);
    model_free(model);
}

static void test_refused(void **state)
{
    (void)state;
    char error[DIFF_ERROR];
    struct difference *d;
    struct diff_model *model = small_one();
    struct diff_device device = model_device(model);
    struct diff_options other = {.image = "image@2"}, larger = {.image_size = IMAGE + 1}, any = {0};
    assert_int_equal(difference_open(&d, &device, &below, &other, error), -EINVAL);
    assert_non_null(strstr(error, "belongs to image 'image@1', not to 'image@2'"));
    assert_int_equal(difference_open(&d, &device, &below, &larger, error), -EINVAL);
    assert_non_null(strstr(error, "bytes, not of"));
    assert_int_equal(difference_open(&d, &device, &below, &any, error), 0);
    difference_close(d);
    model_flip(model, 50);
    model_flip(model, 4096 + 50);
    assert_int_equal(difference_open(&d, &device, &below, &any, error), -EINVAL);
    assert_non_null(strstr(error, "both copies of its header"));
    assert_int_equal(difference_create(&device, "x", 0, BLOCK, ID, 1, error), -EINVAL);
    assert_int_equal(difference_create(&device, "x", 1, 5000, ID, 1, error), -EINVAL);
    assert_int_equal(difference_create(&device, "x\n", 1, BLOCK, ID, 1, error), -EINVAL);
    model_free(model);
}

/* A flush that failed spoils it: what was written before is not known to be anywhere. */
static void test_spoilt(void **state)
{
    (void)state;
    struct diff_model *model = small_one();
    struct difference *d = open_it(model);
    assert_int_equal(difference_write(d, "x", 1, 0), 0);
    model_cut_at(model, model_steps(model) + 1);
    assert_int_equal(difference_flush(d), -EIO);
    model_restart(model, MODEL_NONE, 1);
    assert_int_equal(difference_flush(d), -EIO);
    assert_int_equal(difference_write(d, "x", 1, 0), -EIO);
    assert_int_equal(difference_zero(d, 1, 0), -EIO);
    assert_int_equal(difference_close(d), -EIO);
    model_free(model);
}

static void test_limit(void **state)
{
    (void)state;
    char error[DIFF_ERROR];
    struct difference *d;
    struct diff_model *model = small_one();
    struct diff_device device = model_device(model);
    struct diff_options options = {.writable = true, .limit = (model_steps(model) + 8) * 4096};
    assert_int_equal(difference_open(&d, &device, &below, &options, error), 0);
    int result = 0;
    for (unsigned i = 4; i < 20 && !result; i++)
        result = difference_write(d, "x", 1, i * BLOCK);
    assert_int_equal(result, -ENOSPC);
    assert_int_equal(difference_write(d, "y", 1, 10000), 0); /* what it holds can be written */
    assert_int_equal(difference_zero(d, BLOCK, 10 * BLOCK), 0);
    assert_int_equal(difference_close(d), 0);
    model_free(model);
}

static void *write_first_sector(void *context)
{
    char sector[512];
    memset(sector, 'a', sizeof sector);
    return (void *)(intptr_t)difference_write(context, sector, sizeof sector, 0);
}

/* A block that is being copied up for one write must not undo another one's that is done meanwhile. */
static void test_two_parts_of_a_block(void **state)
{
    (void)state;
    static char rest[BLOCK - 512], block[BLOCK];
    struct diff_model *model = model_new(DATA_AT + IMAGE + BLOCK);
    create_it(model);
    struct difference *d = open_it(model);
    pthread_t thread;
    void *result;
    struct timespec until;
    sem_t inside;
    sem_init(&inside, 0, 0);
    reading = &inside;
    pthread_create(&thread, NULL, write_first_sector, d);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    assert_int_equal(sem_timedwait(&inside, &until), 0);
    memset(rest, 'b', sizeof rest);
    assert_int_equal(difference_write(d, rest, sizeof rest, 512), 0);
    pthread_join(thread, &result);
    reading = NULL;
    assert_null(result);
    assert_int_equal(difference_read(d, block, BLOCK, 0), 0);
    assert_int_equal(block[511], 'a');
    assert_memory_equal(block + 512, rest, sizeof rest);
    assert_int_equal(difference_close(d), 0);
    model_free(model);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--seeds"))
        histories = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),    cmocka_unit_test(test_damage),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_spoilt),
        cmocka_unit_test(test_limit),     cmocka_unit_test(test_two_parts_of_a_block),
        cmocka_unit_test(test_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
