// SPDX-License-Identifier: BSD-2-Clause
/* The console's menu and notices: what stands on the terminal, what keys and the clock do, hostile texts. */
#include "tests/unit/panel_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/console/label.h"

static const char *const three[] = {"Debian 12", "Windows", "B\xc3\xbcro \xe2\x80\x94 rescue"};

static void a_menu_is_drawn(void **state)
{
    (void)state;
    panel_begin(80, 25);
    assert_int_equal(panel_tell_menu(three, 3, 1, 10, 5 * SECOND), PANEL_FRONT);
    assert_non_null(strstr(panel_drawn(true, 5 * SECOND), "B\xc3\xbcro \xe2\x80\x94 rescue"));
    assert_string_equal(panel_row(0), "Which one?");
    assert_string_equal(panel_row(1), "");
    assert_string_equal(panel_row(2), "  1  Debian 12");
    assert_string_equal(panel_row(3), "> 2  Windows");
    assert_string_equal(panel_row(4), "  3  B#ro # rescue");
    assert_string_equal(panel_row(6), "starts in 10 s; any key stops the clock");
    assert_string_equal(panel_row(7), "2 of 3; arrow keys and Enter, or a digit");
    assert_int_equal(terminal.y, 8);
    assert_int_equal(terminal_row(&terminal, 3)[0], '>' | TERMINAL_REVERSE);
    assert_int_equal(terminal_row(&terminal, 3)[12], ' ');
    assert_int_equal(terminal_row(&terminal, 4)[0], ' ');
}

/* Of what follows only rows that differ are sent: one a second, two for an arrow key. */
static void only_what_changes_is_drawn(void **state)
{
    (void)state;
    panel_begin(80, 25);
    panel_tell_menu(three, 3, 0, 10, 0);
    panel_drawn(true, 0);
    assert_string_equal(panel_drawn(false, SECOND / 2), "");
    assert_int_equal(panel_next_ns(&panel, SECOND / 2), SECOND);
    assert_string_equal(panel_drawn(false, SECOND),
                        "\x1b[7;1Hstarts in 9 s; any key stops the clock\x1b[K\r\n\x1b[9;1H");
    assert_string_equal(panel_row(6), "starts in 9 s; any key stops the clock");
    assert_int_equal(panel_type_text("x"), PANEL_FRONT); /* the clock stops: all is drawn again */
    panel_drawn(true, SECOND);
    assert_string_equal(panel_row(6), "");
    assert_int_equal(panel_type_text("\x1b[B"), PANEL_CHANGED);
    assert_string_equal(
        panel_drawn(false, SECOND),
        "\x1b[3;1H  1  Debian 12\x1b[K\r\n\x1b[4;1H\x1b[7m> 2  Windows\x1b[m\x1b[K\r\n"
        "\x1b[8;1H2 of 3; arrow keys and Enter, or a digit\x1b[K\r\n\x1b[9;1H");
    assert_string_equal(panel_row(3), "> 2  Windows");
}

/* Lines of the log take its place, and it comes back below them: nothing of either is lost, and the terminal scrolls. */
static void lines_come_above_it(void **state)
{
    (void)state;
    panel_begin(80, 12);
    terminal_write(&terminal, "before\r\n", 8);
    panel_tell_menu(three, 3, 0, 10, 0);
    panel_drawn_below(false, 0);
    assert_string_equal(panel_row(0), "before");
    assert_string_equal(panel_row(1), "Which one?");
    assert_string_equal(panel_drawn_below(true, SECOND / 2), "");
    assert_string_equal(panel_drawn_below(true, SECOND),
                        "\x1b[2Astarts in 9 s; any key stops the clock\x1b[K\r\n\x1b[1B");
    assert_string_equal(panel_row(7), "starts in 9 s; any key stops the clock");
    assert_int_equal(terminal.y, 9);
    panel_lines("one\r\ntwo\r\n");
    assert_string_equal(panel_row(1), "one");
    assert_string_equal(panel_row(3), "");
    panel_drawn_below(false, 2 * SECOND);
    assert_string_equal(panel_row(2), "two");
    assert_string_equal(panel_row(3), "Which one?");
    assert_string_equal(panel_row(9), "starts in 8 s; any key stops the clock");
    panel_lines("three\r\nfour\r\n");
    panel_type_text("\x1b[B");
    panel_drawn_below(false, 3 * SECOND); /* one row more than there are: the first has gone up */
    assert_string_equal(panel_row(0), "two");
    assert_string_equal(panel_row(2), "four");
    assert_string_equal(panel_row(3), "Which one?");
    assert_string_equal(panel_row(6), "> 2  Windows");
    assert_int_equal(terminal.y, 11);
    panel_type_text("\x1b[B");
    panel_drawn_below(true, 3 * SECOND);
    assert_string_equal(panel_row(6), "  2  Windows");
    assert_string_equal(panel_row(7), "> 3  B#ro # rescue");
    panel_tell(LEAT_SCREEN_NOTICE, "Leat starts", 0, 0, 0, 0); /* fewer rows: none is left behind */
    panel_tell(LEAT_SCREEN_LINE, "Windows", 0, 0, 0, 0);
    panel_tell(LEAT_SCREEN_SHOW, "", 0, 0, 0, 0);
    panel_drawn_below(true, 4 * SECOND);
    assert_string_equal(panel_row(3), "Leat starts");
    assert_string_equal(panel_row(5), "Windows");
    assert_string_equal(panel_row(6), "");
    assert_int_equal(terminal.y, 6);
}

static void keys_move_the_mark(void **state)
{
    (void)state;
    panel_begin(80, 25);
    panel_tell_menu(NULL, 64, 0, 0, 0);
    panel_drawn(true, 0);
    assert_int_equal(panel.window, 13);
    assert_int_equal(panel_type_text("\x1b[A"), PANEL_SAME); /* no way up */
    panel_type_text("\x1b[B\x1bOB\x1b[B");
    assert_int_equal(panel.marked, 3);
    panel_type_text("\x1b[6~");
    assert_int_equal(panel.marked, 16);
    panel_drawn(false, 0);
    assert_string_equal(panel_row(2), "  5  entry 5");
    assert_string_equal(panel_row(14), ">    entry 17");
    panel_type_text("\x1b[F");
    assert_int_equal(panel.marked, 63);
    panel_drawn(false, 0);
    assert_string_equal(panel_row(2), "     entry 52");
    assert_string_equal(panel_row(14), ">    entry 64");
    assert_string_equal(panel_row(17), "64 of 64; arrow keys and Enter, or a digit");
    assert_int_equal(panel_type_text("\x1b[6~"), PANEL_SAME); /* no way down */
    panel_type_text("\x1b[5;2~");
    assert_int_equal(panel.marked, 50);
    panel_drawn(false, 0);
    assert_string_equal(panel_row(2), ">    entry 51");
    panel_type_text("\x1b[1~");
    assert_int_equal(panel.marked, 0);
    panel_drawn(false, 0);
    assert_string_equal(panel_row(2), "> 1  entry 1");
    assert_string_equal(panel_row(10), "  9  entry 9");
    assert_string_equal(panel_row(11), "     entry 10");
}

static void enter_and_digits_choose_once(void **state)
{
    (void)state;
    panel_begin(80, 25);
    panel_tell_menu(three, 3, 1, 10, 0);
    assert_int_equal(panel_type_text("\r"), PANEL_CHOSEN);
    assert_int_equal(panel.marked, 1);
    assert_int_equal(panel.shown.number, 7);
    assert_int_equal(panel_type_text("\n"), PANEL_SAME); /* the second half of a CR LF */
    assert_int_equal(panel_type_text("3"), PANEL_SAME);
    assert_int_equal(panel.marked, 1);
    assert_int_equal(panel_tick(&panel, 100 * SECOND), PANEL_SAME);
    panel_drawn(true, 0);
    assert_string_equal(panel_row(6), "starts: Windows");
    panel_tell_menu(three, 3, 1, 10, 0);
    assert_int_equal(panel_type_text("3"), PANEL_CHOSEN);
    assert_int_equal(panel.marked, 2);
    panel_tell_menu(three, 3, 1, 0, 0);
    assert_int_equal(panel_type_text("4"), PANEL_SAME);
    assert_int_equal(panel_type_text("0"), PANEL_SAME);
    assert_int_equal(panel_type_text("\x1b[3~"), PANEL_SAME); /* the 3 belongs to a key */
}

static void the_clock_chooses_the_default(void **state)
{
    (void)state;
    panel_begin(80, 25);
    panel_tell_menu(three, 3, 2, 3, 10 * SECOND);
    assert_int_equal(panel_tick(&panel, 13 * SECOND - 1), PANEL_CHANGED);
    assert_int_equal(panel_seconds_left(&panel, 13 * SECOND - 1), 1);
    assert_int_equal(panel_next_ns(&panel, 13 * SECOND - 1), 13 * SECOND);
    assert_int_equal(panel_tick(&panel, 13 * SECOND), PANEL_CHOSEN);
    assert_int_equal(panel.marked, 2);
    assert_int_equal(panel_tick(&panel, 14 * SECOND), PANEL_SAME);
    panel_tell_menu(three, 3, 2, 3, 10 * SECOND);
    assert_int_equal(panel_touch(&panel), PANEL_FRONT);
    assert_int_equal(panel_tick(&panel, 100 * SECOND), PANEL_SAME);
    assert_int_equal(panel_next_ns(&panel, 100 * SECOND), 0);
    panel_tell_menu(three, 3, 2, 0, 0); /* it waits for ever */
    assert_int_equal(panel_tick(&panel, 1000000 * SECOND), PANEL_SAME);
}

static void a_notice_counts_down(void **state)
{
    (void)state;
    panel_begin(80, 25);
    panel_tell(LEAT_SCREEN_NOTICE, "This machine is not known to the server", 0, 0, 10, 0);
    panel_tell(LEAT_SCREEN_LINE, "UUID 01234567", 0, 0, 0, 0);
    panel_tell(LEAT_SCREEN_LINE, "MAC 52:54:00:12:34:56", 0, 0, 0, 0);
    assert_int_equal(panel_tell(LEAT_SCREEN_SHOW, "", 0, 0, 0, 0), PANEL_FRONT);
    panel_drawn(true, 0);
    assert_string_equal(panel_row(0), "This machine is not known to the server");
    assert_string_equal(panel_row(3), "MAC 52:54:00:12:34:56");
    assert_string_equal(panel_row(5), "asks again in 10 s");
    assert_string_equal(panel_drawn(false, 9 * SECOND + 1),
                        "\x1b[6;1Hasks again in 1 s\x1b[K\r\n\x1b[7;1H");
    panel_drawn(false, 10 * SECOND);
    assert_string_equal(panel_row(5), "asks again now");
    assert_int_equal(panel_next_ns(&panel, 10 * SECOND), 0);
    assert_int_equal(panel_type_text("1\r\x1b[B"), PANEL_SAME);
    assert_int_equal(panel_tell(LEAT_SCREEN_CLOSE, "", 0, 0, 0, 0), PANEL_CLOSED);
    assert_int_equal(panel_tell(LEAT_SCREEN_CLOSE, "", 0, 0, 0, 0), PANEL_SAME);
}

static enum panel_result tell_notice(const char *title)
{
    panel_tell(LEAT_SCREEN_NOTICE, title, 0, 0, 0, 0);
    return panel_tell(LEAT_SCREEN_SHOW, "", 0, 0, 0, 0);
}

static void a_notice_is_broken_into_rows(void **state)
{
    (void)state;
    panel_begin(21, 25);
    panel_tell(LEAT_SCREEN_NOTICE, "four words and a title", 0, 0, 0, 0);
    panel_tell(LEAT_SCREEN_LINE, "exactly twenty wide. next", 0, 0, 0, 0);
    panel_tell(LEAT_SCREEN_LINE, "averyveryverylongwordindeed x", 0, 0, 0, 0);
    panel_tell(LEAT_SCREEN_LINE, "", 0, 0, 0, 0);
    panel_tell(LEAT_SCREEN_LINE, "\xe6\xbc\xa2\xe6\xbc\xa2", 0, 0, 0, 0);
    panel_tell(LEAT_SCREEN_SHOW, "", 0, 0, 0, 0);
    panel_drawn(true, 0);
    assert_string_equal(panel_row(0), "four words and a");
    assert_string_equal(panel_row(1), "title");
    assert_string_equal(panel_row(3), "exactly twenty wide.");
    assert_string_equal(panel_row(4), "next");
    assert_string_equal(panel_row(5), "averyveryverylongwor");
    assert_string_equal(panel_row(6), "dindeed x");
    assert_string_equal(panel_row(7), "");
    assert_string_equal(panel_row(8), "##");
    panel_begin(2, 25); /* no room for a wide character: nothing hangs */
    tell_notice("\xe6\xbc\xa2\xe6\xbc\xa2");
    panel_drawn(true, 0);
}

/* Who has left a notice is not called back by the same; another, or a menu, comes to the front. */
static void one_that_was_left_stays_behind(void **state)
{
    (void)state;
    panel_begin(80, 25);
    assert_false(panel_return(&panel));
    tell_notice("unknown");
    panel_leave(&panel);
    assert_int_equal(tell_notice("unknown"), PANEL_SAME);
    assert_true(panel.is_behind);
    assert_int_equal(tell_notice("disabled"), PANEL_FRONT);
    panel_leave(&panel);
    assert_int_equal(panel_tell_menu(three, 3, 0, 5, 0), PANEL_FRONT);
    panel_leave(&panel);
    assert_int_equal(panel.deadline_ns, 0);
    assert_true(panel_return(&panel));
    assert_int_equal(panel.shown.kind, PANEL_MENU);
}

/* Until all lines are there, what was shown stands. */
static void what_is_not_complete_is_not_shown(void **state)
{
    (void)state;
    panel_begin(80, 25);
    tell_notice("first");
    assert_int_equal(panel_tell(LEAT_SCREEN_SHOW, "", 0, 0, 0, 0), PANEL_SAME);
    assert_int_equal(panel_tell(LEAT_SCREEN_MENU, "menu", 3, 0, 0, 0), PANEL_SAME);
    assert_int_equal(panel_tell(LEAT_SCREEN_LINE, "one", 0, 0, 0, 0), PANEL_SAME);
    panel_drawn(true, 0);
    assert_string_equal(panel_row(0), "first");
    panel_tell(LEAT_SCREEN_MENU, "empty", 0, 0, 0, 0);
    assert_int_equal(panel_tell(LEAT_SCREEN_SHOW, "", 0, 0, 0, 0), PANEL_SAME);
    assert_int_equal(panel_tell(LEAT_SCREEN_SHOW, "", 0, 0, 0, 0), PANEL_SAME);
    assert_int_equal(panel_tell(LEAT_SCREEN_LINE, "x", 0, 0, 0, 0), PANEL_SAME);
    panel_drawn(true, 0);
    assert_string_equal(panel_row(0), "first");
}

static void too_many_and_too_large_are_cut(void **state)
{
    (void)state;
    panel_begin(80, 25);
    panel_tell_menu(NULL, 70, 69, UINT32_MAX, 0);
    assert_int_equal(panel.shown.count, LEAT_SCREEN_ENTRIES);
    assert_int_equal(panel.marked, 0);
    assert_int_equal(panel_seconds_left(&panel, 0), LEAT_SCREEN_SECONDS);
    panel_tell(LEAT_SCREEN_NOTICE, "n", 0, 0, 0, 0);
    for (unsigned i = 0; i < 20; i++) {
        panel_tell(LEAT_SCREEN_LINE, "line", 0, 0, 0, 0);
    }
    panel_tell(LEAT_SCREEN_SHOW, "", 0, 0, 0, 0);
    assert_int_equal(panel.shown.count, LEAT_SCREEN_LINES);
    for (unsigned rows = 0; rows < 9; rows++) { /* no terminal is too small */
        panel_begin(rows * 3 + 1, rows + 1);
        panel_tell_menu(NULL, 64, 40, 5, 0);
        panel_drawn(true, 0);
        panel_type_text("\x1b[F");
        panel_drawn(false, 0);
        assert_int_equal(panel.marked, 63);
    }
}

static void hostile_labels_are_harmless(void **state)
{
    static const char *const labels[] = {
        "\x1b]0;title\x07\x1b[2J\x1b[1;1H\x9bJ\x08\x7f", "a\r\nb\tc",
        "\xe2\x80\xae"
        "evil \xc2\x85\xed\xa0\x80\xff\xc3",
        "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6"
        "\xbc\xa2\xe6\xbc\xa2"
        "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6"
        "\xbc\xa2\xe6\xbc\xa2"
        "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6"
        "\xbc\xa2\xe6\xbc\xa2"
        "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6"
        "\xbc\xa2\xe6\xbc\xa2"
        "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2"};
    const char *drawn;

    (void)state;
    panel_begin(80, 25);
    panel_tell_menu(labels, 4, 3, 0, 0);
    drawn = panel_drawn(true, 0);
    assert_null(strchr(drawn, '\x07'));
    assert_null(strchr(drawn, '\x7f'));
    assert_null(strstr(drawn, "\x1b]"));
    assert_null(strstr(drawn, "\xe2\x80\xae"));
    assert_string_equal(panel_row(2), "  1  \\x1b]0;title\\x07\\x9bJ\\x08\\x7f");
    assert_string_equal(panel_row(3), "  2  a b c");
    assert_string_equal(panel_row(4), "  3  ?evil \\xc2\\x85\\xed\\xa0\\x80\\xff\\xc3");
    /* 74 columns are left, wide characters take two. */
    assert_int_equal(strlen(panel.shown.lines[3]), 3 * 40);
    assert_int_equal(label_cut(panel.shown.lines[3], 74), 3 * 37);
    assert_int_equal(label_cut(panel.shown.lines[3], 73), 3 * 36);
}

static void labels_are_cut_at_characters(void **state)
{
    char out[16];

    (void)state;
    assert_int_equal(label_make(out, sizeof(out), 3, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f"), 3);
    assert_string_equal(out, "\xc3\xa4\xc3\xb6\xc3\xbc");
    assert_int_equal(label_make(out, 4, 10, "\xc3\xa4\xc3\xb6\xc3\xbc"), 1);
    assert_string_equal(out, "\xc3\xa4");
    assert_int_equal(label_make(out, sizeof(out), 10, ""), 0);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_menu_is_drawn),
        cmocka_unit_test(only_what_changes_is_drawn),
        cmocka_unit_test(lines_come_above_it),
        cmocka_unit_test(keys_move_the_mark),
        cmocka_unit_test(enter_and_digits_choose_once),
        cmocka_unit_test(the_clock_chooses_the_default),
        cmocka_unit_test(a_notice_counts_down),
        cmocka_unit_test(a_notice_is_broken_into_rows),
        cmocka_unit_test(one_that_was_left_stays_behind),
        cmocka_unit_test(what_is_not_complete_is_not_shown),
        cmocka_unit_test(too_many_and_too_large_are_cut),
        cmocka_unit_test(hostile_labels_are_harmless),
        cmocka_unit_test(labels_are_cut_at_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
