// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/web.h"

#include "tools/leatd/secret.h"

#include <stdio.h>
#include <string.h>

struct web_file {
    const char *path, *kind;
    const char *begin, *end; // end is a NUL
};

/* The assembler puts the file's bytes into the program; CMakeLists.txt says that this source depends on them. */
#define EMBED(symbol, file)                                                                        \
    __asm__(".pushsection .rodata\n"                                                               \
            "web_" #symbol ": .incbin \"tools/leatd/web/" file "\"\n"                              \
            "web_" #symbol "_end: .byte 0\n"                                                       \
            ".popsection\n");                                                                      \
    extern const char web_##symbol[] __attribute__((visibility("hidden")));                        \
    extern const char web_##symbol##_end[] __attribute__((visibility("hidden")))

EMBED(index, "index.html");
EMBED(style, "style.css");
EMBED(icon, "icon.svg");
EMBED(api, "api.js");
EMBED(app, "app.js");
EMBED(assignments, "assignments.js");
EMBED(client, "client.js");
EMBED(clients, "clients.js");
EMBED(dialog, "dialog.js");
EMBED(disks, "disks.js");
EMBED(dom, "dom.js");
EMBED(enrolments, "enrolments.js");
EMBED(format, "format.js");
EMBED(images, "images.js");
EMBED(list, "list.js");
EMBED(log, "log.js");
EMBED(online, "online.js");
EMBED(picture, "picture.js");
EMBED(report, "report.js");

#define FILE_OF(path, kind, symbol)                                                                \
    {                                                                                              \
        path, kind, web_##symbol, web_##symbol##_end                                               \
    }
#define SCRIPT(name) FILE_OF("/" #name ".js", "text/javascript; charset=utf-8", name)

static const struct web_file files[] = {
    FILE_OF("/", "text/html; charset=utf-8", index),
    FILE_OF("/style.css", "text/css; charset=utf-8", style),
    FILE_OF("/icon.svg", "image/svg+xml", icon),
    SCRIPT(api),
    SCRIPT(app),
    SCRIPT(assignments),
    SCRIPT(client),
    SCRIPT(clients),
    SCRIPT(dialog),
    SCRIPT(disks),
    SCRIPT(dom),
    SCRIPT(enrolments),
    SCRIPT(format),
    SCRIPT(images),
    SCRIPT(list),
    SCRIPT(log),
    SCRIPT(online),
    SCRIPT(picture),
    SCRIPT(report),
};

/*
 * Nothing but these files is run, shown or asked for, no form is sent anywhere by the browser itself (a password would stand in
 * the address), no other page may show this one in a frame, and no text becomes HTML (Trusted Types, where there are such).
 */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for "
    "'script';"
    " trusted-types 'none'";

static const char *const headers[][2] = {
    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache"}, // kept, but asked about each time
    {"Content-Security-Policy", policy},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

const struct web_file *web_find(const char *path)
{
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++)
        if (!strcmp(files[i].path, path))
            return &files[i];
    return NULL;
}

enum MHD_Result web_answer(struct MHD_Connection *connection, const struct web_file *file)
{
    char hash[HASH_BYTES], tag[HASH_BYTES + 2];
    secret_hash(hash, file->begin);
    snprintf(tag, sizeof tag, "\"%s\"", hash);
    const char *known =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    bool is_known = known && !strcmp(known, tag);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(is_known ? 0 : (size_t)(file->end - file->begin),
                                        (void *)(uintptr_t)file->begin, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, file->kind);
    MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag);
    for (unsigned i = 0; i < sizeof headers / sizeof headers[0]; i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    enum MHD_Result result =
        MHD_queue_response(connection, is_known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}
