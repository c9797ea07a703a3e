// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/panel_fixture.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/terminal_text.h"

struct panel panel;
struct terminal terminal;
static struct page page;

void panel_begin(unsigned columns, unsigned rows)
{
    memset(&panel, 0, sizeof(panel));
    memset(&page, 0, sizeof(page));
    terminal_init(&terminal, columns, rows);
}

enum panel_result panel_tell(uint64_t op, const char *text, uint64_t a, uint64_t b, uint64_t c,
                             uint64_t now_ns)
{
    struct leat_ctl message = {.op = LEAT_CTL_SCREEN, .arg = {op, a, b, c}};

    snprintf(message.text, sizeof(message.text), "%s", text);
    return panel_message(&panel, &message, now_ns);
}

enum panel_result panel_tell_menu(const char *const labels[], unsigned count, unsigned chosen_first,
                                  unsigned seconds, uint64_t now_ns)
{
    panel_tell(LEAT_SCREEN_MENU, "Which one?", count, chosen_first, seconds, now_ns);
    for (unsigned i = 0; i < count; i++) {
        char label[32];

        snprintf(label, sizeof(label), "entry %u", i + 1);
        panel_tell(LEAT_SCREEN_LINE, labels != NULL ? labels[i] : label, 0, 0, 0, now_ns);
    }
    return panel_tell(LEAT_SCREEN_SHOW, "", 7, 0, 0, now_ns);
}

const char *panel_drawn(bool all, uint64_t now_ns)
{
    static char out[PAGE_BYTES + 1];
    struct page old = page;
    size_t count;

    page_make(&page, &panel, terminal.columns, terminal.rows, now_ns);
    count = page_put_alone(all ? NULL : &old, &page, out);
    out[count] = '\0';
    terminal_write(&terminal, out, count);
    return out;
}

const char *panel_drawn_below(bool is_there, uint64_t now_ns)
{
    static char out[PAGE_BYTES + 1];
    struct page old = page;
    size_t count;

    page_make(&page, &panel, terminal.columns, terminal.rows, now_ns);
    count = page_put_below(is_there ? &old : NULL, &page, out);
    out[count] = '\0';
    terminal_write(&terminal, out, count);
    return out;
}

void panel_lines(const char *lines)
{
    char out[PAGE_BYTES];

    terminal_write(&terminal, out, page_take_away(&page, out));
    terminal_write(&terminal, lines, strlen(lines));
}

const char *panel_row(unsigned row)
{
    return terminal_text(&terminal, row);
}

enum panel_result panel_type_text(const char *text)
{
    enum panel_result result = PANEL_SAME;

    for (; *text != '\0'; text++) {
        result = panel_type(&panel, (uint8_t)*text);
    }
    return result;
}
