// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/page.h"

#include <stdio.h>
#include <string.h>

#include "services/console/label.h"

/* Title, empty row, entries; empty row, clock, keys. */
enum { ROWS_BESIDE_ENTRIES = 5, PREFIX_COLUMNS = 5 };

/* text: as label_make gives it. */
static void add_row(struct page *page, const char *before, const char *text, const char *after)
{
    unsigned beside = before[0] == '\x1b' ? PREFIX_COLUMNS : (unsigned)strlen(before);
    unsigned left = page->columns > beside ? page->columns - beside : 0;

    if (page->used < page->rows) {
        snprintf(page->row[page->used++], PAGE_ROW, "%s%.*s%s", before, (int)label_cut(text, left),
                 text, after);
    }
}

/* Bytes of the text's first row; the space that the row ends at is none of them. */
static size_t first_row(const char *text, unsigned columns)
{
    size_t most = label_cut(text, columns);
    size_t length = most;

    if (text[most] == '\0') {
        return most;
    }
    while (length > 0 && text[length] != ' ') {
        length--;
    }
    return length != 0 ? length : most;
}

/* Over as many rows as it takes. */
static void add_text(struct page *page, const char *text)
{
    do {
        char row[PANEL_TEXT];
        size_t length = first_row(text, page->columns);

        length = length != 0 ? length : strlen(text); /* a wide character, and one column */
        snprintf(row, sizeof(row), "%.*s", (int)length, text);
        add_row(page, "", row, "");
        text += length + (text[length] == ' ');
    } while (*text != '\0');
}

static void add_entry(struct page *page, const struct panel *panel, unsigned index)
{
    bool is_marked = index == panel->marked;
    char digit = index < 9 ? (char)('1' + index) : ' ';
    char before[24];

    snprintf(before, sizeof(before), "%s%c %c  ", is_marked ? "\x1b[7m" : "", is_marked ? '>' : ' ',
             digit);
    add_row(page, before, panel->shown.lines[index], is_marked ? "\x1b[m" : "");
}

/* The marked entry is seen, and the page moves no more than it must for that. */
static void place_window(struct panel *panel, unsigned rows)
{
    unsigned count = panel->shown.count;
    unsigned room = rows > ROWS_BESIDE_ENTRIES ? rows - ROWS_BESIDE_ENTRIES : 1;

    panel->window = count < room ? count : room;
    if (panel->marked < panel->top) {
        panel->top = panel->marked;
    } else if (panel->marked >= panel->top + panel->window) {
        panel->top = panel->marked - panel->window + 1;
    }
    if (panel->top > count - panel->window) {
        panel->top = count - panel->window;
    }
}

static void add_menu(struct page *page, struct panel *panel, uint64_t now_ns)
{
    char text[PANEL_TEXT] = "";

    place_window(panel, page->rows);
    for (unsigned i = 0; i < panel->window; i++) {
        add_entry(page, panel, panel->top + i);
    }
    add_row(page, "", "", "");
    if (panel->is_chosen) {
        add_row(page, "starts: ", panel->shown.lines[panel->marked], "");
        return;
    }
    if (panel->deadline_ns != 0) {
        snprintf(text, sizeof(text), "starts in %u s; any key stops the clock",
                 panel_seconds_left(panel, now_ns));
    }
    add_row(page, "", text, "");
    snprintf(text, sizeof(text), "%u of %u; arrow keys and Enter%s", panel->marked + 1,
             panel->shown.count, panel->shown.count > 1 ? ", or a digit" : "");
    add_row(page, "", text, "");
}

static void add_notice(struct page *page, const struct panel *panel, uint64_t now_ns)
{
    unsigned left = panel_seconds_left(panel, now_ns);
    char text[40] = "asks again now";

    for (unsigned i = 0; i < panel->shown.count; i++) {
        add_text(page, panel->shown.lines[i]);
    }
    if (panel->deadline_ns != 0) {
        if (left != 0) {
            snprintf(text, sizeof(text), "asks again in %u s", left);
        }
        add_row(page, "", "", "");
        add_row(page, "", text, "");
    }
}

static unsigned usable(unsigned has, unsigned most)
{
    unsigned value = has < most ? has : most;

    return value > 1 ? value - 1 : 1;
}

static void make(struct page *page, struct panel *panel, unsigned columns, unsigned rows,
                 uint64_t now_ns)
{
    page->columns = usable(columns, PANEL_COLUMNS);
    page->rows = usable(rows, PANEL_ROWS);
    page->used = 0;
    if (panel->shown.kind == PANEL_MENU) {
        add_row(page, "", panel->shown.title, "");
        add_row(page, "", "", "");
        add_menu(page, panel, now_ns);
    } else {
        add_text(page, panel->shown.title);
        add_row(page, "", "", "");
        add_notice(page, panel, now_ns);
    }
    for (unsigned i = page->used; i < PANEL_ROWS; i++) {
        page->row[i][0] = '\0';
    }
}

static size_t draw_all(const struct page *page, char *out)
{
    size_t used = (size_t)sprintf(out, "\x1b[m\x1b[2J\x1b[H");

    for (unsigned i = 0; i < page->used; i++) {
        used += (size_t)sprintf(out + used, "%s\r\n", page->row[i]);
    }
    return used;
}

/* The cursor rests below the last row. */
static size_t draw_difference(const struct page *old, const struct page *page, char *out)
{
    size_t used = 0;

    for (unsigned i = 0; i < page->rows; i++) {
        if (strcmp(old->row[i], page->row[i]) != 0) {
            used += (size_t)sprintf(out + used, "\x1b[%u;1H%s\x1b[K\r\n", i + 1, page->row[i]);
        }
    }
    if (used != 0) {
        used += (size_t)sprintf(out + used, "\x1b[%u;1H", page->used + 1);
    }
    return used;
}

size_t page_draw(struct page *page, struct panel *panel, unsigned columns, unsigned rows, bool all,
                 uint64_t now_ns, char out[PAGE_BYTES])
{
    static struct page old;

    old = *page;
    make(page, panel, columns, rows, now_ns);
    if (all || old.columns != page->columns || old.rows != page->rows) {
        return draw_all(page, out);
    }
    return draw_difference(&old, page, out);
}
