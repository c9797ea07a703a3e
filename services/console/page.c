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
static void place_window(struct page *page, struct panel *panel)
{
    unsigned count = panel->shown.count;
    unsigned room = page->rows > ROWS_BESIDE_ENTRIES ? page->rows - ROWS_BESIDE_ENTRIES : 1;

    page->top = page->number == panel->shown.number ? page->top : 0;
    page->number = panel->shown.number;
    panel->window = count < room ? count : room;
    if (panel->marked < page->top) {
        page->top = panel->marked;
    } else if (panel->marked >= page->top + panel->window) {
        page->top = panel->marked - panel->window + 1;
    }
    if (page->top > count - panel->window) {
        page->top = count - panel->window;
    }
}

static void add_menu(struct page *page, struct panel *panel, uint64_t now_ns)
{
    char text[PANEL_TEXT] = "";

    place_window(page, panel);
    for (unsigned i = 0; i < panel->window; i++) {
        add_entry(page, panel, page->top + i);
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

void page_make(struct page *page, struct panel *panel, unsigned columns, unsigned rows,
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

static size_t put_rows(const struct page *page, unsigned from, char *out)
{
    size_t used = 0;

    for (unsigned i = from; i < page->used; i++) {
        used += (size_t)sprintf(out + used, "%s\r\n", page->row[i]);
    }
    return used;
}

/* The cursor rests below the last row. */
size_t page_put_alone(const struct page *old, const struct page *page, char out[PAGE_BYTES])
{
    size_t used;

    if (old == NULL || old->columns != page->columns || old->rows != page->rows) {
        used = (size_t)sprintf(out, "\x1b[m\x1b[2J\x1b[H");
        return used + put_rows(page, 0, out + used);
    }
    used = 0;
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

/* From that row on. */
static size_t take_rows(const struct page *old, unsigned from, char *out)
{
    return old->used == from ? 0 : (size_t)sprintf(out, "\x1b[%uA\r\x1b[J", old->used - from);
}

size_t page_take_away(const struct page *old, char out[PAGE_BYTES])
{
    return take_rows(old, 0, out);
}

/* Up to the row, and back to the cursor's. */
static size_t put_row_below(const struct page *page, unsigned row, char *out)
{
    unsigned up = page->used - row;
    size_t used = (size_t)sprintf(out, "\x1b[%uA%s\x1b[K\r\n", up, page->row[row]);

    return up == 1 ? used : used + (size_t)sprintf(out + used, "\x1b[%uB", up - 1);
}

/* There are more rows, or fewer: those above the first that differs stay. */
static size_t put_rest_below(const struct page *old, const struct page *page, char *out)
{
    unsigned same = 0;
    size_t used;

    while (same < old->used && same < page->used && strcmp(old->row[same], page->row[same]) == 0) {
        same++;
    }
    used = take_rows(old, same, out);
    return used + put_rows(page, same, out + used);
}

size_t page_put_below(const struct page *old, const struct page *page, char out[PAGE_BYTES])
{
    size_t used = 0;

    if (old == NULL) {
        return put_rows(page, 0, out);
    }
    if (old->used != page->used) {
        return put_rest_below(old, page, out);
    }
    for (unsigned i = 0; i < page->used; i++) {
        if (strcmp(old->row[i], page->row[i]) != 0) {
            used += put_row_below(page, i, out + used);
        }
    }
    return used;
}
