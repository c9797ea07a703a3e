// SPDX-License-Identifier: BSD-2-Clause
/*
 * The HTTP servers of both APIs, by libmicrohttpd in its epoll mode: everything happens in http_run, but what work.h's threads
 * do for them. bootfiles.h has the third server.
 */
#ifndef LEATD_HTTP_H
#define LEATD_HTTP_H

#include <stdbool.h>

struct leatd;

#define HTTP_FILES 4u

/* False with a sentence in error (CONFIG_ERROR_BYTES). */
bool http_open(struct leatd *leatd, char *error);
void http_close(struct leatd *leatd);

/* Descriptors to wait for until they can be read; -1: none. */
void http_files(const struct leatd *leatd, int files[HTTP_FILES]);

/* Milliseconds after which http_run has to be called in any case, at most the given. */
int http_timeout(const struct leatd *leatd, int most);

/* Does what there is to do, without waiting. */
void http_run(struct leatd *leatd);

#endif
