// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/live.h"

#include <stdio.h>

#include "lib/clock.h"
#include "lib/ctl.h"
#include "services/console/frame.h"
#include "services/console/screen.h"
#include "services/console/uart.h"

#define COLUMNS 80u /* of a terminal on the serial line; nobody says what it really has */
#define ROWS 24u
#define TITLE_ROWS 2u
#define PERIOD_NS 1000000000ull
#define PATIENCE_NS (3 * PERIOD_NS)
#define NUMBERS (1ull << 63) /* the prompt counts from 0 */

static struct {
    bool is_on, is_asked;
    uint64_t number, asked_ns;
    unsigned columns, rows;
    struct leat_loop *loop;
    struct leat_loop_timer timer;
    void (*show)(const char *bytes, size_t count);
    struct frame frame;
} live;

static unsigned smaller(unsigned a, unsigned b)
{
    return b != 0 && b < a ? b : a;
}

static void begin_page(void)
{
    frame_begin(&live.frame, live.columns, live.rows);
    frame_line(&live.frame, "--- disks (q: back to Leat, Ctrl-] ? for the keys) ---");
    frame_line(&live.frame, "");
}

static void ask(void)
{
    char line[48];

    live.is_asked = true;
    live.asked_ns = leat_clock_ns();
    begin_page();
    snprintf(line, sizeof(line), "disks table %u %u", live.columns, live.rows - TITLE_ROWS);
    leat_ctl_send(LEAT_CTL_COMMAND, line, ++live.number, 0);
}

/* While the serial line is behind, the page would only make it worse. */
static void on_timer(void *context)
{
    uint64_t now = leat_clock_ns();

    (void)context;
    if (!live.is_on) {
        return;
    }
    leat_loop_timer_set(live.loop, &live.timer, now + PERIOD_NS);
    if ((!live.is_asked || now - live.asked_ns >= PATIENCE_NS) &&
        uart_space() >= UART_QUEUE_BYTES - sizeof(live.frame.bytes)) {
        ask();
    }
}

void live_init(struct leat_loop *loop, void (*show)(const char *bytes, size_t count))
{
    live.loop = loop;
    live.show = show;
    live.number = NUMBERS;
    leat_loop_timer(loop, &live.timer, on_timer, NULL);
}

void live_start(void)
{
    unsigned columns = 0, rows = 0;

    screen_size(&columns, &rows);
    live.columns = smaller(COLUMNS, columns);
    live.rows = smaller(ROWS, rows > TITLE_ROWS ? rows : 0);
    live.is_on = true;
    live.is_asked = false;
    live.show("\x1b[m\x1b[2J\x1b[H", 10);
    leat_loop_timer_set(live.loop, &live.timer, leat_clock_ns() + 1);
}

void live_stop(void)
{
    live.is_on = false;
    leat_loop_timer_set(live.loop, &live.timer, 0);
}

bool live_answer(uint64_t number, const char *text, bool is_last)
{
    if (number < NUMBERS) {
        return false;
    }
    if (!live.is_on || !live.is_asked || number != live.number) {
        return true; /* too late */
    }
    if (text[0] != 0) {
        frame_line(&live.frame, text);
    }
    if (is_last) {
        live.is_asked = false;
        frame_end(&live.frame);
        live.show(live.frame.bytes, live.frame.used);
    }
    return true;
}
