// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/json_array.h"

#define DEEPEST 32u

bool json_is_array(const char *text)
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
