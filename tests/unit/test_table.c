// SPDX-License-Identifier: BSD-2-Clause
/* The table of disks and the service's other answers: what is in them, and that they fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "services/console/frame.h"
#include "tests/unit/terminal_text.h"
#include "tests/unit/tiny_server.h"
#include "vdisk/service/answer.h"

#define MIB (1ull << 20)
#define MOST_DISKS 64u

static char page[TABLE_MOST_ROWS][TABLE_MOST_COLUMNS + 1];
static unsigned lines;

static struct table_row a_row(void)
{
    struct table_row row = {.name = "web/root", .rate = 11 * MIB + MIB / 4};
    row.figures = (struct vdisk_figures){.state = LEAT_BLK_READY,
                                         .profile_bytes = 40 * MIB,
                                         .profile_there = 25 * MIB,
                                         .link_rate = 12 * MIB,
                                         .rtt_ns = 20400000,
                                         .stall_ns = 1430000000,
                                         .half_us = 256,
                                         .most_us = 32768};
    row.counters.ram_bytes = 12 * MIB + MIB / 2;
    row.counters.disk_bytes = 30 * MIB;
    row.counters.network_bytes = 700 << 10;
    row.counters.overlay_bytes = 1;
    row.counters.waiting = 3;
    return row;
}

/* Each line as the console gets it. Fails when it is wider than the page. */
static void add(const struct table *t, size_t length)
{
    assert_true(length <= t->columns);
    assert_int_equal(strlen(page[lines]), length);
    lines += length != 0;
}

static struct table draw(unsigned columns, unsigned rows, unsigned disks,
                         const struct table_row *row)
{
    struct table t;
    lines = 0;
    table_plan(&t, columns, rows, disks);
    add(&t, table_head(&t, page[lines]));
    for (unsigned i = 0; i < t.shown; i++)
        for (unsigned k = 0; k < t.each; k++)
            add(&t, table_line(&t, row, k, page[lines]));
    add(&t, table_end(&t, page[lines]));
    return t;
}

static void a_disk_at_80_columns(void **state)
{
    struct table_row row = a_row();
    (void)state;
    draw(80, 22, 1, &row);
    assert_int_equal(lines, 3);
    assert_string_equal(
        page[0], "disk          boot profile      rate  left   RAM local   net  hole   own waited");
    assert_string_equal(
        page[1], "web/root      [####....] 62% 11.2M/s  2.0s 12.5M 30.0M  700K     0   <1K   1.4s");
    assert_string_equal(page[2], "  50%< 256us 99%< 32ms trip 20ms link 12.0M/s written 0 queue 3");
}

static void states_and_ends_of_a_boot(void **state)
{
    struct table_row row = a_row();
    (void)state;
    row.figures.profile_there = row.figures.profile_bytes;
    draw(80, 22, 1, &row);
    assert_non_null(strstr(page[1], "[########]100% 11.2M/s     -"));
    row.figures.state = LEAT_BLK_STALLED;
    draw(80, 22, 1, &row);
    assert_non_null(strstr(page[1], "server away"));
    row = (struct table_row){.name = "a\x1b[2Jb\xff", .figures.state = LEAT_BLK_READY};
    draw(80, 22, 1, &row);
    assert_memory_equal(page[1], "a?[2Jb?       ready                -     -     0", 48);
    row.name = "a-very-long-vm-name/with-a-long-disk";
    draw(80, 22, 1, &row);
    assert_memory_equal(page[1], "..a-long-disk ", 14);
}

static void everything_fits_everywhere(void **state)
{
    struct table_row rows[2] = {a_row()};
    (void)state;
    memset(&rows[1], 0xff, sizeof rows[1]); /* the largest numbers */
    rows[1].name = "x";
    rows[1].figures.state = LEAT_BLK_READY;
    static const unsigned heights[] = {0, 1, 3, 6, 25, 119}, counts[] = {0, 1, 2, 12, 64};
    for (unsigned columns = 0; columns < 260; columns += columns < 90 ? 1 : 17)
        for (unsigned h = 0; h < sizeof heights / sizeof heights[0]; h++)
            for (unsigned i = 0; i < 2 * sizeof counts / sizeof counts[0]; i++) {
                struct table t = draw(columns, heights[h], counts[i / 2], &rows[i % 2]);
                assert_true(lines <= (heights[h] < 3 ? 3 : heights[h]));
                assert_true(t.shown == t.disks || strstr(page[lines - 1], "... and "));
            }
}

static void many_disks_take_one_line_each(void **state)
{
    struct table_row row = a_row();
    (void)state;
    assert_int_equal(draw(80, 22, 10, &row).each, 2);
    assert_int_equal(lines, 21);
    assert_int_equal(draw(80, 22, 21, &row).each, 1);
    assert_int_equal(lines, 22);
    draw(80, 22, 32, &row);
    assert_int_equal(lines, 22);
    assert_string_equal(page[21], "... and 12 more");
    assert_int_equal(draw(200, 40, 1, &row).each, 1); /* wide enough for all */
    assert_non_null(strstr(page[0], "queue"));
}

/* -- on the console -- */

static struct terminal terminal;

static void show(unsigned columns, unsigned rows)
{
    static struct frame frame;
    frame_begin(&frame, columns, rows);
    for (unsigned i = 0; i < lines; i++)
        frame_line(&frame, page[i]);
    frame_end(&frame);
    assert_true(frame.used <= sizeof frame.bytes);
    terminal_write(&terminal, frame.bytes, frame.used);
}

static void expect_row(unsigned y, const char *text)
{
    assert_string_equal(terminal_text(&terminal, y), text);
}

static void pages_cover_the_one_before(void **state)
{
    struct table_row row = a_row();
    (void)state;
    terminal_init(&terminal, 80, 25);
    draw(80, 25, 32, &row); /* 25 full rows: nothing scrolls */
    show(80, 25);
    expect_row(0, page[0]);
    expect_row(24, "... and 9 more");
    draw(80, 25, 2, &row);
    show(80, 25);
    for (unsigned i = 0; i < 25; i++)
        expect_row(i, i < 5 ? page[i] : "");
    terminal_init(&terminal, 30, 6);
    draw(30, 6, 64, &row);
    show(30, 6);
    expect_row(0, page[0]);
    expect_row(5, "... and 60 more");
    memset(page[0], 'x', TABLE_MOST_COLUMNS); /* whoever sends too much */
    lines = TABLE_MOST_ROWS;
    show(30, 6);
    expect_row(0, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

/* -- the service's answers -- */

static struct answer_disk disks[MOST_DISKS];
static unsigned disk_count, lasts;
static char said[1 << 20];

static struct answer_disk *disk_of(void *ctx, unsigned i)
{
    (void)ctx;
    return i < disk_count ? &disks[i] : NULL;
}

static void hear(void *ctx, const char *line, uint64_t number, bool is_last)
{
    (void)ctx;
    assert_int_equal(number, 7);
    assert_true(strlen(line) < sizeof((struct leat_ctl *)0)->text);
    assert_int_equal(lasts, 0);
    strcat(strcat(said, line), "\n");
    lasts += is_last;
}

static unsigned ask(uint64_t what)
{
    static struct answer answer = {.disk = disk_of, .send = hear};
    unsigned rounds = 1;
    said[0] = 0;
    lasts = 0;
    answer_begin(&answer, 7, what, tiny_now_ns);
    for (; answer.is_on; rounds++)
        answer_go_on(&answer, tiny_now_ns);
    assert_int_equal(lasts, 1);
    return rounds;
}

static unsigned count(const char *what)
{
    unsigned n = 0;
    for (const char *at = said; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void the_service_answers(void **state)
{
    struct vdisk_limits limits = {.cache_bytes = 4 * MIB};
    struct vdisk_config config = {.name = "web/root", .host = "h", .port = 1, .mode = VDISK_RAM};
    (void)state;
    tiny_reset();
    struct vdisk *engine = vdisk_create(&tiny_platform, &limits);
    struct vdisk_disk *disk = vdisk_attach(engine, &config, tiny_changed, NULL);
    tiny_run(engine, 5);
    disk_count = 0;
    ask(LEAT_QUERY(LEAT_QUERY_STATE, 0, 0));
    assert_string_equal(said, "\n");
    ask(LEAT_QUERY(LEAT_QUERY_JSON, 0, 0));
    assert_string_equal(said, "[\n]\n");
    disk_count = 32;
    for (unsigned i = 0; i < disk_count; i++)
        disks[i] = (struct answer_disk){.name = "web/root", .disk = disk};
    disks[31] = (struct answer_disk){.name = "web/bad", .why = "failed: see the log"};
    ask(LEAT_QUERY(LEAT_QUERY_STATE, 0, 0));
    assert_int_equal(count("ready, 8.0 MiB"), 31);
    assert_int_equal(count("disk 'web/bad': failed: see the log\n"), 1);
    assert_true(ask(LEAT_QUERY(LEAT_QUERY_JSON, 0, 0)) > 5); /* with pauses */
    assert_int_equal(count("{\"disk\": "), 32);
    assert_int_equal(count("}\n]\n"), 1);
    FILE *python =
        popen("python3 -c 'import json, sys; sys.exit(len(json.load(sys.stdin)) != 32)'", "w");
    fputs(said, python);
    assert_int_equal(pclose(python), 0);
    ask(LEAT_QUERY(LEAT_QUERY_TABLE, 80, 22));
    assert_int_equal(count("\n"), 22);
    assert_int_equal(count("web/root"), 20);
    assert_int_equal(count("... and 12 more\n"), 1);
    disks[0].sampled_bytes -= 3 * MIB; /* as if so much had come in the last second */
    tiny_now_ns += 1000000000;
    disk_count = 1;
    ask(LEAT_QUERY(LEAT_QUERY_TABLE, 80, 22));
    assert_int_equal(count(" 3.0M/s "), 1);
    ask(LEAT_QUERY(LEAT_QUERY_TABLE, 65535, 65535));
    vdisk_detach(disk);
    vdisk_destroy(engine);
}

static void parts_of_a_histogram(void **state)
{
    uint64_t histogram[METER_BUCKETS] = {0};
    (void)state;
    assert_int_equal(meter_below_us(histogram, 500), 0);
    histogram[0] = 98;
    histogram[10] = 1;
    histogram[METER_BUCKETS - 1] = 1;
    assert_int_equal(meter_below_us(histogram, 500), 2);
    assert_int_equal(meter_below_us(histogram, 990), 2048);
    assert_int_equal(meter_below_us(histogram, 1000), 2ull << (METER_BUCKETS - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_disk_at_80_columns),
        cmocka_unit_test(states_and_ends_of_a_boot),
        cmocka_unit_test(everything_fits_everywhere),
        cmocka_unit_test(many_disks_take_one_line_each),
        cmocka_unit_test(pages_cover_the_one_before),
        cmocka_unit_test(the_service_answers),
        cmocka_unit_test(parts_of_a_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
