// SPDX-License-Identifier: BSD-2-Clause
/* The store's metadata damaged on the disk: one copy is repaired, both are never taken for the truth. */
#include "tests/unit/store_fixture.h"
#include "vdisk/store/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RANGE (2ull << 20)
#define SIZE (1ull << 20)
#define BLOCKS 20u

static const uint8_t content[STORE_CONTENT_BYTES] = {1};
static uint8_t data[BLOCKS * 4096], back[BLOCKS * 4096], held[BLOCKS];
static struct format_layout layout;

static struct store_object *difference(struct store_fixture *f)
{
    struct store_object *o;
    assert_int_equal(store_difference(f->store, "vm/root", content, SIZE, &o), STORE_OK);
    return o;
}

/* A store with a cached image and a difference, each write flushed by itself. */
static void make(struct store_fixture *f, unsigned writes)
{
    store_fixture_new(f, RANGE);
    assert_true(format_layout(RANGE / FORMAT_PAGE, &layout));
    memset(data, 7, sizeof data);
    store_put(store_image(f->store, content, SIZE), 0, BLOCKS, data);
    struct store_object *o = difference(f);
    for (unsigned i = 0; i < writes; i++) {
        struct store_op op = {.type = STORE_WRITE,
                              .is_fua = true,
                              .object = o,
                              .offset = i % BLOCKS * 4096,
                              .length = 4096,
                              .data = data};
        data[0] = (uint8_t)i;
        assert_int_equal(store_fixture_do(f, op), STORE_OK);
    }
}

static void spoil(struct store_fixture *f, uint64_t page)
{
    f->disk[4096 + page * FORMAT_PAGE + 2000] ^= 1;
}

static enum store_status read_all(struct store_fixture *f, struct store_object *o)
{
    return store_fixture_do(
        f,
        (struct store_op){
            .type = STORE_READ, .object = o, .length = BLOCKS * 4096, .data = back, .held = held});
}

/* All `writes` are there, the last of each block. */
static void check_whole(struct store_fixture *f, unsigned writes)
{
    struct store_object *o = difference(f);
    assert_false(store_is_damaged(o));
    assert_int_equal(read_all(f, o), STORE_OK);
    for (unsigned i = 0; i < BLOCKS; i++) {
        assert_int_equal(held[i], i < writes ? 0xff : 0);
        unsigned last = (writes - 1 - i) / BLOCKS * BLOCKS + i;
        if (i < writes)
            assert_int_equal(back[i * 4096], (uint8_t)last);
    }
}

static void check_damaged(struct store_fixture *f)
{
    for (unsigned round = 0; round < 3; round++) { /* it is not forgotten at the next start */
        struct store_object *o = difference(f);
        assert_true(store_is_damaged(o));
        assert_int_equal(read_all(f, o), STORE_DAMAGED);
        assert_int_equal(store_fixture_reopen(f), STORE_OK);
    }
    store_delete(difference(f));
    struct store_object *o = difference(f);
    assert_false(store_is_damaged(o));
    assert_int_equal(read_all(f, o), STORE_OK);
    assert_int_equal(held[0], 0);
    assert_int_equal(store_fixture_do(f, (struct store_op){.type = STORE_FLUSH}), STORE_OK);
    assert_int_equal(store_fixture_reopen(f), STORE_OK);
    assert_false(store_is_damaged(difference(f)));
}

static void one_copy_of_everything_is_enough(void **state)
{
    (void)state;
    struct store_fixture f;
    for (unsigned copy = 0; copy < 2; copy++) {
        make(&f, 70);
        spoil(&f, format_super_page(&layout, copy * 2));
        spoil(&f, format_super_page(&layout, copy * 2 + 1));
        for (uint64_t i = 0; i < layout.journal_pages; i++)
            spoil(&f, format_journal_page(&layout, copy, i));
        for (unsigned g = 0; g < 2; g++) {
            for (uint32_t i = 0; i < layout.root_pages; i++)
                spoil(&f, format_root_page(&layout, copy, g, i));
            for (uint32_t i = 0; i < layout.index_pages; i++)
                spoil(&f, format_index_page(&layout, copy, g, i));
        }
        assert_int_equal(store_fixture_reopen(&f), STORE_OK);
        check_whole(&f, 70);
        store_fixture_end(&f);
    }
}

static void what_is_repaired_has_two_copies_again(void **state)
{
    (void)state;
    struct store_fixture f;
    make(&f, 70);
    for (unsigned copy = 0; copy < 2; copy++) {
        for (uint64_t i = 0; i < layout.journal_pages; i++)
            spoil(&f, format_journal_page(&layout, copy, i));
        assert_int_equal(store_fixture_reopen(&f), STORE_OK);
        store_fixture_settle(&f);
        check_whole(&f, 70);
    }
    store_fixture_end(&f);
}

static void a_lost_index_damages_the_differences(void **state)
{
    (void)state;
    struct store_fixture f;
    make(&f, 70);
    assert_true(store_fixture_info(&f).checkpoints > 1);
    for (unsigned copy = 0; copy < 2; copy++)
        for (unsigned g = 0; g < 2; g++)
            spoil(&f, format_index_page(&layout, copy, g, 0));
    assert_int_equal(store_fixture_reopen(&f), STORE_OK);
    check_damaged(&f);
    store_fixture_end(&f);
}

static void a_hole_in_the_journal_is_not_its_end(void **state)
{
    (void)state;
    struct store_fixture f;
    make(&f, 6);
    assert_int_equal(store_fixture_info(&f).checkpoints, 1); /* that of store_format */
    for (unsigned copy = 0; copy < 2; copy++)
        spoil(&f, format_journal_page(&layout, copy, 4));
    assert_int_equal(store_fixture_reopen(&f), STORE_OK);
    assert_false(store_holds(store_image(f.store, content, SIZE), 0, 512));
    check_damaged(&f);
    store_fixture_end(&f);
}

static void an_old_superblock_is_not_believed(void **state)
{
    (void)state;
    struct store_fixture f;
    for (unsigned writes = 20; writes < 90; writes += 3) {
        make(&f, writes);
        uint64_t newest = store_fixture_info(&f).checkpoints & 1;
        for (unsigned copy = 0; copy < 2; copy++)
            spoil(&f, format_super_page(&layout, (unsigned)newest + 2 * copy));
        enum store_status status = store_fixture_reopen(&f);
        if (status == STORE_OK && !store_is_damaged(difference(&f)))
            check_whole(&f, writes);
        else
            assert_true(status == STORE_OK || status == STORE_DAMAGED || status == STORE_BLANK);
        store_fixture_end(&f);
    }
}

static void a_lost_root_is_said(void **state)
{
    (void)state;
    struct store_fixture f;
    make(&f, 30);
    for (unsigned copy = 0; copy < 2; copy++)
        for (unsigned g = 0; g < 2; g++)
            spoil(&f, format_root_page(&layout, copy, g, 0));
    assert_int_equal(store_fixture_reopen(&f), STORE_DAMAGED);
    store_fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_copy_of_everything_is_enough),
        cmocka_unit_test(what_is_repaired_has_two_copies_again),
        cmocka_unit_test(a_lost_index_damages_the_differences),
        cmocka_unit_test(a_hole_in_the_journal_is_not_its_end),
        cmocka_unit_test(an_old_superblock_is_not_believed),
        cmocka_unit_test(a_lost_root_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
