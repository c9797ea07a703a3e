// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/view.h"

#include <stdio.h>
#include <string.h>

#include "services/console/front.h"
#include "services/console/guest.h"
#include "services/console/keys.h"
#include "services/console/live.h"
#include "services/console/prompt.h"
#include "services/console/screen.h"
#include "services/console/scrollback.h"
#include "services/console/uart.h"

#define LOG_KEPT (64u << 10)
#define LOG_REPLAYED (8u << 10) /* when switching to Leat; `log` shows what fits */
#define LOG_SHOWN (32u << 10)
#define GUEST_REPLAYED (16u << 10)
#define CLEAR "\x1b[m\x1b[2J\x1b[H"

enum { VIEW_LEAT, VIEW_ALL, VIEW_VM, VIEW_DISKS, VIEW_FRONT };

static struct {
    int kind;
    unsigned number; /* of VIEW_VM */
    int behind; /* of VIEW_FRONT: the kind that comes back when it closes; its lines are shown meanwhile */
    struct keys keys;
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

static bool wants_prompt(bool has_text)
{
    return view.kind == VIEW_LEAT || (view.kind == VIEW_ALL && has_text);
}

bool view_shows_lines(void)
{
    return view.kind == VIEW_LEAT || view.kind == VIEW_ALL || view.kind == VIEW_FRONT;
}

bool view_shows_guest(unsigned number)
{
    return view_is_all() || (view.kind == VIEW_VM && view.number == number);
}

/* Of a menu or a notice the screen has nothing but that. */
static void show_line(const char *prefix, const char *text, size_t length)
{
    if (view.kind == VIEW_FRONT) {
        front_make_way();
        uart_write(prefix, strlen(prefix));
        uart_write(text, length);
        uart_write("\r\n", 2);
        return;
    }
    prompt_hide();
    show_text(prefix);
    show(text, length);
    show_text("\r\n");
    prompt_show();
}

static void replay(const struct scrollback *from, size_t most,
                   void (*write)(const char *bytes, size_t count))
{
    struct scrollback_view last = scrollback_last(from, most);

    write(last.piece[0], last.size[0]);
    write(last.piece[1], last.size[1]);
}

bool view_has_room(void)
{
    return view.kind == VIEW_FRONT ? front_has_room() : uart_space() >= VIEW_ROOM;
}

bool view_is_all(void)
{
    return view.kind == VIEW_ALL || (view.kind == VIEW_FRONT && view.behind == VIEW_ALL);
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
    if (is_last && prompt_end_command()) {
        prompt_show();
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

/* What has the lines already that are kept gets them no second time. */
static void show_leat(void (*write)(const char *bytes, size_t count))
{
    view.kind = VIEW_LEAT;
    show_text("\x1b[m\r\n--- leat (Ctrl-] ? for the keys) ---\r\n");
    replay(&view.log, LOG_REPLAYED, write);
    prompt_show();
}

static void show_all(void)
{
    view.kind = VIEW_ALL;
    show_text("\x1b[m\r\n--- leat and all VMs (Ctrl-] ? for the keys) ---\r\n");
    prompt_show();
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
        replay(past, GUEST_REPLAYED, show);
    }
}

static void show_disks(void)
{
    view.kind = VIEW_DISKS;
    live_start();
}

/* What is shown gives way to something else; `kind`, if that does not come. */
static void leave(int kind)
{
    prompt_hide();
    if (view.kind == VIEW_DISKS) {
        live_stop();
        view.kind = kind;
    } else if (view.kind == VIEW_FRONT) {
        front_leave();
        view.kind = kind;
    }
}

static void show_front(void)
{
    int behind = view.kind;

    if (behind == VIEW_FRONT) {
        front_start();
        return;
    }
    leave(VIEW_LEAT);
    if (front_start()) {
        if (behind == VIEW_VM || behind == VIEW_DISKS) { /* the cursor is anywhere */
            uart_write(CLEAR, strlen(CLEAR));
        }
        view.behind = behind;
        view.kind = VIEW_FRONT;
    } else {
        view_answer("there is no menu and no notice", false);
    }
}

/* number: the VM to be shown; 0: what was there. */
static void close_front(uint64_t number)
{
    if (view.kind != VIEW_FRONT) {
        return;
    }
    view.kind = VIEW_LEAT;
    if (number != 0 && number <= UINT32_MAX && guest_name((unsigned)number) != NULL) {
        show_vm((unsigned)number);
    } else if (view.behind == VIEW_VM) {
        show_vm(view.number);
    } else if (view.behind == VIEW_DISKS) {
        show_disks();
    } else if (view.behind == VIEW_ALL) {
        show_all();
        replay(&view.log, LOG_REPLAYED, screen_write);
    } else {
        show_leat(screen_write);
    }
}

void view_screen(const struct leat_ctl *message)
{
    switch (front_message(message)) {
    case PANEL_FRONT:
        show_front();
        break;
    case PANEL_CLOSED:
        close_front(message->arg[1]);
        break;
    default:
        break;
    }
}

static void switch_view(const struct key *key)
{
    unsigned next = view.kind == VIEW_VM ? view.number + 1 : 1;

    if (key->kind == KEY_FRONT) {
        show_front();
        return;
    }
    leave(VIEW_LEAT);
    switch (key->kind) {
    case KEY_VM:
        show_vm(key->number);
        break;
    case KEY_NEXT:
        show_vm(guest_name(next) != NULL ? next : 1);
        break;
    case KEY_LEAT:
        show_leat(show);
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
        prompt_show();
        break;
    }
}

/* The commands that need nobody else. */
static bool run_here(const char *line)
{
    if (strcmp(line, "log") == 0) {
        replay(&view.log, LOG_SHOWN, show);
    } else if (strcmp(line, "disks live") == 0 || strcmp(line, "disks --live") == 0) {
        show_disks();
    } else {
        return false;
    }
    return true;
}

static void leave_disks(uint8_t byte)
{
    enum { CTRL_C = 3 };

    if (byte == 'q' || byte == CTRL_C) {
        live_stop();
        show_leat(show);
    }
}

static void take_byte(uint8_t byte)
{
    switch (view.kind) {
    case VIEW_VM:
        guest_input(view.number, byte);
        break;
    case VIEW_DISKS:
        leave_disks(byte);
        break;
    case VIEW_FRONT:
        front_type(byte);
        break;
    default:
        prompt_type(byte);
        break;
    }
}

void view_input(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct key key = keys_feed(&view.keys, bytes[i]);

        if (key.kind == KEY_BYTE) {
            take_byte(key.byte);
        } else if (key.kind != KEY_NONE) {
            switch_view(&key);
        } else if (view.kind == VIEW_FRONT) {
            front_touch();
        }
    }
}

void view_init(struct leat_loop *loop, const char *wanted)
{
    static const struct prompt_place place = {show, wants_prompt, run_here};

    live_init(loop, show);
    front_init(loop);
    prompt_init(&place);
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
