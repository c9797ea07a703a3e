// SPDX-License-Identifier: BSD-2-Clause
/* Fair sharing of a link: share.h on a link that is only reckoned, and tenants of an engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tiny_server.h"
#include "vdisk/engine.h"

#define MS 1000000ull
#define BLOCK 4096ull

/* -- a link of 100 Mbit/s and 20 ms that queues whatever it is given -- */

#define RTT_NS (20 * MS)
#define NS_A_BYTE 80ull
#define MOST_FLYING 256u

struct station {
    struct share_user user;
    uint64_t wants, got; /* pieces that it wants to send, bytes that have come */
    uint32_t bytes;
    uint64_t asked_ns, waited_ns; /* of a station that wants one at a time; the longest */
};

static struct share share;
static struct station stations[4];
static struct {
    struct station *of;
    struct share_flight flight;
    uint64_t lands_ns;
} flying[MOST_FLYING];
static uint64_t now, link_free_ns;

static void send_piece(struct station *s)
{
    for (unsigned i = 0; i < MOST_FLYING; i++) {
        if (flying[i].of)
            continue;
        uint64_t there = now + RTT_NS, starts = link_free_ns > there ? link_free_ns : there;
        link_free_ns = starts + s->bytes * NS_A_BYTE;
        flying[i].of = s;
        flying[i].lands_ns = link_free_ns;
        share_sent(&share, &s->user, &flying[i].flight, s->bytes, now);
        s->wants--;
        return;
    }
    fail();
}

static void take_turns(unsigned count)
{
    do {
        share_begin_pass(&share);
        for (unsigned i = 0; i < count; i++)
            while (stations[i].wants && share_ask(&share, &stations[i].user, stations[i].bytes))
                send_piece(&stations[i]);
    } while (share_next_round(&share));
}

static void land(void)
{
    for (unsigned i = 0; i < MOST_FLYING; i++) {
        struct station *s = flying[i].of;
        if (!s || flying[i].lands_ns > now)
            continue;
        flying[i].of = NULL;
        s->got += s->bytes;
        if (s->asked_ns && now - s->asked_ns > s->waited_ns)
            s->waited_ns = now - s->asked_ns;
        s->asked_ns = 0;
        share_landed(&share, &s->user, &flying[i].flight, false, now);
    }
}

/* small: the last station wants one piece after the other, with pauses. */
static void run_link(unsigned count, uint64_t ms, bool small)
{
    struct station *last = &stations[count - 1];
    for (uint64_t end = now + ms * MS, next = now; now < end; now += MS / 10) {
        land();
        if (small && !last->asked_ns && now >= next) {
            last->wants = 1;
            last->asked_ns = now;
            next = now + 37 * MS;
        }
        take_turns(count);
    }
}

static void begin(unsigned count, const uint32_t *weights)
{
    memset(stations, 0, sizeof stations);
    memset(flying, 0, sizeof flying);
    share_init(&share);
    now = link_free_ns = 1000 * MS;
    for (unsigned i = 0; i < count; i++) {
        share_join(&share, &stations[i].user, weights[i]);
        stations[i].wants = 1000000;
        stations[i].bytes = 32768;
    }
}

static void expect_ratio(uint64_t a, uint64_t b, uint64_t percent)
{
    assert_in_range(a * 100 / b, percent * 19 / 20, percent * 21 / 20);
}

static void shares_follow_the_weights(void **state)
{
    (void)state;
    begin(3, (const uint32_t[]){100, 200, 50});
    stations[1].bytes = 65536; /* it is bytes that are shared, not pieces */
    stations[2].bytes = 4096;
    run_link(3, 10000, false);
    expect_ratio(stations[1].got, stations[0].got, 200);
    expect_ratio(stations[0].got, stations[2].got, 200);
    uint64_t all = stations[0].got + stations[1].got + stations[2].got;
    assert_true(all > 115000000); /* of 125,000,000 */
}

static void a_small_reader_does_not_wait_for_the_others(void **state)
{
    (void)state;
    begin(3, (const uint32_t[]){100, 400, 20});
    stations[2].wants = 0;
    stations[2].bytes = 4096;
    run_link(3, 2000, true); /* until the link is known */
    stations[2].waited_ns = 0;
    run_link(3, 10000, true);
    assert_true(stations[2].got > 200 * 4096);
    assert_in_range(stations[2].waited_ns, RTT_NS, RTT_NS * 3 / 2);
}

static void what_can_wait_leaves_the_spare_bytes(void **state)
{
    struct share_flight flight = {.is_patient = true};
    (void)state;
    begin(2, (const uint32_t[]){100, 100});
    stations[1].wants = 0;
    run_link(2, 2000, false); /* the window is full */
    struct share_user *u = &stations[1].user;
    u->deficit = 1;
    share_sent(&share, u, &flight, SHARE_SPARE, now);
    assert_false(share_ask_patient(&share, u));
    assert_true(share_ask(&share, u, 4096));
    share_landed(&share, u, &flight, false, now);
    assert_int_equal(u->patient, 0);
}

static void nobody_saves_up(void **state)
{
    (void)state;
    begin(2, (const uint32_t[]){100, 100});
    stations[1].wants = 0;
    run_link(2, 5000, false);
    assert_true(stations[0].got > 55000000); /* alone, of 62,500,000 */
    stations[0].got = stations[1].got = 0;
    stations[1].wants = 1000000;
    run_link(2, 2000, false);
    assert_in_range(stations[1].got * 100 / stations[0].got, 85, 105); /* the first trip is lost */
}

/* -- tenants of an engine -- */

static struct vdisk *engine;
static unsigned done;

static void request_done(struct vdisk_request *r, int status)
{
    (void)r;
    assert_int_equal(status, LEAT_OK);
    done++;
}

static void run(unsigned rounds)
{
    tiny_run(engine, rounds);
}

static struct vdisk_disk *attach(unsigned i, const char *tenant, enum vdisk_mode mode)
{
    struct vdisk_config config = {.host = "h", .port = 1, .mode = mode};
    snprintf(config.name, sizeof config.name, "%s/%u", tenant, i);
    snprintf(config.tenant, sizeof config.tenant, "%s", tenant);
    return vdisk_attach(engine, &config, tiny_changed, NULL);
}

static uint8_t data[1 << 20];

static void submit(struct vdisk_disk *d, struct vdisk_request *r, uint32_t op, uint64_t offset,
                   uint64_t length)
{
    *r = (struct vdisk_request){
        .op = op, .offset = offset, .length = length, .data = data, .done = request_done};
    vdisk_submit(d, r);
}

static void begin_engine(uint64_t cache_bytes)
{
    struct vdisk_limits limits = {.cache_bytes = cache_bytes, .overlay_bytes = 1u << 20};
    tiny_reset();
    done = 0;
    engine = vdisk_create(&tiny_platform, &limits);
}

/* 2 MiB of a's profile beside 2 MiB that b reads: the profile's bytes that are asked for before b's last. */
static uint64_t stream_beside_reads(bool is_over)
{
    struct profile p = {.size_bytes = TINY_BYTES, .boots = 1};
    struct vdisk_request r[8];
    uint8_t file[4096];
    begin_engine(16u << 20);
    struct vdisk_disk *booting = attach(0, "a", VDISK_RAM), *reading = attach(0, "b", VDISK_RAM);
    run(5);
    unsigned before = tiny_reads; /* is it the same image? */
    tiny_is_up = false;
    assert_true(profile_add(&p, 0, 512, 0, 1));
    assert_true(profile_encoded_bytes(&p) <= sizeof file);
    profile_encode(&p, file);
    for (unsigned i = 0; i < 8; i++) /* more than the window takes */
        submit(reading, &r[i], LEAT_BLK_READ, (4u << 20) + i * (256u << 10), 256u << 10);
    assert_null(vdisk_profile_put(booting, file, profile_encoded_bytes(&p)));
    run(5);
    if (is_over)
        recorder_stop(&booting->export->stream.recorder);
    tiny_is_up = true;
    run(60);
    assert_int_equal(done, 8);
    uint64_t streamed = 0, streamed_before_last = 0;
    for (unsigned i = before; i < tiny_reads; i++) {
        if (tiny_read_log[i].offset >= 4u << 20 && tiny_read_log[i].offset < 6u << 20)
            streamed_before_last = streamed;
        else
            streamed += tiny_read_log[i].length;
    }
    assert_true(streamed >= 2u << 20);
    profile_free(&p);
    vdisk_detach(booting);
    vdisk_detach(reading);
    vdisk_destroy(engine);
    return streamed_before_last;
}

static void a_boot_has_its_share_of_the_link(void **state)
{
    (void)state;
    uint64_t bytes = stream_beside_reads(false);
    assert_in_range(bytes, 1u << 20, 2u << 20); /* about as much as b gets */
}

static void what_is_left_of_a_profile_waits_for_the_demand_of_others(void **state)
{
    (void)state;
    assert_true(stream_beside_reads(true) <=
                256u << 10); /* what was under way when the boot ended */
}

#define HOSTILE_DISKS 31u
#define RING 128u /* requests of one disk: the client's ring */

static unsigned chunks(void)
{
    unsigned n = 0;
    for (struct list *at = engine->waiter_chunks.next; at != &engine->waiter_chunks; at = at->next)
        n++;
    return n;
}

static void many_tiny_requests_keep_nobody_out(void **state)
{
    static struct vdisk_request r[HOSTILE_DISKS][RING], one;
    struct vdisk_disk *disks[HOSTILE_DISKS];
    (void)state;
    begin_engine(2u << 20); /* 512 blocks for all */
    for (unsigned i = 0; i < HOSTILE_DISKS; i++)
        disks[i] = attach(i, "hostile", VDISK_RAM);
    struct vdisk_disk *quiet = attach(0, "quiet", VDISK_RAM);
    run(5);
    tiny_is_up = false;                                 /* nothing is answered */
    struct meter *m = &engine->share[SHARE_DOWN].meter; /* the window would take more than that */
    m->peak[0] = m->mean[0] = 1000000000;
    m->rtt_ns[0] = 20 * MS;
    disks[0]->export->around = (struct around){.fetched = 9000, .skipped = 1u << 31}; /* nor that */
    for (unsigned i = 0; i < HOSTILE_DISKS; i++)
        for (unsigned k = 0; k < RING; k++)
            submit(disks[i], &r[i][k], LEAT_BLK_READ, (i * 37 + k * 17) % 2047 * BLOCK, 512);
    run(3);
    uint32_t sent = disks[0]->export->session.in_flight;
    assert_int_equal(sent, NBD_SESSION_SLOTS * 3 / 4); /* the rest is for the others */
    submit(quiet, &one, LEAT_BLK_READ, 2047 * BLOCK, BLOCK);
    run(1);
    assert_int_equal(quiet->export->session.in_flight, sent + 1); /* it need not wait for them */
    tiny_is_up = true;
    run(3000);
    assert_int_equal(done, HOSTILE_DISKS * RING + 1);
    assert_true(chunks() <= (HOSTILE_DISKS * RING + 1) / 128 + 2);
    for (unsigned i = 0; i < HOSTILE_DISKS; i++)
        vdisk_detach(disks[i]);
    vdisk_detach(quiet);
    vdisk_destroy(engine);
}

static void overlapping_writes_are_bounded(void **state)
{
    static struct vdisk_request r[6000];
    (void)state;
    begin_engine(4u << 20);
    engine->limits.log_bytes = 1u << 20;
    struct vdisk_disk *d = attach(0, "hostile", VDISK_PRIVATE);
    struct vdisk_export *e = d->export;
    run(5);
    tiny_is_up = false;
    for (unsigned i = 0; i < 6000; i++) /* each overlaps all others */
        submit(d, &r[i], LEAT_BLK_WRITE, i % 8 * 512, 8192);
    run(3);
    assert_true(e->log_bytes <= 1u << 20);
    tiny_is_up = true;
    run(12000);
    assert_int_equal(done, 6000);
    vdisk_detach(d);
    run(10);
    assert_true(vdisk_is_drained(engine));
    vdisk_destroy(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_the_weights),
        cmocka_unit_test(a_small_reader_does_not_wait_for_the_others),
        cmocka_unit_test(what_can_wait_leaves_the_spare_bytes),
        cmocka_unit_test(nobody_saves_up),
        cmocka_unit_test(a_boot_has_its_share_of_the_link),
        cmocka_unit_test(what_is_left_of_a_profile_waits_for_the_demand_of_others),
        cmocka_unit_test(many_tiny_requests_keep_nobody_out),
        cmocka_unit_test(overlapping_writes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
