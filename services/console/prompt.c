// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/prompt.h"

#include <string.h>

#include "lib/ctl.h"
#include "services/console/edit.h"

static struct {
    struct prompt_place place;
    bool is_shown;
    bool is_running; /* a command whose answer has not ended */
    uint64_t number; /* of that command */
    struct edit edit;
} prompt;

void prompt_init(const struct prompt_place *place)
{
    prompt.place = *place;
}

static void show_text(const char *text)
{
    prompt.place.show(text, strlen(text));
}

bool prompt_end_command(void)
{
    bool was_running = prompt.is_running;

    prompt.is_running = false;
    return was_running;
}

void prompt_hide(void)
{
    if (prompt.is_shown) {
        show_text("\r\x1b[K");
        prompt.is_shown = false;
    }
}

void prompt_show(void)
{
    if (!prompt.is_running && prompt.place.is_wanted(prompt.edit.length != 0)) {
        show_text("\r\x1b[Kleat> ");
        prompt.place.show(prompt.edit.text, prompt.edit.length);
        prompt.is_shown = true;
    }
}

static void run_command(void)
{
    char line[EDIT_BYTES];

    strcpy(line, prompt.edit.text);
    show_text("\r\n");
    prompt.is_shown = false;
    edit_clear(&prompt.edit);
    if (line[strspn(line, " \t")] == 0 || prompt.place.run_here(line)) {
        prompt_show();
    } else if (leat_ctl_send(LEAT_CTL_COMMAND, line, ++prompt.number, 0) == LEAT_OK) {
        prompt.is_running = true;
    } else {
        show_text("the supervisor does not answer\r\n");
        prompt_show();
    }
}

/* Adding and removing at the end is echoed as it is; all else draws the line again. */
static void show_change(size_t old_length)
{
    size_t length = prompt.edit.length;

    if (!prompt.is_shown || (length != old_length + 1 && length + 1 != old_length)) {
        prompt_hide();
        prompt_show();
    } else if (length > old_length) {
        prompt.place.show(&prompt.edit.text[old_length], 1);
    } else {
        show_text("\b \b");
    }
}

void prompt_type(uint8_t byte)
{
    size_t old_length = prompt.edit.length;
    bool is_history = prompt.edit.ansi.state != ANSI_AT_TEXT;

    switch (edit_feed(&prompt.edit, byte)) {
    case EDIT_CHANGED:
        show_change(is_history ? SIZE_MAX - 1 : old_length);
        break;
    case EDIT_ENTER:
        /* Whatever has not been answered by now is given up. */
        prompt.is_running = false;
        run_command();
        break;
    case EDIT_NOTHING:
        break;
    }
}
