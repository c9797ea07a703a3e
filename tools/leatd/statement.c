// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/statement.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void statement_say(struct statement *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(s->text + s->used, STATEMENT_BYTES - s->used, format, arguments);
    va_end(arguments);
    s->used += (size_t)size;
    if (s->used >= STATEMENT_BYTES)
        abort();
}

void statement_parameter(struct statement *s, struct db_value value)
{
    if (s->count == DB_PARAMETERS)
        abort();
    s->values[s->count++] = value;
    statement_say(s, "$%u", s->count);
}

void statement_where(struct statement *s)
{
    statement_say(s, "%s", s->has_where ? " AND " : " WHERE ");
    s->has_where = true;
}

/* "%text%" with ASCII's capitals made small and what LIKE takes for more than a character escaped. False: too long. */
static bool set_pattern(char pattern[STATEMENT_PATTERN], const char *text)
{
    size_t used = 0;
    pattern[used++] = '%';
    for (; *text; text++) {
        if (used > STATEMENT_PATTERN - 4)
            return false;
        if (strchr("%_\\", *text))
            pattern[used++] = '\\';
        pattern[used++] = (char)(*text >= 'A' && *text <= 'Z' ? *text + 'a' - 'A' : *text);
    }
    pattern[used++] = '%';
    pattern[used] = 0;
    return true;
}

static bool find(struct statement *s, const struct field *fields, const char *text)
{
    bool is_first = true;
    if (!set_pattern(s->pattern, text))
        return false;
    for (; fields->name; fields++) {
        if (!(fields->flags & FIELD_FOUND))
            continue;
        if (is_first)
            statement_where(s);
        statement_say(s, "%sLOWER(%s) LIKE ", is_first ? "(" : " OR ", fields->column);
        statement_parameter(s, db_str(s->pattern));
        statement_say(s, " ESCAPE '\\'");
        is_first = false;
    }
    if (!is_first)
        statement_say(s, ")");
    return !is_first;
}

static bool is_equal(struct statement *s, const struct field *field,
                     const struct request_filter *filter)
{
    while (field->name && (!(field->flags & FIELD_FILTER) || strcmp(field->name, filter->name)))
        field++;
    if (!field->name)
        return false;
    statement_where(s);
    statement_say(s, "%s = ", field->column);
    statement_parameter(s, db_str(filter->value));
    return true;
}

bool statement_filter(struct statement *s, const struct field *fields, struct request *request)
{
    bool has_found = false;
    for (unsigned i = 0; i < request->filter_count; i++) {
        const struct request_filter *filter = &request->filters[i];
        bool is_find = !strcmp(filter->name, "find");
        bool good =
            is_find ? !has_found && find(s, fields, filter->value) : is_equal(s, fields, filter);
        has_found |= is_find;
        if (good)
            continue;
        request_refuse(request, 400, "the list cannot be asked for %.*s so",
                       check_cut(filter->name, 64), filter->name);
        return false;
    }
    return true;
}
