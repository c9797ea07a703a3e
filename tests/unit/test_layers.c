// SPDX-License-Identifier: BSD-2-Clause
/* Mode server: what is read from the shared export and what from the client's, and when nothing is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/layer_server.h"
#include "vdisk/engine.h"

#define MS 1000000ull
#define BLOCK 4096ull
#define MAX_BLOCKS 64u

static struct vdisk *engine;
static struct vdisk_disk *disks[2];
static struct layer_export *const image = &layer_exports[0], *const own = &layer_exports[1];

struct read {
    struct vdisk_request request;
    uint8_t data[MAX_BLOCKS * BLOCK];
    bool is_done;
    int status;
};
static struct read one, two;

/* What a client has been told last. */
static uint32_t told[2];

static void changed(void *owner)
{
    (void)owner;
    struct leat_blk_info info;
    for (unsigned i = 0; i < 2; i++)
        if (disks[i]) {
            vdisk_info(disks[i], &info);
            told[i] = info.state;
        }
}

static void request_done(struct vdisk_request *r, int status)
{
    struct read *read = r->owner;
    assert_false(read->is_done);
    read->is_done = true;
    read->status = status;
}

static bool below_is_hole; /* of the disks that come */

static void run(unsigned rounds)
{
    while (rounds--) {
        layer_now_ns += MS;
        layer_deliver();
        vdisk_run(engine);
    }
}

static void attach_as(unsigned client, const char *export, enum vdisk_mode mode)
{
    struct vdisk_config config = {.host = "h", .port = 1, .mode = mode, .is_profiled = true};
    snprintf(config.name, sizeof config.name, "vm%u/root", client);
    snprintf(config.export_name, sizeof config.export_name, "%s", export);
    snprintf(config.client_export, sizeof config.client_export, "c%u", client);
    config.below_is_hole = below_is_hole;
    disks[client] = vdisk_attach(engine, &config, changed, NULL);
    assert_non_null(disks[client]);
}

static void attach(unsigned client)
{
    attach_as(client, "image", VDISK_SERVER);
}

static void detach(unsigned client)
{
    vdisk_detach(disks[client]);
    disks[client] = NULL;
}

static int setup(void **state)
{
    (void)state;
    layer_reset();
    static const struct vdisk_limits limits = {.cache_bytes = 16u << 20, .connections = 1};
    engine = vdisk_create(&layer_platform, &limits);
    memset(disks, 0, sizeof disks);
    memset(told, 0, sizeof told);
    below_is_hole = false;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        if (disks[i])
            vdisk_detach(disks[i]);
    vdisk_destroy(engine);
    layer_reset();
    return 0;
}

static void submit(struct read *read, unsigned client, uint32_t op, uint64_t offset,
                   uint64_t length)
{
    read->request = (struct vdisk_request){
        .op = op, .offset = offset, .length = length, .data = read->data, .owner = read};
    read->request.done = request_done;
    read->is_done = false;
    vdisk_submit(disks[client], &read->request);
}

static void read_blocks(struct read *read, unsigned client, uint64_t block, unsigned count)
{
    memset(read->data, 0xee, sizeof read->data);
    submit(read, client, LEAT_BLK_READ, block * BLOCK, count * BLOCK);
}

/* What the client's server itself would show. */
static void expect(const struct read *read, unsigned client)
{
    const struct layer_export *x = &layer_exports[1 + client];
    assert_true(read->is_done);
    assert_int_equal(read->status, LEAT_OK);
    for (uint64_t i = 0; i < read->request.length / 512; i++) {
        uint64_t at = read->request.offset + i * 512, block = at / BLOCK;
        const uint8_t *truth = x->has_block[block] ? x->data : image->data;
        assert_memory_equal(read->data + i * 512, truth + at, 512);
    }
}

static void own_block(unsigned client, uint64_t block)
{
    struct layer_export *x = &layer_exports[1 + client];
    x->has_block[block] = true;
    memset(x->data + block * BLOCK, 0xa0 + (int)client, BLOCK);
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_block_from_where_it_is),
        TEST(clients_share_what_they_have_in_common),
        TEST(reads_wait_for_the_map),
        TEST(an_old_answer_hides_no_write),
        TEST(every_kind_of_write_leaves_the_image),
        TEST(another_size_is_refused),
        TEST(a_read_only_layer_is_refused),
        TEST(a_layer_over_another_image_is_refused),
        TEST(without_depths_all_is_read_from_the_client),
        TEST(a_disk_ends_with_reads_under_way),
        TEST(what_needs_the_other_export_goes_on),
        TEST(large_disks),
        TEST(an_answer_lets_reads_go_at_once),
        TEST(who_waits_is_told_when_it_can_be_used),
        TEST(a_layer_over_another_image_comes_back),
        TEST(what_is_not_known_yet_is_compared_later),
        TEST(reads_below_end_when_the_layer_has_failed),
        TEST(what_is_waited_for_is_asked_first),
        TEST(an_export_is_not_taken_for_another_kind),
        TEST(two_kinds_of_one_export_do_not_go),
        TEST(a_refused_disk_keeps_no_export),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
