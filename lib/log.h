// SPDX-License-Identifier: BSD-2-Clause
/*
 * One line for people, on the console's log channel; by log_write when the process has none. The
 * console adds time stamp and process name. Never blocks: a full channel drops the line, and the
 * next one that fits is preceded by how many were lost. Any thread.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#define LEAT_LOG_LINE 480 /* bytes of one line without its '\n'; longer ones are cut */

__attribute__((format(printf, 1, 2))) void leat_log(const char *format, ...);

/* Logs, then ends the process with code 1. */
__attribute__((format(printf, 1, 2))) _Noreturn void leat_fatal(const char *format, ...);

/* Called once by the start code, before main. */
void leat_log_init(void);

#endif
