// SPDX-License-Identifier: BSD-2-Clause
/* Each request to the virtio disk, from the driver's doorbell to the block server and back. */
#include "virtio_disk_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { F_RO = 1 << 5, F_FLUSH = 1 << 9, F_CONFIG_WCE = 1 << 11, F_DISCARD = 1 << 13 };

static void test_every_request(void **state)
{
    (void)state;
    static const uint64_t variants[] = {
        UINT64_MAX, UINT64_MAX & ~VIRTIO_F_INDIRECT_DESC, UINT64_MAX & ~VIRTIO_F_EVENT_IDX,
        UINT64_MAX & ~(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)};
    for (unsigned v = 0; v < 4; v++) {
        struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
        struct driver d;
        assert_int_equal(driver_start(&d, f, variants[v], 16), 15);
        assert_int_equal(driver_do(&d, IN, 5, DATA, 4096), OK);
        assert_memory_equal(f->ram + DATA, f->disk + 5 * 512, 4096);
        fake_fill(f, DATA, 8192, v);
        assert_int_equal(driver_do(&d, OUT, 100, DATA, 8192), OK);
        assert_memory_equal(f->ram + DATA, f->disk + 100 * 512, 8192);
        assert_int_equal(driver_do(&d, FLUSH, 0, 0, 0), OK);
        assert_int_equal(f->ops[LEAT_BLK_FLUSH], 1);
        assert_int_equal(driver_do(&d, GET_ID, 0, DATA, 20), OK);
        assert_memory_equal(f->ram + DATA, "disk-with-a-rather-l", 20);
        const struct virtio_blk_range ranges[2] = {{100, 8, 0}, {108, 4, 0}};
        memcpy(f->ram + DATA, ranges, sizeof(ranges));
        assert_int_equal(driver_do(&d, DISCARD, 0, DATA, sizeof(ranges)), OK);
        assert_int_equal(f->ops[LEAT_BLK_DISCARD], 2);
        for (unsigned i = 0; i < 12 * 512; i++)
            assert_int_equal(f->disk[100 * 512 + i], 0);
        assert_int_not_equal(f->disk[112 * 512 + 1], 0);
        assert_int_equal(driver_do(&d, WRITE_ZEROES, 0, DATA, 16), OK);
        assert_int_equal(f->no_hole, 1);
        f->ram[DATA + 12] = 1; /* may unmap */
        assert_int_equal(driver_do(&d, WRITE_ZEROES, 0, DATA, 16), OK);
        assert_int_equal(f->no_hole, 1);
        assert_int_equal(driver_do(&d, 77, 0, DATA, 512), UNSUPP);
        assert_int_equal(common_read(&d, 0x14, 1), 15);
        assert_int_equal(f->fua, 0);
        fake_end(f);
    }
}

static void test_config_space(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 4096, 2);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
    struct bus *m = &f->vm.mmio;
    assert_int_equal(bus_read(m, d.config, 8), DISK_BYTES / 512);
    assert_int_equal(bus_read(m, d.config, 4), DISK_BYTES / 512);
    assert_int_equal(bus_read(m, d.config + 12, 4), 254);
    assert_int_equal(bus_read(m, d.config + 20, 4), 4096);
    assert_int_equal(bus_read(m, d.config + 32, 1), 1);
    assert_int_equal(bus_read(m, d.config + 34, 2), 2);
    assert_int_equal(bus_read(m, d.config + 28, 4), 16);
    assert_int_equal(bus_read(m, d.config + 60, 8), 0); /* behind the end */
    bus_write(m, d.config, 8, 1);                       /* read-only */
    assert_int_equal(bus_read(m, d.config, 8), DISK_BYTES / 512);
    assert_int_equal(d.queue_count, 2);
    fake_end(f);
}

static void test_unaligned_and_beyond(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 4096, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
    static const struct {
        uint64_t sector;
        uint32_t length;
        unsigned expect;
    } cases[] = {
        {0, 4096, OK},
        {DISK_BYTES / 512 - 8, 4096, OK},
        {1, 4096, IOERR},                    /* not at a block */
        {0, 512, IOERR},                     /* less than a block */
        {0, 4095, IOERR},                    /* no whole sectors */
        {DISK_BYTES / 512, 4096, IOERR},     /* behind the end */
        {DISK_BYTES / 512 - 8, 8192, IOERR}, /* across the end */
        {UINT64_MAX, 4096, IOERR},
        {UINT64_MAX - 7, 4096, IOERR},
        {1ull << 55, 4096, IOERR}, /* times 512 wraps to 0 */
        {(UINT64_MAX >> 9) + 1, 4096, IOERR},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(driver_do(&d, IN, cases[i].sector, DATA, cases[i].length),
                         cases[i].expect);
        assert_int_equal(driver_do(&d, OUT, cases[i].sector, DATA, cases[i].length),
                         cases[i].expect);
    }
    static const struct {
        struct virtio_blk_range range;
        uint32_t bytes;
        unsigned discard, zeroes;
    } ranges[] = {
        {{0, 8, 0}, 16, OK, OK},
        {{0, 0, 0}, 16, OK, OK},
        {{0, 8, 1}, 16, UNSUPP, OK},
        {{0, 8, 2}, 16, UNSUPP, UNSUPP},
        {{4, 8, 0}, 16, IOERR, IOERR},
        {{DISK_BYTES / 512, 8, 0}, 16, IOERR, IOERR},
        {{UINT64_MAX - 7, 16, 0}, 16, IOERR, IOERR},
        {{0, 0xffffffff, 0}, 16, IOERR, IOERR},
        {{0, 8, 0}, 15, IOERR, IOERR},
        {{0, 8, 0}, 16 * 17, IOERR, IOERR},
        {{0, 8, 0}, 0, IOERR, IOERR},
    };
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        memset(f->ram + DATA, 0, 512);
        memcpy(f->ram + DATA, &ranges[i].range, 16);
        assert_int_equal(driver_do(&d, DISCARD, 0, DATA, ranges[i].bytes), ranges[i].discard);
        assert_int_equal(driver_do(&d, WRITE_ZEROES, 0, DATA, ranges[i].bytes), ranges[i].zeroes);
    }
    assert_int_equal(common_read(&d, 0x14, 1), 15);
    fake_end(f);
}

static void test_read_only(void **state)
{
    (void)state;
    struct fake *f =
        fake_with_disk(LEAT_BLK_READ_ONLY | LEAT_BLK_CAN_DISCARD | LEAT_BLK_CAN_ZERO, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
    assert_true(d.features & F_RO);
    assert_false(d.features & (F_DISCARD | F_FLUSH | F_CONFIG_WCE));
    assert_int_equal(driver_do(&d, OUT, 0, DATA, 512), IOERR);
    assert_int_equal(driver_do(&d, DISCARD, 0, DATA, 16), UNSUPP);
    assert_int_equal(driver_do(&d, WRITE_ZEROES, 0, DATA, 16), UNSUPP);
    assert_int_equal(driver_do(&d, FLUSH, 0, 0, 0), UNSUPP);
    assert_int_equal(driver_do(&d, IN, 0, DATA, 512), OK);
    assert_int_equal(f->ops[LEAT_BLK_WRITE] + f->ops[LEAT_BLK_DISCARD], 0);
    fake_end(f);
}

static void test_write_through(void **state)
{
    (void)state;
    for (unsigned can_fua = 0; can_fua < 2; can_fua++) {
        struct fake *f = fake_with_disk(ALL_FEATURES & ~(can_fua ? 0u : LEAT_BLK_CAN_FUA), 512, 1);
        struct driver d;
        assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
        assert_int_equal(driver_do(&d, OUT, 0, DATA, 512), OK);
        assert_int_equal(f->fua + f->ops[LEAT_BLK_FLUSH], 0);
        bus_write(&f->vm.mmio, d.config + 32, 1, 0);
        assert_int_equal(driver_do(&d, OUT, 0, DATA, 512), OK);
        assert_int_equal(f->fua, can_fua);
        assert_int_equal(f->ops[LEAT_BLK_FLUSH], !can_fua);
        const struct virtio_blk_range ranges[2] = {{0, 1, 0}, {1, 1, 0}};
        memcpy(f->ram + DATA, ranges, sizeof(ranges));
        assert_int_equal(driver_do(&d, WRITE_ZEROES, 0, DATA, 32), OK);
        assert_int_equal(f->fua, 3 * can_fua);
        assert_int_equal(f->ops[LEAT_BLK_FLUSH], 2 * !can_fua);
        bus_write(&f->vm.mmio, d.config + 32, 1, 1);
        assert_int_equal(driver_do(&d, OUT, 0, DATA, 512), OK);
        assert_int_equal(f->fua, 3 * can_fua);
        /* a driver that can neither flush nor ask for it gets durable writes */
        assert_int_equal(driver_start(&d, f, ~(uint64_t)(F_FLUSH | F_CONFIG_WCE), 16), 15);
        assert_int_equal(driver_do(&d, OUT, 0, DATA, 512), OK);
        assert_int_equal(f->fua, 4 * can_fua);
        assert_int_equal(driver_start(&d, f, ~(uint64_t)F_FLUSH, 16), 15);
        assert_int_equal(bus_read(&f->vm.mmio, d.config + 32, 1), 0);
        /* a flush that fails makes the write fail */
        if (!can_fua) {
            driver_blk(&d, 0, OUT, 0, 0xf0000, DATA, 512);
            driver_ring(&d, 0);
            server_run(f);
            f->fail_next = 1;
            device_run(f);
            server_run(f);
            device_run(f);
            assert_int_equal(f->ram[0xf0010], IOERR);
        }
        fake_end(f);
    }
}

static void test_errors_of_the_server(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
    f->fail_next = 1;
    assert_int_equal(driver_do(&d, IN, 0, DATA, 512), IOERR);
    f->fail_next = 1; /* one of the pieces */
    assert_int_equal(driver_do(&d, IN, 0, DATA, 3u << 20), IOERR);
    assert_int_equal(driver_do(&d, IN, 0, DATA, 3u << 20), OK);
    fake_end(f);
}

static void test_long_requests_are_cut(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
    uint32_t length = (5u << 20) + 1024;
    assert_int_equal(driver_do(&d, IN, 3, DATA, length), OK);
    assert_memory_equal(f->ram + DATA, f->disk + 3 * 512, length);
    assert_int_equal(f->ops[LEAT_BLK_READ], 6);
    fake_fill(f, DATA, length, 9);
    assert_int_equal(driver_do(&d, OUT, 9, DATA, length), OK);
    assert_memory_equal(f->ram + DATA, f->disk + 9 * 512, length);
    fake_end(f);
}

static void test_scattered_buffers(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, ~VIRTIO_F_INDIRECT_DESC, 16), 15);
    /* header in three parts, data in odd parts, status at the end of the last one's buffer */
    const struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header = {IN, 0, 7};
    memcpy(f->ram + 0xf0000, &header, 16);
    const struct driver_buffer buffers[] = {
        {0xf0000, 3, false},        {0xf0003, 12, false},
        {0xf000f, 1, false},        {DATA, 1, true},
        {DATA + 1, 700, true},      {FAKE_HIGH_RAM + 5, 300, true},
        {DATA + 701, 23 + 1, true},
    };
    uint16_t head, got;
    uint32_t written;
    f->ram[DATA + 701 + 23] = 0xee;
    head = driver_add(&d, 0, buffers, 7, 0);
    driver_ring(&d, 0);
    server_run(f);
    device_run(f);
    assert_true(driver_used(&d, 0, &got, &written));
    assert_int_equal(got, head);
    assert_int_equal(written, 1025);
    assert_int_equal(f->ram[DATA + 701 + 23], OK);
    assert_memory_equal(f->ram + DATA, f->disk + 7 * 512, 701);
    assert_memory_equal(f->high + 5, f->disk + 7 * 512 + 701, 300);
    assert_memory_equal(f->ram + DATA + 701, f->disk + 7 * 512 + 1001, 23);
    fake_end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_request),         cmocka_unit_test(test_config_space),
        cmocka_unit_test(test_unaligned_and_beyond),  cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_write_through),         cmocka_unit_test(test_errors_of_the_server),
        cmocka_unit_test(test_long_requests_are_cut), cmocka_unit_test(test_scattered_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
