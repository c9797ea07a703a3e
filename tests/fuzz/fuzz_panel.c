// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no title, label, key or moment makes the console's menu choose an entry that is not there, choose twice, or write
 * anything to a terminal but printable UTF-8 and its own sequences; and that no bytes of a keyboard do more than
 * type a few.
 *
 * The input: the size of the terminal, then steps: a message, typed bytes, scan codes, time that passes.
 */
#include <string.h>

#include "drivers/input/keymap.h"
#include "services/console/page.h"
#include "services/console/terminal.h"
#include "tests/fuzz/fuzz_input.h"

#define SECOND 1000000000ull

static struct {
    struct panel panel;
    struct page page;
    struct terminal terminal, below;
    bool is_below;
    struct scancode scancode;
    struct keymap map;
    uint64_t now_ns;
    bool has_menu; /* that was not answered */
    char out[PAGE_BYTES];
} w;

static void must(bool is_true)
{
    if (!is_true) {
        __builtin_trap();
    }
}

/* CSI with digits and ';', ended by one of what page.c uses; the length, 0: it is something else. */
static size_t own_sequence(const char *at, size_t left)
{
    size_t i = 2;

    if (left < 3 || at[0] != '\x1b' || at[1] != '[') {
        return 0;
    }
    while (i < left && ((at[i] >= '0' && at[i] <= '9') || at[i] == ';')) {
        i++;
    }
    return i < left && strchr("ABmHJK", at[i]) != NULL ? i + 1 : 0;
}

static size_t utf8_sequence(const uint8_t *at, size_t left)
{
    size_t need = at[0] >= 0xc2 && at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

    must(at[0] >= 0xc2 && at[0] < 0xf5 && need <= left);
    must(at[0] != 0xc2 || at[1] >= 0xa0); /* no C1 control */
    for (size_t i = 1; i < need; i++) {
        must(at[i] >= 0x80 && at[i] < 0xc0);
    }
    return need;
}

static void check_output(const char *out, size_t count)
{
    must(count <= PAGE_BYTES);
    for (size_t i = 0; i < count;) {
        size_t own = own_sequence(out + i, count - i);
        uint8_t byte = (uint8_t)out[i];

        if (own != 0) {
            i += own;
        } else if (byte >= 0x80) {
            i += utf8_sequence((const uint8_t *)out + i, count - i);
        } else {
            must((byte >= 0x20 && byte != 0x7f) || byte == '\r' || byte == '\n');
            i++;
        }
    }
}

static void put(struct terminal *terminal, size_t count)
{
    check_output(w.out, count);
    terminal_write(terminal, w.out, count);
}

/* Alone on a terminal, and below the lines of another one; there its last row is right above the cursor. */
static void draw(bool all)
{
    static struct page old;

    old = w.page;
    page_make(&w.page, &w.panel, w.terminal.columns, w.terminal.rows, w.now_ns);
    put(&w.terminal, page_put_alone(all ? NULL : &old, &w.page, w.out));
    if (w.is_below && all) {
        put(&w.below, page_take_away(&old, w.out));
    }
    put(&w.below, page_put_below(w.is_below && !all ? &old : NULL, &w.page, w.out));
    w.is_below = true;
    must(w.below.x == 0 && w.below.y >= w.page.used);
}

static void judge(enum panel_result result)
{
    if (result == PANEL_CHOSEN) {
        must(w.has_menu && w.panel.marked < w.panel.shown.count);
        w.has_menu = false;
    }
    if (w.panel.shown.kind == PANEL_MENU) {
        must(w.panel.shown.count >= 1 && w.panel.shown.count <= LEAT_SCREEN_ENTRIES);
        must(w.panel.marked < w.panel.shown.count);
    }
    if (w.panel.shown.kind != PANEL_NONE) {
        draw(result == PANEL_FRONT);
        must(w.panel.shown.kind != PANEL_MENU ||
             (w.panel.marked >= w.page.top && w.panel.marked < w.page.top + w.panel.window));
    }
}

static void message(struct fuzz_input *in)
{
    struct leat_ctl m = {.op = LEAT_CTL_SCREEN};
    size_t length = fuzz_take(in, 1);
    enum panel_result result;

    m.arg[0] = fuzz_take(in, 1) % 7;
    m.arg[1] = fuzz_take(in, 1);
    m.arg[2] = fuzz_take(in, 1);
    m.arg[3] = fuzz_take(in, 2);
    for (size_t i = 0; i < length; i++) {
        m.text[i] = (char)fuzz_take(in, 1);
    }
    result = panel_message(&w.panel, &m, w.now_ns);
    if (m.arg[0] == LEAT_SCREEN_SHOW && result == PANEL_FRONT) {
        w.has_menu = w.panel.shown.kind == PANEL_MENU;
    }
    must(result != PANEL_CHOSEN);
    judge(result);
}

static void scan(struct fuzz_input *in)
{
    char typed[KEYMAP_BYTES];
    unsigned count =
        keymap_feed(&w.map, scancode_feed(&w.scancode, (uint8_t)fuzz_take(in, 1)), typed);

    must(count <= KEYMAP_BYTES);
    for (unsigned i = 0; i < count; i++) {
        judge(panel_type(&w.panel, (uint8_t)typed[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    memset(&w, 0, sizeof(w));
    terminal_init(&w.below, PANEL_COLUMNS, PANEL_ROWS);
    terminal_init(&w.terminal, 1 + (unsigned)fuzz_take(&in, 1),
                  1 + (unsigned)fuzz_take(&in, 1) % 60);
    w.scancode.set = 1 + (unsigned)fuzz_take(&in, 1) % 2;
    while (in.size != 0) {
        switch (fuzz_take(&in, 1) % 8) {
        case 0:
        case 1:
            message(&in);
            break;
        case 2:
            w.now_ns += fuzz_take(&in, 2) * (SECOND / 16);
            judge(panel_tick(&w.panel, w.now_ns));
            must(w.panel.shown.kind == PANEL_NONE || panel_next_ns(&w.panel, w.now_ns) == 0 ||
                 panel_next_ns(&w.panel, w.now_ns) > w.now_ns);
            break;
        case 3:
            panel_leave(&w.panel);
            panel_return(&w.panel);
            break;
        case 4:
            judge(panel_touch(&w.panel));
            break;
        case 5:
            scan(&in);
            break;
        default:
            judge(panel_type(&w.panel, (uint8_t)fuzz_take(&in, 1)));
            break;
        }
    }
    return 0;
}
