// SPDX-License-Identifier: BSD-2-Clause
/* What the engine keeps in the local store beside blocks: profiles, maps of holes, and the sums that
 * tell one image from another, also while there is no server. */
#include "tests/unit/local_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void any_end(struct vdisk_request *r, int status)
{
    (void)r, (void)status;
}

static void change_image(void)
{
    for (unsigned i = 0; i < TINY_BYTES; i += 512)
        tiny_image[i] ^= 1;
}

static void another_image_under_the_same_content_is_found(void **state)
{
    (void)state;
    char line[300];
    read_well(0, 16 * BLOCK);
    let_it_be_written();
    change_image();
    power_off();
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
        power_off();
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
        power_off();
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
    power_off();
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

static void who_wants_no_profile_gets_none(void **state)
{
    (void)state;
    uint32_t count;
    read_well(200 * BLOCK, 16 * BLOCK);
    vdisk_profile_end(disk);
    drain();
    config.is_profiled = false;
    boot_with_silent_server();
    run(20);
    assert_int_equal(disk->export->stream.known.boots, 0); /* nothing is streamed, */
    assert_int_equal(disk->export->local.bytes, 0);
    config.content[5] = 1;
    stop();
    tiny_reset();
    start();
    read_well(40 * BLOCK, 16 * BLOCK);
    assert_false(disk->export->stream.recorder.is_on);
    vdisk_profile_end(disk); /* and nothing recorded */
    drain();
    assert_non_null(store_oldest_blob(store.store, "profile-", &count));
    assert_int_equal(count, 1);
}

static void a_disk_that_comes_later_wants_the_profile(void **state)
{
    (void)state;
    read_well(200 * BLOCK, 16 * BLOCK);
    vdisk_profile_end(disk);
    drain();
    config.is_profiled = false;
    boot_with_silent_server();
    run(20);
    config.is_profiled = true;
    struct vdisk_disk *second = vdisk_attach(engine, &config, changed, NULL);
    run(20);
    assert_int_equal(disk->export->stream.known.boots, 1);
    vdisk_detach(second);
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
    power_off();
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

/* The disk has begun without a server, and reads wait for one. */
static void begin_without_server(struct vdisk_request *waiting, unsigned count)
{
    read_well(0, 64 * BLOCK);
    let_it_be_written();
    stop();
    assert_int_equal(store_fixture_reopen(&store), STORE_OK);
    tiny_reset();
    tiny_is_up = false;
    start();
    run(1100);
    assert_true(disk->export->was_up);
    for (unsigned i = 0; i < count; i++)
        submit_to(&waiting[i], (1501 + 33 * i) * BLOCK, (1 + i) * BLOCK, i);
    run(20);
}

static void a_server_of_larger_blocks_comes_later(void **state)
{
    static struct vdisk_request waiting[4];
    (void)state;
    begin_without_server(waiting, 4);
    unsigned before = done;
    tiny_unit = 64u << 10;
    tiny_is_up = true;
    run(6000);
    assert_int_equal(disk->export->link, LINK_UP);
    assert_int_equal(done, before + 4);
    assert_int_equal(failed, 0);
    assert_int_equal(tiny_odd, 0);
    read_well(700 * BLOCK + 512, 3 * BLOCK);
    assert_int_equal(tiny_odd, 0);
    let_it_be_written();
    boot_with_silent_server(); /* what is kept of it is believed */
    read_well(0, 64 * BLOCK);
    assert_int_equal(disk->counters.network_bytes, 0);
}

static void a_store_that_fails_before_a_server_of_larger_blocks(void **state)
{
    static struct vdisk_request late;
    (void)state;
    begin_without_server(NULL, 0);
    store.fail_reads = 1000000;
    disk_sleeps = 100000;
    submit_to(&late, 3 * BLOCK, 5 * BLOCK, 0); /* at the store */
    vdisk_run(engine);
    tiny_unit = 64u << 10;
    tiny_is_up = true;
    run(6000);
    assert_int_equal(disk->export->link, LINK_UP);
    disk_sleeps = 0;
    unsigned before = done;
    run(20);
    assert_int_equal(done, before + 1);
    assert_int_equal(failed, 0);
    assert_int_equal(tiny_odd, 0);
}

static void a_small_image_is_the_same_in_larger_blocks(void **state)
{
    (void)state;
    stop();
    tiny_reset();
    tiny_size = 256u << 10;
    start();
    read_well(0, 4 * BLOCK);
    tiny_unit = 64u << 10;
    tiny_cut();
    run(6000);
    assert_int_equal(disk->export->link, LINK_UP);
    read_well(40 * BLOCK, 4 * BLOCK);
    assert_int_equal(tiny_odd, 0);
}

static unsigned lines;

static void count_lines(void *ctx, const char *line)
{
    (void)ctx;
    lines += strstr(line, "at least 65536 bytes") != NULL;
}

static void a_server_of_blocks_that_do_not_fit_is_refused_once(void **state)
{
    static struct vdisk_platform platform;
    static struct vdisk_request waiting;
    (void)state;
    platform = tiny_platform;
    platform.log = count_lines;
    tiny_size = TINY_BYTES - BLOCK;
    config.more_count = 1;
    config.more[0] = (struct vdisk_server){.host = "other", .port = 1};
    stop();
    start();
    begin_without_server(NULL, 0);
    engine->platform = &platform;
    lines = 0;
    submit_to(&waiting, 1501 * BLOCK, BLOCK, 0);
    tiny_unit = 64u << 10;
    tiny_size = TINY_BYTES - BLOCK;
    tiny_is_up = true;
    tiny_refuses = "other";
    run(60000);
    assert_int_equal(lines, 1);
    assert_int_not_equal(disk->export->link, LINK_UP);
    assert_true(tiny_connects < 60); /* of two servers */
    assert_non_null(strstr(disk->export->why, "refused"));
    tiny_refuses = NULL;
    tiny_unit = 0;
    run(6000);
    assert_int_equal(disk->export->link, LINK_UP);
    engine->platform = &tiny_platform;
}

static void a_boot_without_a_server_of_another_image(void **state)
{
    (void)state;
    read_well(0, 64 * BLOCK);
    let_it_be_written();
    change_image();
    power_off();
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(another_image_under_the_same_content_is_found),
        TEST(another_image_is_found_however_slow_the_disk_is),
        TEST(a_server_that_shows_nothing_is_not_waited_for),
        TEST(the_profile_is_kept_in_the_store),
        TEST(who_wants_no_profile_gets_none),
        TEST(a_disk_that_comes_later_wants_the_profile),
        TEST(a_suggested_profile_makes_room),
        TEST(an_export_without_content_has_a_profile_too),
        TEST(holes_are_known_without_the_server),
        TEST(a_boot_without_a_server),
        TEST(a_server_of_larger_blocks_comes_later),
        TEST(a_small_image_is_the_same_in_larger_blocks),
        TEST(a_store_that_fails_before_a_server_of_larger_blocks),
        TEST(a_server_of_blocks_that_do_not_fit_is_refused_once),
        TEST(a_boot_without_a_server_of_another_image),
        TEST(notes_do_not_pile_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
