// SPDX-License-Identifier: BSD-2-Clause
#include "services/storage/wanted.h"

#include <stdio.h>
#include <string.h>

static void print_place(const char *place, unsigned unit, char *text, size_t size)
{
    snprintf(text, size, "%.15s/%u", place, unit);
}

bool wanted_parse(struct wanted *w, const char *text)
{
    const char *at = strchr(text, '@');
    size_t length = at ? (size_t)(at - text) : strlen(text);
    char id[GUID_TEXT_BYTES];

    memset(w, 0, sizeof *w);
    if (length >= sizeof id || (at && (!at[1] || strlen(at + 1) >= sizeof w->place)))
        return false;
    memcpy(id, text, length);
    id[length] = 0;
    if (at)
        strcpy(w->place, at + 1);
    return guid_parse(id, w->id);
}

enum wanted_answer wanted_judge(const struct wanted *w, const uint8_t id[GUID_BYTES],
                                const char *place, unsigned unit)
{
    char where[sizeof w->place];

    print_place(place, unit, where, sizeof where);
    if (memcmp(w->id, id, GUID_BYTES) != 0)
        return WANTED_OTHER_ID;
    return !w->place[0] || !strcmp(w->place, where) ? WANTED_THIS : WANTED_OTHER_PLACE;
}

void wanted_text(const uint8_t id[GUID_BYTES], const char *place, unsigned unit,
                 char text[WANTED_TEXT_BYTES])
{
    guid_text(id, text);
    text[GUID_TEXT_BYTES - 1] = '@';
    print_place(place, unit, text + GUID_TEXT_BYTES, WANTED_TEXT_BYTES - GUID_TEXT_BYTES);
}
