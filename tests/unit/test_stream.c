// SPDX-License-Identifier: BSD-2-Clause
/* What the engine fetches before it is asked for: in which order, how much, and what overtakes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tiny_server.h"
#include "vdisk/engine.h"

#define MS 1000000ull
#define BLOCK 4096ull
#define LAST_BLOCK (TINY_BYTES / BLOCK - 1)

static struct vdisk *engine;
static struct vdisk_disk *disk;
static uint8_t data[1 << 20];
static unsigned done;

static void request_done(struct vdisk_request *r, int status)
{
    assert_int_equal(status, LEAT_OK);
    assert_memory_equal(r->data, tiny_image + r->offset, r->length);
    done++;
}

static void run(unsigned rounds)
{
    tiny_run(engine, rounds);
}

static void start(struct vdisk_limits limits, bool is_profiled)
{
    struct vdisk_config config = {
        .name = "vm/root", .host = "h", .port = 1, .is_profiled = is_profiled};
    limits.cache_bytes = limits.cache_bytes ? limits.cache_bytes : 16u << 20;
    engine = vdisk_create(&tiny_platform, &limits);
    disk = vdisk_attach(engine, &config, tiny_changed, NULL);
}

static int setup(void **state)
{
    (void)state;
    tiny_reset();
    tiny_fill();
    done = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vdisk_detach(disk);
    vdisk_destroy(engine);
    return 0;
}

static void submit(struct vdisk_request *r, uint64_t block, uint32_t blocks)
{
    *r = (struct vdisk_request){
        .op = LEAT_BLK_READ, .offset = block * BLOCK, .length = blocks * BLOCK, .data = data};
    r->done = request_done;
    vdisk_submit(disk, r);
}

static const char *put(const struct profile *p)
{
    size_t size = profile_encoded_bytes(p);
    uint8_t *file = malloc(size);
    profile_encode(p, file);
    const char *why = vdisk_profile_put(disk, file, size);
    free(file);
    return why;
}

/* Runs of one block, `step` apart, from `first` on. */
static void put_runs(uint64_t size_bytes, uint64_t first, uint32_t runs, uint32_t count,
                     int64_t step)
{
    struct profile p = {.size_bytes = size_bytes, .boots = 1};
    for (uint32_t i = 0; i < runs; i++)
        assert_true(profile_add(&p, first + (uint64_t)(step * i), count, i, 1));
    assert_null(put(&p));
    profile_free(&p);
}

static void streams_a_profile_in_its_order(void **state)
{
    (void)state;
    start((struct vdisk_limits){0}, false);
    put_runs(TINY_BYTES, 1900, 20, 16, -90);
    run(40);
    assert_int_equal(tiny_reads, 20);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(tiny_read_log[i].offset, (1900 - 90 * i) * BLOCK);
        assert_int_equal(tiny_read_log[i].length, 16 * BLOCK);
    }
    struct vdisk_request r;
    submit(&r, 1900 - 90 * 7 + 3, 5);
    assert_int_equal(done, 1); /* at once */
    assert_int_equal(tiny_reads, 20);
    assert_int_equal(disk->export->used_bytes[CACHE_PROFILE], 5 * BLOCK);
}

static void who_waits_overtakes_the_stream(void **state)
{
    (void)state;
    struct vdisk_request r, joined;
    start((struct vdisk_limits){0}, false);
    run(5); /* connected */
    assert_int_equal(disk->export->link, LINK_UP);
    tiny_is_up = false; /* requests wait for answers from now on */
    put_runs(TINY_BYTES, 0, 1, 1024, 1);
    run(2);
    uint64_t flying = disk->export->ahead_flying;
    assert_true(flying >= 512u << 10 && flying <= (512u + 128u) << 10);
    submit(&r, LAST_BLOCK, 1);
    submit(&joined, 900, 1); /* of the profile, not asked for yet */
    run(2);
    tiny_is_up = true;
    run(1); /* the server sees what has been sent: the window, then who waits */
    uint64_t before = 0;
    unsigned i = 0;
    for (; tiny_read_log[i].offset != LAST_BLOCK * BLOCK; i++)
        before += tiny_read_log[i].length;
    assert_int_equal(before, flying);
    assert_int_equal(tiny_read_log[i + 1].offset, 900 * BLOCK);
    assert_int_equal(tiny_read_log[i + 1].length, BLOCK);
    run(40);
    assert_int_equal(done, 2);
    uint64_t all = 0;
    for (i = 0; i < tiny_reads; i++)
        all += tiny_read_log[i].length;
    assert_int_equal(all, 1024 * BLOCK + BLOCK); /* nothing twice, nothing around */
}

static void a_waiting_read_joins_the_stream(void **state)
{
    (void)state;
    struct vdisk_request r;
    start((struct vdisk_limits){0}, false);
    run(5);
    tiny_is_up = false;
    put_runs(TINY_BYTES, 64, 1, 16, 1);
    run(1);
    submit(&r, 70, 2);
    run(1);
    tiny_is_up = true;
    run(3);
    assert_int_equal(done, 1);
    assert_int_equal(tiny_reads, 1);
    assert_int_equal(disk->export->used_bytes[CACHE_PROFILE], 2 * BLOCK);
}

static void a_profile_of_another_image_is_not_used(void **state)
{
    (void)state;
    start((struct vdisk_limits){0}, false);
    put_runs(TINY_BYTES / 2, 0, 1, 8, 1);
    run(10);
    assert_int_equal(tiny_reads, 0);
    assert_non_null(vdisk_profile_put(disk, "nonsense", 8));
}

static void the_stream_waits_for_a_small_cache(void **state)
{
    (void)state;
    start((struct vdisk_limits){.cache_bytes = 2u << 20}, false); /* 512 blocks */
    put_runs(TINY_BYTES, 0, 1, 2048, 1);
    run(60);
    uint32_t unused = engine->cache.unused;
    assert_true(unused >= 256 && unused <= 512);
    assert_int_equal(engine->cache.wasted[CACHE_PROFILE], 0);
    for (unsigned i = 0; i < 64; i++) { /* as the guest uses it, it goes on */
        struct vdisk_request r;
        submit(&r, i * 32, 32);
        run(4);
    }
    assert_int_equal(done, 64);
    assert_int_equal(disk->export->source_bytes[CACHE_PROFILE] +
                         disk->export->source_bytes[CACHE_DEMAND],
                     TINY_BYTES);
}

static void records_a_boot_and_knows_it_next_time(void **state)
{
    (void)state;
    struct vdisk_request r;
    void *file = NULL;
    start((struct vdisk_limits){.quiet_ns = 100 * MS}, true);
    submit(&r, 1000, 2); /* before the size is known: of the boot too */
    run(5);
    submit(&r, 20, 1);
    run(5);
    assert_int_equal(vdisk_profile_take(disk, &file), 0); /* not over yet */
    run(100);
    size_t size = vdisk_profile_take(disk, &file);
    assert_int_not_equal(size, 0);
    void *again = NULL;
    assert_int_equal(vdisk_profile_take(disk, &again), 0); /* once */
    struct profile p = {0};
    assert_null(profile_decode(file, size, &p));
    assert_int_equal(p.count, 2);
    assert_int_equal(p.runs[0].first, 1000);
    assert_int_equal(p.runs[0].count, 2);
    assert_int_equal(p.runs[1].first, 20);
    profile_free(&p);
    teardown(NULL);
    tiny_reset();
    start((struct vdisk_limits){0}, true);
    assert_null(vdisk_profile_put(disk, file, size));
    free(file);
    run(10);
    assert_int_equal(tiny_reads, 2);
    submit(&r, 1000, 2);
    assert_int_equal(done, 3);
    submit(&r, 30, 1); /* a miss: the profile is known, so nothing is fetched around it */
    run(5);
    assert_int_equal(tiny_reads, 3);
    vdisk_profile_end(disk);
    assert_int_not_equal(vdisk_profile_take(disk, &file), 0);
    free(file);
}

static void fills_the_rest_when_idle(void **state)
{
    (void)state;
    struct vdisk_request r;
    start((struct vdisk_limits){.fill_rate = 1u << 20}, false); /* 1 MiB a second */
    run(2);
    submit(&r, 0, 1);
    run(400); /* idle for less than half a second */
    assert_int_equal(disk->export->source_bytes[CACHE_FILL], 0);
    run(2500);
    uint64_t filled = disk->export->source_bytes[CACHE_FILL];
    assert_true(filled >= 2u << 20 && filled <= (2u << 20) + (700u << 10));
    run(9000);
    assert_int_equal(disk->export->source_bytes[CACHE_FILL] +
                         disk->export->source_bytes[CACHE_DEMAND] +
                         disk->export->source_bytes[CACHE_AROUND],
                     TINY_BYTES);
    tiny_is_up = false;
    submit(&r, 1234, 5);
    assert_int_equal(done, 2);
}

static void fetches_around_misses_while_that_helps(void **state)
{
    (void)state;
    struct vdisk_request r;
    start((struct vdisk_limits){0}, false);
    run(2);
    submit(&r, 40, 1);
    run(5);
    assert_int_equal(tiny_read_log[0].offset, 40 * BLOCK); /* who waits goes first */
    assert_int_equal(tiny_read_log[0].length, BLOCK);
    assert_int_equal(tiny_read_log[1].offset, 41 * BLOCK);
    unsigned reads = tiny_reads;
    submit(&r, 50, 4);
    submit(&r, 33, 4);
    run(5);
    assert_int_equal(tiny_reads, reads);
    assert_int_equal(done, 3);
    assert_int_equal(disk->export->used_bytes[CACHE_AROUND], 8 * BLOCK);
    disk->export->around = (struct around){.fetched = 2000, .used = 10};
    submit(&r, 1500, 1); /* it has not helped: this miss comes alone */
    run(5);
    assert_int_equal(tiny_reads, reads + 1);
}

static void nowhere_done(struct vdisk_request *r, int status)
{
    assert_null(r->data);
    assert_int_equal(status, LEAT_OK);
    done++;
}

static void a_read_to_nowhere_fills_the_cache(void **state)
{
    (void)state;
    struct vdisk_request r = {.op = LEAT_BLK_READ, .length = 8 * BLOCK, .done = nowhere_done};
    start((struct vdisk_limits){0}, false);
    run(5);
    vdisk_submit(disk, &r);
    run(5);
    assert_int_equal(done, 1);
    vdisk_submit(disk, &r); /* a hit to nowhere */
    assert_int_equal(done, 2);
    unsigned reads = tiny_reads;
    submit(&r, 0, 8);
    assert_int_equal(done, 3);
    assert_int_equal(tiny_reads, reads);
}

static void the_meter_finds_the_link(void **state)
{
    (void)state;
    /* 12.5 bytes a us, 20 ms: 64 KiB answers in a row, four under way. */
    struct meter m = {0};
    struct meter_mark marks[4];
    uint64_t sent[4], now = 1000 * MS, bytes = 65536, each = bytes * 80, link = 0;
    start((struct vdisk_limits){0}, false);
    assert_int_equal(meter_window(&m), 512u << 10);
    for (unsigned i = 0; i < 4; i++)
        meter_sent(&m, &marks[i], i, sent[i] = now);
    for (unsigned i = 0; i < 400; i++) {
        uint64_t there = sent[i % 4] + 20 * MS;
        link = (link > there ? link : there) + each;
        now = link;
        meter_answered(&m, &marks[i % 4], sent[i % 4], (uint32_t)bytes, now);
        meter_sent(&m, &marks[i % 4], 3, sent[i % 4] = now);
    }
    uint64_t rate = meter_rate(&m), window = meter_window(&m);
    assert_true(rate > 10000000 && rate < 12600000);
    assert_true(meter_rtt_ns(&m) >= 20 * MS && meter_rtt_ns(&m) <= 26 * MS);
    assert_true(window > 250000 && window < 450000); /* the link holds 250,000 */
    meter_reset(&m);
    assert_int_equal(meter_rate(&m), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_a_profile_in_its_order),     TEST(who_waits_overtakes_the_stream),
        TEST(a_waiting_read_joins_the_stream),    TEST(a_profile_of_another_image_is_not_used),
        TEST(the_stream_waits_for_a_small_cache), TEST(records_a_boot_and_knows_it_next_time),
        TEST(fills_the_rest_when_idle),           TEST(fetches_around_misses_while_that_helps),
        TEST(a_read_to_nowhere_fills_the_cache),  TEST(the_meter_finds_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
