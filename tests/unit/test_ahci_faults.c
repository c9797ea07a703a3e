// SPDX-License-Identifier: BSD-2-Clause
/* drivers/block: the AHCI driver with disks and controllers that fail, hang, or lie. */
#include "ahci_fixture.h"

#include <stdlib.h>
#include <string.h>

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

/* PxCI alone does not say that a command was a success; nor does PxIS always say that it was none. */
static void a_command_that_ends_with_an_error_has_failed(void **state)
{
    (void)state;
    port->ends_failed = true;
    for (unsigned way = 0; way < 2; way++) {
        port->hides_failures = way;
        fail_next(1, ERR, ATA_ERROR_ABRT);
        assert_false(simple(BLOCK_FLUSH, 0, 0));
        fail_next(1, ATA_STATUS_DF, 0);
        assert_false(simple(BLOCK_DISCARD, 8, 8));
        fail_next(1, ERR, ATA_ERROR_ICRC);
        assert_true(simple(BLOCK_DISCARD, 8, 8));
        assert_true(simple(BLOCK_FLUSH, 0, 0));
        assert_int_equal(port->disk.flushes, way + 1);
        assert_int_equal(port->disk.discards, way + 1);
    }
    assert_int_equal(driver->counters(&ahci)->resets, 0);
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

/* The command ends between the last look and its time limit. */
static void an_end_that_nobody_saw_is_no_timeout(void **state)
{
    (void)state;
    struct world_command wc;

    world_command(&world, &wc, BLOCK_READ, 0, 8, 0);
    assert_int_equal(driver->submit(&ahci, UNIT, &wc.command), LEAT_OK);
    world.now_ns += (BLOCK_COMMAND_LIMIT_MS - BLOCK_CHECK_MS / 2) * 1000000ull;
    driver->tick(&ahci);
    assert_int_equal(wc.ends, 0);
    ahci_model_run_one(&model, UNIT);
    world.now_ns += BLOCK_CHECK_MS / 2 * 1000000ull;
    driver->tick(&ahci);
    assert_true(wc.was_ok);
    assert_int_equal(driver->counters(&ahci)->timeouts, 0);
    assert_int_equal(driver->counters(&ahci)->lost_interrupts, 1);
}

/* Else the line of a controller that raises one would never fall. */
static void interrupts_of_ports_that_do_not_exist_are_cleared(void **state)
{
    (void)state;
    model.is = 1u << 20;
    assert_true(driver->interrupt(&ahci));
    assert_false(ahci_model_irq(&model));
    assert_false(driver->interrupt(&ahci));
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
    const struct CMUnitTest tests[] = {
        TS(one_bad_sector_fails_one_of_many),
        TS(an_error_without_a_log_counts_for_all),
        TS(without_a_log_the_innocent_do_not_fail),
        TS(errors_without_ncq),
        TS(an_error_of_the_link_is_repeated),
        TS(a_failed_flush_is_never_repeated),
        TS(a_command_that_ends_with_an_error_has_failed),
        TS(a_hanging_disk_is_reset_and_its_commands_repeated),
        TS(a_lost_interrupt_costs_a_second),
        TS(an_end_that_nobody_saw_is_no_timeout),
        TS(interrupts_of_ports_that_do_not_exist_are_cleared),
        TS(a_controller_that_goes_away_ends_every_command),
        TS(a_mad_device_harms_nothing),
        TS(stop_is_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
