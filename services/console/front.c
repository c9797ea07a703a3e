// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/front.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/ctl.h"
#include "services/console/page.h"
#include "services/console/screen.h"
#include "services/console/uart.h"

#define FRAME_NS 30000000ull  /* shortest time between two drawings */
#define RETRY_NS 100000000ull /* while the serial line is behind */

/* On the serial line the page comes back when no line has come for so long; at least so long after the last time, and so
   long after it went away at most. */
#define QUIET_NS 200000000ull
#define LEAST_NS 500000000ull
#define MOST_NS 1000000000ull

#define LINES_BYTES 2048u /* that may wait for the serial line, so that a drawing follows soon */
#define CLEAR "\x1b[m\x1b[2J\x1b[H"
enum { CTRL_L = 12 };

static struct {
    bool is_on, wants_drawing;
    bool wants_all;  /* nobody knows what a terminal shows */
    bool is_below;   /* the page is on the serial line, above the cursor */
    uint64_t due_ns; /* if not: when it comes back there */
    uint64_t drawn_ns, went_ns, came_ns;
    struct leat_loop *loop;
    struct leat_loop_timer timer;
    struct panel panel;
    struct page page;
    char bytes[PAGE_BYTES];
} front;

static void draw_changes(uint64_t now_ns)
{
    static struct page old;
    const struct page *known = front.wants_all ? NULL : &old;
    unsigned columns = PANEL_COLUMNS, rows = PANEL_ROWS;

    old = front.page;
    screen_size(&columns, &rows);
    page_make(&front.page, &front.panel, columns, rows, now_ns);
    screen_write(front.bytes, page_put_alone(known, &front.page, front.bytes));
    if (front.is_below && front.wants_all) {
        uart_write(front.bytes, page_take_away(&old, front.bytes));
    }
    if (front.is_below) {
        uart_write(front.bytes, page_put_below(known, &front.page, front.bytes));
    }
    front.wants_all = front.wants_drawing = false;
    front.drawn_ns = now_ns;
}

static void draw(uint64_t now_ns)
{
    if (front.wants_drawing) {
        draw_changes(now_ns);
    }
    if (!front.is_below && now_ns >= front.due_ns) {
        uart_write(front.bytes, page_put_below(NULL, &front.page, front.bytes));
        front.is_below = true;
        front.came_ns = now_ns;
    }
}

static uint64_t sooner(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns != 0 && a_ns < b_ns ? a_ns : b_ns;
}

static uint64_t later(uint64_t a_ns, uint64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

static void arm(uint64_t now_ns)
{
    uint64_t next_ns = panel_next_ns(&front.panel, now_ns);

    if (front.wants_drawing) {
        next_ns = later(front.drawn_ns + FRAME_NS, now_ns + 1);
    }
    if (!front.is_below) {
        next_ns = sooner(next_ns, later(front.due_ns, now_ns + 1));
    }
    leat_loop_timer_set(front.loop, &front.timer, front.is_on ? next_ns : 0);
}

static void act(enum panel_result result, bool by_timeout)
{
    if (result == PANEL_CHOSEN) {
        leat_ctl_send(LEAT_CTL_CHOSEN, NULL, front.panel.marked,
                      LEAT_CHOSEN(front.panel.shown.number, by_timeout));
    }
    front.wants_all |= result == PANEL_FRONT;
    front.wants_drawing |= result != PANEL_SAME;
    arm(leat_clock_ns());
}

static void on_timer(void *context)
{
    uint64_t now = leat_clock_ns();

    (void)context;
    if (!front.is_on) {
        return;
    }
    act(panel_tick(&front.panel, now), true);
    if (uart_space() < UART_QUEUE_BYTES - PAGE_BYTES) {
        leat_loop_timer_set(front.loop, &front.timer, now + RETRY_NS);
    } else {
        draw(now);
        arm(now);
    }
}

void front_init(struct leat_loop *loop)
{
    front.loop = loop;
    leat_loop_timer(loop, &front.timer, on_timer, NULL);
}

static void take_away(void)
{
    if (front.is_below) {
        uart_write(front.bytes, page_take_away(&front.page, front.bytes));
    }
    front.is_below = false;
}

static void stop(void)
{
    if (front.is_on) {
        take_away();
        screen_write(CLEAR, strlen(CLEAR));
    }
    front.is_on = false;
    arm(0);
}

enum panel_result front_message(const struct leat_ctl *message)
{
    enum panel_result result = panel_message(&front.panel, message, leat_clock_ns());

    if (result == PANEL_CLOSED) {
        stop();
    }
    return result;
}

bool front_start(void)
{
    /* What comes while it is in front differs from it in little: only that is drawn. */
    if (!front.is_on) {
        front.wants_all = true;
        front.due_ns = 0;
    }
    front.is_on = panel_return(&front.panel);
    act(PANEL_CHANGED, false);
    return front.is_on;
}

void front_make_way(void)
{
    uint64_t now = leat_clock_ns();

    if (!front.is_on) {
        return;
    }
    if (front.is_below) {
        take_away();
        front.went_ns = now;
    }
    front.due_ns = sooner(later(now + QUIET_NS, front.came_ns + LEAST_NS), front.went_ns + MOST_NS);
    arm(now);
}

bool front_has_room(void)
{
    return uart_space() >= UART_QUEUE_BYTES - LINES_BYTES;
}

void front_leave(void)
{
    panel_leave(&front.panel);
    stop();
}

/* Whoever presses a key wants to see it now. */
static void come_back(void)
{
    front.due_ns = front.came_ns + FRAME_NS;
}

void front_type(uint8_t byte)
{
    if (byte == CTRL_L) { /* for a terminal that shows who knows what */
        uart_write(CLEAR, strlen(CLEAR));
        front.is_below = false;
    }
    come_back();
    act(panel_type(&front.panel, byte), false);
}

void front_touch(void)
{
    come_back();
    act(panel_touch(&front.panel), false);
}
