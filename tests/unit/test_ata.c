// SPDX-License-Identifier: BSD-2-Clause
/* drivers/block: the IDE driver against a model of the controller: finding disks, moving data. */
#include "ata_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/block/match.h"

/* ---- finding ---- */

static void compatible_ide_controllers_are_known(void **state)
{
    (void)state;
    struct block_pci_id id = {0x8086, 0x7010, 0x010180};

    assert_string_equal(block_match_find(&id)->driver, driver->name);
    id.class_code = 0x010185; /* native mode */
    assert_null(block_match_find(&id));
    id.class_code = 0x020000;
    assert_null(block_match_find(&id));
}

static void start_finds_disks_and_leaves_the_rest(void **state)
{
    (void)state;
    ata_model_add_disk(&model, 2, 100, false);
    model.channels[1].disks[1].is_there = model.channels[1].disks[1].is_packet = true;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(driver->unit_count(&ata), 4);
    const struct block_device_info *info = driver->info(&ata, 0);
    assert_string_equal(info->model, "MODEL DISK");
    assert_string_equal(info->serial, "S-0815");
    assert_string_equal(info->firmware, "1.0");
    assert_int_equal(info->sectors, SECTORS);
    assert_int_equal(info->sector_bytes, 512);
    assert_int_equal(info->max_sectors, 2048);
    assert_true(info->has_write_cache);
    assert_false(info->has_fua);
    assert_true(disk->has_cache_on);
    assert_int_equal(disk->transfer_mode, 0); /* firmware's stays */
    assert_null(driver->info(&ata, 1));
    assert_int_equal(driver->info(&ata, 2)->max_sectors, 256);
    assert_int_equal(driver->info(&ata, 2)->max_discard_sectors, 0);
    assert_null(driver->info(&ata, 3));
    assert_null(driver->info(&ata, 4));
    assert_int_equal(model.channels[1].disks[1].commands[ATA_IDENTIFY_DEVICE], 0);
    assert_true(world.now_ns < 100 * 1000000ull);
    assert_false(ata_model_irq(&model));
}

static void a_disk_without_a_mode_gets_one(void **state)
{
    (void)state;
    disk->words[ATA_ID_ULTRA_DMA] = 0x3f;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(disk->transfer_mode, 0x22);
    assert_true(ata.channels[0].devices[0].uses_dma);
    assert_true(simple(BLOCK_READ, 0, 1));
    assert_int_equal(disk->commands[ATA_READ_DMA_EXT], 1);
}

static void a_cache_that_cannot_be_flushed_is_switched_off(void **state)
{
    (void)state;
    disk->words[ATA_ID_SUPPORTED_83] = 0x4400;
    disk->words[ATA_ID_ENABLED_85] = 0x20;
    disk->has_cache_on = true;
    assert_int_equal(start(), LEAT_OK);
    assert_false(disk->has_cache_on);
    assert_false(driver->info(&ata, 0)->has_write_cache);
    assert_true(simple(BLOCK_FLUSH, 0, 0));
    assert_int_equal(disk->commands[ATA_FLUSH_CACHE], 0);
    assert_int_equal(disk->commands[ATA_FLUSH_CACHE_EXT], 0);
}

static void absurd_disks_are_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned word;
        uint16_t value;
    } cases[] = {
        {ATA_ID_GENERAL, 0x8000},     {ATA_ID_CAPABILITIES, 0x100},
        {ATA_ID_SECTORS_48 + 3, 1},   {ATA_ID_SECTOR_SIZE, 0x5000}, /* and a size of 0 */
        {ATA_ID_SECTOR_SIZE, 0x600f},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t before = disk->words[cases[i].word];
        disk->words[cases[i].word] = cases[i].value;
        assert_int_equal(start(), LEAT_OK);
        if (cases[i].value == 0x600f) /* physical sectors of 16 MiB are odd, not wrong */
            assert_int_equal(driver->info(&ata, 0)->physical_bytes, 512 << 15);
        else
            assert_null(driver->info(&ata, 0));
        disk->words[cases[i].word] = before;
    }
    memset(disk->words + ATA_ID_SECTORS_48, 0, 8);
    assert_int_equal(start(), LEAT_OK);
    assert_null(driver->info(&ata, 0));
    srand(1);
    for (unsigned round = 0; round < 3000; round++) { /* whatever it says: no crash, no bad size */
        for (unsigned i = 0; i < 256; i++)
            disk->words[i] = (uint16_t)rand();
        disk->words[0] &= 0x7fff;
        disk->words[ATA_ID_CAPABILITIES] |= 0x300;
        start();
        const struct block_device_info *info = driver->info(&ata, 0);
        if (info) {
            assert_in_range(info->sector_bytes, 512, 4096);
            assert_in_range(info->max_sectors * info->sector_bytes, 65536, ATA_MAX_BYTES);
        }
    }
}

static void a_cable_without_disks_costs_little_time(void **state)
{
    (void)state;
    disk->is_there = false;
    assert_int_equal(start(), LEAT_OK);
    for (unsigned i = 0; i < 4; i++)
        assert_null(driver->info(&ata, i));
    assert_true(world.now_ns < 10 * 1000000ull);
    model.channels[0].disks[0].is_there = true;
    model.channels[0].is_never_idle = true;
    assert_int_equal(start(), LEAT_OK);
    assert_null(driver->info(&ata, 0));
    assert_true(world.now_ns < BLOCK_START_LIMIT_MS * 1000000ull);
    model.is_gone = true;
    assert_int_equal(start(), LEAT_OK);
    assert_null(driver->info(&ata, 0));
}

static void what_the_user_gives_is_checked(void **state)
{
    (void)state;
    struct block_platform platform = ata_model_platform(&model);
    struct block_dma dma = world_dma(&world);
    dma.size = ATA_DMA_BYTES - 1;
    assert_int_equal(driver->start(&ata, &platform, &dma), LEAT_EINVAL);
    dma.size = ATA_DMA_BYTES;
    dma.hpa = 0xfffff000;
    assert_int_equal(driver->start(&ata, &platform, &dma), LEAT_EINVAL);
    assert_int_equal(start(), LEAT_OK);

    const struct {
        uint8_t op;
        uint64_t lba;
        uint32_t sectors, offset;
        int error;
    } cases[] = {
        {BLOCK_READ, 0, 0, 0, LEAT_EINVAL},
        {BLOCK_READ, 0, 2049, 0, LEAT_EINVAL},
        {BLOCK_READ, 0, 1, 2, LEAT_EINVAL},
        {BLOCK_READ, SECTORS, 1, 0, LEAT_ERANGE},
        {BLOCK_WRITE, SECTORS - 1, 2, 0, LEAT_ERANGE},
        {BLOCK_WRITE, UINT64_MAX, 2, 0, LEAT_ERANGE},
        {BLOCK_FLUSH, 1, 0, 0, LEAT_EINVAL},
        {BLOCK_DISCARD, 0, ATA_TRIM_MAX_SECTORS + 1, 0, LEAT_EINVAL},
        {BLOCK_DISCARD, SECTORS, 1, 0, LEAT_ERANGE},
        {4, 0, 1, 0, LEAT_EINVAL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world_command wc;
        world_command(&world, &wc, cases[i].op, cases[i].lba, cases[i].sectors, cases[i].offset);
        assert_int_equal(driver->submit(&ata, 0, &wc.command), cases[i].error);
        assert_int_equal(driver->submit(&ata, 1, &wc.command), LEAT_EIO);
        assert_int_equal(driver->submit(&ata, 99, &wc.command), LEAT_EIO);
        assert_int_equal(wc.ends, 0);
    }
}

/* ---- data ---- */

static void write_and_read_back(uint32_t sectors, uint32_t offset, uint64_t lba, unsigned unit)
{
    struct world_command wc;
    uint8_t *bytes = malloc(sectors * 512);

    world_fill(bytes, sectors * 512, sectors + offset);
    memcpy(world.data + offset, bytes, sectors * 512);
    world_command(&world, &wc, BLOCK_WRITE, lba, sectors, offset);
    assert_true(run(&wc, unit, 5000));
    struct world_disk *d = &model.channels[unit / 2].disks[unit % 2].disk;
    assert_memory_equal(d->now + lba * 512, bytes, sectors * 512);
    memset(world.data, 0xcc, WORLD_DATA_BYTES);
    world_command(&world, &wc, BLOCK_READ, lba, sectors, offset);
    assert_true(run(&wc, unit, 5000));
    assert_memory_equal(world.data + offset, bytes, sectors * 512);
    assert_int_equal(world.data[offset + sectors * 512], 0xcc);
    free(bytes);
}

static void data_moves_to_and_fro_at_any_size_and_place(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 127, 128, 129, 255, 256, 257, 2047, 2048};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (uint32_t offset = 0; offset <= 4096; offset += 4 * 331)
            write_and_read_back(sizes[i], offset, SECTORS - sizes[i], 0);
    }
    assert_int_equal(disk->commands[ATA_READ_DMA], 0);
}

static void small_disks_take_28_bits(void **state)
{
    (void)state;
    ata_model_add_disk(&model, 3, 1000, false);
    assert_int_equal(start(), LEAT_OK);
    write_and_read_back(256, 0, 100, 3);
    write_and_read_back(1, 8, 999, 3);
    assert_int_equal(model.channels[1].disks[1].commands[ATA_WRITE_DMA], 2);
}

static void without_dma_the_cpu_moves_the_data(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 256, 2048};

    for (unsigned way = 0; way < 2; way++) { /* the controller has none, or the disk */
        model.has_bus_mastering = way == 1;
        disk->words[ATA_ID_CAPABILITIES] = way == 1 ? 0x200 : 0x300;
        assert_int_equal(start(), LEAT_OK);
        assert_int_equal(driver->info(&ata, 0)->max_discard_sectors, 0);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            write_and_read_back(sizes[i], 12, 5, 0);
        assert_int_equal(disk->commands[ATA_READ_DMA_EXT], 0);
        assert_int_equal(driver->counters(&ata)->resets, 0);
        assert_true(simple(BLOCK_FLUSH, 0, 0));
        assert_int_equal(disk->disk.flushes, way + 1);
    }
}

static void a_burst_ends_in_order_on_each_channel(void **state)
{
    (void)state;
    struct world_command wc[60];

    ata_model_add_disk(&model, 1, SECTORS, true);
    ata_model_add_disk(&model, 3, SECTORS, true);
    assert_int_equal(start(), LEAT_OK);
    for (unsigned i = 0; i < 60; i++) {
        static const unsigned units[] = {0, 1, 3};
        world_fill(world.data + i * 1024, 1024, i);
        world_command(&world, &wc[i], BLOCK_WRITE, 2 * i, 2, i * 1024);
        assert_int_equal(driver->submit(&ata, units[i % 3], &wc[i].command), LEAT_OK);
    }
    pump(60, 1000);
    assert_int_equal(world.done_ok, 60);
    for (unsigned i = 0; i < 60; i++) {
        static const unsigned units[] = {0, 1, 3};
        unsigned unit = units[i % 3];
        assert_memory_equal(model.channels[unit / 2].disks[unit % 2].disk.now + i * 1024,
                            world.data + i * 1024, 1024);
    }
    assert_int_equal(driver->tick(&ata), UINT64_MAX);
    assert_int_equal(driver->counters(&ata)->lost_interrupts, 0);
}

static void flush_and_fua_make_durable(void **state)
{
    (void)state;
    struct world_command wc;

    world_fill(world.data, 512, 7);
    assert_true(simple(BLOCK_WRITE, 3, 1));
    assert_memory_not_equal(disk->disk.durable + 3 * 512, world.data, 512);
    assert_true(simple(BLOCK_FLUSH, 0, 0));
    assert_memory_equal(disk->disk.durable + 3 * 512, world.data, 512);

    for (unsigned has_fua = 0; has_fua < 2; has_fua++) {
        disk->words[ATA_ID_SUPPORTED_84] = has_fua ? 0x4040 : 0x4000;
        assert_int_equal(start(), LEAT_OK);
        assert_int_equal(driver->info(&ata, 0)->has_fua, has_fua);
        unsigned flushes = disk->disk.flushes;
        world_fill(world.data, 512, 9 + has_fua);
        world_command(&world, &wc, BLOCK_WRITE, 4, 1, 0);
        wc.command.fua = true;
        assert_true(run(&wc, 0, 5000));
        assert_memory_equal(disk->disk.durable + 4 * 512, world.data, 512);
        assert_int_equal(disk->disk.flushes - flushes, !has_fua);
    }
}

static void discards_name_what_they_mean(void **state)
{
    (void)state;
    assert_true(simple(BLOCK_DISCARD, 10, 20));
    assert_int_equal(disk->disk.discarded, 20);
    assert_true(simple(BLOCK_DISCARD, 0, SECTORS));
    assert_int_equal(disk->disk.discarded, 20 + SECTORS);
    assert_int_equal(disk->disk.discards, 2);
    uint8_t list[ATA_SECTOR];
    uint64_t entry;
    ata_trim_list(list, 5, ATA_TRIM_MAX_SECTORS);
    memcpy(&entry, list + 504, 8);
    assert_int_equal(entry, 0xffffull << 48 | (5 + 63 * 0xffffu));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compatible_ide_controllers_are_known),
        T(start_finds_disks_and_leaves_the_rest),
        T(a_disk_without_a_mode_gets_one),
        T(a_cache_that_cannot_be_flushed_is_switched_off),
        T(absurd_disks_are_refused),
        T(a_cable_without_disks_costs_little_time),
        T(what_the_user_gives_is_checked),
        TS(data_moves_to_and_fro_at_any_size_and_place),
        TS(small_disks_take_28_bits),
        TS(without_dma_the_cpu_moves_the_data),
        TS(a_burst_ends_in_order_on_each_channel),
        TS(flush_and_fua_make_durable),
        TS(discards_name_what_they_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
