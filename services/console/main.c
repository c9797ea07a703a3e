// SPDX-License-Identifier: BSD-2-Clause
/*
 * The console: owns the serial line, the screen and the keyboard, and shows there what Leat and its guests say, one
 * at a time or all together; sends what is typed to the guest that is shown, to Leat's prompt, or to the menu.
 */
#include <string.h>

#include "lib/clock.h"
#include "lib/ctl.h"
#include "lib/log.h"
#include "lib/start.h"
#include "services/console/guest.h"
#include "services/console/keyboard.h"
#include "services/console/line.h"
#include "services/console/live.h"
#include "services/console/logs.h"
#include "services/console/screen.h"
#include "services/console/uart.h"
#include "services/console/view.h"

int main(void);

/* Of the loop, at most: so many rounds at once, and one each so many nanoseconds. */
#define ROUNDS 2000u
#define ROUND_NS 200000ull

static struct leat_loop loop;
static struct leat_loop_timer held_back; /* when a source that has written too much may again */
static struct sources sources;

static void woken(void *context)
{
    (void)context;
}

/* What finds no room on the serial line waits for its interrupt. */
static bool serve(void *context)
{
    uint64_t next_ns;
    bool was_any = sources_serve(&sources, view_has_room, leat_clock_ns(), &next_ns);

    (void)context;
    leat_loop_timer_set(&loop, &held_back, next_ns);
    return was_any;
}

/* The texts are the supervisor's, but it passes on what vmms say. */
static void on_text(const struct leat_ctl *message)
{
    char text[sizeof(message->text)];

    memcpy(text, message->text, sizeof(text));
    line_make_plain(text);
    if (message->op == LEAT_CTL_STATUS) {
        guest_status((unsigned)message->arg[0], text);
    } else if (!live_answer(message->arg[0], text, message->arg[1] != 0)) {
        view_answer(text, message->arg[1] != 0);
    }
}

static void on_message(const struct leat_ctl *message)
{
    switch (message->op) {
    case LEAT_CTL_ATTACH:
        if (strcmp(message->entry.role, "console") == 0) {
            guest_attach(message);
        } else {
            logs_attach(message);
        }
        break;
    case LEAT_CTL_DETACH:
        if (!guest_detach(message->arg[0])) {
            logs_detach(message->arg[0]);
        }
        leat_ctl_send(LEAT_CTL_DETACHED, NULL, message->arg[0], 0);
        break;
    case LEAT_CTL_STATUS:
    case LEAT_CTL_REPLY:
        on_text(message);
        break;
    case LEAT_CTL_SCREEN:
        view_screen(message);
        break;
    default:
        break;
    }
}

int main(void)
{
    struct pace rounds = {.step_ns = ROUND_NS, .burst = ROUNDS};
    char wanted[32] = "leat";

    leat_loop_init(&loop, leat_start_notif());
    leat_start_arg("view", wanted, sizeof(wanted));
    leat_loop_timer(&loop, &held_back, woken, NULL);
    leat_loop_idle(&loop, serve, NULL);
    guest_init(&loop, &sources);
    screen_init(&loop);
    uart_init(&loop, view_input);
    view_init(&loop, wanted);
    logs_init(&loop, &sources);
    keyboard_init(&loop, view_input);
    if (leat_ctl_init(&loop, on_message) != LEAT_OK) {
        leat_fatal("started without a control channel");
    }
    view_answer("Leat. 'help' lists the commands; Ctrl-] ? the keys.", true);
    leat_loop_run_paced(&loop, &rounds);
}
