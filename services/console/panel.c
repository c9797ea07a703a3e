// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/panel.h"

#include <string.h>

#include "services/console/label.h"

enum { CTRL_L = 12 };
#define SECOND 1000000000ull

static unsigned bounded(uint64_t value, unsigned most)
{
    return value < most ? (unsigned)value : most;
}

static void take_text(const struct panel_content *next, char out[PANEL_TEXT], const char *text)
{
    label_make(out, PANEL_TEXT, next->kind == PANEL_MENU ? PANEL_COLUMNS : PANEL_NOTICE_COLUMNS,
               text);
}

static void begin(struct panel *p, enum panel_kind kind, const struct leat_ctl *message)
{
    struct panel_content *next = &p->next;

    next->kind = kind;
    next->count = 0;
    next->chosen_first = bounded(message->arg[2], LEAT_SCREEN_ENTRIES);
    next->seconds = bounded(message->arg[3], LEAT_SCREEN_SECONDS);
    take_text(next, next->title, message->text);
}

static void add_line(struct panel_content *next, const char *text)
{
    unsigned most = next->kind == PANEL_MENU     ? LEAT_SCREEN_ENTRIES
                    : next->kind == PANEL_NOTICE ? LEAT_SCREEN_LINES
                                                 : 0;

    if (next->count < most) {
        take_text(next, next->lines[next->count++], text);
    }
}

static void start_clock(struct panel *p, uint64_t now_ns)
{
    p->deadline_ns = p->shown.seconds != 0 ? now_ns + p->shown.seconds * SECOND : 0;
}

static enum panel_result show(struct panel *p, uint64_t number, uint64_t now_ns)
{
    bool stays_behind = p->is_behind && p->next.kind == PANEL_NOTICE &&
                        p->shown.kind == PANEL_NOTICE && strcmp(p->next.title, p->shown.title) == 0;

    if (p->next.kind == PANEL_NONE || (p->next.kind == PANEL_MENU && p->next.count == 0)) {
        return PANEL_SAME;
    }
    p->shown = p->next;
    p->next.kind = PANEL_NONE;
    p->shown.number = (uint32_t)number;
    if (p->shown.chosen_first >= p->shown.count) {
        p->shown.chosen_first = 0;
    }
    p->marked = p->shown.chosen_first;
    p->is_chosen = false;
    p->is_behind = stays_behind;
    p->ansi = (struct ansi){0};
    start_clock(p, now_ns);
    return stays_behind ? PANEL_SAME : PANEL_FRONT;
}

enum panel_result panel_message(struct panel *p, const struct leat_ctl *message, uint64_t now_ns)
{
    switch (message->arg[0]) {
    case LEAT_SCREEN_NOTICE:
        begin(p, PANEL_NOTICE, message);
        break;
    case LEAT_SCREEN_MENU:
        begin(p, PANEL_MENU, message);
        break;
    case LEAT_SCREEN_LINE:
        add_line(&p->next, message->text);
        break;
    case LEAT_SCREEN_SHOW:
        return show(p, message->arg[1], now_ns);
    case LEAT_SCREEN_CLOSE:
        p->next.kind = PANEL_NONE;
        if (p->shown.kind != PANEL_NONE) {
            p->shown.kind = PANEL_NONE;
            p->deadline_ns = 0;
            return PANEL_CLOSED;
        }
        break;
    default:
        break;
    }
    return PANEL_SAME;
}

static void mark(struct panel *p, long to)
{
    long last = (long)p->shown.count - 1;

    p->marked = (unsigned)(to < 0 ? 0 : to > last ? last : to);
}

static enum panel_result choose(struct panel *p)
{
    p->is_chosen = true;
    p->deadline_ns = 0;
    return PANEL_CHOSEN;
}

static enum panel_result type_byte(struct panel *p, uint8_t byte)
{
    if (byte == '\r' || byte == '\n') {
        return choose(p);
    }
    if (byte >= '1' && byte <= '9' && (unsigned)(byte - '1') < p->shown.count) {
        p->marked = (unsigned)(byte - '1');
        return choose(p);
    }
    return PANEL_SAME;
}

static enum panel_result press(struct panel *p, enum ansi_key key, uint8_t byte)
{
    long page = p->window > 1 ? (long)p->window : 1;
    unsigned before = p->marked;

    switch (key) {
    case ANSI_BYTE:
        return type_byte(p, byte);
    case ANSI_UP:
        mark(p, (long)p->marked - 1);
        break;
    case ANSI_DOWN:
        mark(p, (long)p->marked + 1);
        break;
    case ANSI_PAGE_UP:
        mark(p, (long)p->marked - page);
        break;
    case ANSI_PAGE_DOWN:
        mark(p, (long)p->marked + page);
        break;
    case ANSI_HOME:
        mark(p, 0);
        break;
    case ANSI_END:
        mark(p, (long)p->shown.count - 1);
        break;
    default:
        break;
    }
    return p->marked != before ? PANEL_CHANGED : PANEL_SAME;
}

/* Whoever presses the first key may have joined a terminal only now: all is drawn again. */
enum panel_result panel_touch(struct panel *p)
{
    if (p->shown.kind != PANEL_MENU || p->deadline_ns == 0) {
        return PANEL_SAME;
    }
    p->deadline_ns = 0;
    return PANEL_FRONT;
}

enum panel_result panel_type(struct panel *p, uint8_t byte)
{
    enum panel_result touched = panel_touch(p);
    enum ansi_key key = ansi_feed(&p->ansi, byte);
    enum panel_result result = PANEL_SAME;

    if (key == ANSI_BYTE && byte == CTRL_L) {
        return PANEL_FRONT;
    }
    if (p->shown.kind == PANEL_MENU && !p->is_chosen) {
        result = press(p, key, byte);
    }
    return result == PANEL_CHOSEN || touched == PANEL_SAME ? result : touched;
}

enum panel_result panel_tick(struct panel *p, uint64_t now_ns)
{
    if (p->deadline_ns == 0) {
        return PANEL_SAME;
    }
    if (p->shown.kind == PANEL_MENU && now_ns >= p->deadline_ns) {
        return choose(p);
    }
    return PANEL_CHANGED;
}

unsigned panel_seconds_left(const struct panel *p, uint64_t now_ns)
{
    return now_ns >= p->deadline_ns ? 0
                                    : (unsigned)((p->deadline_ns - now_ns + SECOND - 1) / SECOND);
}

uint64_t panel_next_ns(const struct panel *p, uint64_t now_ns)
{
    unsigned left = panel_seconds_left(p, now_ns);

    if (p->deadline_ns == 0 || (left == 0 && p->shown.kind != PANEL_MENU)) {
        return 0;
    }
    return left == 0 ? now_ns : p->deadline_ns - (left - 1) * SECOND;
}

void panel_leave(struct panel *p)
{
    p->is_behind = p->shown.kind != PANEL_NONE;
    if (p->shown.kind == PANEL_MENU) {
        p->deadline_ns = 0;
    }
}

bool panel_return(struct panel *p)
{
    p->is_behind = false;
    return p->shown.kind != PANEL_NONE;
}
