// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/screen.h"

#include <string.h>

#include "lib/log.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/services.h"

static struct {
    bool is_shown;
    screen_chosen_fn chosen; /* of the menu that waits for an answer; NULL: none */
    void *context;
    unsigned count, chosen_first;
    uint32_t number;              /* of the last menu */
    struct leat_loop_timer timer; /* the default is chosen without the console */
} screen;

static bool send(uint64_t op, const char *text, const uint64_t arg[3])
{
    struct leat_ctl message = {.op = LEAT_CTL_SCREEN, .arg = {op, arg[0], arg[1], arg[2]}};

    strncpy(message.text, text, sizeof(message.text) - 1);
    return services_console() != NULL && process_send(services_console(), &message) == LEAT_OK;
}

static void forget_menu(void)
{
    screen.chosen = NULL;
    leat_loop_timer_set(&supervisor_loop, &screen.timer, 0);
}

static void answer(unsigned index, bool by_timeout)
{
    screen_chosen_fn chosen = screen.chosen;

    forget_menu();
    if (chosen != NULL) {
        chosen(screen.context, index, by_timeout);
    }
}

static void choose_default(void *context)
{
    (void)context;
    answer(screen.chosen_first, true);
}

/* False: it has not got all of it. */
static bool show(uint64_t op, const char *title, const uint64_t arg[3], const char *const lines[],
                 unsigned count)
{
    bool is_sent = send(op, title, arg);

    for (unsigned i = 0; i < count && is_sent; i++) {
        is_sent = send(LEAT_SCREEN_LINE, lines[i], (uint64_t[3]){0});
    }
    is_sent = is_sent && send(LEAT_SCREEN_SHOW, "", (uint64_t[3]){screen.number});
    screen.is_shown |= is_sent;
    return is_sent;
}

void screen_notice(const char *title, const char *const lines[], unsigned count, unsigned seconds)
{
    forget_menu();
    show(LEAT_SCREEN_NOTICE, title, (uint64_t[3]){0, 0, seconds}, lines,
         count < LEAT_SCREEN_LINES ? count : LEAT_SCREEN_LINES);
}

void screen_menu(const char *title, const char *const labels[], unsigned count,
                 unsigned chosen_first, unsigned seconds, screen_chosen_fn chosen, void *context)
{
    screen.number++;
    screen.chosen = chosen;
    screen.context = context;
    screen.count = count < LEAT_SCREEN_ENTRIES ? count : LEAT_SCREEN_ENTRIES;
    screen.chosen_first = chosen_first < screen.count ? chosen_first : 0;
    leat_loop_timer_set(&supervisor_loop, &screen.timer, 0);
    if (!show(LEAT_SCREEN_MENU, title, (uint64_t[3]){screen.count, screen.chosen_first, seconds},
              labels, screen.count)) {
        leat_log("no console to show the menu: '%.100s' is chosen", labels[screen.chosen_first]);
        leat_loop_timer_set(&supervisor_loop, &screen.timer, 1);
    }
}

void screen_close_to_vm(unsigned number)
{
    forget_menu();
    if (screen.is_shown) {
        screen.is_shown = false;
        send(LEAT_SCREEN_CLOSE, "", (uint64_t[3]){number});
    }
}

void screen_close(void)
{
    screen_close_to_vm(0);
}

/* The console is believed no more than any other process. */
void screen_chosen(const struct leat_ctl *message)
{
    uint64_t index = message->arg[0];
    bool by_timeout = message->arg[1] == LEAT_CHOSEN(screen.number, true);

    if (screen.chosen != NULL && index < screen.count &&
        (by_timeout || message->arg[1] == LEAT_CHOSEN(screen.number, false))) {
        answer((unsigned)index, by_timeout);
    }
}

void screen_forget_console(void)
{
    screen.is_shown = false;
    if (screen.chosen != NULL) {
        leat_loop_timer_set(&supervisor_loop, &screen.timer, 1);
    }
}

void screen_init(void)
{
    leat_loop_timer(&supervisor_loop, &screen.timer, choose_default, NULL);
}
