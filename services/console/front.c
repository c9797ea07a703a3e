// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/front.h"

#include "lib/clock.h"
#include "lib/ctl.h"
#include "services/console/page.h"
#include "services/console/screen.h"
#include "services/console/uart.h"

#define FRAME_NS 30000000ull  /* shortest time between two drawings */
#define RETRY_NS 100000000ull /* while the serial line is behind */

static struct {
    bool is_on, wants_all, wants_drawing;
    uint64_t drawn_ns;
    struct leat_loop *loop;
    struct leat_loop_timer timer;
    void (*show)(const char *bytes, size_t count);
    struct panel panel;
    struct page page;
    char bytes[PAGE_BYTES];
} front;

static void draw(uint64_t now_ns)
{
    unsigned columns = PANEL_COLUMNS, rows = PANEL_ROWS;
    size_t count;

    screen_size(&columns, &rows);
    count =
        page_draw(&front.page, &front.panel, columns, rows, front.wants_all, now_ns, front.bytes);
    if (count != 0) {
        front.show(front.bytes, count);
    }
    front.wants_all = front.wants_drawing = false;
    front.drawn_ns = now_ns;
}

static void arm(uint64_t now_ns)
{
    uint64_t next_ns = panel_next_ns(&front.panel, now_ns);

    if (front.wants_drawing) {
        next_ns = front.drawn_ns + FRAME_NS > now_ns ? front.drawn_ns + FRAME_NS : now_ns + 1;
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
    if (front.wants_drawing && uart_space() < UART_QUEUE_BYTES - PAGE_BYTES) {
        leat_loop_timer_set(front.loop, &front.timer, now + RETRY_NS);
    } else if (front.wants_drawing) {
        draw(now);
        arm(now);
    }
}

void front_init(struct leat_loop *loop, void (*show)(const char *bytes, size_t count))
{
    front.loop = loop;
    front.show = show;
    leat_loop_timer(loop, &front.timer, on_timer, NULL);
}

enum panel_result front_message(const struct leat_ctl *message)
{
    enum panel_result result = panel_message(&front.panel, message, leat_clock_ns());

    if (result == PANEL_CLOSED) {
        front.is_on = false;
        arm(0);
    }
    return result;
}

bool front_start(void)
{
    /* What comes while it is in front differs from it in little: only that is drawn. */
    front.wants_all |= !front.is_on;
    front.is_on = panel_return(&front.panel);
    act(PANEL_CHANGED, false);
    return front.is_on;
}

void front_leave(void)
{
    panel_leave(&front.panel);
    front.is_on = false;
    arm(0);
}

void front_type(uint8_t byte)
{
    act(panel_type(&front.panel, byte), false);
}

void front_touch(void)
{
    act(panel_touch(&front.panel), false);
}
