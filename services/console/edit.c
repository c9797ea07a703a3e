// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/edit.h"

#include <string.h>

enum { CTRL_C = 3, BACKSPACE = 8, CTRL_U = 21, DEL = 127 };

static void set(struct edit *edit, const char *text)
{
    edit->length = strlen(text);
    memcpy(edit->text, text, edit->length + 1);
}

static enum edit_result move_history(struct edit *edit, int by)
{
    unsigned at = edit->history_at + (unsigned)by;

    if ((by < 0 && edit->history_at == 0) || at > edit->history_count) {
        return EDIT_NOTHING;
    }
    edit->history_at = at;
    set(edit, at == edit->history_count ? "" : edit->history[at]);
    return EDIT_CHANGED;
}

static enum edit_result type(struct edit *edit, uint8_t byte, bool was_cr)
{
    switch (byte) {
    case '\n':
        return was_cr ? EDIT_NOTHING : EDIT_ENTER;
    case '\r':
        return EDIT_ENTER;
    case BACKSPACE:
    case DEL:
        if (edit->length == 0) {
            return EDIT_NOTHING;
        }
        edit->text[--edit->length] = 0;
        return EDIT_CHANGED;
    case CTRL_C:
    case CTRL_U:
        set(edit, "");
        return EDIT_CHANGED;
    default:
        if (byte < 0x20 || byte >= DEL || edit->length + 1 >= EDIT_BYTES) {
            return EDIT_NOTHING;
        }
        edit->text[edit->length++] = (char)byte;
        edit->text[edit->length] = 0;
        return EDIT_CHANGED;
    }
}

enum edit_result edit_feed(struct edit *edit, uint8_t byte)
{
    bool was_cr = edit->is_after_cr;

    edit->is_after_cr = byte == '\r';
    switch (ansi_feed(&edit->ansi, byte)) {
    case ANSI_BYTE:
        return type(edit, byte, was_cr);
    case ANSI_UP:
        return move_history(edit, -1);
    case ANSI_DOWN:
        return move_history(edit, 1);
    default:
        return EDIT_NOTHING;
    }
}

void edit_clear(struct edit *edit)
{
    bool is_new =
        edit->length != 0 && (edit->history_count == 0 ||
                              strcmp(edit->history[edit->history_count - 1], edit->text) != 0);

    if (is_new && edit->history_count == EDIT_HISTORY) {
        memmove(edit->history[0], edit->history[1], sizeof(edit->history) - EDIT_BYTES);
        edit->history_count--;
    }
    if (is_new) {
        memcpy(edit->history[edit->history_count++], edit->text, EDIT_BYTES);
    }
    edit->history_at = edit->history_count;
    set(edit, "");
}
