// SPDX-License-Identifier: BSD-2-Clause
/* The engine with a local store: what is kept there, what is read from there, and what goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/store_fixture.h"
#include "tests/unit/tiny_server.h"
#include "vdisk/engine.h"

#define MS 1000000ull
#define BLOCK 4096ull
#define STORE_BYTES (16u << 20)

static struct store_fixture store;
static struct vdisk *engine;
static struct vdisk_disk *disk;
static struct vdisk_config config;
static struct vdisk_limits limits;
static uint8_t data[1 << 20];
static unsigned done, failed;
static unsigned disk_sleeps; /* rounds in which the local disk does nothing */

static void changed(void *owner)
{
    (void)owner;
}

static void request_done(struct vdisk_request *r, int status)
{
    done++;
    failed += status != LEAT_OK;
    if (status == LEAT_OK)
        assert_memory_equal(r->data, tiny_image + r->offset, r->length);
}

static void any_end(struct vdisk_request *r, int status)
{
    (void)r, (void)status;
}

static void run(unsigned rounds)
{
    while (rounds--) {
        tiny_now_ns += MS;
        store.now_ns += MS;
        tiny_deliver();
        if (disk_sleeps)
            disk_sleeps--;
        else
            store_fixture_deliver(&store);
        vdisk_run(engine);
    }
}

static void start(void)
{
    engine = vdisk_create(&tiny_platform, &limits);
    vdisk_use_store(engine, store.store);
    disk = vdisk_attach(engine, &config, changed, NULL);
}

static void stop(void)
{
    vdisk_detach(disk);
    vdisk_destroy(engine);
}

/* The machine starts again; the server answers to who connects, and then no more. */
static void boot_with_silent_server(void)
{
    stop();
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    tiny_reset();
    start();
    run(5);
    assert_int_equal(disk->export->link, LINK_UP);
    tiny_is_up = false;
}

static int setup(void **state)
{
    (void)state;
    tiny_reset();
    for (unsigned i = 0; i < TINY_BYTES; i++)
        tiny_image[i] = (uint8_t)(i * 2654435761u >> 13);
    done = failed = disk_sleeps = 0;
    store_fixture_new(&store, STORE_BYTES);
    config = (struct vdisk_config){
        .name = "vm/root", .host = "h", .port = 1, .mode = VDISK_RAM, .has_content = true};
    memset(config.content, 7, sizeof config.content);
    limits = (struct vdisk_limits){.cache_bytes = 4u << 20, .overlay_bytes = 1u << 20};
    start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stop();
    store_fixture_end(&store);
    return 0;
}

static void submit(struct vdisk_request *r, uint64_t offset, uint64_t length)
{
    memset(data, 0xee, length);
    *r = (struct vdisk_request){
        .op = LEAT_BLK_READ, .offset = offset, .length = length, .data = data};
    r->done = request_done;
    vdisk_submit(disk, r);
}

static void read_well(uint64_t offset, uint64_t length)
{
    struct vdisk_request r;
    unsigned before = done;
    submit(&r, offset, length);
    run(20);
    assert_int_equal(done, before + 1);
    assert_int_equal(failed, 0);
}

/* So that it is on the disk: blocks are committed after 5 s. */
static void let_it_be_written(void)
{
    for (unsigned i = 0; i < 130; i++) {
        run(2);
        tiny_now_ns += 100 * MS;
        store.now_ns += 100 * MS;
    }
}

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
    stop();
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    tiny_reset();
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

static void another_image_under_the_same_content_is_found(void **state)
{
    (void)state;
    char line[300];
    read_well(0, 16 * BLOCK);
    let_it_be_written();
    for (unsigned i = 0; i < TINY_BYTES; i += 512)
        tiny_image[i] ^= 1;
    stop();
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    tiny_reset();
    start();
    run(30);
    vdisk_status_line(disk, line, sizeof line);
    assert_non_null(strstr(line, "give the disk another content"));
    config.content[0] ^= 1;
    stop();
    tiny_reset();
    start();
    read_well(0, 16 * BLOCK);
}

static void change_image(void)
{
    for (unsigned i = 0; i < TINY_BYTES; i += 512)
        tiny_image[i] ^= 1;
}

/* Whatever comes first, the server's sums or those of the local disk; and nothing of the wrong image
 * is believed when the right one is back. */
static void another_image_is_found_however_slow_the_disk_is(void **state)
{
    (void)state;
    char line[300];
    read_well(0, 16 * BLOCK);
    let_it_be_written();
    for (unsigned sleeps = 0; sleeps < 100; sleeps += 1 + sleeps / 2) {
        change_image();
        stop();
        assert_int_equal(store_fixture_reopen(&store), STORE_OK);
        tiny_reset();
        disk_sleeps = sleeps;
        start();
        struct vdisk_request r = {
            .op = LEAT_BLK_READ, .length = 16 * BLOCK, .data = data, .offset = 600 * BLOCK};
        r.done = any_end;
        vdisk_submit(disk, &r);
        run(30 + sleeps);
        vdisk_status_line(disk, line, sizeof line);
        assert_non_null(strstr(line, "give the disk another content"));
        change_image(); /* the right one is back */
        stop();
        assert_int_equal(store_fixture_reopen(&store), STORE_OK);
        tiny_reset();
        start();
        read_well(600 * BLOCK, 16 * BLOCK);
        read_well(0, 16 * BLOCK);
        stop();
        assert_int_equal(store_fixture_reopen(&store), STORE_OK);
        start();
        run(10);
    }
}

/* What the local disk holds can be read before the server has shown what it has. */
static void a_server_that_shows_nothing_is_not_waited_for(void **state)
{
    (void)state;
    read_well(0, 16 * BLOCK);
    let_it_be_written();
    stop();
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    tiny_reset();
    tiny_is_mute = true;
    start();
    run(10);
    assert_int_equal(disk->export->link, LINK_REPLAY);
    done = 0;
    struct vdisk_request r;
    submit(&r, 0, 16 * BLOCK);
    run(10);
    assert_int_equal(done, 1);
    assert_int_equal(failed, 0);
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

/* Until everything is durable, as a program does that ends. */
static void drain(void)
{
    vdisk_drain(engine);
    for (unsigned i = 0; i < 100 && !vdisk_is_drained(engine); i++)
        run(1);
    assert_true(vdisk_is_drained(engine));
}

static void the_profile_is_kept_in_the_store(void **state)
{
    (void)state;
    read_well(200 * BLOCK, 16 * BLOCK);
    read_well(40 * BLOCK, 16 * BLOCK);
    vdisk_profile_end(disk);
    assert_false(vdisk_is_drained(engine));
    drain();
    boot_with_silent_server();
    run(20);
    assert_int_equal(disk->export->stream.known.boots, 1);
    assert_int_equal(disk->export->local.bytes, 32 * BLOCK); /* nobody has asked for them */
    read_well(40 * BLOCK, 16 * BLOCK);
    assert_int_equal(disk->counters.ram_bytes, 16 * BLOCK);
    config.content[0] ^= 1; /* another version: that has had no boot yet */
    boot_with_silent_server();
    run(20);
    assert_int_equal(disk->export->stream.known.boots, 0);
}

static void a_suggested_profile_makes_room(void **state)
{
    (void)state;
    struct profile p = {.size_bytes = TINY_BYTES, .boots = 5};
    assert_true(profile_add(&p, 1500, 4, 1, 1));
    uint8_t *file = malloc(profile_encoded_bytes(&p));
    profile_encode(&p, file);
    assert_null(vdisk_profile_suggest(disk, file, profile_encoded_bytes(&p)));
    run(5);
    assert_int_equal(disk->export->stream.known.boots, 5); /* the store has none */
    profile_free(&disk->export->stream.known);
    read_well(200 * BLOCK, 16 * BLOCK);
    vdisk_profile_end(disk);
    drain();
    for (unsigned late = 0; late < 2; late++) { /* before and after the store's has been read */
        stop();
        assert_int_equal(store_fixture_reopen(&store), STORE_OK);
        start();
        run(late * 20);
        assert_null(vdisk_profile_suggest(disk, file, profile_encoded_bytes(&p)));
        run(20);
        assert_int_equal(disk->export->stream.known.boots, 1);
    }
    free(file);
    profile_free(&p);
}

static void an_export_without_content_has_a_profile_too(void **state)
{
    (void)state;
    stop();
    config.has_content = false;
    start();
    read_well(200 * BLOCK, 16 * BLOCK);
    vdisk_profile_end(disk);
    drain();
    assert_int_equal(store_fixture_info(&store).image_blocks, 0);
    boot_with_silent_server();
    run(20);
    assert_int_equal(disk->export->stream.known.boots, 1);
    snprintf(config.export_name, sizeof config.export_name, "other");
    boot_with_silent_server();
    run(20);
    assert_int_equal(disk->export->stream.known.boots, 0);
}

static void holes_are_known_without_the_server(void **state)
{
    (void)state;
    run(5);
    struct vdisk_export *e = disk->export; /* as if the server had told */
    e->identity.has_block_status = true;
    extents_init(e);
    extents_mark_zero(&e->extents, 100, 300);
    extents_mark_zero(&e->extents, 1000, TINY_BYTES / BLOCK);
    e->extents.has_news = true;
    e->notes.image_when_ns = 0; /* a minute later */
    e->extents.next_span = e->extents.span_count;
    run(30);
    boot_with_silent_server();
    e = disk->export;
    e->identity.has_block_status = true;
    extents_init(e);
    e->notes.has_read_image = false;
    run(5);
    for (uint64_t block = 0; block < TINY_BYTES / BLOCK; block++)
        assert_int_equal(extents_is_zero(&e->extents, block),
                         (block >= 100 && block < 300) || block >= 1000);
    uint8_t file[48];
    size_t size = extents_encode(e, file, sizeof file);
    assert_int_equal(size, 4 + 2 * 8);
    assert_true(extents_decode(e, file, size));
    assert_false(extents_decode(e, file, size - 1));
    assert_false(extents_decode(e, file, 3));
    file[4 + 8 + 4]++; /* one block behind the end */
    assert_false(extents_decode(e, file, size));
    file[4 + 8 + 4]--;
    extents_mark_zero(&e->extents, 500, 501);
    extents_mark_zero(&e->extents, 502, 503);
    extents_mark_zero(&e->extents, 504, 505);
    extents_mark_zero(&e->extents, 506, 507);
    assert_int_equal(extents_encode(e, file, sizeof file), 4 + 5 * 8); /* what has room */
    extents_free(e);
    e->identity.has_block_status = false;
}

static void a_boot_without_a_server(void **state)
{
    (void)state;
    struct vdisk_request far;
    read_well(0, 64 * BLOCK);
    read_well(1000 * BLOCK, BLOCK);
    let_it_be_written();
    stop();
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    tiny_reset();
    tiny_is_up = false; /* nobody answers */
    start();
    run(990);
    assert_false(disk->export->was_up);
    run(20);
    assert_true(disk->export->was_up);
    read_well(0, 64 * BLOCK);
    read_well(1000 * BLOCK, BLOCK);
    assert_int_equal(disk->counters.network_bytes, 0);
    submit(&far, 1500 * BLOCK, BLOCK);
    run(20);
    unsigned before = done;
    tiny_is_up = true; /* there it is */
    run(6000);
    assert_int_equal(done, before + 1);
    assert_int_equal(failed, 0);
    assert_int_equal(disk->export->link, LINK_UP);
}

static void a_boot_without_a_server_of_another_image(void **state)
{
    (void)state;
    read_well(0, 64 * BLOCK);
    let_it_be_written();
    for (unsigned i = 0; i < TINY_BYTES; i += 512)
        tiny_image[i] ^= 1;
    stop();
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    tiny_reset();
    tiny_is_up = false;
    start();
    run(1100);
    assert_true(disk->export->was_up);
    tiny_is_up = true;
    run(6000); /* the longest pause between two tries, and a bit */
    assert_int_equal(disk->export->link, LINK_FAILED);
}

static void notes_do_not_pile_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NOTES_KEPT + 4; i++) {
        config.content[5] = (uint8_t)i;
        stop();
        start();
        read_well(i * BLOCK, BLOCK);
        vdisk_profile_end(disk);
        drain();
    }
    uint32_t count;
    assert_non_null(store_oldest_blob(store.store, "profile-", &count));
    assert_int_equal(count, NOTES_KEPT);
    assert_null(store_oldest_blob(store.store, "other-", &count));
    assert_int_equal(count, 0);
    config.content[5] = 3; /* gone */
    boot_with_silent_server();
    run(20);
    assert_int_equal(disk->export->stream.known.boots, 0);
    config.content[5] = 4;
    boot_with_silent_server();
    run(20);
    assert_int_equal(disk->export->stream.known.boots, 1);
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_second_boot_needs_no_server),
        TEST(the_end_of_an_odd_image),
        TEST(damage_is_fetched_again),
        TEST(another_content_is_another_image),
        TEST(another_image_under_the_same_content_is_found),
        TEST(another_image_is_found_however_slow_the_disk_is),
        TEST(a_server_that_shows_nothing_is_not_waited_for),
        TEST(an_image_that_is_written_is_not_kept),
        TEST(two_contents_of_one_export_do_not_go),
        TEST(a_store_that_fails_hurts_nobody),
        TEST(a_dead_disk_is_left_alone),
        TEST(what_was_at_the_store_goes_to_the_server),
        TEST(patience_is_for_the_server_only),
        TEST(the_profile_is_loaded_from_the_disk),
        TEST(the_profile_is_kept_in_the_store),
        TEST(a_suggested_profile_makes_room),
        TEST(an_export_without_content_has_a_profile_too),
        TEST(holes_are_known_without_the_server),
        TEST(a_boot_without_a_server),
        TEST(a_boot_without_a_server_of_another_image),
        TEST(notes_do_not_pile_up),
        TEST(the_fill_is_larger_than_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
