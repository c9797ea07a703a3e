// SPDX-License-Identifier: BSD-2-Clause
/* Mode server: which layers and exports are refused, when that is found, and how a disk ends. */
#include "tests/unit/layer_fixture.h"

#include <string.h>

static void expect_failed(const char *why)
{
    struct leat_blk_info info;
    run(20);
    vdisk_info(disks[0], &info);
    assert_int_equal(info.state, LEAT_BLK_FAILED);
    assert_non_null(strstr(layer_log, why));
    read_blocks(&one, 0, 0, 1);
    assert_true(one.is_done);
    assert_int_equal(one.status, LEAT_EIO);
}

static void another_size_is_refused(void **state)
{
    (void)state;
    own->size += BLOCK;
    attach(0);
    read_blocks(&two, 0, 0, 1);
    expect_failed(
        "failed: the client's export 'c0' has 8392704 bytes and the shared export 'image' "
        "has 8388608");
    assert_true(two.is_done);
    assert_int_equal(two.status, LEAT_EIO);
}

static void a_read_only_layer_is_refused(void **state)
{
    (void)state;
    own->is_read_only = true;
    attach(0);
    expect_failed("failed: the client's export 'c0' over the shared export 'image' is read-only");
}

/* Only what the layer does not hold can be compared. */
static void a_layer_over_another_image_is_refused(void **state)
{
    (void)state;
    own->is_of_another = true;
    own_block(0, 0);
    attach(0);
    expect_failed("failed: the client's export 'c0' is no layer over the shared export 'image': at "
                  "byte 1048576, ");
}

static void a_disk_ends_with_reads_under_way(void **state)
{
    (void)state;
    attach(0);
    run(20);
    read_blocks(&one, 0, 5, 4);
    submit(&two, 0, LEAT_BLK_WRITE, 90 * BLOCK, BLOCK);
    detach(0);
    layer_holds_status = true;
    run(10);
    attach(0);
    run(20);
    read_blocks(&two, 0, 5, 4); /* waits for the map */
    detach(0);
    run(20);
    assert_false(one.is_done || two.is_done);
    assert_true(list_is_empty(&engine->exports));
}

static void expect_refused(void)
{
    struct leat_blk_info info;
    vdisk_info(disks[0], &info);
    assert_int_equal(info.state, LEAT_BLK_FAILED);
    assert_true(one.is_done);
    assert_int_equal(one.status, LEAT_EIO);
    assert_non_null(strstr(layer_log, "is no layer over the shared export"));
}

static void a_layer_over_another_image_comes_back(void **state)
{
    (void)state;
    attach(0);
    run(40);
    layer_cut(1);
    own->is_of_another = true;
    run(2000);
    read_blocks(&one, 0, 600, 1);
    run(20);
    expect_refused();
}

/* The shared image is away before its samples are answered. */
static void what_is_not_known_yet_is_compared_later(void **state)
{
    (void)state;
    own->is_of_another = true;
    own_block(0, 0);
    attach(0);
    for (unsigned i = 0; i < 40; i++) {
        run(1);
        const struct vdisk_export *below = disks[0]->below->export;
        image->is_away |= below->link == LINK_UP && below->content.wanted;
    }
    assert_true(image->is_away);
    image->is_away = false;
    run(3000);
    read_blocks(&one, 0, 600, 1);
    run(20);
    expect_refused();
}

static void reads_below_end_when_the_layer_has_failed(void **state)
{
    (void)state;
    attach(0);
    run(40);
    image->is_away = true;
    run(5);
    read_blocks(&one, 0, 600, 1);
    run(20);
    assert_false(one.is_done);
    layer_cut(1);
    own->size += BLOCK;
    run(3000);
    assert_true(one.is_done);
    assert_int_equal(one.status, LEAT_EIO);
}

/* What one disk has left of an export is not for another one that takes it for something else. */
static void an_export_is_not_taken_for_another_kind(void **state)
{
    (void)state;
    attach_as(0, "c0", VDISK_PRIVATE);
    run(20);
    detach(0);
    attach(0);
    run(20);
    uint64_t before = own->read_bytes;
    read_blocks(&one, 0, 300, 4);
    run(5);
    expect(&one, 0);
    assert_int_equal(own->read_bytes, before);
    detach(0);
    below_is_hole = true;
    attach(0);
    assert_true(disks[0]->export->layers.by_holes);
    detach(0);
    attach_as(0, "c0", VDISK_PRIVATE);
    assert_false(disks[0]->export->layers.is_wanted);
}

static void two_kinds_of_one_export_do_not_go(void **state)
{
    (void)state;
    attach(0);
    attach_as(1, "c0", VDISK_PRIVATE);
    assert_non_null(strstr(layer_log, "another disk writes to this export"));
    detach(0);
    detach(1);
    attach(0);
    run(20);
    submit(&two, 0, LEAT_BLK_WRITE, 90 * BLOCK, BLOCK);
    detach(0);
    attach_as(0, "c0", VDISK_PRIVATE);
    assert_non_null(strstr(layer_log, "writes to this export are still under way"));
}

/* One that was refused does not stand in the way. */
static void a_refused_disk_keeps_no_export(void **state)
{
    (void)state;
    own->is_of_another = true;
    attach(0);
    expect_failed("is no layer over the shared export");
    attach_as(1, "c0", VDISK_PRIVATE);
    assert_false(disks[1]->export->layers.is_wanted);
    assert_null(disks[1]->refusal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_size_is_refused),
        TEST(a_read_only_layer_is_refused),
        TEST(a_layer_over_another_image_is_refused),
        TEST(a_disk_ends_with_reads_under_way),
        TEST(a_layer_over_another_image_comes_back),
        TEST(what_is_not_known_yet_is_compared_later),
        TEST(reads_below_end_when_the_layer_has_failed),
        TEST(an_export_is_not_taken_for_another_kind),
        TEST(two_kinds_of_one_export_do_not_go),
        TEST(a_refused_disk_keeps_no_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
