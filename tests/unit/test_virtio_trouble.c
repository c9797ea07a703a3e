// SPDX-License-Identifier: BSD-2-Clause
/* The virtio disk when its server fails or lies, when its driver breaks the rules, and when the disk changes. */
#include "virtio_disk_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_failed_disk(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
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
    fake_end(f);
}

static void test_hostile_server(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
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
        fake_end(f);
    }
}

static void test_positive_status_is_an_error(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
    struct driver d;
    assert_int_equal(driver_start(&d, f, UINT64_MAX, 64), 15);
    driver_blk(&d, 0, IN, 0, 0x80000, DATA, 512);
    driver_ring(&d, 0);
    server_take(f);
    server_complete(f, f->held[0].id, 5);
    device_run(f);
    assert_int_equal(f->ram[0x80010], IOERR);
    fake_end(f);
}

/* Each garbage queue ends in NEEDS_RESET with a configuration interrupt; then a reset heals it. */
static void test_needs_reset(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 2);
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
    fake_end(f);
}

static void test_features_are_checked(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
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
    fake_end(f);
}

/* virtio 1.2, 4.1.4.9: registers through configuration space, before the BARs are mapped. */
static void test_config_access_capability(void **state)
{
    (void)state;
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
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
    fake_end(f);
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
    struct fake *f = fake_with_disk(ALL_FEATURES, 512, 1);
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
    fake_end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_disk),
        cmocka_unit_test(test_hostile_server),
        cmocka_unit_test(test_positive_status_is_an_error),
        cmocka_unit_test(test_needs_reset),
        cmocka_unit_test(test_features_are_checked),
        cmocka_unit_test(test_config_access_capability),
        cmocka_unit_test(test_disk_is_not_ready),
        cmocka_unit_test(test_size_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
