// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/report_text.h"

#include <stdio.h>
#include <string.h>

#define DEEPEST 32u

void report_text_begin(struct report_text *text, char *buffer, size_t size)
{
    *text = (struct report_text){.buffer = buffer, .size = size};
    buffer[0] = 0;
}

static void put_bytes(struct report_text *text, const char *bytes, size_t count)
{
    if (text->is_full || count >= text->size - text->used) {
        text->is_full = true;
        return;
    }
    memcpy(text->buffer + text->used, bytes, count);
    text->used += count;
    text->buffer[text->used] = 0;
}

void report_text_put(struct report_text *text, const char *part)
{
    put_bytes(text, part, strlen(part));
}

void report_text_string(struct report_text *text, const char *string)
{
    report_text_put(text, "\"");
    for (; *string != 0; string++) {
        char escaped[8];

        if ((unsigned char)*string >= 0x20 && *string != '"' && *string != '\\') {
            put_bytes(text, string, 1);
            continue;
        }
        snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned char)*string);
        report_text_put(text, escaped);
    }
    report_text_put(text, "\"");
}

void report_text_number(struct report_text *text, uint64_t number)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
    report_text_put(text, digits);
}

void report_text_back(struct report_text *text, size_t used)
{
    text->used = used;
    text->buffer[used] = 0;
    text->is_full = false;
}

bool report_text_is_array(const char *text)
{
    char closing[DEEPEST];
    unsigned depth = 0;
    bool is_string = false;

    if (*text != '[') {
        return false;
    }
    for (; *text != 0; text++) {
        if (is_string && *text == '\\' && text[1] != 0) {
            text++;
        } else if (*text == '"') {
            is_string = !is_string;
        } else if (is_string) {
            continue;
        } else if (*text == '[' || *text == '{') {
            if (depth == DEEPEST) {
                return false;
            }
            closing[depth++] = *text == '[' ? ']' : '}';
        } else if (*text == ']' || *text == '}') {
            if (closing[--depth] != *text) {
                return false;
            }
            if (depth == 0) {
                return text[1] == 0 && *text == ']';
            }
        }
    }
    return false;
}
