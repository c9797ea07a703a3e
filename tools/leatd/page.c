// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/page.h"

#include "tools/leatd/leatd.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

_Static_assert(PAGE_COOKIE_PART + PAGE_HEADER_PART == 2 + 43,
               "of a token as secret_token makes it");

void page_cookie_name(const struct leatd *leatd, char name[PAGE_NAME_BYTES])
{
    // Cookies know no ports (RFC 6265, section 8.5), and a host may have several leatd.
    const struct sockaddr_storage *a = &leatd->config.admin;
    in_port_t port = a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port
                                              : ((const struct sockaddr_in *)a)->sin_port;
    snprintf(name, PAGE_NAME_BYTES, "leat-%u", (unsigned)ntohs(port));
}

void page_join(struct request *request, const char *half, const char *cookie)
{
    request->is_page = half;
    if (request->token || !half || !cookie || strlen(half) != PAGE_HEADER_PART ||
        strlen(cookie) != PAGE_COOKIE_PART)
        return;
    snprintf(request->joined, sizeof request->joined, "%s%s", cookie, half);
    request->token = request->joined;
}

static void set_cookie(struct request *request, const char *value, unsigned size, const char *end)
{
    char name[PAGE_NAME_BYTES];
    page_cookie_name(request->leatd, name);
    snprintf(request->cookie, sizeof request->cookie,
             "%s=%.*s; Path=/api/v1; HttpOnly; SameSite=Strict%s%s", name, (int)size, value,
             request->leatd->config.certificate[0] ? "; Secure" : "", end);
}

void page_give(struct request *request, const char *token)
{
    set_cookie(request, token, PAGE_COOKIE_PART, "");
    cJSON_AddStringToObject(request->answer, "page", token + PAGE_COOKIE_PART);
}

void page_forget(struct request *request)
{
    set_cookie(request, "", 0, "; Max-Age=0");
}
