// SPDX-License-Identifier: BSD-2-Clause
/*
 * The web page's login (docs/web.md). The token of a browser is cut in two: the first part is a cookie that no script
 * sees, the second is known to the page's script, which sends it in a header. Only both together are a token, so that
 * neither a request that another site made the browser send, nor what can read one of them, can do anything.
 */
#ifndef LEATD_PAGE_H
#define LEATD_PAGE_H

#include "tools/leatd/request.h"

/* The script's part; at a login, when there is none yet, anything: it says that the answer is for the page. */
#define PAGE_HEADER "X-Leat-Page"
#define PAGE_COOKIE_PART 23u /* "a." and 126 random bits */
#define PAGE_HEADER_PART 22u /* 130 random bits */

#define PAGE_NAME_BYTES 16u

/* What leatd's cookie is called. */
void page_cookie_name(const struct leatd *leatd, char name[PAGE_NAME_BYTES]);

/* Of a request's header and cookie, NULL each if there is none: sets is_page, and token if there are both and no other token. */
void page_join(struct request *request, const char *half, const char *cookie);

/* Into the answer of a login: "page", and the cookie, which ends with the browser. */
void page_give(struct request *request, const char *token);

/* Into the answer of a logout: the cookie is gone. */
void page_forget(struct request *request);

#endif
