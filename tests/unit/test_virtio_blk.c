// SPDX-License-Identifier: BSD-2-Clause
/* The virtio disk from the driver's doorbell to the block server and back, the bad ways included.
 */
#include "virtio_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define DISK_BYTES (8u << 20)
#define ALL_FEATURES                                                                               \
    (LEAT_BLK_CAN_FLUSH | LEAT_BLK_CAN_DISCARD | LEAT_BLK_CAN_ZERO | LEAT_BLK_CAN_FUA)
#define DATA 0x100000u

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2, NOTHING = 0xfe };
enum { F_RO = 1 << 5, F_FLUSH = 1 << 9, F_CONFIG_WCE = 1 << 11, F_DISCARD = 1 << 13 };

static struct fake *make(uint32_t features, uint32_t block_size, unsigned queues)
{
    struct fake *f = malloc(sizeof(*f));
    fake_init(f, DISK_BYTES, block_size, features);
    for (unsigned i = 0; i < DISK_BYTES; i += 512)
        memcpy(f->disk + i, &i, 4);
    assert_int_equal(virtio_disk_attach(&f->vm, &f->entry, FAKE_SLOT, queues), LEAT_OK);
    return f;
}

static void end(struct fake *f)
{
    fake_free(f);
    free(f);
}

static void fill(struct fake *f, uint64_t at, uint32_t length, unsigned seed)
{
    for (uint32_t i = 0; i < length; i++)
        f->ram[at + i] = (uint8_t)((i * 7 + seed) ^ (i >> 8));
}

static void test_every_request(void **state)
{
    (void)state;
    static const uint64_t variants[] = {
        UINT64_MAX, UINT64_MAX & ~VIRTIO_F_INDIRECT_DESC, UINT64_MAX & ~VIRTIO_F_EVENT_IDX,
        UINT64_MAX & ~(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)};
    for (unsigned v = 0; v < 4; v++) {
        struct fake *f = make(ALL_FEATURES, 512, 1);
        struct driver d;
        assert_int_equal(driver_start(&d, f, variants[v], 16), 15);
        assert_int_equal(driver_do(&d, IN, 5, DATA, 4096), OK);
        assert_memory_equal(f->ram + DATA, f->disk + 5 * 512, 4096);
        fill(f, DATA, 8192, v);
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
        end(f);
    }
}

static void test_config_space(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 4096, 2);
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
    end(f);
}

static void test_unaligned_and_beyond(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 4096, 1);
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
    end(f);
}

static void test_read_only(void **state)
{
    (void)state;
    struct fake *f = make(LEAT_BLK_READ_ONLY | LEAT_BLK_CAN_DISCARD | LEAT_BLK_CAN_ZERO, 512, 1);
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
    end(f);
}

static void test_write_through(void **state)
{
    (void)state;
    for (unsigned can_fua = 0; can_fua < 2; can_fua++) {
        struct fake *f = make(ALL_FEATURES & ~(can_fua ? 0u : LEAT_BLK_CAN_FUA), 512, 1);
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
        end(f);
    }
}

static void test_errors_of_the_server(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
    f->fail_next = 1;
    assert_int_equal(driver_do(&d, IN, 0, DATA, 512), IOERR);
    f->fail_next = 1; /* one of the pieces */
    assert_int_equal(driver_do(&d, IN, 0, DATA, 3u << 20), IOERR);
    assert_int_equal(driver_do(&d, IN, 0, DATA, 3u << 20), OK);
    end(f);
}

static void test_long_requests_are_cut(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
    uint32_t length = (5u << 20) + 1024;
    assert_int_equal(driver_do(&d, IN, 3, DATA, length), OK);
    assert_memory_equal(f->ram + DATA, f->disk + 3 * 512, length);
    assert_int_equal(f->ops[LEAT_BLK_READ], 6);
    fill(f, DATA, length, 9);
    assert_int_equal(driver_do(&d, OUT, 9, DATA, length), OK);
    assert_memory_equal(f->ram + DATA, f->disk + 9 * 512, length);
    end(f);
}

static void test_scattered_buffers(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
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
    end(f);
}

/* Requests of `length` bytes until the queue is full; then answers in a scrambled order. */
static void flood(uint32_t length, uint16_t size, unsigned count)
{
    struct fake *f = make(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, size), 15);
    for (unsigned i = 0; i < count; i++) {
        uint64_t sector = (i * 37ull) % ((DISK_BYTES - length) / 512);
        driver_blk(&d, 0, i % 3 ? IN : OUT, sector, 0x80000 + i * 128, DATA + (i % 8) * length,
                   length);
    }
    driver_ring(&d, 0);
    unsigned done = 0, rounds = 0;
    uint16_t head;
    uint32_t written;
    while (done < count) {
        assert_true(rounds++ < 10 * count);
        server_take(f);
        for (unsigned i = 0; i < 5 && f->held_count; i++)
            server_answer(f, (rounds * 7 + i) % f->held_count);
        device_run(f);
        for (; driver_used(&d, 0, &head, &written); done++)
            ;
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(f->ram[0x80000 + i * 128 + 16], OK);
    assert_int_equal(f->ops[LEAT_BLK_READ] + f->ops[LEAT_BLK_WRITE],
                     count * ((length + (1u << 20) - 1) >> 20));
    end(f);
}

static void test_many_in_flight(void **state)
{
    (void)state;
    flood(4096, 256, 256);
}

static void test_data_area_runs_out(void **state)
{
    (void)state;
    flood(1u << 20, 256, 100); /* eight fit at a time */
    flood((1u << 20) + 512, 64, 50);
    flood(600u << 10, 256, 200);
}

static void test_more_chains_than_slots(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 4);
    struct driver d;
    uint16_t head;
    uint32_t written;
    unsigned done = 0, rounds = 0;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 256), 15);
    for (unsigned q = 0; q < 4; q++) {
        for (unsigned i = 0; i < 256; i++)
            driver_blk(&d, q, IN, i, 0x80000 + (q * 256 + i) * 128, DATA, 512);
        driver_ring(&d, q);
    }
    server_take(f);
    assert_int_equal(f->held_count, VIRTIO_BLK_SLOTS);
    while (done < 1024) {
        assert_true(rounds++ < 2048);
        server_take(f);
        for (unsigned i = 0; i < 9 && f->held_count; i++)
            server_answer(f, rounds % f->held_count);
        device_run(f);
        for (unsigned q = 0; q < 4; q++)
            for (; driver_used(&d, q, &head, &written); done++)
                ;
    }
    for (unsigned q = 0; q < 4; q++)
        assert_true(f->msi_count[1 + q] > 0);
    end(f);
}

static void test_one_interrupt_for_a_batch(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
    struct driver d;
    uint16_t head;
    uint32_t written;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 256), 15);
    f->channel->info.state = LEAT_BLK_STALLED; /* which makes no difference to us */
    for (unsigned i = 0; i < 32; i++)
        driver_blk(&d, 0, IN, i, 0x80000 + i * 128, DATA, 512);
    ((struct leat_ring *)(void *)f->channel->requests)->consumer_waits = 1;
    driver_ring(&d, 0);
    assert_int_equal(f->peer_signals, 1);
    server_run(f);
    assert_int_equal(f->msi_count[1], 0);
    device_run(f);
    assert_int_equal(f->msi_count[1], 1);
    /* used elements stay unread: no more interrupts until the driver arms again */
    driver_blk(&d, 0, IN, 0, 0x80000, DATA, 512);
    driver_ring(&d, 0);
    server_run(f);
    device_run(f);
    assert_int_equal(f->msi_count[1], 1);
    for (unsigned i = 0; i < 33; i++)
        assert_true(driver_used(&d, 0, &head, &written));
    assert_int_equal(driver_do(&d, IN, 0, DATA, 512), OK);
    assert_int_equal(f->msi_count[1], 2);
    end(f);
}

static void test_intx_until_isr_is_read(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
    struct driver d;
    unsigned gsi = LAYOUT_PCI_INTX_GSI(FAKE_SLOT, 0);
    uint64_t isr = 0;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
    for (unsigned cap = cfg_read(f, FAKE_SLOT, 0x34, 1); cap;
         cap = cfg_read(f, FAKE_SLOT, cap + 1, 1)) {
        if (cfg_read(f, FAKE_SLOT, cap, 1) == 0x11)
            cfg_write(f, FAKE_SLOT, cap + 2, 2, 0);
        else if (cfg_read(f, FAKE_SLOT, cap + 3, 1) == 3)
            isr = bar_address(f, cfg_read(f, FAKE_SLOT, cap + 4, 1)) +
                  cfg_read(f, FAKE_SLOT, cap + 8, 4);
    }
    assert_int_equal(driver_do(&d, IN, 0, DATA, 512), OK);
    assert_int_equal(f->line[gsi], 1);
    assert_int_equal(bus_read(&f->vm.mmio, isr, 1), 1);
    assert_int_equal(f->line[gsi], 0);
    assert_int_equal(bus_read(&f->vm.mmio, isr, 1), 0);
    assert_int_equal(f->msi_count[1], 0);
    end(f);
}

static void test_reset_forgets_what_is_under_way(void **state)
{
    (void)state;
    for (unsigned machine = 0; machine < 2; machine++) {
        struct fake *f = make(ALL_FEATURES, 512, 1);
        struct driver d;
        assert_int_equal(driver_start(&d, f, UINT64_MAX, 64), 15);
        uint8_t old[512];
        memcpy(old, f->disk + 1000 * 512, 512);
        for (unsigned i = 0; i < 8; i++) /* fills the data area */
            driver_blk(&d, 0, IN, i * 8, 0x80000 + i * 128, DATA + (i << 20), 1u << 20);
        driver_blk(&d, 0, OUT, 1000, 0x80800, DATA, 512); /* so this is not sent yet */
        driver_ring(&d, 0);
        server_take(f);
        assert_int_equal(f->held_count, 8);
        if (machine)
            vm_reset_devices(&f->vm);
        else
            common_write(&d, 0x14, 1, 0);
        memset(f->ram, 0x5c, FAKE_RAM_BYTES);
        while (f->held_count > 1)
            server_answer(f, 0);
        device_run(f);
        for (unsigned i = 0; i < FAKE_RAM_BYTES; i++)
            assert_int_equal(f->ram[i], 0x5c);
        /* the new driver's requests wait for the last of the old ones */
        assert_int_equal(driver_start(&d, f, UINT64_MAX, 64), 15);
        driver_blk(&d, 0, IN, 2, 0x80000, DATA, 512);
        driver_ring(&d, 0);
        server_take(f);
        assert_int_equal(f->held_count, 1);
        server_answer(f, 0);
        device_run(f);
        server_take(f);
        assert_int_equal(f->held_count, 1);
        server_run(f);
        device_run(f);
        assert_int_equal(f->ram[0x80010], OK);
        assert_memory_equal(f->disk + 1000 * 512, old, 512); /* the unsent write never happened */
        assert_int_equal(f->ops[LEAT_BLK_WRITE], 0);
        end(f);
    }
}

static void test_failed_disk(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 64), 15);
    for (unsigned i = 0; i < 10; i++) /* eight sent, two waiting */
        driver_blk(&d, 0, IN, 0, 0x80000 + i * 128, DATA, 1u << 20);
    driver_ring(&d, 0);
    f->channel->info.state = LEAT_BLK_FAILED;
    device_run(f);
    assert_int_equal(f->ram[0x80000 + 8 * 128 + 16], IOERR);
    assert_int_equal(f->ram[0x80000 + 9 * 128 + 16], IOERR);
    assert_int_equal(f->ram[0x80000 + 16], 0xee);
    f->fail_next = 8; /* the server ends what it has */
    server_run(f);
    device_run(f);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(f->ram[0x80000 + i * 128 + 16], IOERR);
    for (uint16_t head, i = 0; i < 10; i++)
        assert_true(driver_used(&d, 0, &head, &(uint32_t){0}));
    assert_int_equal(driver_do(&d, IN, 0, DATA, 512), IOERR);
    assert_int_equal(driver_do(&d, FLUSH, 0, 0, 0), IOERR);
    f->channel->info.state = LEAT_BLK_READY;
    assert_int_equal(driver_do(&d, IN, 0, DATA, 512), OK);
    end(f);
}

static void test_hostile_server(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        struct fake *f = make(ALL_FEATURES, 512, 1);
        struct driver d;
        assert_int_equal(driver_start(&d, f, UINT64_MAX, 64), 15);
        for (unsigned i = 0; i < 10; i++)
            driver_blk(&d, 0, IN, 0, 0x80000 + i * 128, DATA, way == 3 ? 512 : 1u << 20);
        driver_ring(&d, 0);
        if (way == 0)
            server_complete(f, 200, 0); /* a number that is free */
        else if (way == 1)
            server_complete(f, UINT64_MAX, 0);
        else if (way == 2)
            ((struct leat_ring *)(void *)f->channel->completions)->head = 10000;
        else
            ((struct leat_ring *)(void *)f->channel->requests)->tail = 10000;
        device_run(f);
        if (way == 3) { /* is noticed at the next request */
            driver_blk(&d, 0, IN, 0, 0x80000 + 10 * 128, DATA, 512);
            driver_ring(&d, 0);
        }
        device_run(f);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(f->ram[0x80000 + i * 128 + 16], IOERR);
        for (uint16_t head; driver_used(&d, 0, &head, &(uint32_t){0});)
            ;
        assert_int_equal(driver_do(&d, IN, 0, DATA, 512), IOERR);
        assert_int_equal(common_read(&d, 0x14, 1), 15);
        end(f);
    }
}

static void test_positive_status_is_an_error(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 64), 15);
    driver_blk(&d, 0, IN, 0, 0x80000, DATA, 512);
    driver_ring(&d, 0);
    server_take(f);
    server_complete(f, f->held[0].id, 5);
    device_run(f);
    assert_int_equal(f->ram[0x80010], IOERR);
    end(f);
}

/* Each garbage queue ends in NEEDS_RESET with a configuration interrupt; then a reset heals it. */
static void test_needs_reset(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 2);
    static const struct driver_buffer no_status[] = {{0xf0000, 16, false}};
    static const struct driver_buffer short_header[] = {{0xf0000, 15, false}, {0xf0100, 1, true}};
    static const struct driver_buffer no_header[] = {{0xf0000, 512, true}};
    static const struct driver_buffer outside[] = {{UINT64_MAX - 3, 16, false}, {0xf0100, 1, true}};
    static const struct driver_buffer order[] = {{0xf0100, 1, true}, {0xf0000, 16, false}};
    static const struct {
        const struct driver_buffer *buffers;
        unsigned count;
    } cases[] = {{no_status, 1}, {short_header, 2}, {no_header, 1}, {outside, 2}, {order, 2}};
    for (unsigned i = 0; i < 5; i++) {
        struct driver d;
        assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
        driver_blk(&d, 1, IN, 0, 0x80000, DATA, 4096);
        driver_ring(&d, 1); /* under way when the other queue breaks */
        unsigned before = f->msi_count[0];
        driver_add(&d, 0, cases[i].buffers, cases[i].count, 0);
        driver_ring(&d, 0);
        assert_int_equal(common_read(&d, 0x14, 1), 15 | 64);
        assert_int_equal(f->msi_count[0], before + 1);
        assert_int_equal(f->doorbell_port[1], 0);
        driver_ring(&d, 1); /* nothing works now, and nothing breaks */
        common_write(&d, 0x14, 1, 15);
        assert_int_equal(common_read(&d, 0x14, 1), 15 | 64);
        server_run(f);
        device_run(f);
        assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
        assert_int_equal(driver_do(&d, IN, 0, DATA, 4096), OK);
    }
    assert_int_equal(f->log_lines, 5);
    /* a queue that cannot be */
    struct driver d;
    driver_enable_pci(&d, f);
    common_write(&d, 0x14, 1, 0);
    common_write(&d, 0x14, 1, 3);
    common_write(&d, 8, 4, 1);
    common_write(&d, 12, 4, 1);
    common_write(&d, 0x14, 1, 11);
    common_write(&d, 0x18, 2, 7);
    common_write(&d, 0x1c, 2, 1);
    common_write(&d, 0x14, 1, 15);
    assert_int_equal(common_read(&d, 0x14, 1), 15 | 64);
    end(f);
}

static void test_features_are_checked(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
    struct driver d;
    driver_enable_pci(&d, f);
    common_write(&d, 0x14, 1, 3);
    common_write(&d, 0x14, 1, 11); /* no VERSION_1 */
    assert_int_equal(common_read(&d, 0x14, 1), 3);
    common_write(&d, 8, 4, 1);
    common_write(&d, 12, 4, 0x80000001); /* not offered */
    common_write(&d, 0x14, 1, 11);
    assert_int_equal(common_read(&d, 0x14, 1), 3);
    common_write(&d, 0x14, 1, 15); /* DRIVER_OK without FEATURES_OK */
    assert_int_equal(common_read(&d, 0x14, 1), 3);
    common_write(&d, 12, 4, 1);
    common_write(&d, 0x14, 1, 11);
    assert_int_equal(common_read(&d, 0x14, 1), 11);
    common_write(&d, 12, 4, 0); /* too late */
    assert_int_equal(common_read(&d, 12, 4), 1);
    common_write(&d, 0x10, 2, 9); /* no such vector */
    assert_int_equal(common_read(&d, 0x10, 2), 0xffff);
    common_write(&d, 0x16, 2, 5); /* no such queue */
    assert_int_equal(common_read(&d, 0x18, 2), 0);
    common_write(&d, 0x18, 2, 16);
    common_write(&d, 0x1c, 2, 1);
    end(f);
}

/* virtio 1.2, 4.1.4.9: registers through configuration space, before the BARs are mapped. */
static void test_config_access_capability(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
    unsigned cap = cfg_read(f, FAKE_SLOT, 0x34, 1);
    while (cfg_read(f, FAKE_SLOT, cap, 1) != 9 || cfg_read(f, FAKE_SLOT, cap + 3, 1) != 5)
        cap = cfg_read(f, FAKE_SLOT, cap + 1, 1);
    cfg_write(f, FAKE_SLOT, cap + 4, 1, 4);
    cfg_write(f, FAKE_SLOT, cap + 8, 4, 0x200);
    cfg_write(f, FAKE_SLOT, cap + 12, 4, 4);
    assert_int_equal(cfg_read(f, FAKE_SLOT, cap + 16, 4), DISK_BYTES / 512);
    cfg_write(f, FAKE_SLOT, cap + 8, 4, 0x14);
    cfg_write(f, FAKE_SLOT, cap + 12, 4, 1);
    cfg_write(f, FAKE_SLOT, cap + 16, 1, 3);
    assert_int_equal(cfg_read(f, FAKE_SLOT, cap + 16, 1), 3);
    static const uint32_t bad[][3] = {{4, 0xffffffff, 1}, {4, 4094, 4}, {4, 1, 2}, {4, 0, 3},
                                      {4, 0, 0},          {9, 0, 4},    {2, 0, 4}, {4, 4096, 1}};
    for (unsigned i = 0; i < 8; i++) {
        cfg_write(f, FAKE_SLOT, cap + 4, 1, bad[i][0]);
        cfg_write(f, FAKE_SLOT, cap + 8, 4, bad[i][1]);
        cfg_write(f, FAKE_SLOT, cap + 12, 4, bad[i][2]);
        cfg_read(f, FAKE_SLOT, cap + 16, 4);
        cfg_write(f, FAKE_SLOT, cap + 16, 4, 0xffffffff);
    }
    end(f);
}

static void test_disk_is_not_ready(void **state)
{
    (void)state;
    struct fake f;
    fake_init(&f, DISK_BYTES, 512, 0);
    f.channel->info.state = LEAT_BLK_CONNECTING;
    assert_int_equal(virtio_disk_attach(&f.vm, &f.entry, FAKE_SLOT, 1), LEAT_EAGAIN);
    f.channel->info.state = LEAT_BLK_FAILED;
    assert_int_equal(virtio_disk_attach(&f.vm, &f.entry, FAKE_SLOT, 1), LEAT_EIO);
    f.channel->info.state = LEAT_BLK_READY;
    f.channel->info.block_size = 513;
    assert_int_equal(virtio_disk_attach(&f.vm, &f.entry, FAKE_SLOT, 1), LEAT_EPROTO);
    f.channel->info.block_size = 512;
    assert_int_equal(virtio_disk_attach(&f.vm, &f.entry, FAKE_SLOT, 5), LEAT_EINVAL);
    f.entry.size--;
    assert_int_equal(virtio_disk_attach(&f.vm, &f.entry, FAKE_SLOT, 1), LEAT_EINVAL);
    f.entry.size++;
    f.channel->info.size_bytes += 100; /* a part of a block is not on the disk */
    memset(f.channel->info.why, 'x', sizeof(f.channel->info.why));
    f.channel->info.why[3] = '\n';
    struct blk_client_info info;
    assert_int_equal(virtio_disk_info(&f.entry, &info), LEAT_OK);
    assert_int_equal(info.size_bytes, DISK_BYTES);
    assert_int_equal(strlen(info.why), 159);
    assert_int_equal(info.why[3], '?');
    assert_int_equal(virtio_disk_attach(&f.vm, &f.entry, FAKE_SLOT, 1), LEAT_OK);
    fake_free(&f);
}

static void test_size_changes(void **state)
{
    (void)state;
    struct fake *f = make(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 16), 15);
    unsigned generation = common_read(&d, 0x15, 1);
    f->channel->info.size_bytes = 1 << 20;
    device_run(f);
    assert_int_equal(f->msi_count[0], 1);
    assert_int_equal(common_read(&d, 0x15, 1), (generation + 1) & 0xff);
    assert_int_equal(bus_read(&f->vm.mmio, d.config, 8), (1 << 20) / 512);
    assert_int_equal(driver_do(&d, IN, (1 << 20) / 512, DATA, 512), IOERR);
    device_run(f);
    assert_int_equal(f->msi_count[0], 1);
    end(f);
}

/* -- a random workload against a model -- */

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
        fill(f, fl->data, bytes, next_random());
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
    struct fake *f = make(ALL_FEATURES, 512, 1 + seed % 4);
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
    end(f);
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
        cmocka_unit_test(test_every_request),
        cmocka_unit_test(test_config_space),
        cmocka_unit_test(test_unaligned_and_beyond),
        cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_write_through),
        cmocka_unit_test(test_errors_of_the_server),
        cmocka_unit_test(test_long_requests_are_cut),
        cmocka_unit_test(test_scattered_buffers),
        cmocka_unit_test(test_many_in_flight),
        cmocka_unit_test(test_data_area_runs_out),
        cmocka_unit_test(test_more_chains_than_slots),
        cmocka_unit_test(test_one_interrupt_for_a_batch),
        cmocka_unit_test(test_intx_until_isr_is_read),
        cmocka_unit_test(test_reset_forgets_what_is_under_way),
        cmocka_unit_test(test_failed_disk),
        cmocka_unit_test(test_hostile_server),
        cmocka_unit_test(test_positive_status_is_an_error),
        cmocka_unit_test(test_needs_reset),
        cmocka_unit_test(test_features_are_checked),
        cmocka_unit_test(test_config_access_capability),
        cmocka_unit_test(test_disk_is_not_ready),
        cmocka_unit_test(test_size_changes),
        cmocka_unit_test(test_random_workload),
        cmocka_unit_test(test_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
