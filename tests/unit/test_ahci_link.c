// SPDX-License-Identifier: BSD-2-Clause
/* drivers/block: the AHCI driver with disks that are pulled out, lose power, or are not the same any more. */
#include "ahci_fixture.h"

#include <string.h>

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

static void after_a_loss_of_power_the_next_flush_fails(void **state)
{
    (void)state;
    assert_true(simple(BLOCK_WRITE, 0, 8));
    ahci_model_cut_power(&model, UNIT);
    pump(2, 100);
    assert_false(simple(BLOCK_FLUSH, 0, 0));
    assert_int_equal(port->disk.flushes, 0);
    assert_non_null(strstr(world.log, "ahci: disk 2: a flush fails"));
    assert_true(simple(BLOCK_FLUSH, 0, 0)); /* it was told once */
    assert_true(simple(BLOCK_WRITE, 0, 8));
    assert_true(simple(BLOCK_FLUSH, 0, 0));
    ahci_model_cut_power(&model, UNIT); /* nothing was in the cache */
    pump(7, 100);
    assert_true(simple(BLOCK_FLUSH, 0, 0));
    assert_int_equal(driver->counters(&ahci)->errors, 1);
}

/* The port is being restarted already, for another reason. */
static void a_loss_of_power_behind_an_error_is_seen(void **state)
{
    (void)state;
    struct world_command wc;

    assert_true(simple(BLOCK_WRITE, 0, 8));
    port->hang_count = 1;
    world_command(&world, &wc, BLOCK_READ, 0, 8, 0);
    assert_int_equal(driver->submit(&ahci, UNIT, &wc.command), LEAT_OK);
    model.loses_interrupts = true;
    ahci_model_cut_power(&model, UNIT);
    pump(2, 60000);
    assert_true(wc.was_ok);
    assert_false(simple(BLOCK_FLUSH, 0, 0));
}

/* Its data were written, and its flush waits for the commands beside it. */
static void a_fua_write_outlives_a_loss_of_power(void **state)
{
    (void)state;
    struct world_command wc[2];

    for (unsigned i = 0; i < 2; i++) {
        world_fill(world.data + i * 512, 512, i);
        world_command(&world, &wc[i], BLOCK_WRITE, i, 1, i * 512);
        wc[i].command.fua = true;
        assert_int_equal(driver->submit(&ahci, UNIT, &wc[i].command), LEAT_OK);
    }
    ahci_model_run_one(&model, UNIT); /* one of the two */
    driver->interrupt(&ahci);
    assert_int_equal(port->disk.flushes, 0);
    ahci_model_cut_power(&model, UNIT);
    pump(2, 1000);
    assert_int_equal(world.done_ok, 2);
    assert_memory_equal(port->disk.durable, world.data, 1024);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TS(a_disk_that_is_pulled_out_is_gone),
        TS(a_link_that_flickers_is_no_loss),
        TS(after_a_loss_of_power_the_next_flush_fails),
        TS(a_loss_of_power_behind_an_error_is_seen),
        TS(a_fua_write_outlives_a_loss_of_power),
        TS(another_disk_in_its_place_is_not_used),
        TS(a_disk_that_stays_busy_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
