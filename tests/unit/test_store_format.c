// SPDX-License-Identifier: BSD-2-Clause
/* The store's format: known checksums, pages that tell damage, areas that do not overlap. */
#include "vdisk/store/crc32c.h"
#include "vdisk/store/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void the_checksum_is_crc32c(void **state)
{
    (void)state;
    uint8_t data[4096 + 7];
    memset(data, 0, 32); /* RFC 3720, B.4 */
    assert_int_equal(crc32c(0, data, 32), 0x8a9136aa);
    memset(data, 0xff, 32);
    assert_int_equal(crc32c(0, data, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        data[i] = i;
    assert_int_equal(crc32c(0, data, 32), 0x46dd794e);
    assert_int_equal(crc32c_portable(0, data, 32), 0x46dd794e);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 3);
    for (size_t size = 0; size < 40; size++)
        assert_int_equal(crc32c(0, data + 1, size), crc32c_portable(0, data + 1, size));
    assert_int_equal(crc32c(0, data, sizeof data), crc32c_portable(0, data, sizeof data));
    assert_int_equal(crc32c(crc32c(0, data, 1000), data + 1000, 3000), crc32c(0, data, 4000));
}

static void a_page_tells_any_changed_bit(void **state)
{
    (void)state;
    uint8_t page[FORMAT_PAGE] = {0};
    struct format_header h = {.kind = FORMAT_INDEX, .store_id = 7, .number = 9, .records = 3}, got;
    format_put_slot(page, 2, 0x123456789abcdefull, 77);
    format_seal(page, &h);
    assert_true(format_check(page, &got));
    assert_int_equal(got.kind, FORMAT_INDEX);
    assert_int_equal(got.number, 9);
    for (unsigned bit = 0; bit < FORMAT_PAGE * 8; bit += 13) {
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(format_check(page, &got));
        page[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    h.records = FORMAT_SLOTS_PER_PAGE + 1; /* sealed, but impossible */
    format_seal(page, &h);
    assert_false(format_check(page, &got));
}

static void keys_come_back_as_they_were(void **state)
{
    (void)state;
    struct format_key key = {.block = (1ull << 40) - 1, .object = 125, .mask = 0x81}, got;
    assert_true(format_unpack_key(format_pack_key(&key), &got));
    assert_int_equal(got.block, key.block);
    assert_int_equal(got.object, 125);
    assert_int_equal(got.mask, 0x81);
    assert_false(got.is_zero || got.is_group);
    assert_false(format_unpack_key(FORMAT_NO_KEY, &got));
    key.object = STORE_OBJECTS;
    assert_false(format_unpack_key(format_pack_key(&key), &got));
    key = (struct format_key){.block = 1, .mask = 0};
    assert_false(format_unpack_key(format_pack_key(&key), &got));
    key = (struct format_key){.block = 1, .mask = 0xff, .is_group = true}; /* a group has no data */
    assert_false(format_unpack_key(format_pack_key(&key), &got));
    assert_false(
        format_unpack_key(format_pack_key(&(struct format_key){.mask = 1}) | 1ull << 60, &got));
}

static void a_block_is_bound_to_its_place(void **state)
{
    (void)state;
    uint8_t data[STORE_BLOCK_BYTES] = {1, 2, 3};
    struct format_key key = {.block = 5, .object = 3, .mask = 0xff}, other = key;
    uint32_t crc = format_block_crc(1, 10, &key, data);
    other.block = 6;
    assert_int_not_equal(crc, format_block_crc(1, 10, &other, data));
    assert_int_not_equal(crc, format_block_crc(1, 11, &key, data));
    assert_int_not_equal(crc, format_block_crc(2, 10, &key, data));
    data[4095] = 1;
    assert_int_not_equal(crc, format_block_crc(1, 10, &key, data));
}

static void areas_do_not_overlap(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {256, 257, 1000, 262144, 26214400, 1ull << 31};
    struct format_layout l;
    assert_false(format_layout(255, &l));
    assert_false(format_layout((1ull << 31) + 1, &l));
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_true(format_layout(sizes[i], &l));
        uint64_t at = 2; /* behind two superblocks */
        assert_int_equal(format_super_page(&l, 1), 1);
        assert_int_equal(format_journal_page(&l, 0, 0), at);
        at += l.journal_pages;
        for (unsigned generation = 0; generation < 2; generation++, at += l.root_pages)
            assert_int_equal(format_root_page(&l, 0, generation, 0), at);
        for (unsigned generation = 0; generation < 2; generation++, at += l.index_pages)
            assert_int_equal(format_index_page(&l, 0, generation, 0), at);
        assert_int_equal(format_data_page(&l, 0), at);
        assert_true(at + l.slots <= format_journal_page(&l, 1, 0));
        assert_int_equal(format_index_page(&l, 1, 1, l.index_pages - 1) + 1,
                         format_super_page(&l, 2));
        assert_int_equal(format_super_page(&l, 3), sizes[i] - 1);
        assert_true((uint64_t)l.index_pages * FORMAT_SLOTS_PER_PAGE >= l.slots);
        /* Metadata of a large store: at most 2 % of it. */
        assert_true(sizes[i] < 262144 || (sizes[i] - l.slots) * 50 <= sizes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_crc32c),
        cmocka_unit_test(a_page_tells_any_changed_bit),
        cmocka_unit_test(keys_come_back_as_they_were),
        cmocka_unit_test(a_block_is_bound_to_its_place),
        cmocka_unit_test(areas_do_not_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
