// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/edit.h"

#include <string.h>

enum { CTRL_C = 3, BACKSPACE = 8, CTRL_U = 21, ESC = 27, DEL = 127 };

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

static enum edit_result feed_escape(struct edit *edit, uint8_t byte)
{
    if (edit->escape == 1) {
        edit->escape = byte == '[' || byte == 'O' ? 2 : 0;
        return EDIT_NOTHING;
    }
    if ((byte >= '0' && byte <= '9') || byte == ';') {
        return EDIT_NOTHING;
    }
    edit->escape = 0;
    return byte == 'A'   ? move_history(edit, -1)
           : byte == 'B' ? move_history(edit, 1)
                         : EDIT_NOTHING;
}

enum edit_result edit_feed(struct edit *edit, uint8_t byte)
{
    bool was_cr = edit->is_after_cr;

    edit->is_after_cr = byte == '\r';
    if (edit->escape != 0) {
        return feed_escape(edit, byte);
    }
    switch (byte) {
    case '\n':
        return was_cr ? EDIT_NOTHING : EDIT_ENTER;
    case '\r':
        return EDIT_ENTER;
    case ESC:
        edit->escape = 1;
        return EDIT_NOTHING;
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
