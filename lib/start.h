// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a process was given at its start (include/leat/start.h). services/supervisor/README.md lists
 * the roles and arguments that each service gets.
 *
 * Bits of the own notification (role "notif"): the supervisor hands out bits 0 to 47; bits 48 to 62
 * (LEAT_OWN_BITS_FIRST and up) are the process's own, for doorbells and the like.
 */
#ifndef LIB_START_H
#define LIB_START_H

#include <leat/start.h>

#define LEAT_OWN_BITS_FIRST 48u
#define LEAT_OWN_BITS_LAST 62u

const struct leat_start *leat_start(void);

/* The first entry of that role (and name, unless NULL); NULL: none. Lives as long as the process. */
const struct leat_start_entry *leat_start_find(const char *role, const char *name);

/* The next entry of the role after that one; after == NULL: the first. NULL: no more. */
const struct leat_start_entry *leat_start_next(const char *role,
                                               const struct leat_start_entry *after);

/* Copies the value of a "key=value" line of the arguments, cut to size - 1 bytes and
   NUL-terminated. Returns buf; NULL when there is no such key. */
const char *leat_start_arg(const char *key, char *buf, size_t size);

/* The same over any text of "key=value\n" lines, for LEAT_CTL_ATTACH. text ends by NUL or at length. */
const char *leat_arg_find(const char *text, size_t length, const char *key, char *buf, size_t size);

/* The own notification (role "notif"); 0 when there is none. */
leat_handle_t leat_start_notif(void);

#endif
