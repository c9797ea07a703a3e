// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests to leatd, behind HTTP and TLS: from an administrator, a client, the plugin. The first line of the input says how
 * it comes ("A" administrator, "N" nobody, "C" client, "E" enrolment, "P" plugin; then the method, then the path), the rest is
 * the body; a PUT has its Content-Range in a line of its own before. No input may crash leatd, and each answer is one.
 */
#include "tests/fuzz/leatd_world.h"
#include "tools/leatd/api.h"
#include "tools/leatd/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "xT" anywhere in the line stands for the name of the disk's export, and "xR" for that of its hash tree, which no fuzzer
 * would guess. */
static void ask_plugin(const char *line, size_t size)
{
    char text[CONTROL_LINE_BYTES + TOKEN_BYTES];
    const char *mark = memmem(line, size, "xT", 2), *name = world_export;
    if (!mark) {
        mark = memmem(line, size, "xR", 2);
        name = world_tree;
    }
    if (size > CONTROL_LINE_BYTES)
        return;
    size_t before = mark ? (size_t)(mark - line) : size;
    memcpy(text, line, before);
    size_t used = before;
    if (mark) {
        memcpy(text + used, name, strlen(name));
        used += strlen(name);
        memcpy(text + used, mark + 2, size - before - 2);
        used += size - before - 2;
    }
    char *answer = control_answer(&world, text, used);
    require(!answer ||
            (answer[strlen(answer) - 1] == '\n' && strlen(answer) <= CONTROL_LINE_BYTES));
    free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char methods[] = "GPURD"; // in the order of enum request_method
    char path[512], range[64];
    world_next();
    const char *body = memchr(data, '\n', size);
    if (!body || size < 3 || body - (const char *)data < 3)
        return 0;
    size_t rest = size - (size_t)(++body - (const char *)data);
    const char *method = data[1] ? strchr(methods, data[1]) : NULL;
    snprintf(path, sizeof path, "%.*s", (int)(body - (const char *)data - 3),
             (const char *)data + 2);
    if (data[0] == 'P') {
        ask_plugin(body, rest);
    } else if (method) {
        bool is_admin = data[0] == 'A' || data[0] == 'N';
        struct request request = {.token = data[0] == 'A'   ? world_admin
                                           : data[0] == 'C' ? world_session
                                                            : NULL,
                                  .identity = is_admin         ? NULL
                                              : data[0] == 'E' ? "enrol"
                                                               : WORLD_UUID};
        const char *line = memchr(body, '\n', rest);
        if (data[1] == 'U' && is_admin && line && line - body < (ptrdiff_t)sizeof range) {
            snprintf(range, sizeof range, "%.*s", (int)(line - body), body);
            request.content_range = range;
            rest -= (size_t)(line + 1 - body);
            body = line + 1;
        }
        world_ask(&request, (enum request_method)(method - methods), path, body, rest,
                  is_admin ? api_admin : api_client);
        request_free(&request);
    }
    return 0;
}
