// SPDX-License-Identifier: BSD-2-Clause
/* Mode server: what is read from the shared export and what from the client's, and when nothing is. */
#include "tests/unit/layer_fixture.h"

#include <string.h>

static void each_block_from_where_it_is(void **state)
{
    (void)state;
    own_block(0, 100);
    attach(0);
    run(20);
    image->read_bytes = own->read_bytes = 0; /* what a connection is tried by */
    read_blocks(&one, 0, 300, 4);
    run(5);
    expect(&one, 0);
    assert_int_equal(own->read_bytes, 0);
    assert_true(image->read_bytes >= 4 * BLOCK);
    image->read_bytes = 0;
    read_blocks(&one, 0, 100, 1);
    run(5);
    expect(&one, 0);
    assert_int_equal(own->read_bytes, BLOCK); /* and nothing around it */
    read_blocks(&one, 0, 98, 4); /* one that lies over both goes to the client's, whole */
    run(5);
    expect(&one, 0);
    assert_int_equal(own->read_bytes, 4 * BLOCK);
    assert_int_equal(image->read_bytes, 0);
    struct vdisk_counters c;
    vdisk_counters_of(disks[0], &c);
    assert_int_equal(c.requests, 3);
    assert_int_equal(c.network_bytes + c.ram_bytes, 9 * BLOCK);
    char json[VDISK_JSON_BYTES], line[400];
    assert_true(vdisk_json(disks[0], json, sizeof json) < sizeof json - 1);
    assert_non_null(strstr(json, "\"shared\": {\"export\": \"image\", \"requests\": 1"));
    vdisk_query_line(disks[0], line, sizeof line);
    assert_non_null(strstr(line, "; server, h:1/c0 over h:1/image"));
    assert_string_equal(vdisk_config_of(disks[0])->export_name, "image");
}

/* Of a verified image; what follows is not about hashes. */
static void pieces_are_asked_for_at_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 16; i++)
        own_block(0, 100 + i * 2);
    attach(0);
    run(20);
    disks[0]->below->config.has_root = true;
    /* In vain: no more of it. */
    disks[0]->below->export->around = (struct around){.fetched = 16000};
    image->read_bytes = own->read_bytes = 0;
    read_blocks(&one, 0, 100, 32);
    run(3); /* asked for; answered, and the rest asked for; answered */
    expect(&one, 0);
    assert_int_equal(image->read_bytes, 16 * BLOCK);
    assert_int_equal(own->read_bytes, 16 * BLOCK);
}

static void pieces_are_of_the_image_s_own_blocks(void **state)
{
    (void)state;
    image->min_block = 4096;
    own_block(0, 3);
    attach(0);
    run(20);
    submit(&one, 0, LEAT_BLK_READ, 1024, 2 * BLOCK); /* both ends lie within a block */
    run(5);
    expect(&one, 0);
    submit(&two, 0, LEAT_BLK_READ, BLOCK + 512, 4 * BLOCK);
    run(5);
    expect(&two, 0);
}

/* What the image has where the client has written is nothing to it. */
static void a_bad_block_that_is_not_asked_for(void **state)
{
    (void)state;
    own_block(0, 101);
    attach(0);
    attach(1);
    run(20);
    disks[0]->below->config.has_root = true;
    image->bad = 101;
    read_blocks(&two, 1, 100, 8);
    read_blocks(&one, 0, 100, 8);
    run(10);
    assert_true(two.is_done);
    assert_int_equal(two.status, LEAT_EIO);
    expect(&one, 0);
}

static void clients_share_what_they_have_in_common(void **state)
{
    (void)state;
    own_block(1, 7);
    attach(0);
    attach(1);
    run(20);
    image->read_bytes = 0;
    read_blocks(&one, 0, 200, 64);
    run(10);
    unsigned reads = image->reads;
    read_blocks(&two, 1, 200, 64);
    assert_true(two.is_done); /* from RAM */
    expect(&one, 0);
    expect(&two, 1);
    assert_int_equal(image->reads, reads);
    read_blocks(&one, 0, 7, 1);
    read_blocks(&two, 1, 7, 1);
    run(10);
    expect(&one, 0);
    expect(&two, 1);
}

static void reads_wait_for_the_map(void **state)
{
    (void)state;
    layer_holds_status = true;
    attach(0);
    run(20);
    own->read_bytes = 0;
    unsigned reads = image->reads + own->reads;
    read_blocks(&one, 0, 40, 2);
    memset(two.data, 0x77, BLOCK);
    submit(&two, 0, LEAT_BLK_WRITE, 60 * BLOCK, BLOCK);
    run(5);
    assert_false(one.is_done);
    assert_int_equal(image->reads + own->reads, reads);
    layer_holds_status = false;
    run(10);
    expect(&one, 0);
    assert_true(image->reads > 0 && own->read_bytes == 0);
    assert_true(two.is_done);
}

/* The server has looked before the write, and its answer comes behind it. */
static void an_old_answer_hides_no_write(void **state)
{
    (void)state;
    layer_holds_status = true;
    attach(0);
    run(20);
    struct layers *l = &disks[0]->export->layers;
    memset(two.data, 0x77, BLOCK);
    submit(&two, 0, LEAT_BLK_WRITE, 50 * BLOCK, 512);
    run(10);
    read_blocks(&one, 0, 50, 1); /* need not wait for the map */
    run(10);
    expect(&one, 0);
    own->has_block[50] = false; /* as it was when the server looked */
    layer_holds_status = false;
    run(10);
    own->has_block[50] = true;
    assert_false(blockmap_has(&l->below, 50));
    assert_true(blockmap_has(&l->below, 49) && blockmap_has(&l->below, 51));
    submit(&two, 0, LEAT_BLK_WRITE, 51 * BLOCK, 512);
    assert_false(blockmap_has(&l->below, 51)); /* before anything is sent */
    run(10);
    read_blocks(&one, 0, 50, 3);
    run(10);
    expect(&one, 0);
}

static void every_kind_of_write_leaves_the_image(void **state)
{
    (void)state;
    static const uint32_t ops[] = {LEAT_BLK_WRITE, LEAT_BLK_WRITE_ZEROES, LEAT_BLK_DISCARD};
    attach(0);
    run(20);
    for (unsigned i = 0; i < 3; i++) {
        read_blocks(&one, 0, 500 + i, 1); /* it is in the shared image's cache now */
        run(5);
        memset(two.data, 0x55, BLOCK);
        submit(&two, 0, ops[i], (500 + i) * BLOCK, BLOCK);
        read_blocks(&one, 0, 499, 4);
        run(10);
        assert_int_equal(two.status, LEAT_OK);
        read_blocks(&one, 0, 499, 4);
        run(10);
        expect(&one, 0);
    }
    layer_cut(1); /* what is known stays known */
    unsigned statuses = own->statuses;
    run(2000);
    read_blocks(&one, 0, 499, 4);
    run(10);
    expect(&one, 0);
    uint64_t before = own->read_bytes;
    read_blocks(&one, 0, 900, 4);
    run(10);
    expect(&one, 0);
    assert_int_equal(own->read_bytes, before);
    assert_int_equal(own->statuses, statuses);
    assert_int_equal(image->writes, 0);
}

static void without_depths_all_is_read_from_the_client(void **state)
{
    (void)state;
    layer_tells_depth = false;
    attach(0);
    run(20);
    assert_non_null(strstr(layer_log, "nothing is shared"));
    uint64_t before = image->read_bytes;
    read_blocks(&one, 0, 5, 4);
    run(10);
    expect(&one, 0);
    assert_int_equal(image->read_bytes, before);
    assert_true(own->read_bytes >= 4 * BLOCK);
}

static void what_needs_the_other_export_goes_on(void **state)
{
    (void)state;
    own_block(0, 30);
    attach(0);
    run(20);
    struct leat_blk_info info;
    image->is_away = true;
    run(5);
    vdisk_info(disks[0], &info);
    assert_int_equal(info.state, LEAT_BLK_STALLED);
    assert_non_null(strstr(info.why, "shared image: server away"));
    read_blocks(&one, 0, 600, 1);
    read_blocks(&two, 0, 30, 1);
    run(10);
    expect(&two, 0);
    assert_false(one.is_done);
    image->is_away = false;
    run(2000);
    expect(&one, 0);
    own->is_away = true;
    run(5);
    read_blocks(&one, 0, 31, 1);
    read_blocks(&two, 0, 640, 1);
    run(10);
    expect(&one, 0);
    expect(&two, 0);
    submit(&two, 0, LEAT_BLK_WRITE, 30 * BLOCK, BLOCK);
    run(10);
    assert_false(two.is_done);
    own->is_away = false;
    run(2000);
    assert_true(two.is_done);
}

/* 15 TiB are asked about where they are read; of 17 TiB nothing is known. */
static void large_disks(void **state)
{
    (void)state;
    for (uint64_t tib = 15; tib <= 17; tib += 2) {
        image->size = own->size = tib << 40;
        attach(0);
        run(60);
        uint64_t last = image->size / BLOCK - 4, before = own->read_bytes;
        memset(one.data, 0xee, sizeof one.data);
        submit(&one, 0, LEAT_BLK_READ, last * BLOCK, BLOCK);
        run(20);
        assert_true(one.is_done);
        assert_memory_equal(one.data, image->data, BLOCK);
        assert_int_equal(own->read_bytes > before, tib == 17);
        detach(0);
        run(5);
    }
}

static void who_waits_is_told_when_it_can_be_used(void **state)
{
    (void)state;
    image->is_away = true;
    attach(0);
    run(40);
    assert_int_not_equal(told[0], LEAT_BLK_READY);
    image->is_away = false;
    run(3000);
    assert_int_equal(told[0], LEAT_BLK_READY);
}

/* The map's answer lets a read go, to an export that has had its turn already. */
static void an_answer_lets_reads_go_at_once(void **state)
{
    (void)state;
    layer_holds_status = true;
    attach(0);
    run(40);
    read_blocks(&one, 0, 40, 2);
    run(5);
    unsigned reads = image->reads;
    layer_holds_status = false;
    layer_now_ns += MS;
    layer_deliver(); /* the answer is queued, */
    layer_deliver(); /* and arrives */
    vdisk_run(engine);
    layer_deliver();
    assert_true(image->reads > reads); /* and what is read ahead */
}

static void what_is_waited_for_is_asked_first(void **state)
{
    (void)state;
    image->size = own->size = 15ull << 40;
    attach(0);
    while (!disks[0]->is_joined)
        run(1);
    unsigned before = own->statuses;
    memset(one.data, 0xee, sizeof one.data);
    submit(&one, 0, LEAT_BLK_READ, image->size - 4 * BLOCK, BLOCK);
    for (unsigned i = 0; i < 200 && !one.is_done; i++)
        run(1);
    assert_true(one.is_done);
    assert_true(own->statuses <= before + 5 * LAYERS_QUERIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_block_from_where_it_is),
        TEST(pieces_are_asked_for_at_once),
        TEST(pieces_are_of_the_image_s_own_blocks),
        TEST(a_bad_block_that_is_not_asked_for),
        TEST(clients_share_what_they_have_in_common),
        TEST(reads_wait_for_the_map),
        TEST(an_old_answer_hides_no_write),
        TEST(every_kind_of_write_leaves_the_image),
        TEST(without_depths_all_is_read_from_the_client),
        TEST(what_needs_the_other_export_goes_on),
        TEST(large_disks),
        TEST(an_answer_lets_reads_go_at_once),
        TEST(who_waits_is_told_when_it_can_be_used),
        TEST(what_is_waited_for_is_asked_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
