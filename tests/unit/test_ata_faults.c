// SPDX-License-Identifier: BSD-2-Clause
/* drivers/block: the IDE driver with disks and controllers that fail, hang, go away, or lie. */
#include "ata_fixture.h"

#include <stdlib.h>
#include <string.h>

static void an_error_of_the_medium_fails_the_command_alone(void **state)
{
    (void)state;
    fail_next(1, ATA_STATUS_ERR, ATA_ERROR_UNC);
    assert_false(simple(BLOCK_READ, 0, 8));
    assert_true(simple(BLOCK_READ, 0, 8));
    fail_next(1, ATA_STATUS_DF, 0);
    assert_false(simple(BLOCK_WRITE, 0, 8));
    assert_int_equal(driver->counters(&ata)->errors, 2);
    assert_int_equal(driver->counters(&ata)->repeated, 0);
}

static void an_error_on_the_cable_is_repeated(void **state)
{
    (void)state;
    fail_next(2, ATA_STATUS_ERR, ATA_ERROR_ICRC | ATA_ERROR_ABRT);
    assert_true(simple(BLOCK_WRITE, 0, 8));
    assert_int_equal(driver->counters(&ata)->repeated, 2);
    fail_next(3, ATA_STATUS_ERR, ATA_ERROR_ICRC | ATA_ERROR_ABRT);
    assert_false(simple(BLOCK_WRITE, 0, 8));
    assert_true(simple(BLOCK_READ, 0, 8));
}

/* A second flush would succeed here, as ATA says; the first one's data is lost nevertheless. */
static void a_failed_flush_is_never_repeated(void **state)
{
    (void)state;
    struct world_command wc;

    fail_next(1, ATA_STATUS_ERR, ATA_ERROR_ABRT);
    assert_false(simple(BLOCK_FLUSH, 0, 0));
    fail_next(1, ATA_STATUS_ERR, ATA_ERROR_ICRC);
    assert_false(simple(BLOCK_FLUSH, 0, 0));
    disk->hang_count = 1;
    assert_false(simple(BLOCK_FLUSH, 0, 0));
    assert_int_equal(disk->commands[ATA_FLUSH_CACHE_EXT], 3);

    /* the flush behind a FUA write */
    world_command(&world, &wc, BLOCK_WRITE, 0, 1, 0);
    wc.command.fua = true;
    fail_next(1, ATA_STATUS_ERR, ATA_ERROR_ABRT);
    disk->fail_only = ATA_FLUSH_CACHE_EXT;
    assert_false(run(&wc, 0, 5000));
    assert_int_equal(disk->commands[ATA_WRITE_DMA_EXT], 1);
    assert_int_equal(disk->commands[ATA_FLUSH_CACHE_EXT], 4);
}

static void a_hanging_disk_is_reset_and_the_command_repeated(void **state)
{
    (void)state;
    disk->hang_count = 1;
    uint64_t before = world.now_ns;
    assert_true(simple(BLOCK_READ, 0, 8));
    assert_in_range(world.now_ns - before, BLOCK_COMMAND_LIMIT_MS * 1000000ull,
                    (BLOCK_COMMAND_LIMIT_MS + 100) * 1000000ull);
    assert_int_equal(driver->counters(&ata)->resets, 1);
    assert_non_null(strstr(world.log, "ata: disk 0: no answer"));
    disk->hang_count = 100;
    assert_false(simple(BLOCK_READ, 0, 8)); /* three times, then no more */
    assert_int_equal(driver->counters(&ata)->timeouts, 1 + BLOCK_TRIES);
    assert_null(driver->info(&ata, 0));
}

static void a_lost_interrupt_costs_a_second(void **state)
{
    (void)state;
    model.channels[0].lose_edges = 1;
    uint64_t before = world.now_ns;
    assert_true(simple(BLOCK_READ, 0, 8));
    assert_true(world.now_ns - before < 1100 * 1000000ull);
    assert_int_equal(driver->counters(&ata)->lost_interrupts, 1);
    assert_int_equal(driver->counters(&ata)->resets, 0);
}

/* An older interrupt lets the driver look; meanwhile the command ends. */
static void a_command_that_ends_under_the_look_is_good(void **state)
{
    (void)state;
    struct world_command wc;

    world_command(&world, &wc, BLOCK_READ, 0, 8, 0);
    assert_int_equal(driver->submit(&ata, 0, &wc.command), LEAT_OK);
    model.channels[0].bm_status |= ATA_BM_INTERRUPT;
    model.channels[0].ends_at_look = true;
    driver->interrupt(&ata);
    pump(1, 1000);
    assert_true(wc.was_ok);
    assert_int_equal(driver->counters(&ata)->refused, 0);
    assert_int_equal(driver->counters(&ata)->resets, 0);
}

static void a_transfer_that_ends_early_is_not_believed(void **state)
{
    (void)state;
    model.channels[0].is_short = true;
    assert_true(simple(BLOCK_READ, 0, 8));
    model.channels[0].has_bm_error = true;
    assert_true(simple(BLOCK_READ, 0, 8));
    assert_int_equal(driver->counters(&ata)->refused, 2);
    assert_int_equal(driver->counters(&ata)->resets, 2);
}

static void a_disk_that_wants_data_for_ever_gets_no_more(void **state)
{
    (void)state;
    model.has_bus_mastering = false;
    assert_int_equal(start(), LEAT_OK);
    model.channels[0].asks_for_ever = true;
    assert_false(simple(BLOCK_WRITE, 0, 2));
    model.channels[0].asks_for_ever = false;
    assert_true(simple(BLOCK_WRITE, 0, 2));
}

static void a_disk_that_is_pulled_out_is_gone(void **state)
{
    (void)state;
    struct world_command wc[3];

    ata_model_add_disk(&model, 1, SECTORS, true);
    assert_int_equal(start(), LEAT_OK);
    for (unsigned i = 0; i < 3; i++) {
        world_command(&world, &wc[i], BLOCK_READ, 0, 1, 0);
        assert_int_equal(driver->submit(&ata, i == 1, &wc[i].command), LEAT_OK);
    }
    disk->is_there = false;
    pump(3, 60000);
    assert_false(wc[0].was_ok);
    assert_true(wc[1].was_ok); /* the other disk of the channel goes on */
    assert_false(wc[2].was_ok);
    assert_null(driver->info(&ata, 0));
    assert_int_equal(driver->submit(&ata, 0, &wc[0].command), LEAT_EIO);
    assert_non_null(strstr(world.log, "ata: disk 0: it is gone"));
}

static void another_disk_in_its_place_is_not_used(void **state)
{
    (void)state;
    disk->words[ATA_ID_SERIAL + 5]++;
    disk->hang_count = 1;
    assert_false(simple(BLOCK_WRITE, 0, 1));
    assert_null(driver->info(&ata, 0));
    assert_int_equal(disk->commands[ATA_WRITE_DMA_EXT], 1);
    assert_non_null(strstr(world.log, "another disk"));
}

static void a_disk_that_stays_busy_after_a_reset_is_gone(void **state)
{
    (void)state;
    struct world_command wc;

    disk->hangs_in_reset = true;
    world_command(&world, &wc, BLOCK_READ, 0, 1, 0);
    uint64_t before = world.now_ns;
    assert_false(run(&wc, 0, 60000));
    assert_true(world.now_ns - before <
                (BLOCK_COMMAND_LIMIT_MS + BLOCK_RESET_LIMIT_MS) * 1000000ull);
    assert_null(driver->info(&ata, 0));
}

static void a_controller_that_goes_away_ends_every_command(void **state)
{
    (void)state;
    struct world_command wc[5];

    for (unsigned i = 0; i < 5; i++) {
        world_command(&world, &wc[i], BLOCK_READ, 0, 1, 0);
        assert_int_equal(driver->submit(&ata, 0, &wc[i].command), LEAT_OK);
    }
    model.is_gone = true;
    driver->interrupt(&ata); /* all registers read as ones */
    pump(5, 60000);
    assert_int_equal(world.done_bad, 5);
}

/* Registers that change as they like: every command ends, and in bounded time. */
static void a_mad_device_harms_nothing(void **state)
{
    (void)state;
    srand(7);
    for (unsigned round = 0; round < 200; round++) {
        struct world_command wc[4];
        assert_int_equal(start(), LEAT_OK);
        world.done_ok = world.done_bad = 0;
        unsigned given = 0;
        for (unsigned i = 0; i < 4; i++) {
            world_command(&world, &wc[i], rand() % 3, 0, 1, 0);
            if (wc[i].command.op == BLOCK_FLUSH)
                wc[i].command.sectors = 0;
            given += driver->submit(&ata, 0, &wc[i].command) == LEAT_OK;
        }
        for (unsigned i = 0; i < 3000 && world.done_ok + world.done_bad < given; i++) {
            struct ata_model_channel *ch = &model.channels[0];
            if (rand() % 4 == 0)
                ch->status = (uint8_t)rand() & (uint8_t) ~(ATA_STATUS_BSY | ATA_STATUS_DRQ);
            if (rand() % 4 == 0)
                ch->bm_status = (uint8_t)rand();
            world.now_ns += 50 * 1000000ull;
            ata_model_run(&model);
            driver->interrupt(&ata);
            driver->tick(&ata);
        }
        assert_int_equal(world.done_ok + world.done_bad, given);
        model.channels[0].status = ATA_STATUS_DRDY;
    }
}

static void stop_is_silence(void **state)
{
    (void)state;
    struct world_command wc;

    world_command(&world, &wc, BLOCK_READ, 0, 1, 0);
    assert_int_equal(driver->submit(&ata, 0, &wc.command), LEAT_OK);
    driver->stop(&ata);
    ata_model_run(&model);
    assert_false(ata_model_irq(&model));
    driver->interrupt(&ata);
    driver->tick(&ata);
    assert_int_equal(wc.ends, 0);
    assert_null(driver->info(&ata, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TS(an_error_of_the_medium_fails_the_command_alone),
        TS(an_error_on_the_cable_is_repeated),
        TS(a_failed_flush_is_never_repeated),
        TS(a_hanging_disk_is_reset_and_the_command_repeated),
        TS(a_lost_interrupt_costs_a_second),
        TS(a_command_that_ends_under_the_look_is_good),
        TS(a_transfer_that_ends_early_is_not_believed),
        TS(a_disk_that_wants_data_for_ever_gets_no_more),
        TS(a_disk_that_is_pulled_out_is_gone),
        TS(another_disk_in_its_place_is_not_used),
        TS(a_disk_that_stays_busy_after_a_reset_is_gone),
        TS(a_controller_that_goes_away_ends_every_command),
        TS(a_mad_device_harms_nothing),
        TS(stop_is_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
