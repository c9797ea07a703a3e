// SPDX-License-Identifier: BSD-2-Clause
/* A JSON text that is put together in a fixed buffer, and never cut in the middle: what does not fit is left out. Portable. */
#ifndef SUPERVISOR_REPORT_TEXT_H
#define SUPERVISOR_REPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct report_text {
    char *buffer;
    size_t size, used; /* bytes; used: without the NUL */
    bool is_full;      /* something did not fit */
};

void report_text_begin(struct report_text *text, char *buffer, size_t size);

/* Puts text as it is. */
void report_text_put(struct report_text *text, const char *part);
/* In quotes: RFC 8259, 7. Bytes from 0x80 on are passed on. */
void report_text_string(struct report_text *text, const char *string);
void report_text_number(struct report_text *text, uint64_t number);

/* Back to what was there at `used`, with room again. */
void report_text_back(struct report_text *text, size_t used);

/* Is it one JSON array, as far as quotes and brackets tell? Nothing else of it is looked at. */
bool report_text_is_array(const char *text);

#endif
