// SPDX-License-Identifier: BSD-2-Clause
/*
 * Cuts the text into lines for inih, and refuses what would otherwise be cut, dropped or misread
 * silently: overlong lines, control bytes, text that is not UTF-8, text behind a section header.
 */
#include "lib/config/parser.h"
#include "lib/config/value.h"

#include <string.h>

static const char *check_bytes(const char *line, size_t length)
{
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)line[i];
        bool last_cr = c == '\r' && i + 1 == length;
        if ((c < 0x20 && c != '\t' && !last_cr) || c == 0x7f)
            return "has a control character; leat.conf must be plain text";
        size_t sequence = utf8_length(line + i, length - i);
        if (sequence == 0)
            return "is not UTF-8 text";
        i += sequence;
    }
    return NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* inih ignores what follows the ']': we do not. */
static const char *check_header(const char *line, size_t length)
{
    const char *end = memchr(line, ']', length);
    if (end == NULL)
        return "has a section header without ']'";
    const char *at = end + 1, *stop = line + length;
    while (at < stop && is_space(*at))
        at++;
    if (at < stop && *at != ';' && *at != '#')
        return "has text behind the ']' of a section header";
    return NULL;
}

static void turn_to_server(struct config_parser *parser)
{
    parser->is_from_server = true;
    parser->line = 0;
    parser->section = CONFIG_NONE;
}

/* What is left of the text that the line is in. */
static size_t bytes_left(const struct config_parser *parser)
{
    size_t end = parser->is_from_server || parser->server_from > parser->size ? parser->size
                                                                              : parser->server_from;
    return end - parser->position;
}

char *config_read_line(char *line, int size, void *context)
{
    struct config_parser *parser = context;
    if (parser->failed)
        return NULL;
    if (parser->section_line) {
        parser->section_line = false;
        return strcpy(line, CONFIG_SECTION_OPENED "=");
    }
    if (parser->position == 0 && parser->size >= 3 && memcmp(parser->text, "\xef\xbb\xbf", 3) == 0)
        parser->position = 3; /* a byte order mark, as some editors write */
    if (parser->position >= parser->size)
        return NULL;
    if (!parser->is_from_server && parser->position >= parser->server_from)
        turn_to_server(parser);

    const char *start = parser->text + parser->position;
    size_t left = bytes_left(parser);
    const char *newline = memchr(start, '\n', left);
    size_t length = newline != NULL ? (size_t)(newline - start) : left;
    parser->position += length + (newline != NULL);
    parser->line++;

    const char *reason = NULL;
    if (length + 1 > (size_t)size)
        reason = "is too long";
    else
        reason = check_bytes(start, length);
    if (reason != NULL) {
        config_fail(parser, parser->line, NULL, NULL, NULL, reason);
        return NULL;
    }
    size_t indent = 0;
    while (indent < length && is_space(start[indent]))
        indent++;
    if (indent < length && start[indent] == '[') {
        reason = check_header(start + indent, length - indent);
        if (reason != NULL) {
            config_fail(parser, parser->line, NULL, NULL, NULL, reason);
            return NULL;
        }
        parser->section_line = true;
    }
    memcpy(line, start, length);
    line[length] = '\0';
    return line;
}
