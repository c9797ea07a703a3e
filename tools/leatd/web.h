// SPDX-License-Identifier: BSD-2-Clause
/* The web page's files, tools/leatd/web/, which are part of the program. They hold no secret: anybody may have them. */
#ifndef LEATD_WEB_H
#define LEATD_WEB_H

#include <microhttpd.h>

struct web_file;

/* The file at that path of the administrators' listener; NULL: there is none. */
const struct web_file *web_find(const char *path);

/* 200 with the file, or 304 if the browser has it. */
enum MHD_Result web_answer(struct MHD_Connection *connection, const struct web_file *file);

#endif
