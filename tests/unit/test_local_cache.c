// SPDX-License-Identifier: BSD-2-Clause
/* The engine with a local store: which blocks are kept there and read from there, and what goes
 * wrong. */
#include "tests/unit/local_fixture.h"

#include <stdlib.h>
#include <string.h>

static void a_second_boot_needs_no_server(void **state)
{
    (void)state;
    read_well(0, 300 * BLOCK / 2);
    read_well(1000 * BLOCK + 512, 1024);
    let_it_be_written();
    boot_with_silent_server();
    read_well(0, 300 * BLOCK / 2);
    read_well(1000 * BLOCK + 1024, 512);
    struct vdisk_counters c;
    vdisk_counters_of(disk, &c);
    assert_int_equal(c.disk_bytes, 300 * BLOCK / 2 + 512);
    assert_int_equal(c.network_bytes, 0);
    read_well(8 * BLOCK, BLOCK);
    vdisk_counters_of(disk, &c);
    assert_int_equal(c.ram_bytes, BLOCK);
}

static void the_end_of_an_odd_image(void **state)
{
    (void)state;
    tiny_size = TINY_BYTES - 1536;
    read_well(tiny_size - 2048, 2048);
    let_it_be_written();
    power_off();
    tiny_size = TINY_BYTES - 1536;
    start();
    run(5);
    tiny_is_up = false;
    read_well(tiny_size - 2048, 2048);
}

static void damage_is_fetched_again(void **state)
{
    (void)state;
    read_well(64 * BLOCK, 64 * BLOCK);
    let_it_be_written();
    boot_with_silent_server();
    tiny_is_up = true;
    for (size_t i = 0; i < STORE_BYTES; i += BLOCK) /* each block that holds the image's data */
        if (!memcmp(store.disk + i + BLOCK, tiny_image + 70 * BLOCK, BLOCK))
            store.disk[i + BLOCK + 99] ^= 1;
    read_well(64 * BLOCK, 64 * BLOCK);
    assert_int_equal(disk->export->local.refused, 1);
    assert_int_equal(disk->counters.disk_bytes, 0);
    let_it_be_written();
    boot_with_silent_server(); /* it is whole again */
    read_well(64 * BLOCK, 64 * BLOCK);
}

static void another_content_is_another_image(void **state)
{
    (void)state;
    read_well(0, 16 * BLOCK);
    let_it_be_written();
    config.content[31] ^= 1;
    memset(tiny_image, 0x55, 16 * BLOCK);
    boot_with_silent_server();
    struct vdisk_request r;
    submit(&r, 0, BLOCK);
    run(20);
    assert_int_equal(done, 1); /* only the first boot's: this one waits */
    tiny_is_up = true;
    run(20);
    assert_int_equal(done, 2);
}

static void an_image_that_is_written_is_not_kept(void **state)
{
    (void)state;
    stop();
    config.mode = VDISK_PRIVATE;
    start();
    read_well(0, 64 * BLOCK);
    let_it_be_written();
    assert_int_equal(store_fixture_info(&store).image_blocks, 0);
}

static void two_contents_of_one_export_do_not_go(void **state)
{
    (void)state;
    struct vdisk_config other = config;
    other.content[0] ^= 1;
    struct vdisk_disk *d = vdisk_attach(engine, &other, changed, NULL);
    char line[300];
    vdisk_status_line(d, line, sizeof line);
    assert_non_null(strstr(line, "names another content"));
    vdisk_detach(d);
}

/* Whatever waits for the server, what the store has is read, however many want it. */
static void the_store_s_blocks_pass_the_server_s(void **state)
{
    enum { AWAY = EXPORT_FETCHES + 1, HERE = LOCAL_FETCHES + 1 };
    static struct vdisk_request away[AWAY], here[HERE];
    (void)state;
    for (unsigned i = 0; i < HERE; i++)
        read_well(i * 3 * BLOCK, BLOCK);
    let_it_be_written();
    boot_with_silent_server();
    unsigned before = done;
    for (unsigned i = 0; i < AWAY; i++) {
        disk->export->around = (struct around){.fetched = 16000}; /* in vain: no more of it */
        submit(&away[i], (1000 + i * 3) * BLOCK, BLOCK);
    }
    disk_sleeps = 10;
    for (unsigned i = 0; i < HERE; i++) {
        disk->export->around = (struct around){.fetched = 16000};
        submit_to(&here[i], i * 3 * BLOCK, BLOCK, 1 + i % 15);
    }
    run(40);
    assert_int_equal(done, before + HERE);
}

static void a_store_that_fails_hurts_nobody(void **state)
{
    (void)state;
    read_well(0, 64 * BLOCK);
    store.fail_flushes = 1; /* the store takes no more writes */
    read_well(256 * BLOCK, 64 * BLOCK);
    let_it_be_written();
    assert_non_null(store_fixture_info(&store).failure);
    read_well(128 * BLOCK, 64 * BLOCK);
    let_it_be_written();
    assert_int_equal(engine->unsaved.count, 0);
    read_well(0, 64 * BLOCK);
}

static void a_dead_disk_is_left_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        read_well(i * 20 * BLOCK, BLOCK);
    let_it_be_written();
    boot_with_silent_server();
    tiny_is_up = true;
    store.fail_reads = 1000000;
    for (unsigned i = 0; i < 100; i++)
        read_well(i * 20 * BLOCK, BLOCK);
    assert_int_equal(disk->export->local.refused, 32);
    assert_true(disk->export->local.is_off);
}

static void what_was_at_the_store_goes_to_the_server(void **state)
{
    (void)state;
    read_well(0, 64 * BLOCK);
    let_it_be_written();
    boot_with_silent_server();
    tiny_is_up = true;
    struct vdisk_request r;
    submit(&r, 0, 64 * BLOCK);
    assert_int_equal(disk->export->local.reading, 1);
    vdisk_use_store(engine, NULL);
    run(20);
    assert_int_equal(done, 2);
    assert_int_equal(disk->counters.network_bytes, 64 * BLOCK);
}

static void patience_is_for_the_server_only(void **state)
{
    (void)state;
    config.give_up_ns = 1000 * MS;
    read_well(0, 64 * BLOCK);
    let_it_be_written();
    boot_with_silent_server();
    tiny_cut();
    struct vdisk_request far, near;
    submit(&far, 1000 * BLOCK, BLOCK);
    for (unsigned i = 0; i < 200 && done < 2; i++) {
        tiny_now_ns += 100 * MS;
        store.now_ns += 100 * MS;
        run(1);
    }
    assert_int_equal(failed, 1); /* far */
    failed = 0;
    submit(&near, 0, 64 * BLOCK);
    vdisk_run(engine); /* gives up what waits for the server */
    assert_int_equal(done, 2);
    run(5);
    assert_int_equal(done, 3);
    assert_int_equal(failed, 0);
}

static void the_profile_is_loaded_from_the_disk(void **state)
{
    (void)state;
    read_well(0, 128 * BLOCK);
    let_it_be_written();
    boot_with_silent_server();
    struct profile p = {.size_bytes = TINY_BYTES, .boots = 1};
    assert_true(profile_add(&p, 32, 64, 0, 1));
    assert_true(profile_add(&p, 1500, 4, 1, 1)); /* the server's */
    assert_true(profile_add(&p, 100, 8, 2, 1));
    uint8_t *file = malloc(profile_encoded_bytes(&p));
    profile_encode(&p, file);
    assert_null(vdisk_profile_put(disk, file, profile_encoded_bytes(&p)));
    free(file);
    profile_free(&p);
    run(20);
    assert_int_equal(disk->export->local.bytes, 72 * BLOCK);
    assert_int_equal(disk->export->source_bytes[CACHE_PROFILE], 4 * BLOCK);
    read_well(32 * BLOCK, 64 * BLOCK);
    assert_int_equal(disk->counters.ram_bytes, 64 * BLOCK);
}

static void the_fill_is_larger_than_the_memory(void **state)
{
    (void)state;
    stop();
    limits.fill_rate = 1u << 30;
    limits.cache_bytes = 2u << 20;
    start();
    for (unsigned i = 0; i < 100; i++)
        run(20);
    assert_int_equal(store_fixture_info(&store).image_blocks, TINY_BYTES / BLOCK);
    let_it_be_written();
    boot_with_silent_server();
    for (uint64_t at = 0; at < TINY_BYTES; at += sizeof data)
        read_well(at, sizeof data);
    assert_int_equal(disk->counters.network_bytes, 0);
}

/* Reads more than the store has buffers for. */
static void read_much(unsigned from)
{
    for (uint64_t at = 0; at < 4; at++)
        read_well(from * BLOCK + at * sizeof data, sizeof data);
}

static void a_silent_disk_is_not_full(void **state)
{
    (void)state;
    run(5);
    disk_sleeps = 3000; /* the storage service is being started again */
    read_much(0);
    assert_true(engine->unsaved.count > 0);
    run(3000);
    assert_int_equal(engine->unsaved.count, 0);
    assert_false(engine->unsaved.said_full);
    assert_int_equal(disk->export->local.kept_bytes, 4 * sizeof data);
}

static void a_full_store_has_room_again(void **state)
{
    static uint8_t junk[64 * BLOCK];
    const uint8_t base[STORE_CONTENT_BYTES] = {1};
    struct store_object *d;
    struct store_op op = {.type = STORE_WRITE, .length = sizeof junk, .data = junk};
    (void)state;
    assert_int_equal(store_difference(store.store, "other", base, STORE_BYTES, &d), STORE_OK);
    op.object = d;
    while (store_fixture_do(&store, op) == STORE_OK)
        op.offset += sizeof junk;
    read_much(0);
    run(1500);
    assert_int_equal(engine->unsaved.count, 0);
    assert_true(engine->unsaved.said_full);
    store_delete(d);
    for (unsigned i = 0; i < 3; i++)
        let_it_be_written();
    read_much(1024);
    run(100);
    assert_int_equal(engine->unsaved.count, 0);
    assert_false(engine->unsaved.said_full);
}

#define BAD_BYTE (36 * BLOCK) /* what is fetched ahead meets it too */

/* `other` meets a bad sector; the read of blocks 40 to 55 waits for some of the same blocks, and asks
 * for them again. */
static void read_beside_a_bad_sector(struct vdisk_request *other, struct vdisk_request *r)
{
    submit(other, 36 * BLOCK, 8 * BLOCK);
    submit_to(r, 40 * BLOCK, 16 * BLOCK, 1);
    run(20);
    assert_int_equal(failed, 1);
}

static void what_is_read_again_counts_once(void **state)
{
    (void)state;
    struct vdisk_request other, r;
    struct vdisk_counters before, after;
    tiny_bad = BAD_BYTE;
    read_well(44 * BLOCK, 12 * BLOCK);
    vdisk_counters_of(disk, &before);
    read_beside_a_bad_sector(&other, &r);
    assert_int_equal(done, 3);
    vdisk_counters_of(disk, &after);
    assert_int_equal(after.ram_bytes - before.ram_bytes, 12 * BLOCK);
    assert_int_equal(after.network_bytes - before.network_bytes, 8 * BLOCK + 4 * BLOCK);
}

/* The same, while what lies behind is still on its way from the disk. */
static void what_is_waited_for_is_not_asked_again(void **state)
{
    (void)state;
    struct vdisk_request other, r;
    struct vdisk_counters c;
    tiny_bad = BAD_BYTE;
    read_well(44 * BLOCK, 12 * BLOCK);
    let_it_be_written();
    power_off();
    start();
    run(20);
    tiny_bad = BAD_BYTE;
    done = 0;
    disk_sleeps = 40;
    read_beside_a_bad_sector(&other, &r);
    assert_int_equal(done, 1);
    run(40);
    assert_int_equal(done, 2);
    vdisk_counters_of(disk, &c);
    assert_int_equal(c.disk_bytes, 12 * BLOCK);
    assert_int_equal(c.ram_bytes, 0);
    assert_int_equal(c.network_bytes, 8 * BLOCK + 4 * BLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_boot_needs_no_server),
        TEST(the_end_of_an_odd_image),
        TEST(damage_is_fetched_again),
        TEST(another_content_is_another_image),
        TEST(an_image_that_is_written_is_not_kept),
        TEST(two_contents_of_one_export_do_not_go),
        TEST(the_store_s_blocks_pass_the_server_s),
        TEST(a_store_that_fails_hurts_nobody),
        TEST(a_dead_disk_is_left_alone),
        TEST(what_was_at_the_store_goes_to_the_server),
        TEST(patience_is_for_the_server_only),
        TEST(the_profile_is_loaded_from_the_disk),
        TEST(the_fill_is_larger_than_the_memory),
        TEST(a_silent_disk_is_not_full),
        TEST(what_is_read_again_counts_once),
        TEST(what_is_waited_for_is_not_asked_again),
        TEST(a_full_store_has_room_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
