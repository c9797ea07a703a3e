// SPDX-License-Identifier: BSD-2-Clause
/* drivers/block: the AHCI driver against a model of the controller: finding disks, moving data. */
#include "ahci_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/block/match.h"

/* ---- finding ---- */

static void ahci_controllers_are_known(void **state)
{
    (void)state;
    struct block_pci_id id = {0x8086, 0x2922, 0x010601};

    assert_string_equal(block_match_find(&id)->driver, driver->name);
    assert_int_equal(block_match_find(&id)->bars, 0x20);
    id.class_code = 0x010600; /* SATA, but not AHCI */
    assert_null(block_match_find(&id));
}

static void start_finds_disks_and_leaves_the_rest(void **state)
{
    (void)state;
    ahci_model_add_disk(&model, 5, 100, 0);
    model.ports[1].is_there = model.ports[1].is_packet = true;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(driver->unit_count(&ahci), 6);
    const struct block_device_info *info = driver->info(&ahci, UNIT);
    assert_string_equal(info->model, "MODEL DISK");
    assert_string_equal(info->serial, "S-0815");
    assert_int_equal(info->sectors, SECTORS);
    assert_int_equal(info->queue_depth, 32);
    assert_int_equal(info->max_sectors, 2048);
    assert_true(info->has_write_cache);
    assert_true(port->words[ATA_ID_ENABLED_85] & 0x20);
    assert_int_equal(driver->info(&ahci, 5)->queue_depth, 1);
    for (unsigned i = 0; i < 8; i++) {
        if (i == UNIT || i == 5)
            continue;
        struct world_command wc;
        assert_null(driver->info(&ahci, i));
        world_command(&world, &wc, BLOCK_READ, 0, 1, 0);
        assert_int_equal(driver->submit(&ahci, i, &wc.command), LEAT_EIO);
    }
    assert_int_equal(model.ports[1].commands[ATA_IDENTIFY_DEVICE], 0);
    assert_int_equal(model.bohc, AHCI_BOHC_SYSTEM);
    assert_true(world.now_ns < 200 * 1000000ull);
}

static void the_smaller_queue_counts(void **state)
{
    (void)state;
    port->words[ATA_ID_QUEUE_DEPTH] = 30;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(driver->info(&ahci, UNIT)->queue_depth, 31);
    model.cap = AHCI_CAP_NCQ | 3u << AHCI_CAP_SLOTS_SHIFT;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(driver->info(&ahci, UNIT)->queue_depth, 4);
    model.cap = 31u << AHCI_CAP_SLOTS_SHIFT;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(driver->info(&ahci, UNIT)->queue_depth, 1);
    assert_true(simple(BLOCK_WRITE, 0, 1));
    assert_int_equal(port->commands[ATA_WRITE_DMA_EXT], 1);
}

static void bad_controllers_are_refused(void **state)
{
    (void)state;
    struct block_platform platform = ahci_model_platform(&model);
    struct block_dma dma = world_dma(&world);

    dma.size--;
    assert_int_equal(driver->start(&ahci, &platform, &dma), LEAT_EINVAL);
    model.region_bytes = 0x100;
    assert_int_equal(start(), LEAT_EINVAL);
    model.region_bytes = 0x200; /* two ports; the controller says six */
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(driver->unit_count(&ahci), 2);
    model.region_bytes = 0x1100;
    model.pi = UINT32_MAX;
    model.firmware_clings = true;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(driver->unit_count(&ahci), 32);
    model.reset_hangs = true;
    assert_int_equal(start(), LEAT_EIO);
    assert_null(driver->info(&ahci, UNIT));
    model.is_gone = true;
    assert_int_equal(start(), LEAT_EIO);
    driver->stop(&ahci);
}

static void start_ends_in_time_whatever_the_ports_do(void **state)
{
    (void)state;
    model.pi = UINT32_MAX;
    for (unsigned i = 0; i < 32; i++) {
        if (i != UNIT)
            ahci_model_add_disk(&model, i, 100, 32);
        model.ports[i].stays_busy = i % 2;
        model.ports[i].engine_sticks = i % 3 == 0;
    }
    uint64_t before = world.now_ns;
    start();
    assert_true(world.now_ns - before < BLOCK_START_LIMIT_MS * 1000000ull);
}

static void a_link_that_comes_up_slowly_is_waited_for(void **state)
{
    (void)state;
    port->link_waits = 4000; /* of 100 us */
    assert_int_equal(start(), LEAT_OK);
    assert_non_null(driver->info(&ahci, UNIT));
    ahci_model_add_disk(&model, 0, 100, 32);
    model.ports[0].link_waits = UINT32_MAX; /* one that never talks costs a second, once */
    model.ports[1] = model.ports[0];
    model.ports[1].disk = (struct world_disk){0};
    uint64_t before = world.now_ns;
    assert_int_equal(start(), LEAT_OK);
    assert_in_range(world.now_ns - before, 1000 * 1000000ull, 1300 * 1000000ull);
    assert_null(driver->info(&ahci, 0));
    assert_non_null(driver->info(&ahci, UNIT));
}

/* ---- data ---- */

static void data_moves_to_and_fro_at_any_size_and_place(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 128, 129, 257, 2047, 2048};
    uint8_t *bytes = malloc(2048 * 512);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (uint32_t offset = 0; offset <= 4096; offset += 4 * 331) {
            struct world_command wc;
            uint32_t size = sizes[i] * 512;
            world_fill(bytes, size, sizes[i] + offset);
            memcpy(world.data + offset, bytes, size);
            world_command(&world, &wc, BLOCK_WRITE, SECTORS - sizes[i], sizes[i], offset);
            assert_true(run(&wc, UNIT, 5000));
            memset(world.data, 0xcc, WORLD_DATA_BYTES);
            world_command(&world, &wc, BLOCK_READ, SECTORS - sizes[i], sizes[i], offset);
            assert_true(run(&wc, UNIT, 5000));
            assert_memory_equal(world.data + offset, bytes, size);
            assert_int_equal(world.data[offset + size], 0xcc);
        }
    }
    free(bytes);
    assert_int_equal(port->commands[ATA_WRITE_DMA_EXT], 0);
}

static void many_commands_are_under_way_at_a_time(void **state)
{
    (void)state;
    struct world_command wc[100];

    submit_many(wc, 100, BLOCK_WRITE);
    assert_int_equal(port->ci, UINT32_MAX);
    assert_int_equal(port->sact, UINT32_MAX);
    pump(100, 1000);
    assert_int_equal(world.done_ok, 100);
    assert_memory_equal(port->disk.now, world.data, 100 * 1024);
    assert_int_equal(driver->tick(&ahci), UINT64_MAX);
    assert_int_equal(driver->counters(&ahci)->lost_interrupts, 0);
}

static void flush_and_discard_run_alone(void **state)
{
    (void)state;
    struct world_command wc[40], flush, discard;

    submit_many(wc, 20, BLOCK_WRITE);
    world_command(&world, &flush, BLOCK_FLUSH, 0, 0, 0);
    assert_int_equal(driver->submit(&ahci, UNIT, &flush.command), LEAT_OK);
    world_command(&world, &discard, BLOCK_DISCARD, 500, 77, 0);
    assert_int_equal(driver->submit(&ahci, UNIT, &discard.command), LEAT_OK);
    submit_many(wc + 20, 20, BLOCK_READ); /* the model would see one beside the flush */
    pump(42, 1000);
    assert_int_equal(world.done_ok, 42);
    assert_int_equal(port->disk.flushes, 1);
    assert_int_equal(port->disk.discarded, 77);
    assert_memory_equal(port->disk.durable, world.data, 20 * 1024);
}

static void fua_makes_durable(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) { /* with NCQ or without, with FUA or without */
        bool has_fua = way & 1;
        struct world_command wc;
        port->words[ATA_ID_SUPPORTED_84] = has_fua ? 0x4040 : 0x4000;
        port->words[ATA_ID_SERIAL_ATA] = way & 2 ? 0x100 : 0;
        assert_int_equal(start(), LEAT_OK);
        unsigned flushes = port->disk.flushes;
        world_fill(world.data, 512, 90 + way);
        world_command(&world, &wc, BLOCK_WRITE, 4, 1, 0);
        wc.command.fua = true;
        assert_true(run(&wc, UNIT, 5000));
        assert_memory_equal(port->disk.durable + 4 * 512, world.data, 512);
        assert_int_equal(port->disk.flushes - flushes, !has_fua);
    }
}

static void without_a_cache_a_flush_is_nothing(void **state)
{
    (void)state;
    port->words[ATA_ID_SUPPORTED_83] = 0x4400;
    assert_int_equal(start(), LEAT_OK);
    assert_true(simple(BLOCK_FLUSH, 0, 0));
    assert_int_equal(port->commands[ATA_FLUSH_CACHE_EXT] + port->commands[ATA_FLUSH_CACHE], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ahci_controllers_are_known),
        T(start_finds_disks_and_leaves_the_rest),
        T(the_smaller_queue_counts),
        T(bad_controllers_are_refused),
        T(start_ends_in_time_whatever_the_ports_do),
        T(a_link_that_comes_up_slowly_is_waited_for),
        TS(data_moves_to_and_fro_at_any_size_and_place),
        TS(many_commands_are_under_way_at_a_time),
        TS(flush_and_discard_run_alone),
        TS(fua_makes_durable),
        TS(without_a_cache_a_flush_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
