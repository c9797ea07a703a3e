// SPDX-License-Identifier: BSD-2-Clause
/* The NVMe driver against a model of a controller: start, units, data, order and depth. */
#include <string.h>

#include "block_cases.h"
#include "drivers/block/match.h"
#include "nvme_model.h"

#define BLOCKS 8192u

static struct nvme_model model;
struct block_user *const user = &model.user;

static int start(void)
{
    return nvme_model_start(&model);
}

static const struct block_device_info *info(unsigned unit)
{
    return user_info(user, unit);
}

static int setup(void **state)
{
    (void)state;
    nvme_model_init(&model);
    nvme_model_add(&model, 1, BLOCKS, 9);
    return 0;
}

static int setup_started(void **state)
{
    setup(state);
    nvme_model_add(&model, 3, BLOCKS / 8, 12);
    return start();
}

static int teardown(void **state)
{
    (void)state;
    nvme_model_free(&model);
    return 0;
}

static void the_pci_class_finds_the_driver(void **state)
{
    (void)state;
    const struct block_pci_id id = {0x1b36, 0x0010, 0x010802}, no_nvme = {0x1b36, 0x0010, 0x010801};
    const struct block_match *match = block_match_find(&id);

    assert_non_null(match);
    assert_string_equal(match->driver, block_driver_nvme.name);
    assert_int_equal(match->bars, 1);
    assert_int_equal(match->isa_irqs[0], 0);
    assert_null(block_match_find(&no_nvme));
}

static void units_are_what_the_namespaces_say(void **state)
{
    (void)state;
    nvme_model_add(&model, 3, 100, 12);
    model.ns[2].npwg = 4;
    model.ns[2].is_write_protected = true;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(user->driver->unit_count(user->state), 2);
    const struct block_device_info *one = info(0), *two = info(1);
    assert_string_equal(one->model, "Model of a disk");
    assert_string_equal(one->serial, "SN-42");
    assert_string_equal(one->firmware, "1.0");
    assert_int_equal(one->sectors, BLOCKS);
    assert_int_equal(one->sector_bytes, 512);
    assert_int_equal(one->physical_bytes, 512);
    assert_int_equal(one->max_sectors, 512); /* MDTS */
    assert_int_equal(one->max_discard_sectors, 1u << 21);
    assert_int_equal(one->queue_depth, 64);
    assert_true(one->has_write_cache && one->has_fua && !one->is_read_only);
    assert_int_equal(two->sectors, 100);
    assert_int_equal(two->sector_bytes, 4096);
    assert_int_equal(two->physical_bytes, 16384);
    assert_true(two->is_read_only);
    assert_null(info(2));
    assert_false(model.masked & 1);
}

static void without_mdts_oncs_and_vwc(void **state)
{
    (void)state;
    model.mdts = 0;
    model.oncs = 0;
    model.vwc = 0;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(info(0)->max_sectors, NVME_TRANSFER_BYTES / 512);
    assert_int_equal(info(0)->max_discard_sectors, 0);
    assert_false(info(0)->has_write_cache);
    assert_true(run_at(&order, 0, BLOCK_READ, 5, NVME_TRANSFER_BYTES / 512, 4096 + 2048 - 4));
    assert_memory_equal(order.command.data, model.ns[0].content + 5 * 512, NVME_TRANSFER_BYTES);
    assert_int_equal(user_submit(user, &order, 0, BLOCK_DISCARD, 0, 8, 0), LEAT_EINVAL);
}

static void units_have_their_own_content(void **state)
{
    (void)state;
    struct world_command one = {0}, two = {0};

    assert_true(run_at(&one, 0, BLOCK_READ, 8, 8, 0));
    assert_true(run_at(&two, 1, BLOCK_READ, 1, 1, 4096));
    assert_memory_equal(one.command.data, model.ns[0].content + 4096, 4096);
    assert_memory_equal(two.command.data, model.ns[2].content + 4096, 4096);
    assert_memory_not_equal(one.command.data, two.command.data, 4096);
}

static void flush_and_fua(void **state)
{
    (void)state;
    assert_true(run_at(&order, 0, BLOCK_WRITE, 0, 8, 0));
    assert_int_equal(model.volatile_writes, 8);
    assert_true(run_at(&order, 0, BLOCK_FLUSH, 0, 0, 0));
    assert_int_equal(model.volatile_writes, 0);
    assert_true(write_fua(&order));
    assert_int_equal(model.volatile_writes, 0);
    assert_int_equal(model.fua, 1);
}

static void commands_out_of_range_are_not_taken(void **state)
{
    (void)state;
    assert_int_equal(user_submit(user, &order, 0, BLOCK_READ, BLOCKS - 1, 2, 0), LEAT_ERANGE);
    assert_int_equal(user_submit(user, &order, 0, BLOCK_READ, 0, 513, 0), LEAT_EINVAL);
    assert_int_equal(user_submit(user, &order, 0, BLOCK_READ, 0, 1, 2), LEAT_EINVAL);
    assert_int_equal(user_submit(user, &order, 2, BLOCK_READ, 0, 1, 0), LEAT_EIO);
    assert_int_equal(order.ends, 0);
    assert_int_equal(model.seen[NVME_READ], 0);
}

static void the_shortest_queues_work(void **state)
{
    (void)state;
    struct world_command orders[5] = {0};

    model.cap = (model.cap & ~0xffffull) | 1; /* two entries */
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(info(0)->queue_depth, 1);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 5; i++)
            assert_int_equal(user_submit(user, &orders[i], 0, BLOCK_READ, i, 1, i * 4096), LEAT_OK);
        for (unsigned i = 0; i < 5; i++)
            assert_true(user_wait(user, &orders[i], 1000));
    }
}

static struct world_command second;

static void submit_second(struct block_command *command, bool is_ok)
{
    struct world_command *wc = command->owner;

    wc->ends++;
    wc->was_ok = is_ok;
    assert_int_equal(user_submit(user, &second, 0, BLOCK_READ, 0, 1, 0), LEAT_OK);
}

static void done_may_submit(void **state)
{
    (void)state;
    struct world_command first;

    world_command(&user->world, &first, BLOCK_READ, 1, 1, 4096);
    first.command.done = submit_second;
    assert_int_equal(user->driver->submit(user->state, 0, &first.command), LEAT_OK);
    assert_true(user_wait(user, &first, 1000));
    assert_true(user_wait(user, &second, 1000));
}

static void an_interrupt_of_another_device_is_not_ours(void **state)
{
    (void)state;
    assert_false(user->driver->interrupt(user->state));
}

static void stop_writes_the_cache_and_switches_off(void **state)
{
    (void)state;
    assert_true(run_at(&order, 0, BLOCK_WRITE, 0, 8, 0));
    user->driver->stop(user->state);
    assert_null(info(0));
    assert_int_equal(model.volatile_writes, 0);
    assert_false(model.cc & NVME_CC_EN);
    assert_true(model.masked & 1);
    user->driver->stop(user->state);
}

/* -- what start refuses -- */

static void start_fails(const char *why)
{
    uint64_t before = user->world.now_ns;

    assert_int_equal(start(), LEAT_EIO);
    assert_true(user->world.now_ns - before <= (BLOCK_START_LIMIT_MS + 100) * 1000000ull);
    if (!strstr(user->world.log, why))
        fail_msg("'%s' is not in '%s'", why, user->world.log);
    user->world.log[0] = 0;
    if (!model.never_off && !user->is_gone && model.admin_seen[NVME_IDENTIFY])
        assert_false(model.cc & NVME_CC_EN);
    user->driver->stop(user->state);
    memset(user->state, 0, user->driver->state_bytes);
}

static void controllers_that_cannot_be_used_are_refused(void **state)
{
    (void)state;
    uint64_t cap = model.cap;

    user->is_gone = true;
    start_fails("does not answer");
    user->is_gone = false;
    model.cap = cap & ~(1ull << 37);
    start_fails("NVM command set");
    model.cap = cap | 1ull << 48;
    start_fails("4 KiB");
    model.cap = cap | 15ull << 32;
    start_fails("doorbells");
    model.cap = cap & ~0xffffull;
    start_fails("too short");
    model.cap = cap;
    model.mdts = 3;
    start_fails("moves only 32768 bytes");
    model.mdts = 4;
    model.type = 3;
    start_fails("without disks");
    model.type = 0;
    model.never_ready = true;
    start_fails("does not become ready");
    model.never_ready = false;
    model.fails_when_enabled = true;
    start_fails("fails when it is switched on");
    model.fails_when_enabled = false;
    model.cc = 1;
    model.csts = NVME_CSTS_RDY;
    model.never_off = true;
    start_fails("cannot be switched off");
    model.never_off = false;
    model.csts = 0;
    assert_int_equal(start(), LEAT_OK);
}

static void a_dma_area_that_is_too_small_is_refused(void **state)
{
    (void)state;
    user->world.dma_bytes -= 4096;
    assert_int_equal(start(), LEAT_EINVAL);
    user->driver->stop(user->state);
}

static void namespaces_that_cannot_be_used_are_left_out(void **state)
{
    (void)state;
    nvme_model_add(&model, 2, 100, 9);
    model.ns[1].metadata = 8;
    nvme_model_add(&model, 4, 100, 8);
    nvme_model_add(&model, 5, 100, 13);
    nvme_model_add(&model, 6, 100, 9);
    model.ns[5].blocks = UINT64_MAX;
    nvme_model_add(&model, 7, 100, 9);
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(user->driver->unit_count(user->state), 2);
    assert_int_equal(info(1)->sectors, 100);
    assert_int_equal(user_counters(user)->refused, 4);
    assert_int_equal(user_lines(user), 4);
}

static void more_namespaces_than_units(void **state)
{
    (void)state;
    for (uint32_t nsid = 2; nsid <= MODEL_NAMESPACES; nsid++)
        nvme_model_add(&model, nsid, nsid, 9);
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(user->driver->unit_count(user->state), NVME_UNITS_MOST);
    assert_int_equal(info(15)->sectors, 16);
    assert_non_null(strstr(user->world.log, "one too many"));
}

static void a_list_of_namespaces_that_lies(void **state)
{
    (void)state;
    static const uint32_t lists[][3] = {{1, 1}, {1, MODEL_NAMESPACES + 1}, {3, 1}};

    nvme_model_add(&model, 3, 100, 9);
    for (unsigned i = 0; i < 3; i++) {
        memcpy(model.list, lists[i], sizeof(model.list));
        assert_int_equal(start(), LEAT_OK);
        assert_int_equal(user->driver->unit_count(user->state), 1);
        assert_int_equal(user_counters(user)->refused, 1);
        memset(user->state, 0, user->driver->state_bytes);
    }
    memcpy(model.list, (uint32_t[]){2, 3, 0}, sizeof(model.list)); /* 2 is not active */
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(user->driver->unit_count(user->state), 1);
}

static void a_controller_of_version_1_0_has_no_list(void **state)
{
    (void)state;
    nvme_model_add(&model, 3, 100, 9);
    model.is_1_0 = true;
    model.nn = 4;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(user->driver->unit_count(user->state), 2);
    assert_int_equal(info(1)->sectors, 100);
}

static void no_namespace_is_no_error(void **state)
{
    (void)state;
    model.ns[0].blocks = 0;
    assert_int_equal(start(), LEAT_OK);
    assert_int_equal(user->driver->unit_count(user->state), 0);
}

#define WITH_START(f) cmocka_unit_test_setup_teardown(f, setup_started, teardown)
#define WITHOUT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITHOUT(the_pci_class_finds_the_driver),
        WITHOUT(units_are_what_the_namespaces_say),
        WITHOUT(without_mdts_oncs_and_vwc),
        WITH_START(data_go_both_ways_at_any_place_and_length),
        WITH_START(units_have_their_own_content),
        WITH_START(flush_and_fua),
        WITH_START(a_discard_clears_what_it_names),
        WITH_START(commands_out_of_range_are_not_taken),
        WITH_START(many_at_a_time_in_any_order),
        WITHOUT(the_shortest_queues_work),
        WITH_START(done_may_submit),
        WITH_START(an_interrupt_of_another_device_is_not_ours),
        WITH_START(stop_writes_the_cache_and_switches_off),
        WITHOUT(controllers_that_cannot_be_used_are_refused),
        WITHOUT(a_dma_area_that_is_too_small_is_refused),
        WITHOUT(namespaces_that_cannot_be_used_are_left_out),
        WITHOUT(more_namespaces_than_units),
        WITHOUT(a_list_of_namespaces_that_lies),
        WITHOUT(a_controller_of_version_1_0_has_no_list),
        WITHOUT(no_namespace_is_no_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
