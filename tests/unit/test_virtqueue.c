// SPDX-License-Identifier: BSD-2-Clause
/* The virtqueue takes what a correct driver puts there, and breaks (nothing worse) on all else. */
#include "vmm/virtio/virtqueue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SIZE 8
#define DESCRIPTORS 0x1000
#define AVAIL 0x2000
#define USED 0x3000
#define TABLE 0x4000
#define DATA 0x8000
#define RAM_BYTES (1u << 20)

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct setup {
    struct guest_memory memory;
    struct virtqueue vq;
    struct vq_chain chain;
    uint8_t *ram;
};

static void enable(struct setup *s, uint16_t size, bool indirect, bool event_idx)
{
    vq_reset(&s->vq, &s->memory, 256);
    s->vq.size = size;
    s->vq.descriptors_gpa = DESCRIPTORS;
    s->vq.driver_gpa = AVAIL;
    s->vq.device_gpa = USED;
    s->vq.has_indirect = indirect;
    s->vq.has_event_idx = event_idx;
}

static int up(void **state)
{
    struct setup *s = calloc(1, sizeof(*s));
    s->ram = calloc(1, RAM_BYTES);
    guest_memory_add(&s->memory, gpa(0), RAM_BYTES, s->ram);
    enable(s, SIZE, true, false);
    assert_int_equal(vq_enable(&s->vq), LEAT_OK);
    *state = s;
    return 0;
}

static int down(void **state)
{
    struct setup *s = *state;
    free(s->ram);
    free(s);
    return 0;
}

static void put(struct setup *s, uint64_t at, uint64_t value, unsigned width)
{
    memcpy(s->ram + at, &value, width);
}

static uint16_t get16(struct setup *s, uint64_t at)
{
    uint16_t value;
    memcpy(&value, s->ram + at, 2);
    return value;
}

static void describe(struct setup *s, uint64_t table, unsigned i, uint64_t address, uint32_t length,
                     unsigned flags, unsigned next)
{
    put(s, table + 16 * i, address, 8);
    put(s, table + 16 * i + 8, length, 4);
    put(s, table + 16 * i + 12, flags, 2);
    put(s, table + 16 * i + 14, next, 2);
}

static void offer(struct setup *s, uint16_t head)
{
    uint16_t index = get16(s, AVAIL + 2);
    put(s, AVAIL + 4 + 2 * (index % SIZE), head, 2);
    put(s, AVAIL + 2, index + 1, 2);
}

static void expect_broken(struct setup *s)
{
    assert_int_equal(vq_pop(&s->vq, &s->chain), LEAT_EPROTO);
    assert_non_null(s->vq.broken);
    /* and it stays so, taking and giving nothing */
    assert_int_equal(vq_pop(&s->vq, &s->chain), LEAT_EPROTO);
    uint16_t before = get16(s, USED + 2);
    vq_push(&s->vq, 0, 1);
    assert_false(vq_publish(&s->vq));
    assert_false(vq_doorbell_on(&s->vq));
    assert_int_equal(get16(s, USED + 2), before);
}

static void test_direct_chain(void **state)
{
    struct setup *s = *state;
    assert_int_equal(vq_pop(&s->vq, &s->chain), LEAT_EAGAIN);
    describe(s, DESCRIPTORS, 3, DATA, 16, NEXT, 5);
    describe(s, DESCRIPTORS, 5, DATA + 100, 512, NEXT | WRITE, 0);
    describe(s, DESCRIPTORS, 0, DATA + 1000, 1, WRITE, 77);
    offer(s, 3);
    assert_int_equal(vq_pop(&s->vq, &s->chain), LEAT_OK);
    assert_int_equal(s->chain.head, 3);
    assert_int_equal(s->chain.readable, 1);
    assert_int_equal(s->chain.writable, 2);
    assert_int_equal(s->chain.readable_bytes, 16);
    assert_int_equal(s->chain.writable_bytes, 513);
    assert_ptr_equal(s->chain.segments[1].host, s->ram + DATA + 100);
    assert_int_equal(vq_pop(&s->vq, &s->chain), LEAT_EAGAIN);
    vq_push(&s->vq, 3, 513);
    assert_int_equal(get16(s, USED + 2), 0);
    assert_true(vq_publish(&s->vq));
    assert_int_equal(get16(s, USED + 2), 1);
    assert_int_equal(get16(s, USED + 4), 3);
    assert_int_equal(get16(s, USED + 8), 513);
    assert_false(vq_publish(&s->vq)); /* nothing new */
}

static void test_indirect_chain(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, DATA, 16, NEXT, 1);
    describe(s, DESCRIPTORS, 1, TABLE, 48, INDIRECT, 99);
    describe(s, TABLE, 0, DATA + 16, 4, NEXT, 2);
    describe(s, TABLE, 2, DATA + 32, 8, NEXT | WRITE, 1);
    describe(s, TABLE, 1, DATA + 64, 1, WRITE, 0);
    offer(s, 0);
    assert_int_equal(vq_pop(&s->vq, &s->chain), LEAT_OK);
    assert_int_equal(s->chain.readable, 2);
    assert_int_equal(s->chain.writable, 2);
    assert_int_equal(s->chain.writable_bytes, 9);
}

static void test_whole_ring_at_once_and_wrap(void **state)
{
    struct setup *s = *state;
    for (unsigned i = 0; i < SIZE; i++)
        describe(s, DESCRIPTORS, i, DATA + i, 1, WRITE, 0);
    for (unsigned round = 0; round < 70000 / SIZE; round++) {
        for (uint16_t i = 0; i < SIZE; i++)
            offer(s, i);
        for (unsigned i = 0; i < SIZE; i++) {
            assert_int_equal(vq_pop(&s->vq, &s->chain), LEAT_OK);
            assert_int_equal(s->chain.head, i);
            vq_push(&s->vq, s->chain.head, 1);
        }
        assert_true(vq_publish(&s->vq));
    }
    assert_int_equal(get16(s, USED + 2), (uint16_t)(70000 / SIZE * SIZE));
}

static void test_loop(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, DATA, 1, NEXT, 1);
    describe(s, DESCRIPTORS, 1, DATA, 1, NEXT, 0);
    offer(s, 0);
    expect_broken(s);
}

static void test_loop_of_one(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 4, DATA, 1, NEXT | WRITE, 4);
    offer(s, 4);
    expect_broken(s);
}

static void test_loop_in_indirect_table(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, TABLE, 32, INDIRECT, 0);
    describe(s, TABLE, 0, DATA, 1, NEXT, 1);
    describe(s, TABLE, 1, DATA, 1, NEXT, 0);
    offer(s, 0);
    expect_broken(s);
}

static void test_endless_chain(void **state)
{
    struct setup *s = *state;
    unsigned count = 4096; /* no loop, only far too long */
    describe(s, DESCRIPTORS, 0, TABLE, 16 * count, INDIRECT, 0);
    for (unsigned i = 0; i < count; i++)
        describe(s, TABLE, i, DATA, 1, NEXT, i + 1);
    offer(s, 0);
    expect_broken(s);
}

static void test_longest_chain_is_taken(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, TABLE, 16 * VQ_MAX_SEGMENTS, INDIRECT, 0);
    for (unsigned i = 0; i < VQ_MAX_SEGMENTS; i++)
        describe(s, TABLE, i, DATA, 1, i + 1 < VQ_MAX_SEGMENTS ? NEXT : 0, i + 1);
    offer(s, 0);
    assert_int_equal(vq_pop(&s->vq, &s->chain), LEAT_OK);
    assert_int_equal(s->chain.readable, VQ_MAX_SEGMENTS);
}

static void test_next_out_of_range(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, DATA, 1, NEXT, SIZE);
    offer(s, 0);
    expect_broken(s);
}

static void test_next_out_of_indirect_table(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, TABLE, 32, INDIRECT, 0);
    describe(s, TABLE, 0, DATA, 1, NEXT, 2);
    offer(s, 0);
    expect_broken(s);
}

static void test_head_out_of_range(void **state)
{
    struct setup *s = *state;
    offer(s, SIZE);
    expect_broken(s);
}

static void test_addresses_outside(void **state)
{
    static const struct {
        uint64_t address;
        uint32_t length;
    } bad[] = {
        {RAM_BYTES, 1},
        {RAM_BYTES - 1, 2},
        {UINT64_MAX, 1},
        {UINT64_MAX, 2},
        {UINT64_MAX - 0xfffffffe, 0xffffffff},
        {0, 0xffffffff},
        {DATA, RAM_BYTES},
        {0xfee00000, 4},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (unsigned way = 0; way < 3; way++) {
            struct setup *s = *state;
            memset(s->ram, 0, RAM_BYTES);
            enable(s, SIZE, true, false);
            assert_int_equal(vq_enable(&s->vq), LEAT_OK);
            unsigned flags[] = {0, WRITE, INDIRECT};
            describe(s, DESCRIPTORS, 0, bad[i].address, bad[i].length, flags[way], 0);
            offer(s, 0);
            expect_broken(s);
        }
    }
}

static void test_zero_length(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, DATA, 0, 0, 0);
    offer(s, 0);
    expect_broken(s);
}

static void test_zero_length_indirect(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, TABLE, 0, INDIRECT, 0);
    offer(s, 0);
    expect_broken(s);
}

static void test_odd_length_indirect(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, TABLE, 17, INDIRECT, 0);
    offer(s, 0);
    expect_broken(s);
}

static void test_nested_indirect(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, TABLE, 16, INDIRECT, 0);
    describe(s, TABLE, 0, TABLE, 16, INDIRECT, 0);
    offer(s, 0);
    expect_broken(s);
}

static void test_indirect_with_successor(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, TABLE, 16, INDIRECT | NEXT, 1);
    describe(s, TABLE, 0, DATA, 16, 0, 0);
    offer(s, 0);
    expect_broken(s);
}

static void test_indirect_not_negotiated(void **state)
{
    struct setup *s = *state;
    enable(s, SIZE, false, false);
    assert_int_equal(vq_enable(&s->vq), LEAT_OK);
    describe(s, DESCRIPTORS, 0, TABLE, 16, INDIRECT, 0);
    describe(s, TABLE, 0, DATA, 16, 0, 0);
    offer(s, 0);
    expect_broken(s);
}

static void test_writable_before_readable(void **state)
{
    struct setup *s = *state;
    describe(s, DESCRIPTORS, 0, DATA, 1, NEXT | WRITE, 1);
    describe(s, DESCRIPTORS, 1, DATA, 1, 0, 0);
    offer(s, 0);
    expect_broken(s);
}

static void test_available_index_jumps(void **state)
{
    struct setup *s = *state;
    put(s, AVAIL + 2, SIZE + 1, 2);
    expect_broken(s);
}

static void test_available_index_goes_back(void **state)
{
    struct setup *s = *state;
    put(s, AVAIL + 2, 0xffff, 2);
    expect_broken(s);
}

static void test_more_than_4_gib(void **state)
{
    struct setup *s = *state;
    struct guest_memory memory = {0};
    uint8_t *big = calloc(1, 32u << 20); /* never touched as a whole */
    memcpy(big, s->ram, RAM_BYTES);
    guest_memory_add(&memory, gpa(0), 32u << 20, big);
    uint8_t *small = s->ram;
    s->ram = big;
    enable(s, SIZE, true, false);
    s->vq.memory = &memory;
    assert_int_equal(vq_enable(&s->vq), LEAT_OK);
    describe(s, DESCRIPTORS, 0, TABLE, 16 * 200, INDIRECT, 0);
    for (unsigned i = 0; i < 200; i++)
        describe(s, TABLE, i, 0, 32u << 20, i < 199 ? NEXT : 0, i + 1);
    offer(s, 0);
    expect_broken(s);
    s->ram = small;
    free(big);
}

static void test_bad_sizes_and_places(void **state)
{
    struct setup *s = *state;
    static const uint16_t sizes[] = {0, 3, 257, 512, 1024, 0xffff};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        enable(s, sizes[i], true, false);
        assert_int_equal(vq_enable(&s->vq), LEAT_EINVAL);
        expect_broken(s);
    }
    static const uint64_t places[][4] = {
        {DESCRIPTORS + 8, AVAIL, USED, (uint64_t)LEAT_EINVAL},
        {DESCRIPTORS, AVAIL + 1, USED, (uint64_t)LEAT_EINVAL},
        {DESCRIPTORS, AVAIL, USED + 2, (uint64_t)LEAT_EINVAL},
        {RAM_BYTES - 16 * SIZE + 16, AVAIL, USED, (uint64_t)LEAT_EFAULT},
        {DESCRIPTORS, RAM_BYTES - 4 - 2 * SIZE, USED, (uint64_t)LEAT_EFAULT},
        {DESCRIPTORS, AVAIL, RAM_BYTES - 4 - 8 * SIZE, (uint64_t)LEAT_EFAULT},
        {UINT64_MAX - 15, AVAIL, USED, (uint64_t)LEAT_EFAULT},
        {DESCRIPTORS, UINT64_MAX - 1, USED, (uint64_t)LEAT_EFAULT},
    };
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        enable(s, SIZE, true, false);
        s->vq.descriptors_gpa = places[i][0];
        s->vq.driver_gpa = places[i][1];
        s->vq.device_gpa = places[i][2];
        assert_int_equal(vq_enable(&s->vq), (int)places[i][3]);
        expect_broken(s);
    }
}

static void test_interrupt_flag(void **state)
{
    struct setup *s = *state;
    put(s, AVAIL, 1, 2);
    vq_push(&s->vq, 0, 0);
    assert_false(vq_publish(&s->vq));
    put(s, AVAIL, 0, 2);
    vq_push(&s->vq, 0, 0);
    assert_true(vq_publish(&s->vq));
}

static void test_event_index(void **state)
{
    struct setup *s = *state;
    enable(s, SIZE, true, true);
    assert_int_equal(vq_enable(&s->vq), LEAT_OK);
    uint16_t wanted = 2; /* interrupt once element 2 is there */
    unsigned interrupts = 0;
    for (unsigned i = 0; i < 70000; i++) {
        put(s, AVAIL + 4 + 2 * SIZE, wanted, 2);
        vq_push(&s->vq, 0, 0);
        if (vq_publish(&s->vq)) {
            assert_int_equal((uint16_t)i, wanted);
            wanted = (uint16_t)(wanted + 3);
            interrupts++;
        }
    }
    assert_int_equal(interrupts, (70000 - 2 + 2) / 3);
    /* a batch that passes the wanted element */
    put(s, AVAIL + 4 + 2 * SIZE, (uint16_t)(70000 + 3), 2);
    for (unsigned i = 0; i < 6; i++)
        vq_push(&s->vq, 0, 0);
    assert_true(vq_publish(&s->vq));
}

static void test_doorbells(void **state)
{
    for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
        struct setup *s = *state;
        memset(s->ram, 0, RAM_BYTES);
        enable(s, SIZE, true, event_idx);
        assert_int_equal(vq_enable(&s->vq), LEAT_OK);
        describe(s, DESCRIPTORS, 0, DATA, 1, 0, 0);
        vq_doorbell_off(&s->vq);
        assert_int_equal(get16(s, USED), event_idx ? 0 : 1);
        offer(s, 0);
        assert_true(vq_doorbell_on(&s->vq)); /* came while it was off */
        assert_int_equal(vq_pop(&s->vq, &s->chain), LEAT_OK);
        assert_false(vq_doorbell_on(&s->vq));
        assert_int_equal(get16(s, USED), 0);
        if (event_idx)
            assert_int_equal(get16(s, USED + 4 + 8 * SIZE), 1);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_direct_chain),
        TEST(test_indirect_chain),
        TEST(test_whole_ring_at_once_and_wrap),
        TEST(test_loop),
        TEST(test_loop_of_one),
        TEST(test_loop_in_indirect_table),
        TEST(test_endless_chain),
        TEST(test_longest_chain_is_taken),
        TEST(test_next_out_of_range),
        TEST(test_next_out_of_indirect_table),
        TEST(test_head_out_of_range),
        TEST(test_addresses_outside),
        TEST(test_zero_length),
        TEST(test_zero_length_indirect),
        TEST(test_odd_length_indirect),
        TEST(test_nested_indirect),
        TEST(test_indirect_with_successor),
        TEST(test_indirect_not_negotiated),
        TEST(test_writable_before_readable),
        TEST(test_available_index_jumps),
        TEST(test_available_index_goes_back),
        TEST(test_more_than_4_gib),
        TEST(test_bad_sizes_and_places),
        TEST(test_interrupt_flag),
        TEST(test_event_index),
        TEST(test_doorbells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
