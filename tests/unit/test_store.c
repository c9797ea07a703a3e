// SPDX-License-Identifier: BSD-2-Clause
/* The local store, one promise at a time; the simulator (tests/sim/test_store_sim.c) mixes them. */
#include "tests/unit/store_fixture.h"
#include "vdisk/store/inside.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1ull << 20)
#define PAGE STORE_BLOCK_BYTES

static const uint8_t content_a[STORE_CONTENT_BYTES] = {1}, content_b[STORE_CONTENT_BYTES] = {2};
static uint8_t data[64 * PAGE], back[64 * PAGE], held[65];

static void fill(uint8_t *at, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(seed * 37 + i * 11 + (i >> 8));
}

static enum store_status read_into_back(struct store_fixture *f, struct store_object *o,
                                        uint64_t offset, uint64_t length)
{
    memset(back, 0x99, sizeof back);
    return store_fixture_do(f, (struct store_op){.type = STORE_READ,
                                                 .object = o,
                                                 .offset = offset,
                                                 .length = length,
                                                 .data = back,
                                                 .held = held});
}

static enum store_status change(struct store_fixture *f, struct store_object *o,
                                enum store_op_type type, uint64_t offset, uint64_t length)
{
    return store_fixture_do(
        f, (struct store_op){
               .type = type, .object = o, .offset = offset, .length = length, .data = data});
}

static void flush(struct store_fixture *f)
{
    assert_int_equal(store_fixture_do(f, (struct store_op){.type = STORE_FLUSH}), STORE_OK);
}

static struct store_object *difference(struct store_fixture *f, const char *name, uint64_t size)
{
    struct store_object *o;
    assert_int_equal(store_difference(f->store, name, content_a, size, &o), STORE_OK);
    return o;
}

static void cached_blocks_survive_a_restart(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 4 * MIB);
    struct store_object *a = store_image(f.store, content_a, MIB);
    fill(data, 3 * PAGE, 1);
    assert_int_equal(store_put(a, 7, 3, data), 3);
    store_fixture_settle(&f); /* time goes on until the blocks are durable by themselves */
    assert_int_equal(store_fixture_reopen(&f), STORE_OK);
    a = store_image(f.store, content_a, MIB);
    assert_true(store_holds(a, 7 * PAGE, 3 * PAGE));
    assert_int_equal(read_into_back(&f, a, 6 * PAGE, 5 * PAGE), STORE_OK);
    assert_memory_equal(held, ((uint8_t[]){0, 0xff, 0xff, 0xff, 0}), 5);
    assert_memory_equal(back + PAGE, data, 3 * PAGE);
    assert_int_equal(back[0], 0x99);
    /* Another content, or another size, is another image. */
    assert_false(store_holds(store_image(f.store, content_b, MIB), 7 * PAGE, 512));
    assert_false(store_holds(store_image(f.store, content_a, 2 * MIB), 7 * PAGE, 512));
    store_fixture_end(&f);
}

/* Where on the disk a page with these bytes lies. */
static uint8_t *find_page(struct store_fixture *f, const uint8_t *page)
{
    for (uint64_t at = 0; at < f->options.range_bytes; at += PAGE)
        if (memcmp(f->disk + PAGE + at, page, PAGE) == 0)
            return f->disk + PAGE + at;
    return NULL;
}

static void a_damaged_cached_block_is_fetched_again_once(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 4 * MIB);
    struct store_object *a = store_image(f.store, content_a, MIB);
    fill(data, 4 * PAGE, 2);
    store_put(a, 0, 4, data);
    store_fixture_settle(&f);
    uint8_t *bad = find_page(&f, data + PAGE);
    assert_non_null(bad);
    bad[100] ^= 4;
    assert_int_equal(read_into_back(&f, a, 0, 4 * PAGE), STORE_OK);
    assert_memory_equal(held, ((uint8_t[]){0xff, 0, 0xff, 0xff}), 4);
    assert_false(store_holds(a, PAGE, 512));
    assert_int_equal(store_put(a, 1, 1, data + PAGE), 1);
    store_fixture_settle(&f);
    assert_int_equal(read_into_back(&f, a, 0, 4 * PAGE), STORE_OK);
    assert_memory_equal(held, ((uint8_t[]){0xff, 0xff, 0xff, 0xff}), 4);
    assert_memory_equal(back, data, 4 * PAGE);
    assert_int_equal(store_fixture_info(&f).damaged_blocks, 1);
    store_fixture_end(&f);
}

static void a_damaged_difference_is_never_the_base(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 4 * MIB);
    struct store_object *d = difference(&f, "web/root", MIB);
    fill(data, PAGE, 3);
    assert_int_equal(change(&f, d, STORE_WRITE, 0, PAGE), STORE_OK);
    find_page(&f, data)[0] ^= 1;
    assert_int_equal(read_into_back(&f, d, 0, PAGE), STORE_DAMAGED);
    assert_int_equal(read_into_back(&f, d, 0, 512), STORE_DAMAGED);
    assert_int_equal(change(&f, d, STORE_WRITE, 512, 512), STORE_DAMAGED); /* needs the rest */
    assert_int_equal(change(&f, d, STORE_WRITE, 0, PAGE), STORE_OK);
    assert_int_equal(read_into_back(&f, d, 0, PAGE), STORE_OK);
    assert_memory_equal(back, data, PAGE);
    store_fixture_end(&f);
}

static void sectors_are_kept_one_by_one(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 4 * MIB);
    struct store_object *d = difference(&f, "web/root", MIB);
    fill(data, 1024, 4);
    assert_int_equal(change(&f, d, STORE_WRITE, 3 * 512, 1024), STORE_OK);
    assert_int_equal(read_into_back(&f, d, 0, PAGE), STORE_OK);
    assert_int_equal(held[0], 0x18);
    assert_memory_equal(back + 3 * 512, data, 1024);
    assert_int_equal(back[0], 0x99); /* what the base has is not touched */
    assert_int_equal(change(&f, d, STORE_WRITE, 7 * 512, 1024), STORE_OK);
    assert_int_equal(change(&f, d, STORE_ZERO, 4 * 512, 512), STORE_OK);
    flush(&f);
    assert_int_equal(store_fixture_reopen(&f), STORE_OK);
    d = difference(&f, "web/root", MIB);
    assert_int_equal(read_into_back(&f, d, 0, 2 * PAGE), STORE_OK);
    assert_int_equal(held[0], 0x98);
    assert_int_equal(held[1], 0x01);
    assert_memory_equal(back + 3 * 512, data, 512);
    assert_int_equal(back[4 * 512], 0);
    assert_memory_equal(back + 7 * 512, data, 1024);
    store_fixture_end(&f);
}

static void zeroes_cost_no_data(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 4 * MIB);
    struct store_object *d = difference(&f, "big", 1024 * MIB); /* many times the store */
    fill(data, PAGE, 5);
    assert_int_equal(change(&f, d, STORE_WRITE, 5 * PAGE, PAGE), STORE_OK);
    assert_int_equal(change(&f, d, STORE_ZERO, 0, 1024 * MIB), STORE_OK);
    assert_int_equal(store_fixture_info(&f).other_blocks, 1024 / 2); /* one for 2 MiB */
    assert_true(store_holds(d, 0, 1024 * MIB));
    assert_int_equal(read_into_back(&f, d, 4 * PAGE, 4 * PAGE), STORE_OK);
    memset(data, 0, 4 * PAGE);
    assert_memory_equal(back, data, 4 * PAGE);
    fill(data, PAGE, 6);
    assert_int_equal(change(&f, d, STORE_WRITE, 5 * PAGE + 512, 512), STORE_OK);
    assert_int_equal(read_into_back(&f, d, 5 * PAGE, PAGE), STORE_OK);
    assert_int_equal(held[0], 0xff);
    assert_int_equal(back[0], 0);
    assert_memory_equal(back + 512, data, 512);
    assert_int_equal(change(&f, d, STORE_DISCARD, 0, 1024 * MIB), STORE_OK);
    assert_int_equal(store_fixture_info(&f).other_blocks, 0);
    assert_false(store_holds(d, 5 * PAGE, PAGE));
    store_fixture_end(&f);
}

static void a_full_store_says_so_and_still_overwrites(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 2 * MIB);
    struct store_object *d = difference(&f, "web/root", 16 * MIB);
    struct store_object *a = store_image(f.store, content_b, 16 * MIB);
    enum store_status status = STORE_OK;
    uint64_t full = 0;
    for (uint64_t i = 0; i < 64; i++)
        store_put(a, i, 1, data); /* cached blocks give way */
    store_fixture_settle(&f);
    for (; status == STORE_OK; full++) {
        fill(data, PAGE, (unsigned)full);
        status = change(&f, d, STORE_WRITE, full * PAGE, PAGE);
    }
    assert_int_equal(status, STORE_FULL);
    full--;
    assert_true(full > 300);
    assert_int_equal(store_fixture_info(&f).image_blocks, 0);
    for (unsigned round = 0; round < 100; round++) {
        fill(data, PAGE, round);
        assert_int_equal(change(&f, d, STORE_WRITE, round % 7 * PAGE, PAGE), STORE_OK);
    }
    flush(&f);
    assert_int_equal(change(&f, d, STORE_DISCARD, 0, full / 2 * PAGE), STORE_OK);
    assert_int_equal(change(&f, d, STORE_WRITE, full * PAGE, PAGE), STORE_OK);
    assert_int_equal(store_fixture_reopen(&f), STORE_OK);
    store_fixture_end(&f);
}

static void op_done(struct store_op *op, enum store_status status)
{
    (void)status; /* op has it */
    *(bool *)op->owner = true;
}

/* Nothing is committed for that: no time passes. */
static void write_block(struct store_fixture *f, struct store_object *o, uint64_t block)
{
    bool is_done = false;
    struct store_op op = {.type = STORE_WRITE,
                          .object = o,
                          .offset = block * PAGE,
                          .length = PAGE,
                          .data = data,
                          .done = op_done,
                          .owner = &is_done};
    store_submit(f->store, &op);
    while (!is_done) {
        store_run(f->store);
        store_fixture_deliver(f);
    }
    assert_int_equal(op.status, STORE_OK);
}

/* As if the power had gone when only the first page of the last batch was on the disk. */
static void cut_last_batch(struct store_fixture *f)
{
    const struct journal *j = &f->store->journal;
    assert_true(j->next - j->batch_first > 1);
    for (uint64_t page = j->batch_first + 1; page < j->next; page++)
        for (unsigned copy = 0; copy < 2; copy++)
            memset(f->disk + PAGE + format_journal_page(&f->store->layout, copy, page) * PAGE, 0,
                   PAGE);
}

/* A block that is there is there whatever part of a commit is, however often it was written in between. */
static void a_block_is_never_without_any_state(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 8 * MIB);
    struct store_object *d = difference(&f, "web/root", 16 * MIB);
    write_block(&f, d, 0);
    flush(&f);
    for (uint64_t i = 0; i < 600; i++)
        write_block(&f, d, i);
    fill(data, PAGE, 9);
    write_block(&f, d, 0);
    flush(&f);
    cut_last_batch(&f);
    assert_int_equal(store_fixture_reopen(&f), STORE_OK);
    d = difference(&f, "web/root", 16 * MIB);
    assert_int_equal(read_into_back(&f, d, 0, PAGE), STORE_OK);
    assert_int_equal(held[0], 0xff);
    assert_memory_equal(back, data, PAGE);
    store_fixture_end(&f);
}

/* A checkpoint between the commit of a new state and that of the old one's end, whose slot lies behind the new one's, so that
   recovery comes to it later. */
static void a_checkpoint_does_not_bring_an_old_state_back(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 16 * MIB);
    struct store_object *d = difference(&f, "web/root", 64 * MIB);
    const struct journal *j = &f.store->journal;
    uint32_t fit = f.store->layout.journal_pages / 4 * FORMAT_CHANGES_PER_PAGE;
    for (uint64_t i = 1; i <= fit; i++)
        write_block(&f, d, i);
    write_block(&f, d, 0);
    flush(&f);
    assert_int_equal(change(&f, d, STORE_DISCARD, PAGE, fit * PAGE), STORE_OK);
    flush(&f);
    store_fixture_settle(&f); /* their slots are free */
    f.store->table.next = 0;
    for (uint64_t i = 1; i < fit; i++)
        write_block(&f, d, 8192 + i);
    fill(data, PAGE, 9);
    write_block(&f, d, 0);
    assert_int_equal(j->count, fit + 1); /* the last is the end of the old state */
    uint64_t durable = j->slots_durable;
    while (j->slots_durable == durable) {
        f.now_ns += 1000000000;
        store_run(f.store);
        store_fixture_deliver(&f);
    }
    assert_int_equal(j->slots_durable, durable + fit);
    f.store->checkpoint.is_wanted = true;
    store_fixture_settle(&f);
    assert_int_equal(store_fixture_reopen(&f), STORE_OK);
    d = difference(&f, "web/root", 64 * MIB);
    assert_int_equal(read_into_back(&f, d, 0, PAGE), STORE_OK);
    assert_int_equal(held[0], 0xff);
    assert_memory_equal(back, data, PAGE);
    store_fixture_end(&f);
}

static void a_difference_stays_with_its_base(void **state)
{
    (void)state;
    struct store_fixture f;
    struct store_object *o;
    store_fixture_new(&f, 2 * MIB);
    difference(&f, "web/root", MIB);
    assert_int_equal(store_difference(f.store, "web/root", content_b, MIB, &o), STORE_MISMATCH);
    assert_int_equal(store_difference(f.store, "web/root", content_a, 2 * MIB, &o), STORE_MISMATCH);
    assert_int_equal(store_difference(f.store, "", content_a, MIB, &o), STORE_INVALID);
    store_fixture_end(&f);
}

static void blobs_are_replaced_whole(void **state)
{
    (void)state;
    struct store_fixture f;
    uint64_t size;
    store_fixture_new(&f, 2 * MIB);
    assert_null(store_blob(f.store, "p", &size));
    for (unsigned version = 1; version < 200; version++) { /* numbers and room come back */
        struct store_op op = {
            .type = STORE_PUT_BLOB, .name = "p", .data = data, .length = 1000 + version * 300};
        fill(data, op.length, version);
        assert_int_equal(store_fixture_do(&f, op), STORE_OK);
    }
    assert_int_equal(store_fixture_reopen(&f), STORE_OK);
    struct store_object *blob = store_blob(f.store, "p", &size);
    assert_non_null(blob);
    assert_int_equal(size, 1000 + 199 * 300);
    assert_int_equal(read_into_back(&f, blob, 0, (size + PAGE - 1) / PAGE * PAGE), STORE_OK);
    assert_memory_equal(back, data, size);
    store_delete(blob);
    flush(&f);
    assert_int_equal(store_fixture_reopen(&f), STORE_OK);
    assert_null(store_blob(f.store, "p", &size));
    store_fixture_settle(&f);
    assert_int_equal(store_fixture_info(&f).other_blocks, 0);
    store_fixture_end(&f);
}

static void a_failed_flush_ends_writing(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 2 * MIB);
    struct store_object *d = difference(&f, "web/root", MIB);
    fill(data, PAGE, 7);
    f.fail_flushes = 1; /* of the commit that comes by itself */
    assert_int_equal(change(&f, d, STORE_WRITE, 0, PAGE), STORE_OK);
    assert_int_equal(store_fixture_do(&f, (struct store_op){.type = STORE_FLUSH}), STORE_FAILED);
    assert_int_equal(store_fixture_do(&f, (struct store_op){.type = STORE_FLUSH}), STORE_FAILED);
    assert_int_equal(change(&f, d, STORE_WRITE, 0, PAGE), STORE_FAILED);
    assert_int_equal(read_into_back(&f, d, 0, PAGE), STORE_OK); /* what is there can be read */
    assert_memory_equal(back, data, PAGE);
    assert_non_null(store_fixture_info(&f).failure);
    store_fixture_end(&f);
}

static void a_write_that_fails_goes_elsewhere(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 2 * MIB);
    struct store_object *d = difference(&f, "web/root", MIB);
    fill(data, PAGE, 8);
    f.fail_writes = 2;
    assert_int_equal(change(&f, d, STORE_WRITE, 0, PAGE), STORE_OK);
    f.fail_writes = 100;
    assert_int_equal(change(&f, d, STORE_WRITE, PAGE, PAGE), STORE_FAILED);
    f.fail_writes = 0;
    assert_int_equal(read_into_back(&f, d, 0, 2 * PAGE), STORE_OK);
    assert_int_equal(held[0], 0xff);
    assert_int_equal(held[1], 0);
    store_fixture_end(&f);
}

static void images_make_room_for_others(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 2 * MIB);
    for (unsigned i = 0; i < 3 * STORE_OBJECTS; i++) {
        uint8_t content[STORE_CONTENT_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8)};
        struct store_object *o = store_image(f.store, content, MIB);
        assert_non_null(o);
        fill(data, 16 * PAGE, i);
        store_put(o, 0, 16, data);
        store_fixture_settle(&f);
        assert_int_equal(read_into_back(&f, o, 0, 16 * PAGE), STORE_OK);
        for (unsigned block = 0; block < 16; block++)
            if (held[block]) /* what is read more often may push it out at once */
                assert_memory_equal(back + block * PAGE, data + block * PAGE, PAGE);
        store_release(o);
    }
    struct store_info info = store_fixture_info(&f);
    assert_true(info.evicted_blocks > 1000);
    store_fixture_end(&f);
}

static void what_is_no_store_is_left_alone(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 2 * MIB);
    uint8_t *copy = malloc(2 * MIB);
    memset(f.disk, 0x5a, 2 * MIB + 2 * PAGE);
    memset(copy, 0x5a, 2 * MIB);
    assert_int_equal(store_fixture_reopen(&f), STORE_BLANK);
    assert_memory_equal(f.disk + PAGE, copy, 2 * MIB);
    free(copy);
    store_fixture_end(&f);
    store_fixture_new(&f, 2 * MIB);
    f.options.range_bytes -= PAGE; /* the store does not fit any more */
    assert_int_equal(store_fixture_reopen(&f), STORE_FOREIGN);
    store_fixture_end(&f);
}

/* What docs/store.md states: bytes written for each byte cached, and memory. */
static void little_is_written_beside_the_data(void **state)
{
    (void)state;
    struct store_fixture f;
    store_fixture_new(&f, 64 * MIB);
    struct store_object *a = store_image(f.store, content_a, 1024 * MIB);
    for (uint64_t block = 0; block < 40960; block += 16) { /* 160 MiB through 64 */
        store_put(a, block, 16, data);
        store_fixture_settle(&f);
    }
    struct store_info info = store_fixture_info(&f);
    assert_int_equal(info.put_bytes, 160 * MIB);
    print_message("%.3f bytes written for a byte cached\n",
                  (double)info.device_written_bytes / (double)info.put_bytes);
    store_fixture_end(&f);
    store_fixture_new(&f, 64 * MIB);
    a = store_image(f.store, content_a, 1024 * MIB);
    for (uint64_t block = 0; block < 15360; block += 16) {
        f.now_ns += 1000;
        while (store_put(a, block, 16, data) == 0)
            store_fixture_settle(&f);
    }
    store_fixture_settle(&f);
    info = store_fixture_info(&f);
    double amplification = (double)info.device_written_bytes / (double)info.put_bytes;
    print_message("%.3f in a stream\n", amplification);
    assert_true(amplification < 1.04);
    store_fixture_end(&f);
    assert_true(store_ram_bytes(1024 * MIB, 16) < 1024 * MIB / 1000 * 55 / 10 + 5 * MIB / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cached_blocks_survive_a_restart),
        cmocka_unit_test(a_damaged_cached_block_is_fetched_again_once),
        cmocka_unit_test(a_damaged_difference_is_never_the_base),
        cmocka_unit_test(sectors_are_kept_one_by_one),
        cmocka_unit_test(zeroes_cost_no_data),
        cmocka_unit_test(a_full_store_says_so_and_still_overwrites),
        cmocka_unit_test(a_block_is_never_without_any_state),
        cmocka_unit_test(a_checkpoint_does_not_bring_an_old_state_back),
        cmocka_unit_test(a_difference_stays_with_its_base),
        cmocka_unit_test(blobs_are_replaced_whole),
        cmocka_unit_test(a_failed_flush_ends_writing),
        cmocka_unit_test(a_write_that_fails_goes_elsewhere),
        cmocka_unit_test(images_make_room_for_others),
        cmocka_unit_test(what_is_no_store_is_left_alone),
        cmocka_unit_test(little_is_written_beside_the_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
