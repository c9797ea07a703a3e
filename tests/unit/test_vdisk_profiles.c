// SPDX-License-Identifier: BSD-2-Clause
/* The service's boot profiles: kept from one life of a disk to the next, by image, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tiny_server.h"
#include "vdisk/engine.h"
#include "vdisk/service/profiles.h"

#define BLOCK 4096ull

static struct vdisk *engine;
static struct vdisk_disk *disk;
static uint8_t data[1 << 20];

static void request_done(struct vdisk_request *r, int status)
{
    (void)r;
    assert_int_equal(status, LEAT_OK);
}

static void run(unsigned rounds)
{
    tiny_run(engine, rounds);
}

static void begin(const char *export_name, bool is_profiled)
{
    const struct vdisk_limits limits = {.cache_bytes = 16u << 20};
    struct vdisk_config config = {
        .name = "vm/root", .host = "h", .port = 1, .is_profiled = is_profiled};
    strcpy(config.export_name, export_name);
    tiny_reset();
    engine = vdisk_create(&tiny_platform, &limits);
    disk = vdisk_attach(engine, &config, tiny_changed, NULL);
}

static void end(void)
{
    profiles_end(disk, "vm/root");
    vdisk_detach(disk);
    vdisk_destroy(engine);
}

static void read_block(uint64_t block)
{
    struct vdisk_request r = {
        .op = LEAT_BLK_READ, .offset = block * BLOCK, .length = BLOCK, .data = data};
    r.done = request_done;
    vdisk_submit(disk, &r);
    run(5);
}

/* A life of a disk that reads `blocks` blocks, 100 apart. */
static void boot(const char *export_name, unsigned blocks)
{
    begin(export_name, true);
    assert_null(profiles_begin(disk, NULL, 0));
    run(10);
    for (unsigned i = 0; i < blocks; i++)
        read_block(1500 - 100 * i);
    end();
}

static uint64_t streamed(const char *export_name, bool is_profiled, const void *file, size_t size)
{
    begin(export_name, is_profiled);
    assert_null(profiles_begin(disk, file, size));
    run(40);
    uint64_t bytes = disk->export->source_bytes[CACHE_PROFILE];
    end();
    return bytes;
}

static void test_kept(void **state)
{
    (void)state;
    boot("a", 5);
    assert_int_equal(streamed("a", true, NULL, 0), 5 * BLOCK);
    assert_int_equal(streamed("b", true, NULL, 0), 0);
    assert_int_equal(streamed("a", false, NULL, 0), 0);
    boot("b", 3);
    assert_int_equal(streamed("b", true, NULL, 0), 3 * BLOCK);
    assert_int_equal(streamed("a", true, NULL, 0), 5 * BLOCK);
}

static void test_file(void **state)
{
    (void)state;
    uint8_t file[200];
    struct profile p = {.size_bytes = TINY_BYTES, .boots = 1};
    assert_true(profile_add(&p, 70, 7, 0, 1));
    size_t size = profile_encoded_bytes(&p);
    profile_encode(&p, file);
    profile_free(&p);
    assert_int_equal(streamed("c", true, file, size), 7 * BLOCK);
    assert_int_equal(streamed("d", false, file, size), 0);
    boot("e", 2); /* what has been kept is newer than the file */
    assert_int_equal(streamed("e", true, file, size), 2 * BLOCK);
    begin("f", true);
    file[50] ^= 1;
    assert_non_null(profiles_begin(disk, file, size));
    end();
}

/* What is recorded goes up once; each new recording again; what does not fit, never. */
static void test_unsent(void **state)
{
    (void)state;
    static uint8_t out[PROFILES_BYTES];
    const char *name;
    while (profiles_unsent(out, sizeof out, &name)) { /* of the tests before */
    }
    boot("u", 5);
    boot("v", 3);
    size_t first = profiles_unsent(out, sizeof out, &name);
    assert_true(first > 0);
    assert_string_equal(name, "vm/root");
    struct profile p = {0};
    assert_null(profile_decode(out, first, &p));
    assert_int_equal(p.size_bytes, TINY_BYTES);
    profile_free(&p);
    assert_true(profiles_unsent(out, sizeof out, &name) > 0);
    assert_int_equal(profiles_unsent(out, sizeof out, &name), 0);
    boot("u", 6);
    assert_int_equal(profiles_unsent(out, 10, &name), 0);
    assert_int_equal(profiles_unsent(out, sizeof out, &name), 0);
}

/* Profiles without end: the oldest go. */
static void test_bound(void **state)
{
    (void)state;
    struct profile p = {.size_bytes = TINY_BYTES, .boots = 1};
    for (unsigned i = 0; i < 1000; i++)
        assert_true(profile_add(&p, 2 * i, 1, i, 1));
    size_t size = profile_encoded_bytes(&p);
    uint8_t *file = malloc(size);
    profile_encode(&p, file);
    profile_free(&p);
    boot("old", 4);
    for (unsigned i = 0; i < PROFILES_BYTES / size + 1; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%u", i);
        begin(name, true);
        assert_null(profiles_begin(disk, file, size));
        run(10);
        read_block(1);
        end();
    }
    assert_int_equal(streamed("old", true, NULL, 0), 0);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_unsent),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
