// SPDX-License-Identifier: BSD-2-Clause
#include "lib/start.h"

#include <string.h>

const char *leat_arg_find(const char *text, size_t length, const char *key, char *buf, size_t size)
{
    size_t key_length = strlen(key);
    const char *end = memchr(text, 0, length);

    if (end == NULL) {
        end = text + length;
    }
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *line_end = newline != NULL ? newline : end;

        if ((size_t)(line_end - text) > key_length && memcmp(text, key, key_length) == 0 &&
            text[key_length] == '=') {
            const char *value = text + key_length + 1;
            size_t value_length = (size_t)(line_end - value);

            if (size == 0) {
                return NULL;
            }
            if (value_length > size - 1) {
                value_length = size - 1;
            }
            memcpy(buf, value, value_length);
            buf[value_length] = 0;
            return buf;
        }
        text = newline != NULL ? newline + 1 : end;
    }
    return NULL;
}
