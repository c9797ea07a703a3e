// SPDX-License-Identifier: BSD-2-Clause
/* The virtio disk, and the allocator of its channel's data area, under random use, against a model. */
#include "virtio_disk_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint32_t random_state;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

struct flight {
    bool is_used;
    unsigned queue;
    uint16_t head;
    uint32_t type, sectors;
    uint64_t sector, at, data;
};

#define FLIGHTS 12u
#define FLIGHT_BYTES (1u << 19)

static bool overlaps(const struct flight *flights, uint64_t sector, uint32_t sectors)
{
    for (unsigned i = 0; i < FLIGHTS; i++)
        if (flights[i].is_used && sector < flights[i].sector + flights[i].sectors &&
            flights[i].sector < sector + sectors)
            return true;
    return false;
}

static void begin(struct driver *d, struct flight *flights, unsigned i, uint8_t *model)
{
    struct fake *f = d->fake;
    struct flight *fl = &flights[i];
    static const uint32_t types[] = {IN, IN, OUT, OUT, WRITE_ZEROES, FLUSH};
    fl->type = types[next_random() % 6];
    fl->sectors = 1 + next_random() % (next_random() % 4 ? 16 : FLIGHT_BYTES / 512);
    fl->sector = next_random() % (DISK_BYTES / 512 - fl->sectors);
    if (fl->type == FLUSH)
        fl->sectors = 0;
    if (overlaps(flights, fl->sector, fl->sectors))
        return; /* such requests have no order */
    fl->is_used = true;
    fl->queue = next_random() % d->queue_count;
    fl->at = 0x80000 + i * 256;
    fl->data = DATA + i * FLIGHT_BYTES;
    uint32_t bytes = fl->sectors * 512;
    if (fl->type == OUT) {
        fake_fill(f, fl->data, bytes, next_random());
        memcpy(model + fl->sector * 512, f->ram + fl->data, bytes);
    } else if (fl->type == WRITE_ZEROES) {
        const struct virtio_blk_range range = {fl->sector, fl->sectors, 0};
        memcpy(f->ram + fl->data, &range, sizeof(range));
        memset(model + fl->sector * 512, 0, bytes);
        bytes = sizeof(range);
    } else if (fl->type == IN) {
        memset(f->ram + fl->data, 0xdb, bytes);
    }
    fl->head = driver_blk(d, fl->queue, fl->type, fl->sector, fl->at, fl->data,
                          fl->type == FLUSH ? 0 : bytes);
    if (next_random() % 2)
        driver_ring(d, fl->queue);
}

static void reap(struct driver *d, struct flight *flights, const uint8_t *model)
{
    uint16_t head;
    uint32_t written;
    for (unsigned q = 0; q < d->queue_count; q++) {
        while (driver_used(d, q, &head, &written)) {
            struct flight *fl = flights;
            while (!fl->is_used || fl->queue != q || fl->head != head)
                assert_true(++fl < flights + FLIGHTS);
            assert_int_equal(d->fake->ram[fl->at + 16], OK);
            if (fl->type == IN)
                assert_memory_equal(d->fake->ram + fl->data, model + fl->sector * 512,
                                    fl->sectors * 512);
            fl->is_used = false;
        }
    }
}

static void random_workload(uint32_t seed)
{
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1 + seed % 4);
    uint8_t *model = malloc(DISK_BYTES);
    struct flight flights[FLIGHTS] = {{0}};
    struct driver d;
    random_state = seed;
    memcpy(model, f->disk, DISK_BYTES);
    uint64_t without =
        (seed & 1 ? VIRTIO_F_EVENT_IDX : 0) | (seed & 2 ? VIRTIO_F_INDIRECT_DESC : 0);
    assert_int_equal(driver_start(&d, f, ~without, 64), 15);
    for (unsigned step = 0; step < 3000; step++) {
        unsigned i = next_random() % FLIGHTS;
        if (!flights[i].is_used)
            begin(&d, flights, i, model);
        if (next_random() % 3 == 0)
            server_take(f);
        if (f->held_count && next_random() % 2)
            server_answer(f, next_random() % f->held_count);
        if (next_random() % 3 == 0)
            device_run(f);
        reap(&d, flights, model);
    }
    for (unsigned i = 0; i < 100; i++) {
        for (unsigned q = 0; q < d.queue_count; q++)
            driver_ring(&d, q);
        server_run(f);
        device_run(f);
        reap(&d, flights, model);
    }
    for (unsigned i = 0; i < FLIGHTS; i++)
        assert_false(flights[i].is_used);
    assert_memory_equal(model, f->disk, DISK_BYTES);
    free(model);
    fake_end(f);
}

static void test_random_workload(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 16; seed++)
        random_workload(seed);
}

static void test_area(void **state)
{
    (void)state;
    static struct blk_area area;
    struct {
        uint64_t offset;
        uint32_t bytes;
    } held[BLK_AREA_PAGES];
    static uint8_t owner[BLK_AREA_PAGES];
    unsigned count = 0;
    random_state = 4711;
    blk_area_init(&area);
    for (unsigned step = 0; step < 200000; step++) {
        if (next_random() % 2) {
            uint32_t bytes = 1 + next_random() % (next_random() % 3 ? 8192 : LEAT_BLK_MAX_REQUEST);
            uint64_t offset = blk_area_take(&area, bytes);
            if (offset == BLK_AREA_NONE)
                continue;
            assert_true(offset + bytes <= LEAT_BLK_DATA_BYTES);
            for (uint64_t page = offset / 4096; page <= (offset + bytes - 1) / 4096; page++)
                assert_int_equal(owner[page]++, 0);
            held[count].offset = offset;
            held[count++].bytes = bytes;
        } else if (count) {
            unsigned i = next_random() % count;
            blk_area_give(&area, held[i].offset, held[i].bytes);
            for (uint64_t page = held[i].offset / 4096;
                 page <= (held[i].offset + held[i].bytes - 1) / 4096; page++)
                owner[page] = 0;
            held[i] = held[--count];
        }
    }
    while (count--)
        blk_area_give(&area, held[count].offset, held[count].bytes);
    for (unsigned i = 0; i < 8; i++) /* all joined again */
        assert_int_not_equal(blk_area_take(&area, LEAT_BLK_MAX_REQUEST), BLK_AREA_NONE);
    assert_int_equal(blk_area_take(&area, 1), BLK_AREA_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_workload),
        cmocka_unit_test(test_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
