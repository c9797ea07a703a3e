// SPDX-License-Identifier: BSD-2-Clause
/* Our virtio-blk driver (drivers/block) on our virtio-blk device (vmm/virtio): each was written from the specification, with
   numbers of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/block/virtio_blk.h"
#include "virtio_disk_fake.h"

#define DMA_AT (2u << 20)
#define DATA_AT ((4u << 20) + 4) /* on no page's beginning */

static struct fake *fake;
static uint8_t *state;
static uint64_t now;
static unsigned done_ok, done_bad;
static const struct block_driver *const driver = &block_driver_virtio_blk;

static struct bus *bus_of(unsigned region)
{
    return cfg_read(fake, FAKE_SLOT, 0x10 + 4 * region, 4) & 1 ? &fake->vm.ports : &fake->vm.mmio;
}

static uint64_t reg_read(void *context, unsigned region, uint32_t offset, unsigned bytes)
{
    (void)context;
    return bus_read(bus_of(region), bar_address(fake, region) + offset, bytes);
}

static void reg_write(void *context, unsigned region, uint32_t offset, unsigned bytes,
                      uint64_t value)
{
    (void)context;
    bus_write(bus_of(region), bar_address(fake, region) + offset, bytes, value);
}

static uint32_t region_bytes(void *context, unsigned region)
{
    static const uint32_t bytes[] = {16, 0, 4096, 0, 4096, 0}; /* vmm/virtio/pci.h */

    (void)context;
    return bytes[region];
}

static uint32_t config_read(void *context, uint32_t offset)
{
    (void)context;
    return cfg_read(fake, FAKE_SLOT, offset, 4);
}

static void run_device(void)
{
    server_run(fake);
    device_run(fake);
}

static void delay_us(void *context, uint32_t us)
{
    (void)context;
    now += us * 1000ull;
    run_device();
}

static uint64_t now_ns(void *context)
{
    (void)context;
    return now += 100;
}

static void log_line(void *context, const char *line)
{
    (void)context;
    print_message("%s\n", line);
}

static int setup(void **test_state)
{
    (void)test_state;
    const struct block_platform platform = {NULL,        reg_read, reg_write, region_bytes,
                                            config_read, delay_us, now_ns,    log_line};

    fake = fake_with_disk(ALL_FEATURES, 512, 1);
    const struct block_dma dma = {fake->ram + DMA_AT, DMA_AT, driver->dma_bytes};
    cfg_write(fake, FAKE_SLOT, 4, 2, 7);
    state = aligned_alloc(16, (driver->state_bytes + 15) & ~(size_t)15);
    memset(state, 0, driver->state_bytes);
    done_ok = done_bad = 0;
    return driver->start(state, &platform, &dma);
}

static int teardown(void **test_state)
{
    (void)test_state;
    driver->stop(state);
    free(state);
    fake_end(fake);
    return 0;
}

static void on_done(struct block_command *command, bool is_ok)
{
    (void)command;
    done_ok += is_ok;
    done_bad += !is_ok;
}

static void submit(struct block_command *command, enum block_op op, uint64_t lba, uint32_t sectors,
                   uint32_t offset)
{
    *command = (struct block_command){.op = (uint8_t)op,
                                      .lba = lba,
                                      .sectors = sectors,
                                      .data = fake->ram + DATA_AT + offset,
                                      .data_hpa = DATA_AT + offset,
                                      .done = on_done};
    assert_int_equal(driver->submit(state, 0, command), LEAT_OK);
}

/* By interrupts: the line is up until the driver has looked. */
static void wait(unsigned count)
{
    for (unsigned i = 0; i < 1000 && done_ok + done_bad < count; i++) {
        run_device();
        for (unsigned gsi = 0; gsi < 24; gsi++) {
            if (fake->line[gsi]) {
                assert_true(driver->interrupt(state));
                assert_false(fake->line[gsi]);
            }
        }
    }
    assert_int_equal(done_ok + done_bad, count);
}

static void the_unit_is_the_disk(void **test_state)
{
    (void)test_state;
    const struct block_device_info *info = driver->info(state, 0);

    assert_int_equal(info->sectors, DISK_BYTES / 512);
    assert_int_equal(info->sector_bytes, 512);
    assert_string_equal(info->serial, "disk-with-a-rather-l");
    assert_true(info->has_write_cache);
    assert_true(info->max_discard_sectors > 0);
    assert_int_equal(info->max_sectors, VIRTIO_BLK_TRANSFER_BYTES / 512);
}

static void data_come_and_go(void **test_state)
{
    (void)test_state;
    static struct block_command commands[100];

    for (unsigned i = 0; i < 100; i++)
        submit(&commands[i], BLOCK_READ, i * 16, 16, i * 8192);
    wait(100);
    assert_memory_equal(fake->ram + DATA_AT, fake->disk, 100 * 8192);
    fake_fill(fake, DATA_AT, 100 * 8192, 5);
    for (unsigned i = 0; i < 100; i++)
        submit(&commands[i], BLOCK_WRITE, 2000 + i * 16, 16, i * 8192);
    wait(200);
    assert_memory_equal(fake->ram + DATA_AT, fake->disk + 2000 * 512, 100 * 8192);
    submit(&commands[0], BLOCK_WRITE, 7, VIRTIO_BLK_TRANSFER_BYTES / 512, 0);
    wait(201);
    assert_memory_equal(fake->ram + DATA_AT, fake->disk + 7 * 512, VIRTIO_BLK_TRANSFER_BYTES);
    assert_int_equal(done_bad, 0);
}

static void flush_fua_and_discard(void **test_state)
{
    (void)test_state;
    struct block_command command;

    submit(&command, BLOCK_FLUSH, 0, 0, 0);
    wait(1);
    assert_int_equal(fake->ops[LEAT_BLK_FLUSH], 1);
    submit(&command, BLOCK_DISCARD, 8, 16, 0);
    wait(2);
    assert_int_equal(fake->ops[LEAT_BLK_DISCARD], 1);
    assert_int_equal(fake->disk[8 * 512 + 1] | fake->disk[23 * 512 + 1], 0);
    assert_int_not_equal(fake->disk[24 * 512 + 1], 0);
    assert_int_equal(done_bad, 0);
}

static void an_error_is_repeated(void **test_state)
{
    (void)test_state;
    struct block_command command;

    fake->fail_next = 1;
    submit(&command, BLOCK_READ, 0, 8, 0);
    run_device();
    driver->interrupt(state);
    assert_int_equal(done_ok, 0);
    now += 200000000;
    driver->tick(state);
    wait(1);
    assert_int_equal(done_ok, 1);
    assert_int_equal(driver->counters(state)->repeated, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_unit_is_the_disk),
        TEST(data_come_and_go),
        TEST(flush_fua_and_discard),
        TEST(an_error_is_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
