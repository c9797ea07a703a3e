// SPDX-License-Identifier: BSD-2-Clause
/*
 * An SQL statement that is put together: from constants, which are the names of tables and columns in the objects'
 * descriptions, and parameters, which everything from outside is.
 */
#ifndef LEATD_STATEMENT_H
#define LEATD_STATEMENT_H

#include "tools/leatd/object.h"

#define STATEMENT_BYTES 2048u
#define STATEMENT_PATTERN 200u

struct statement {
    char text[STATEMENT_BYTES];
    size_t used;
    struct db_value values[DB_PARAMETERS];
    unsigned count;
    bool has_where;
    char pattern[STATEMENT_PATTERN]; /* of "find" */
};

/* Aborts when it does not fit: a description that does not is found by the first test of it. */
void statement_say(struct statement *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "$N" for the value, whose memory stays the caller's. */
void statement_parameter(struct statement *s, struct db_value value);

/* " WHERE " the first time, " AND " from then on. */
void statement_where(struct statement *s);

/*
 * The conditions of the request's filters: "NAME=VALUE" of a field with FIELD_FILTER, and "find=TEXT", which one of those with
 * FIELD_FOUND has in it, whatever the case of its ASCII letters. False with a refusal.
 */
bool statement_filter(struct statement *s, const struct field *fields, struct request *request);

#endif
