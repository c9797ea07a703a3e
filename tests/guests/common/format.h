/* SPDX-License-Identifier: BSD-2-Clause */
/* Text for COM1, whose port and bits stand here too. */
#ifndef TESTS_GUESTS_COMMON_FORMAT_H
#define TESTS_GUESTS_COMMON_FORMAT_H

#include <stdarg.h>

#define COM1 0x3f8
#define LINE_STATUS 5
#define THR_EMPTY 0x20

/* %u %x %d, all of 64 bits, and %s; each character by put. */
void format_text(void (*put)(char c), const char *format, va_list args);

#endif
