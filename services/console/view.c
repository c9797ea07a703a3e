// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/view.h"

#include <stdio.h>
#include <string.h>

#include "lib/ctl.h"
#include "services/console/edit.h"
#include "services/console/guest.h"
#include "services/console/keys.h"
#include "services/console/live.h"
#include "services/console/screen.h"
#include "services/console/scrollback.h"
#include "services/console/uart.h"

#define LOG_KEPT (64u << 10)
#define LOG_REPLAYED (8u << 10) /* when switching to Leat; `log` shows what fits */
#define LOG_SHOWN (32u << 10)
#define GUEST_REPLAYED (16u << 10)

enum { VIEW_LEAT, VIEW_ALL, VIEW_VM, VIEW_DISKS };

static struct {
    int kind;
    unsigned number; /* of VIEW_VM */
    bool prompt_is_shown;
    bool command_is_running;
    uint64_t command_number;
    struct keys keys;
    struct edit edit;
    struct scrollback log;
    char log_bytes[LOG_KEPT];
} view;

static void show(const char *bytes, size_t count)
{
    uart_write(bytes, count);
    screen_write(bytes, count);
}

static void show_text(const char *text)
{
    show(text, strlen(text));
}

static void hide_prompt(void)
{
    if (view.prompt_is_shown) {
        show_text("\r\x1b[K");
        view.prompt_is_shown = false;
    }
}

static void show_prompt(void)
{
    bool is_wanted = view.kind == VIEW_LEAT || (view.kind == VIEW_ALL && view.edit.length != 0);

    if (is_wanted && !view.command_is_running) {
        show_text("\r\x1b[Kleat> ");
        show(view.edit.text, view.edit.length);
        view.prompt_is_shown = true;
    }
}

bool view_shows_lines(void)
{
    return view.kind == VIEW_LEAT || view.kind == VIEW_ALL;
}

bool view_shows_guest(unsigned number)
{
    return view.kind == VIEW_ALL || (view.kind == VIEW_VM && view.number == number);
}

static void show_line(const char *prefix, const char *text, size_t length)
{
    hide_prompt();
    show_text(prefix);
    show(text, length);
    show_text("\r\n");
    show_prompt();
}

static void replay(const struct scrollback *from, size_t most)
{
    struct scrollback_view last = scrollback_last(from, most);

    show(last.piece[0], last.size[0]);
    show(last.piece[1], last.size[1]);
}

bool view_has_room(void)
{
    return uart_space() >= VIEW_ROOM;
}

bool view_is_all(void)
{
    return view.kind == VIEW_ALL;
}

void view_leat_line(const char *text, size_t length, bool is_new)
{
    scrollback_add(&view.log, text, length);
    scrollback_add(&view.log, "\r\n", 2);
    if (!is_new) {
        screen_write(text, length);
        screen_write("\r\n", 2);
    } else if (view_shows_lines()) {
        show_line("", text, length);
    }
}

void view_answer(const char *text, bool is_last)
{
    if (text[0] != 0 && view_shows_lines()) {
        show_line("", text, strlen(text));
    }
    if (is_last && view.command_is_running) {
        view.command_is_running = false;
        show_prompt();
    }
}

void view_guest_bytes(unsigned number, const char *bytes, size_t count)
{
    if (view.kind == VIEW_VM && view_shows_guest(number)) {
        show(bytes, count);
    }
}

void view_guest_line(const char *name, const char *text, size_t length)
{
    char prefix[40];

    snprintf(prefix, sizeof(prefix), "%s ", name);
    show_line(prefix, text, length);
}

static void show_leat(void)
{
    view.kind = VIEW_LEAT;
    show_text("\x1b[m\r\n--- leat (Ctrl-] ? for the keys) ---\r\n");
    replay(&view.log, LOG_REPLAYED);
    show_prompt();
}

static void show_all(void)
{
    view.kind = VIEW_ALL;
    show_text("\x1b[m\r\n--- leat and all VMs (Ctrl-] ? for the keys) ---\r\n");
    show_prompt();
}

static void show_vm(unsigned number)
{
    const struct scrollback *past = guest_scrollback(number);
    char title[120];

    if (guest_name(number) == NULL) {
        snprintf(title, sizeof(title), "there is no VM %u", number);
        view_answer(title, false);
        return;
    }
    view.kind = VIEW_VM;
    view.number = number;
    snprintf(title, sizeof(title),
             "\x1b[m\r\n--- vm %s%s (Ctrl-] l for Leat, Ctrl-] ? for the keys) ---\r\n",
             guest_name(number), guest_is_there(number) ? "" : ", which is off");
    show_text(title);
    if (past != NULL) {
        replay(past, GUEST_REPLAYED);
    }
}

static void show_disks(void)
{
    view.kind = VIEW_DISKS;
    live_start();
}

static void switch_view(const struct key *key)
{
    unsigned next = view.kind == VIEW_VM ? view.number + 1 : 1;

    hide_prompt();
    if (view.kind == VIEW_DISKS) {
        live_stop();
        view.kind = VIEW_LEAT; /* if the key leads nowhere else */
    }
    switch (key->kind) {
    case KEY_VM:
        show_vm(key->number);
        break;
    case KEY_NEXT:
        show_vm(guest_name(next) != NULL ? next : 1);
        break;
    case KEY_LEAT:
        show_leat();
        break;
    case KEY_ALL:
        show_all();
        break;
    case KEY_DISKS:
        show_disks();
        break;
    default:
        show_text("\r\n");
        show_text(keys_help);
        show_text("\r\n");
        show_prompt();
        break;
    }
}

static void run_command(void)
{
    char line[EDIT_BYTES];

    strcpy(line, view.edit.text);
    show_text("\r\n");
    view.prompt_is_shown = false;
    edit_clear(&view.edit);
    if (strcmp(line, "log") == 0) {
        replay(&view.log, LOG_SHOWN);
        show_prompt();
    } else if (strcmp(line, "disks live") == 0 || strcmp(line, "disks --live") == 0) {
        show_disks();
    } else if (line[strspn(line, " \t")] == 0) {
        show_prompt();
    } else if (leat_ctl_send(LEAT_CTL_COMMAND, line, ++view.command_number, 0) == LEAT_OK) {
        view.command_is_running = true;
    } else {
        view_answer("the supervisor does not answer", true);
    }
}

/* Adding and removing at the end is echoed as it is; all else draws the line again. */
static void show_change(size_t old_length)
{
    size_t length = view.edit.length;

    if (!view.prompt_is_shown || (length != old_length + 1 && length + 1 != old_length)) {
        hide_prompt();
        show_prompt();
    } else if (length > old_length) {
        show(&view.edit.text[old_length], 1);
    } else {
        show_text("\b \b");
    }
}

static void edit_byte(uint8_t byte)
{
    size_t old_length = view.edit.length;
    bool is_history = view.edit.escape != 0;

    switch (edit_feed(&view.edit, byte)) {
    case EDIT_CHANGED:
        show_change(is_history ? SIZE_MAX - 1 : old_length);
        break;
    case EDIT_ENTER:
        /* Whatever has not been answered by now is given up. */
        view.command_is_running = false;
        run_command();
        break;
    case EDIT_NOTHING:
        break;
    }
}

static void leave_disks(uint8_t byte)
{
    enum { CTRL_C = 3 };

    if (byte == 'q' || byte == CTRL_C) {
        live_stop();
        show_leat();
    }
}

void view_input(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct key key = keys_feed(&view.keys, bytes[i]);

        if (key.kind == KEY_NONE) {
            continue;
        }
        if (key.kind != KEY_BYTE) {
            switch_view(&key);
        } else if (view.kind == VIEW_VM) {
            guest_input(view.number, key.byte);
        } else if (view.kind == VIEW_DISKS) {
            leave_disks(key.byte);
        } else {
            edit_byte(key.byte);
        }
    }
}

void view_init(struct leat_loop *loop, const char *wanted)
{
    live_init(loop, show);
    scrollback_init(&view.log, view.log_bytes, sizeof(view.log_bytes));
    view.kind = strcmp(wanted, "all") == 0 ? VIEW_ALL : VIEW_LEAT;
    if (strcmp(wanted, "disks") == 0) {
        show_disks();
    }
    for (unsigned i = 1; guest_name(i) != NULL; i++) {
        if (strcmp(guest_name(i), wanted) == 0) {
            view.kind = VIEW_VM;
            view.number = i;
        }
    }
}
