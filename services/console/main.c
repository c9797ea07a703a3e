// SPDX-License-Identifier: BSD-2-Clause
/*
 * The console: owns the serial line and the screen, and shows there what Leat and its guests say,
 * one at a time or all together; sends what is typed to the guest that is shown, or to Leat's
 * prompt.
 */
#include <string.h>

#include "lib/ctl.h"
#include "lib/log.h"
#include "lib/start.h"
#include "services/console/guest.h"
#include "services/console/line.h"
#include "services/console/live.h"
#include "services/console/logs.h"
#include "services/console/screen.h"
#include "services/console/uart.h"
#include "services/console/view.h"

int main(void);

static struct leat_loop loop;

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
    default:
        break;
    }
}

int main(void)
{
    char wanted[32] = "leat";

    leat_loop_init(&loop, leat_start_notif());
    leat_start_arg("view", wanted, sizeof(wanted));
    guest_init(&loop);
    screen_init(&loop);
    uart_init(&loop, view_input);
    view_init(&loop, wanted);
    logs_init(&loop);
    if (leat_ctl_init(&loop, on_message) != LEAT_OK) {
        leat_fatal("started without a control channel");
    }
    view_answer("Leat. 'help' lists the commands; Ctrl-] ? the keys.", true);
    leat_loop_run(&loop);
}
