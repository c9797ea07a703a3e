// SPDX-License-Identifier: BSD-2-Clause
#include "block_cases.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SECTOR 512u

struct world_command order, other;

void submit(struct world_command *wc, enum block_op op, uint64_t lba)
{
    uint32_t sectors = op == BLOCK_FLUSH ? 0 : 8;

    assert_int_equal(user_submit(user, wc, 0, op, lba, sectors, wc == &other ? 8 * SECTOR : 0),
                     LEAT_OK);
}

bool run(enum block_op op, uint64_t limit_ms)
{
    submit(&order, op, 0);
    return user_wait(user, &order, limit_ms);
}

bool run_at(struct world_command *wc, unsigned unit, enum block_op op, uint64_t lba,
            uint32_t sectors, uint32_t offset)
{
    assert_int_equal(user_submit(user, wc, unit, op, lba, sectors, offset), LEAT_OK);
    return user_wait(user, wc, 1000);
}

bool write_fua(struct world_command *wc)
{
    world_command(&user->world, wc, BLOCK_WRITE, 0, 8, 0);
    wc->command.fua = true;
    assert_int_equal(user->driver->submit(user->state, 0, &wc->command), LEAT_OK);
    return user_wait(user, wc, 1000);
}

void crash_under_a_read(uint64_t lba)
{
    user->is_slow = true;
    submit(&order, BLOCK_READ, lba);
    crash();
}

bool read_over_a_crash(uint64_t lba, uint64_t limit_ms)
{
    crash_under_a_read(lba);
    user->is_slow = false;
    return user_wait(user, &order, limit_ms);
}

const struct block_counters *counters(void)
{
    return user_counters(user);
}

uint64_t ms_since(uint64_t ns)
{
    return user_ms_since(user, ns);
}

uint8_t *content(unsigned unit)
{
    return user->model->content(user, unit);
}

void complete(unsigned index)
{
    user->model->complete(user, index);
}

void crash(void)
{
    user->model->crash(user);
}

void fail_next(unsigned count)
{
    user->model->fail_next(user, count);
}

/* -- data -- */

/* Reads, then writes elsewhere, with the data at this place of the memory. */
static void go_both_ways(uint64_t lba, uint32_t sectors, uint32_t offset, unsigned seed)
{
    struct world_command read, write;
    uint8_t *memory = user->world.data;
    uint32_t bytes = sectors * SECTOR;

    memset(memory, 0xdd, bytes + 8192);
    assert_true(run_at(&read, 0, BLOCK_READ, lba, sectors, offset));
    assert_memory_equal(read.command.data, content(0) + lba * SECTOR, bytes);
    assert_int_equal(read.command.data[bytes], 0xdd);
    world_fill(memory + offset, bytes, seed);
    lba += 4000;
    assert_true(run_at(&write, 0, BLOCK_WRITE, lba, sectors, offset));
    assert_memory_equal(write.command.data, content(0) + lba * SECTOR, bytes);
}

/* Lengths and places at and around the borders of pages, of NVMe: PRP entries none, one, two, a list; and the most that
   the driver takes. */
void data_go_both_ways_at_any_place_and_length(void **state)
{
    (void)state;
    static const uint32_t offsets[] = {0, 4, 512, 2040, 2044, 2048, 2052, 4096};
    uint32_t most = user_info(user, 0)->max_sectors;
    const uint32_t counts[] = {1,  7,  8,   9,   15,  16,  17,  24,  25,
                               64, 65, 100, 127, 128, 511, 512, most};

    for (unsigned i = 0; i < COUNT(counts); i++) {
        for (unsigned j = 0; j < COUNT(offsets) && counts[i] <= most; j++)
            go_both_ways(100 * i + j, counts[i], offsets[j], i * 10 + j);
    }
}

void a_discard_clears_what_it_names(void **state)
{
    (void)state;
    static uint8_t expected[64 * SECTOR];

    memcpy(expected, content(0), sizeof(expected));
    memset(expected + 16 * SECTOR, 0, 32 * SECTOR);
    assert_true(run_at(&order, 0, BLOCK_DISCARD, 16, 32, 0));
    assert_memory_equal(content(0), expected, sizeof(expected));
}

/* More commands than slots; they end in any order, each once, and the queue goes round many times. */
void many_at_a_time_in_any_order(void **state)
{
    (void)state;
    static struct world_command wc[200];
    unsigned most = 0;

    user->is_slow = true;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 200; i++)
            assert_int_equal(user_submit(user, &wc[i], 0, BLOCK_READ, i * 8, 8, i * 8 * SECTOR),
                             LEAT_OK);
        for (unsigned left = 200; left > 0; left--) {
            assert_true(user->held_count > 0);
            most = user->held_count > most ? user->held_count : most;
            complete((left * 7 + round) % user->held_count);
            assert_true(user->driver->interrupt(user->state));
        }
        for (unsigned i = 0; i < 200; i++) {
            assert_int_equal(wc[i].ends, 1);
            assert_true(wc[i].was_ok);
            assert_memory_equal(wc[i].command.data, content(0) + i * 8 * SECTOR, 8 * SECTOR);
        }
    }
    assert_int_equal(most, 64);
    assert_false(user->model->irq(user));
    assert_false(user->driver->interrupt(user->state));
    assert_int_equal(user->driver->tick(user->state), UINT64_MAX);
}

/* -- trouble -- */

void errors_are_tried_three_times(void **state)
{
    (void)state;
    fail_next(2);
    assert_true(run(BLOCK_WRITE, 1000));
    assert_int_equal(user->model->seen(user, BLOCK_WRITE), 3);
    assert_int_equal(counters()->repeated, 2);
    assert_int_equal(counters()->errors, 0);
    fail_next(4);
    assert_false(run(BLOCK_READ, 1000));
    assert_int_equal(order.ends, 1);
    assert_int_equal(user->model->seen(user, BLOCK_READ), 3);
    assert_int_equal(counters()->repeated, 4);
    assert_int_equal(counters()->errors, 1);
}

void a_flush_is_never_tried_again(void **state)
{
    (void)state;
    fail_next(1);
    assert_false(run(BLOCK_FLUSH, 1000));
    assert_int_equal(order.ends, 1);
    assert_int_equal(user->model->seen(user, BLOCK_FLUSH), 1);
}

void a_lost_interrupt_costs_a_second(void **state)
{
    (void)state;
    uint64_t begin = user->world.now_ns;

    user->irq_is_lost = true;
    assert_true(run(BLOCK_READ, 5000));
    assert_true(ms_since(begin) <= 1100);
    assert_int_equal(counters()->lost_interrupts, 1);
    assert_int_equal(counters()->timeouts, 0);
    assert_int_equal(counters()->resets, 0);
}

void a_device_that_was_pulled_out_is_gone(void **state)
{
    (void)state;
    uint64_t begin = user->world.now_ns;

    user->is_slow = true;
    submit(&order, BLOCK_READ, 0);
    submit(&other, BLOCK_WRITE, 0);
    user->is_gone = true;
    assert_false(user_wait(user, &order, 5000));
    assert_false(user_wait(user, &other, 5000));
    assert_int_equal(order.ends, 1);
    assert_int_equal(other.ends, 1);
    assert_true(ms_since(begin) <= 1100);
    assert_null(user_info(user, 0));
    assert_int_equal(user_submit(user, &order, 0, BLOCK_READ, 0, 8, 0), LEAT_EIO);
    assert_int_equal(user->driver->tick(user->state), UINT64_MAX);
    user->driver->stop(user->state);
}

/* 32 commands of 16 sectors, one behind the other, the units by turns; the device crashes behind one, or none. */
static void submit_32(struct world_command *wc, unsigned units, unsigned fault, unsigned seed)
{
    for (unsigned i = 0; i < 32; i++) {
        enum block_op op = (fault + i) % 3 ? BLOCK_READ : BLOCK_WRITE;
        uint32_t offset = i * 16 * SECTOR;
        if (op == BLOCK_WRITE)
            world_fill(user->world.data + offset, 16 * SECTOR, seed + i);
        assert_int_equal(user_submit(user, &wc[i], i % units, op, i * 16, 16, offset), LEAT_OK);
        if (fault % 17 == i)
            crash();
    }
}

/* Random faults; each command ends once, a read that succeeded has what the disk has. */
void trouble_of_all_kinds(void **state)
{
    (void)state;
    static struct world_command wc[32];
    unsigned seed = 1, good = 0, units = user->driver->unit_count(user->state);

    for (unsigned round = 0; round < 300; round++) {
        seed = seed * 1103515245 + 12345;
        unsigned fault = seed >> 16;
        user->swallow = fault % 7 == 0;
        user->irq_is_lost = fault % 13 == 0;
        fail_next(fault % 11 == 0);
        user->model->trouble(user, fault);
        submit_32(wc, units, fault, seed);
        for (unsigned i = 0; i < 32; i++) {
            good += user_wait(user, &wc[i], 1000000);
            assert_int_equal(wc[i].ends, 1);
            if (wc[i].was_ok)
                assert_memory_equal(wc[i].command.data, content(i % units) + i * 16 * SECTOR,
                                    16 * SECTOR);
        }
        assert_non_null(user_info(user, 0));
    }
    assert_int_equal(good, 300 * 32); /* none hits a command three times */
}
