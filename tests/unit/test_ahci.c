// SPDX-License-Identifier: BSD-2-Clause
/* drivers/block: the AHCI driver against a model of the controller. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ahci_model.h"
#include "drivers/block/ahci.h"
#include "drivers/block/match.h"

#define SECTORS 8192u
#define UNIT 2u
#define ERR ATA_STATUS_ERR

static struct block_world world;
static struct ahci_model model;
static struct ahci ahci;
static const struct block_driver *const driver = &block_driver_ahci;
static struct ahci_model_port *port;

static int start(void)
{
    struct block_platform platform = ahci_model_platform(&model);
    struct block_dma dma = world_dma(&world);
    int error = driver->start(&ahci, &platform, &dma);

    world.log[0] = 0;
    return error;
}

static int setup(void **state)
{
    (void)state;
    world_init(&world, AHCI_DMA_BYTES);
    ahci_model_init(&model, &world);
    ahci_model_add_disk(&model, UNIT, SECTORS, 32);
    port = &model.ports[UNIT];
    return 0;
}

static int setup_started(void **state)
{
    setup(state);
    return start();
}

static int teardown(void **state)
{
    (void)state;
    ahci_model_free(&model);
    world_free(&world);
    return 0;
}

static void pump(unsigned ends, uint32_t ms)
{
    uint64_t until = world.now_ns + ms * 1000000ull;

    while (world.done_ok + world.done_bad < ends && world.now_ns < until) {
        world.now_ns += 100000;
        for (unsigned i = 0; i < 6; i++)
            ahci_model_run_one(&model, i);
        if (ahci_model_irq(&model))
            driver->interrupt(&ahci);
        driver->tick(&ahci);
    }
}

static bool run(struct world_command *wc, unsigned unit, uint32_t ms)
{
    unsigned ends = world.done_ok + world.done_bad + 1;

    assert_int_equal(driver->submit(&ahci, unit, &wc->command), LEAT_OK);
    assert_int_equal(wc->ends, 0);
    pump(ends, ms);
    assert_int_equal(wc->ends, 1);
    return wc->was_ok;
}

static bool simple(uint8_t op, uint64_t lba, uint32_t sectors)
{
    struct world_command wc;

    world_command(&world, &wc, op, lba, sectors, 0);
    return run(&wc, UNIT, 200000);
}

/* Many writes at a time, each its own pattern; how many were submitted. */
static void submit_many(struct world_command *wc, unsigned count, uint8_t op)
{
    for (unsigned i = 0; i < count; i++) {
        if (op == BLOCK_WRITE)
            world_fill(world.data + i * 1024, 1024, i);
        world_command(&world, &wc[i], op, 2 * i, 2, i * 1024);
        assert_int_equal(driver->submit(&ahci, UNIT, &wc[i].command), LEAT_OK);
    }
}

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
        if (i != UNIT && i != 5)
            assert_null(driver->info(&ahci, i));
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

/* ---- faults ---- */

static void fail_next(unsigned count, uint8_t status, uint8_t error)
{
    port->fail_count = count;
    port->fail_status = status;
    port->fail_error = error;
}

static void one_bad_sector_fails_one_of_many(void **state)
{
    (void)state;
    struct world_command wc[30];
    unsigned bad = 0;

    fail_next(1, ERR, ATA_ERROR_UNC);
    submit_many(wc, 30, BLOCK_READ);
    pump(30, 5000);
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(wc[i].ends, 1);
        bad += !wc[i].was_ok;
    }
    assert_int_equal(bad, 1);
    assert_int_equal(port->commands[ATA_READ_LOG_EXT], 1);
    assert_int_equal(driver->counters(&ahci)->resets, 0);
}

static void an_error_without_a_log_counts_for_all(void **state)
{
    (void)state;
    struct world_command wc[10];

    for (unsigned way = 0; way < 2; way++) {
        port->log_is_missing = way == 0;
        port->log_is_wrong = way == 1;
        world.done_ok = world.done_bad = 0;
        fail_next(1, ERR, ATA_ERROR_UNC);
        submit_many(wc, 10, BLOCK_READ);
        pump(10, 5000);
        assert_int_equal(world.done_ok, 10); /* repeated, after a reset of the link */
    }
    assert_int_equal(driver->counters(&ahci)->resets, 2);
    world.done_ok = world.done_bad = 0;
    fail_next(1000000, ERR, ATA_ERROR_UNC);
    submit_many(wc, 10, BLOCK_READ);
    pump(10, 60000);
    assert_int_equal(world.done_bad, 10);
}

static void without_a_log_the_innocent_do_not_fail(void **state)
{
    (void)state;
    struct world_command wc[20];

    port->log_is_missing = true;
    port->bad_sector = 15; /* of command 7 */
    submit_many(wc, 20, BLOCK_WRITE);
    pump(20, 5000);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(wc[i].ends, 1);
        assert_int_equal(wc[i].was_ok, i != 7);
    }
    assert_int_equal(driver->counters(&ahci)->resets, 2);
    submit_many(wc, 5, BLOCK_READ); /* and then many at a time again */
    assert_int_equal(port->ci, 0x1f);
}

static void errors_without_ncq(void **state)
{
    (void)state;
    port->words[ATA_ID_SERIAL_ATA] = 0;
    assert_int_equal(start(), LEAT_OK);
    fail_next(1, ERR, ATA_ERROR_UNC);
    assert_false(simple(BLOCK_READ, 0, 8));
    assert_true(simple(BLOCK_READ, 0, 8));
    fail_next(2, ERR, ATA_ERROR_ICRC | ATA_ERROR_ABRT);
    assert_true(simple(BLOCK_READ, 0, 8));
    fail_next(1, ATA_STATUS_DF, 0);
    assert_false(simple(BLOCK_WRITE, 0, 8));
    port->is_short = true;
    assert_false(simple(BLOCK_READ, 0, 8)); /* half the data is no success */
    assert_int_equal(driver->counters(&ahci)->refused, 1);
}

static void an_error_of_the_link_is_repeated(void **state)
{
    (void)state;
    struct world_command wc[8];

    port->interface_errors = 2;
    submit_many(wc, 8, BLOCK_WRITE);
    pump(8, 5000);
    assert_int_equal(world.done_ok, 8);
    assert_memory_equal(port->disk.now, world.data, 8 * 1024);
    assert_int_equal(port->link_resets, 2);
    port->engine_sticks = true; /* it does not stop: a reset of the link helps */
    fail_next(1, ERR, ATA_ERROR_UNC);
    submit_many(wc, 8, BLOCK_READ);
    pump(16, 5000);
    assert_int_equal(world.done_ok, 16);
}

static void a_failed_flush_is_never_repeated(void **state)
{
    (void)state;
    struct world_command wc;

    fail_next(1, ERR, ATA_ERROR_ABRT);
    assert_false(simple(BLOCK_FLUSH, 0, 0));
    port->interface_errors = 1;
    assert_false(simple(BLOCK_FLUSH, 0, 0));
    port->hang_count = 1;
    assert_false(simple(BLOCK_FLUSH, 0, 0));
    assert_int_equal(port->disk.flushes, 0);
    world_command(&world, &wc, BLOCK_WRITE, 0, 1, 0);
    wc.command.fua = true;
    fail_next(1, ERR, ATA_ERROR_ABRT);
    port->fail_only = ATA_FLUSH_CACHE_EXT;
    assert_false(run(&wc, UNIT, 5000));
    assert_int_equal(port->disk.flushes, 0);
    assert_true(simple(BLOCK_FLUSH, 0, 0));
}

static void a_hanging_disk_is_reset_and_its_commands_repeated(void **state)
{
    (void)state;
    struct world_command wc[8];

    port->hang_count = 1;
    submit_many(wc, 8, BLOCK_WRITE);
    uint64_t before = world.now_ns;
    pump(8, 60000);
    assert_int_equal(world.done_ok, 8);
    assert_true(world.now_ns - before < (BLOCK_COMMAND_LIMIT_MS + 500) * 1000000ull);
    assert_int_equal(driver->counters(&ahci)->timeouts, 1);
    port->hang_count = 1000;
    submit_many(wc, 8, BLOCK_WRITE);
    pump(16, 200000);
    assert_int_equal(world.done_bad, 8);
    assert_int_equal(driver->counters(&ahci)->timeouts, 1 + BLOCK_TRIES);
    assert_true(world.now_ns - before < (BLOCK_TRIES + 2) * BLOCK_COMMAND_LIMIT_MS * 1000000ull);
    assert_null(driver->info(&ahci, UNIT));
}

static void a_lost_interrupt_costs_a_second(void **state)
{
    (void)state;
    model.loses_interrupts = true;
    uint64_t before = world.now_ns;
    assert_true(simple(BLOCK_READ, 0, 8));
    assert_true(world.now_ns - before < 1100 * 1000000ull);
    assert_int_equal(driver->counters(&ahci)->lost_interrupts, 1);
}

static void a_disk_that_is_pulled_out_is_gone(void **state)
{
    (void)state;
    struct world_command wc[40];

    submit_many(wc, 40, BLOCK_READ);
    ahci_model_plug(&model, UNIT, false);
    pump(40, 1000);
    assert_int_equal(world.done_bad, 40);
    assert_null(driver->info(&ahci, UNIT));
    assert_int_equal(driver->submit(&ahci, UNIT, &wc[0].command), LEAT_EIO);
    assert_non_null(strstr(world.log, "ahci: disk 2: pulled out"));
    ahci_model_plug(&model, UNIT, true); /* not taken again */
    pump(41, 100);
    assert_null(driver->info(&ahci, UNIT));
}

static void a_link_that_flickers_is_no_loss(void **state)
{
    (void)state;
    struct world_command wc[4];

    submit_many(wc, 4, BLOCK_WRITE);
    port->has_link_change = true;
    pump(4, 5000);
    assert_int_equal(world.done_ok, 4);
    assert_memory_equal(port->disk.now, world.data, 4 * 1024);
}

static void another_disk_in_its_place_is_not_used(void **state)
{
    (void)state;
    struct world_command wc[2];

    submit_many(wc, 2, BLOCK_WRITE);
    ahci_model_run_one(&model, UNIT); /* one was done, but by which disk? */
    port->words[ATA_ID_SERIAL + 5]++;
    port->has_link_change = true;
    pump(2, 5000);
    assert_int_equal(world.done_bad, 2);
    assert_null(driver->info(&ahci, UNIT));
    assert_int_equal(port->commands[ATA_WRITE_FPDMA_QUEUED], 1);
    assert_non_null(strstr(world.log, "another disk"));
}

static void a_disk_that_stays_busy_is_gone(void **state)
{
    (void)state;
    struct world_command wc;

    port->stays_busy = true;
    port->hang_count = 1;
    world_command(&world, &wc, BLOCK_READ, 0, 1, 0);
    uint64_t before = world.now_ns;
    assert_false(run(&wc, UNIT, 60000));
    assert_true(world.now_ns - before <
                (BLOCK_COMMAND_LIMIT_MS + BLOCK_RESET_LIMIT_MS) * 1000000ull);
    assert_null(driver->info(&ahci, UNIT));
}

static void a_controller_that_goes_away_ends_every_command(void **state)
{
    (void)state;
    struct world_command wc[40];

    submit_many(wc, 40, BLOCK_READ);
    model.is_gone = true;
    assert_true(driver->interrupt(&ahci));
    assert_int_equal(world.done_bad, 40);
    driver->stop(&ahci);
}

/* Registers that change as they like: every command ends, once, and in bounded time. */
static void a_mad_device_harms_nothing(void **state)
{
    (void)state;
    srand(7);
    for (unsigned round = 0; round < 300; round++) {
        struct world_command wc[40];
        port->is_there = true;
        port->tfd = ATA_STATUS_DRDY;
        assert_int_equal(start(), LEAT_OK);
        port->is_mad = true;
        world.done_ok = world.done_bad = 0;
        submit_many(wc, 40, BLOCK_READ);
        for (unsigned i = 0; i < 4000 && world.done_ok + world.done_bad < 40; i++) {
            if (rand() % 4 == 0)
                port->is |= (uint32_t)rand();
            if (rand() % 4 == 0)
                port->sact ^= (uint32_t)rand();
            if (rand() % 8 == 0)
                port->ci = (uint32_t)rand();
            if (rand() % 4 == 0)
                model.is |= (uint32_t)rand();
            if (rand() % 50 == 0)
                world.dma[rand() % (int)AHCI_DMA_BYTES] = (uint8_t)rand();
            world.now_ns += 50 * 1000000ull;
            driver->interrupt(&ahci);
            driver->tick(&ahci);
        }
        for (unsigned i = 0; i < 40; i++)
            assert_int_equal(wc[i].ends, 1);
    }
}

static void stop_is_silence(void **state)
{
    (void)state;
    struct world_command wc[4];

    submit_many(wc, 4, BLOCK_READ);
    driver->stop(&ahci);
    ahci_model_run(&model);
    assert_false(ahci_model_irq(&model));
    assert_false(driver->interrupt(&ahci));
    driver->tick(&ahci);
    assert_int_equal(wc[0].ends, 0);
    assert_null(driver->info(&ahci, UNIT));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TS(name) cmocka_unit_test_setup_teardown(name, setup_started, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ahci_controllers_are_known),
        T(start_finds_disks_and_leaves_the_rest),
        T(the_smaller_queue_counts),
        T(bad_controllers_are_refused),
        T(start_ends_in_time_whatever_the_ports_do),
        TS(data_moves_to_and_fro_at_any_size_and_place),
        TS(many_commands_are_under_way_at_a_time),
        TS(flush_and_discard_run_alone),
        TS(fua_makes_durable),
        TS(without_a_cache_a_flush_is_nothing),
        TS(one_bad_sector_fails_one_of_many),
        TS(an_error_without_a_log_counts_for_all),
        TS(without_a_log_the_innocent_do_not_fail),
        TS(errors_without_ncq),
        TS(an_error_of_the_link_is_repeated),
        TS(a_failed_flush_is_never_repeated),
        TS(a_hanging_disk_is_reset_and_its_commands_repeated),
        TS(a_lost_interrupt_costs_a_second),
        TS(a_disk_that_is_pulled_out_is_gone),
        TS(a_link_that_flickers_is_no_loss),
        TS(another_disk_in_its_place_is_not_used),
        TS(a_disk_that_stays_busy_is_gone),
        TS(a_controller_that_goes_away_ends_every_command),
        TS(a_mad_device_harms_nothing),
        TS(stop_is_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
