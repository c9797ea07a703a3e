// SPDX-License-Identifier: BSD-2-Clause
/* Reads for which no fetch is free: they are served in their order, whatever comes after them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/tiny_server.h"
#include "vdisk/engine.h"

#define BLOCK 4096ull
#define STEP 3u /* blocks from one read to the next: no sequence */
#define READS (EXPORT_FETCHES + 8u)
#define ROUNDS 4u

static struct vdisk *engine;
static struct vdisk_disk *disk;
static uint32_t next; /* the next read is of block next * STEP */

static struct reader {
    struct vdisk_request request;
    uint8_t data[BLOCK];
    uint32_t submitted, done;
} readers[READS];

static void request_done(struct vdisk_request *request, int status)
{
    struct reader *r = (struct reader *)request;
    assert_int_equal(status, LEAT_OK);
    assert_memory_equal(r->data, tiny_image + request->offset, BLOCK);
    r->done++;
}

/* A guest that keeps its queue full. */
static void submit_all(void)
{
    for (uint32_t i = 0; i < READS; i++) {
        struct reader *r = &readers[i];
        if (r->submitted > r->done)
            continue;
        assert_true(next * STEP < TINY_BYTES / BLOCK);
        r->submitted++;
        disk->export->around = (struct around){.fetched = 16000}; /* in vain: no more of it */
        r->request = (struct vdisk_request){.op = LEAT_BLK_READ,
                                            .offset = next++ * STEP * BLOCK,
                                            .length = BLOCK,
                                            .data = r->data,
                                            .done = request_done};
        vdisk_submit(disk, &r->request);
    }
}

static int setup(void **state)
{
    struct vdisk_config config = {.name = "vm/root", .host = "h", .port = 1};
    struct vdisk_limits limits = {.cache_bytes = 16u << 20};
    (void)state;
    tiny_reset();
    tiny_fill();
    next = 0;
    for (uint32_t i = 0; i < READS; i++)
        readers[i].submitted = readers[i].done = 0;
    engine = vdisk_create(&tiny_platform, &limits);
    disk = vdisk_attach(engine, &config, tiny_changed, NULL);
    tiny_run(engine, 5);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vdisk_detach(disk);
    vdisk_destroy(engine);
    return 0;
}

/* What was asked for before is answered; what is asked for now, in the next round. */
static void run_round(void)
{
    tiny_now_ns += 20000000;
    tiny_is_up = true;
    tiny_deliver();
    tiny_is_up = false;
    vdisk_run(engine);
}

static void each_has_its_turn(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        submit_all();
        run_round();
    }
    for (uint32_t i = 0; i < READS; i++)
        assert_true(readers[i].done > 0);
    tiny_is_up = true;
    tiny_run(engine, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_has_its_turn, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
