// SPDX-License-Identifier: BSD-2-Clause
/* The console's other text parts: scroll-back, line editing, key sequence, font, terminal. */
#include "services/console/edit.h"
#include "services/console/font.h"
#include "services/console/keys.h"
#include "services/console/scrollback.h"
#include "tests/unit/terminal_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *last(const struct scrollback *s, size_t most)
{
    static char text[64];
    struct scrollback_view view = scrollback_last(s, most);

    memcpy(text, view.piece[0], view.size[0]);
    memcpy(text + view.size[0], view.piece[1], view.size[1]);
    text[view.size[0] + view.size[1]] = 0;
    return text;
}

static void scrollback_keeps_the_last_whole_lines(void **state)
{
    char bytes[16];
    struct scrollback s;

    (void)state;
    scrollback_init(&s, bytes, sizeof(bytes));
    assert_string_equal(last(&s, 100), "");
    scrollback_add(&s, "one\ntwo\n", 8);
    assert_string_equal(last(&s, 100), "one\ntwo\n");
    scrollback_add(&s, "three\nfour\n", 11);
    assert_string_equal(last(&s, 100), "two\nthree\nfour\n");
    assert_string_equal(last(&s, 7), "four\n");
    scrollback_add(&s, "0123456789abcdefghijkl\nlast", 27);
    assert_string_equal(last(&s, 100), "last");
}

static enum edit_result type(struct edit *edit, const char *text)
{
    enum edit_result result = EDIT_NOTHING;

    for (; *text != 0; text++) {
        result = edit_feed(edit, (uint8_t)*text);
    }
    return result;
}

static void lines_are_edited(void **state)
{
    struct edit edit = {0};

    (void)state;
    type(&edit, "vmx\b");
    assert_string_equal(edit.text, "vm");
    assert_int_equal(type(&edit, "s\r"), EDIT_ENTER);
    assert_string_equal(edit.text, "vms");
    edit_clear(&edit);
    assert_int_equal(edit_feed(&edit, '\n'), EDIT_NOTHING); /* of CR LF */
    type(&edit, "junk\x15mem");
    assert_string_equal(edit.text, "mem");
    edit_clear(&edit);
    type(&edit, "\x1b[A");
    assert_string_equal(edit.text, "mem");
    type(&edit, "\x1b[A");
    assert_string_equal(edit.text, "vms");
    assert_int_equal(type(&edit, "\x1b[A"), EDIT_NOTHING);
    type(&edit, "\x1b[B\x1b[B");
    assert_string_equal(edit.text, "");
    assert_int_equal(type(&edit, "\x7f"), EDIT_NOTHING);
    for (unsigned i = 0; i < 1000; i++) {
        edit_feed(&edit, 'x');
    }
    assert_int_equal(edit.length, EDIT_BYTES - 1);
    for (unsigned i = 0; i < 20; i++) {
        char line[8];

        type(&edit, "\x15");
        snprintf(line, sizeof(line), "n%u", i);
        type(&edit, line);
        edit_clear(&edit);
    }
    type(&edit, "\x1b[A");
    assert_string_equal(edit.text, "n19");
}

static void the_key_sequence_switches(void **state)
{
    struct keys keys = {0};

    (void)state;
    assert_int_equal(keys_feed(&keys, 'a').kind, KEY_BYTE);
    assert_int_equal(keys_feed(&keys, 0x1d).kind, KEY_NONE);
    assert_int_equal(keys_feed(&keys, 'l').kind, KEY_LEAT);
    keys_feed(&keys, 0x1d);
    assert_int_equal(keys_feed(&keys, '3').number, 3);
    keys_feed(&keys, 0x1d);
    assert_int_equal(keys_feed(&keys, 0x1d).byte, 0x1d);
    assert_int_equal(keys_feed(&keys, '1').kind, KEY_BYTE);
    keys_feed(&keys, 0x1d);
    assert_int_equal(keys_feed(&keys, 'z').kind, KEY_NONE);
    assert_int_equal(keys_feed(&keys, 'z').kind, KEY_BYTE);
}

static void fonts_are_checked(void **state)
{
    static uint8_t psf1[4 + 256 * 16] = {0x36, 0x04, 0, 16};
    static uint32_t psf2[8 + 256 * 5] = {0x864ab572, 0, 32, 0, 256, 20, 10, 12};
    struct font font;

    (void)state;
    assert_int_equal(font_read(psf1, sizeof(psf1), &font), LEAT_OK);
    assert_ptr_equal(font_glyph(&font, 'A'), psf1 + 4 + 'A' * 16);
    assert_ptr_equal(font_glyph(&font, 0x80), psf1 + 4 + '?' * 16);
    assert_int_equal(font_read(psf1, sizeof(psf1) - 1, &font), LEAT_EINVAL);
    assert_int_equal(font_read(psf1, 3, &font), LEAT_EINVAL);
    assert_int_equal(font_read((uint8_t *)psf2, sizeof(psf2), &font), LEAT_OK);
    assert_int_equal(font.bytes_per_row, 2);
    psf2[4] = 0x10000000; /* glyphs beyond the file */
    assert_int_equal(font_read((uint8_t *)psf2, sizeof(psf2), &font), LEAT_EINVAL);
    psf2[4] = 256;
    psf2[2] = 0xffffffff; /* header beyond the file */
    assert_int_equal(font_read((uint8_t *)psf2, sizeof(psf2), &font), LEAT_EINVAL);
}

/* Glyph 1 is U+00E9 and U+2500, glyph 2 begins a sequence with U+00E8, glyph 3 is beyond what is kept. */
static void a_font_names_its_glyphs(void **state)
{
    static uint8_t psf[4 + 256 * 16 + 20] = {0x36, 0x04, 2, 16};
    static const uint8_t table[20] = {0xff, 0xff, 0xe9, 0,    0,    0x25, 0xff, 0xff, 0xfe, 0xff,
                                      0xe8, 0,    0xff, 0xff, 0x80, 0xff, 0xff, 0xff, 0xea, 0};
    struct font font;

    (void)state;
    memcpy(psf + 4 + 256 * 16, table, sizeof(table));
    assert_int_equal(font_read(psf, sizeof(psf), &font), LEAT_OK);
    assert_ptr_equal(font_glyph(&font, 0xe9), psf + 4 + 1 * 16);
    assert_ptr_equal(font_glyph(&font, 0x2500), psf + 4 + 1 * 16);
    assert_ptr_equal(font_glyph(&font, 0xe8), psf + 4 + '?' * 16);
    assert_ptr_equal(font_glyph(&font, 0xea), psf + 4 + 4 * 16);
    assert_ptr_equal(font_glyph(&font, 'A'), psf + 4 + 'A' * 16);
    assert_ptr_equal(font_glyph(&font, 0xff80), psf + 4 + '?' * 16);
    assert_ptr_equal(font_glyph(&font, 0xffffffff), psf + 4 + '?' * 16);
    assert_int_equal(font_read(psf, sizeof(psf) - 1, &font), LEAT_OK); /* half a code at the end */
    assert_ptr_equal(font_glyph(&font, 0xea), psf + 4 + '?' * 16);
}

static void put(struct terminal *t, const char *text)
{
    terminal_write(t, text, strlen(text));
}

static void the_terminal_draws_what_it_is_told(void **state)
{
    static struct terminal t;

    (void)state;
    terminal_init(&t, 10, 3);
    put(&t, "one\r\ntwo\r\nthree\r\nfour");
    assert_string_equal(terminal_text(&t, 0), "two");
    assert_string_equal(terminal_text(&t, 1), "three");
    assert_string_equal(terminal_text(&t, 2), "four");
    put(&t, "\x1b[2;2Hx\x1b[K\x1b[1A\x1b[31mY");
    assert_string_equal(terminal_text(&t, 1), "tx");
    assert_string_equal(terminal_text(&t, 0), "twY");
    put(&t, "\x1b[2J\x1b[H0123456789abc");
    assert_string_equal(terminal_text(&t, 0), "0123456789");
    assert_string_equal(terminal_text(&t, 1), "abc");
    put(&t, "\r\x1b[Kleat> caf\xc3\xa9");
    assert_string_equal(terminal_text(&t, 1), "leat> caf#");
    put(&t, "\x1b[?25l\x1b(B\rz");
    assert_string_equal(terminal_text(&t, 1), "zeat> caf#");
}

static void the_terminal_knows_utf8(void **state)
{
    static struct terminal t;

    (void)state;
    terminal_init(&t, 20, 2);
    put(&t, "\xc3\xa9\xe2\x94\x80\xf0\x9f\x98\x80"
            "a\x80\xbf"
            "b\xe2\x94\r\n\xc3\xe2\x94"
            "c\xff"
            "d");
    assert_int_equal(terminal_row(&t, 0)[0], 0xe9);
    assert_int_equal(terminal_row(&t, 0)[1], 0x2500);
    assert_string_equal(terminal_text(&t, 0), "##?ab?"); /* too large, stray bytes, broken off */
    assert_string_equal(terminal_text(&t, 1), "??c?d");
}

static void the_terminal_knows_reverse_video(void **state)
{
    static struct terminal t;

    (void)state;
    terminal_init(&t, 20, 2);
    put(&t, "a\x1b[1;7mb\x1b[mc\x1b[7md\x1b[27me\x1b[38;5;7mf\x1b[7m\x1b[Kg\x1b[0mh");
    assert_string_equal(terminal_text(&t, 0), "abcdefgh");
    for (unsigned x = 0; x < 20; x++) {
        bool is_reverse = x == 1 || x == 3 || x == 6;

        assert_int_equal(terminal_row(&t, 0)[x] & TERMINAL_REVERSE,
                         is_reverse ? TERMINAL_REVERSE : 0);
    }
}

static void random_bytes_stay_in_the_grid(void **state)
{
    static struct terminal t;

    (void)state;
    srand(9);
    terminal_init(&t, 7, 5);
    for (unsigned i = 0; i < 300000; i++) {
        char byte =
            (char)(rand() % 2 != 0 ? "\x1b[0123456789;ABCDGHJKfm\r\n\t\b"[rand() % 27] : rand());

        terminal_write(&t, &byte, 1);
        assert_true(t.x <= t.columns && t.y < t.rows);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scrollback_keeps_the_last_whole_lines),
        cmocka_unit_test(lines_are_edited),
        cmocka_unit_test(the_key_sequence_switches),
        cmocka_unit_test(fonts_are_checked),
        cmocka_unit_test(a_font_names_its_glyphs),
        cmocka_unit_test(the_terminal_draws_what_it_is_told),
        cmocka_unit_test(the_terminal_knows_utf8),
        cmocka_unit_test(the_terminal_knows_reverse_video),
        cmocka_unit_test(random_bytes_stay_in_the_grid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
