// SPDX-License-Identifier: BSD-2-Clause
/* A good GPT is read as sgdisk means it; one that contradicts itself in any way is refused as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/gpt_maker.h"

static const uint8_t leat[GUID_BYTES] = GUID_LEAT_PARTITION;
static const uint8_t other[GUID_BYTES] = {1, 2, 3};

static struct made_disk disk;
static struct gpt_result result;

/* 1 MiB: an other partition in 100 .. 199, Leat's in 200 .. 299 (of 512 bytes). */
static int begin(void **state)
{
    (void)state;
    disk = (struct made_disk){NULL, 2048, 512, UINT64_MAX};
    disk.bytes = malloc(1 << 20);
    assert_non_null(disk.bytes);
    made_begin(&disk);
    made_partition(&disk, 0, other, 100, 199);
    made_partition(&disk, 5, leat, 200, 299);
    made_seal(&disk);
    return 0;
}

static int end(void **state)
{
    (void)state;
    free(disk.bytes);
    return 0;
}

static enum gpt_status find(void)
{
    uint8_t *buffer = malloc(GPT_BUFFER_BYTES);
    struct gpt_disk view = {disk.sectors, disk.sector_bytes, made_read, &disk, buffer};
    enum gpt_status status = gpt_find(&view, &result);
    free(buffer);
    assert_true(status == GPT_OK || result.count == 0);
    assert_true((status == GPT_REFUSED) == (result.why != NULL));
    return status;
}

static void assert_found(void)
{
    assert_int_equal(find(), GPT_OK);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.found[0].first, 200);
    assert_int_equal(result.found[0].sectors, 100);
    assert_int_equal(result.found[0].id[0], 6);
}

static void assert_refused(const char *why)
{
    assert_int_equal(find(), GPT_REFUSED);
    assert_string_equal(result.why, why);
}

static void good(void **state)
{
    (void)state;
    assert_found();
    assert_null(result.note);
}

static void large_sectors(void **state)
{
    (void)state;
    disk.sector_bytes = 4096;
    disk.sectors = 256;
    made_begin(&disk);
    made_partition(&disk, 0, leat, 100, 100);
    made_seal(&disk);
    assert_int_equal(find(), GPT_OK);
    assert_int_equal(result.count, 1);
    assert_int_equal(result.found[0].sectors, 1);
}

static void no_table(void **state)
{
    (void)state;
    memset(disk.bytes + 446, 0, 66);
    assert_int_equal(find(),
                     GPT_NONE); /* neither a signature nor a record, though the GPT is there */
    disk.bytes[510] = 0x55;
    disk.bytes[511] = 0xaa;
    disk.bytes[446 + 4] = 0x83;
    assert_int_equal(find(), GPT_NONE); /* MBR partitions */
    disk.sectors = 3;
    assert_int_equal(find(), GPT_NONE);
    disk.sectors = 100;
    disk.sector_bytes = 2048;
    assert_int_equal(find(), GPT_NONE);
}

static void hybrid(void **state)
{
    (void)state;
    disk.bytes[446 + 16 + 4] = 0x83;
    assert_refused("its MBR names partitions beside the GPT");
}

static void damaged_copies(void **state)
{
    (void)state;
    made_at(&disk, 1)[57] ^= 1;
    assert_found();
    assert_string_equal(result.note, "the first copy of its partition table is damaged");
    made_seal(&disk);
    made_entry(&disk, 5)[32] ^= 1; /* the first copy's entries only */
    assert_found();
    assert_non_null(result.note);
    made_entry(&disk, 5)[32] ^= 1;
    made_at(&disk, 2047)[57] ^= 1;
    assert_found();
    assert_string_equal(result.note, "the second copy of its partition table is damaged");
    made_at(&disk, 1)[57] ^= 1;
    assert_refused("its header's checksum is wrong");
    made_seal(&disk);
    disk.fail_sector = 1;
    assert_found();
    disk.fail_sector = 0;
    assert_refused("its first sector cannot be read");
}

static void copies_differ(void **state)
{
    (void)state;
    /* Another tool has moved the partition, and has known of the first copy only. */
    put_number(made_entry(&disk, 5) + 40, 250, 8);
    made_header(&disk, 1, 2047, 2);
    assert_refused("its two copies differ");
}

static void another_size(void **state)
{
    (void)state;
    /* The disk has grown since: the second copy is found where the first says. */
    disk.sectors = 1024;
    made_begin(&disk);
    made_partition(&disk, 5, leat, 200, 299);
    made_seal(&disk);
    disk.sectors = 2048;
    assert_found();
    assert_null(result.note);
    /* It has shrunk: the table speaks of what is not there. */
    disk.sectors = 900;
    assert_refused("its header's copy is said to be where it cannot be");
}

/* Changes one number in both copies' headers; what is said of the first is expected. */
static void assert_header_refused(unsigned offset, unsigned bytes, uint64_t value, const char *why)
{
    made_seal(&disk);
    put_number(made_at(&disk, 1) + offset, value, bytes);
    put_number(made_at(&disk, 2047) + offset, value, bytes);
    made_seal_header(&disk, 1);
    made_seal_header(&disk, 2047);
    assert_refused(why);
}

static void bad_headers(void **state)
{
    static const char *const version = "its header is of an unknown version";
    static const char *const range = "its header names a range that is not on the disk";
    static const char *const entries = "its entries are too many or of an unknown size";
    (void)state;
    assert_header_refused(0, 1, 'e', "there is no header");
    assert_header_refused(8, 4, 0x00020000, version);
    assert_header_refused(12, 4, 91, version);
    assert_header_refused(12, 4, 513, version);
    assert_header_refused(12, 4, UINT32_MAX, version);
    assert_header_refused(20, 4, 1, version);
    assert_header_refused(24, 8, 3, "its header was written for another place");
    assert_header_refused(32, 8, 2048, "its header's copy is said to be where it cannot be");
    assert_header_refused(32, 8, UINT64_MAX, "its header's copy is said to be where it cannot be");
    assert_header_refused(40, 8, 2015, range);
    assert_header_refused(40, 8, 33, range);
    assert_header_refused(48, 8, 2048, range);
    assert_header_refused(48, 8, UINT64_MAX, range);
    assert_header_refused(72, 8, 2047, "its entries are said to be behind the disk's end");
    assert_header_refused(72, 8, UINT64_MAX - 3,
                          "its entries are said to be behind the disk's end");
    assert_header_refused(72, 8, 1, "its parts overlap");
    assert_header_refused(72, 8, 3, "its parts overlap");
    assert_header_refused(72, 8, 0, "its parts overlap");
    assert_header_refused(80, 4, 0, entries);
    assert_header_refused(80, 4, 1025, entries);
    assert_header_refused(80, 4, UINT32_MAX, entries);
    assert_header_refused(84, 4, 0, entries);
    assert_header_refused(84, 4, 64, entries);
    assert_header_refused(84, 4, 192, entries);
    assert_header_refused(84, 4, 1u << 31, entries);
    assert_header_refused(88, 4, 0, "its entries' checksum is wrong");
}

static void bad_entries(void **state)
{
    static const char *const outside = "a partition lies outside of the range for partitions";
    static const struct {
        uint64_t first, last;
        const char *why;
    } cases[] = {
        {299, 400, "two partitions overlap"},
        {100, 400, "two partitions overlap"},
        {250, 260, "two partitions overlap"},
        {0, 10, outside},
        {33, 50, outside},
        {2014, 2015, outside},
        {400, 399, outside},
        {400, UINT64_MAX, outside},
        {UINT64_MAX, UINT64_MAX, outside},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        made_partition(&disk, 127, other, cases[i].first, cases[i].last);
        made_seal(&disk);
        assert_refused(cases[i].why);
    }
}

static void too_many(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        made_partition(&disk, i, leat, 100 + i, 100 + i);
    made_seal(&disk);
    assert_int_equal(find(), GPT_OK);
    assert_int_equal(result.count, GPT_MAX_FOUND);
}

static void guids(void **state)
{
    char text[GUID_TEXT_BYTES];
    uint8_t guid[GUID_BYTES];
    (void)state;
    guid_text(leat, text);
    assert_string_equal(text, "9357074e-1924-48a3-a9b4-982f9bda4031");
    assert_true(guid_parse("9357074E-1924-48a3-A9B4-982f9bda4031", guid));
    assert_memory_equal(guid, leat, GUID_BYTES);
    assert_false(guid_parse("", guid));
    assert_false(guid_parse("9357074e-1924-48a3-a9b4-982f9bda403", guid));
    assert_false(guid_parse("9357074e-1924-48a3-a9b4-982f9bda40311", guid));
    assert_false(guid_parse("9357074e 1924 48a3 a9b4 982f9bda4031", guid));
    assert_false(guid_parse("9357074g-1924-48a3-a9b4-982f9bda4031", guid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good, begin, end),
        cmocka_unit_test_setup_teardown(large_sectors, begin, end),
        cmocka_unit_test_setup_teardown(no_table, begin, end),
        cmocka_unit_test_setup_teardown(hybrid, begin, end),
        cmocka_unit_test_setup_teardown(damaged_copies, begin, end),
        cmocka_unit_test_setup_teardown(copies_differ, begin, end),
        cmocka_unit_test_setup_teardown(another_size, begin, end),
        cmocka_unit_test_setup_teardown(bad_headers, begin, end),
        cmocka_unit_test_setup_teardown(bad_entries, begin, end),
        cmocka_unit_test_setup_teardown(too_many, begin, end),
        cmocka_unit_test(guids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
