// SPDX-License-Identifier: BSD-2-Clause
/* Many requests to the virtio disk at once: nothing is lost when something runs out, how often it interrupts, and what a
   reset forgets. */
#include "virtio_disk_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Requests of `length` bytes until the queue is full; then answers in a scrambled order. */
static void flood(uint32_t length, uint16_t size, unsigned count)
{
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
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
    fake_end(f);
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
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 4);
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
    fake_end(f);
}

static void test_one_interrupt_for_a_batch(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
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
    fake_end(f);
}

static void test_intx_until_isr_is_read(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
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
    fake_end(f);
}

static void test_reset_forgets_what_is_under_way(void **state)
{
    (void)state;
    for (unsigned machine = 0; machine < 2; machine++) {
        struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
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
        fake_end(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_in_flight),
        cmocka_unit_test(test_data_area_runs_out),
        cmocka_unit_test(test_more_chains_than_slots),
        cmocka_unit_test(test_one_interrupt_for_a_batch),
        cmocka_unit_test(test_intx_until_isr_is_read),
        cmocka_unit_test(test_reset_forgets_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
