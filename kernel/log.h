// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel's log: lines "[    0.001234] kernel: ..." in a ring in memory, and on the serial line
 * until the console has taken it over.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include <leat/types.h>

#define LOG_LINE_BYTES 256u /* longer lines are cut */

/* Formats into a buffer, always NUL-terminated when size > 0; returns bytes written without the
   NUL. %c %s %d %u %x with l or ll, %zu %zx, %p, %%; flags 0 and -, width. */
size_t format(char *to, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t format_args(char *to, size_t size, const char *fmt, va_list args);

/* One line; no newline in fmt. */
void klog(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Text of ring 3 under its domain's name; control characters are made harmless. */
void log_text(const char *who, const char *text, size_t bytes);

/* Logs, says on the serial line in any case, and stops the machine. The last line says what happened. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void log_take_over(void); /* no more serial output but panics */
void log_take_back(void); /* before saying why the machine stops; on a new line */

/* Copies at most `size` bytes from absolute *position on, which is moved up to the oldest kept first. */
size_t log_read(char *to, size_t size, uint64_t *position);

/* The ring under it; host-testable. size: a power of two. */
struct log_ring {
    char *bytes;
    uint64_t size, head; /* head: absolute position of the next byte */
};
void log_ring_write(struct log_ring *ring, const char *text, size_t bytes);
size_t log_ring_read(const struct log_ring *ring, char *to, size_t bytes, uint64_t *position);

#endif
