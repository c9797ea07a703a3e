// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/db_backend.h"
#include "tools/leatd/leatd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TRIES 20u
#define PAUSE_US 2000u // before the first repetition; each further one waits longer by as much
#define PATIENCE 2     // seconds after which nothing is repeated any more

struct db *db_open(const char *where, char *error)
{
    if (!strncmp(where, "sqlite:", 7))
        return db_sqlite_open(where + 7, error);
    if (!strncmp(where, "postgresql://", 13))
        return db_postgresql_open(where, error);
    // A connection string may hold a password, so it is not repeated.
    snprintf(error, DB_ERROR_BYTES, "the database has to be sqlite:FILE or postgresql://...");
    return NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db->backend->close(db);
    free(db);
}

const char *db_error(const struct db *db)
{
    return db->error;
}

void db_say(struct db *db, const char *line)
{
    size_t size = strlen(line) + 1;
    char *grown = realloc(db->said, db->said_size + size);
    if (!grown) {
        leatd_log("%s", line);
        return;
    }
    db->said = grown;
    memcpy(grown + db->said_size, line, size);
    db->said_size += size;
}

static void end_said(struct db *db, bool is_kept)
{
    for (size_t at = 0; is_kept && at < db->said_size; at += strlen(db->said + at) + 1)
        leatd_log("%s", db->said + at);
    free(db->said);
    db->said = NULL;
    db->said_size = 0;
}

static enum db_result once(struct db *db, enum db_result (*body)(void *), void *context)
{
    enum db_result result = db->backend->begin(db);
    if (result != DB_OK)
        return result;
    db->in_transaction = true;
    db->may_lag = false;
    result = body(context);
    if (result == DB_OK)
        result = db->backend->commit(db);
    db->in_transaction = false;
    if (result != DB_OK)
        db->backend->rollback(db);
    end_said(db, result == DB_OK);
    return result;
}

enum db_result db_transact(struct db *db, enum db_result (*body)(void *context), void *context)
{
    time_t begun = time(NULL);
    for (unsigned i = 1; i <= TRIES && time(NULL) - begun <= PATIENCE; i++) {
        enum db_result result = once(db, body, context);
        if (result != DB_RETRY)
            return result;
        usleep(PAUSE_US * i);
    }
    return DB_FAILED;
}

void db_may_lag(struct db *db)
{
    db->may_lag = true;
}

bool db_lags(const struct db *db)
{
    return db->lags;
}

void db_settle(struct db *db)
{
    if (db->lags)
        db->backend->settle(db);
}

void db_rest(struct db *db)
{
    if (db->backend->rest)
        db->backend->rest(db);
}

enum db_result db_run(struct db *db, const char *sql, const struct db_value *values, unsigned count,
                      uint64_t *changed)
{
    return db->backend->run(db, sql, values, count, NULL, changed);
}

enum db_result db_query(struct db *db, const char *sql, const struct db_value *values,
                        unsigned count, struct db_rows *rows)
{
    *rows = (struct db_rows){0};
    enum db_result result = db->backend->run(db, sql, values, count, rows, NULL);
    if (result != DB_OK)
        db_rows_free(rows);
    return result;
}

enum db_result db_finds(struct db *db, const char *sql, const struct db_value *values,
                        unsigned count, bool *found)
{
    struct db_rows rows;
    enum db_result result = db_query(db, sql, values, count, &rows);
    *found = rows.count;
    db_rows_free(&rows);
    return result;
}

void db_rows_free(struct db_rows *rows)
{
    for (size_t i = 0; i < (size_t)rows->count * rows->columns; i++)
        free((void *)(uintptr_t)rows->values[i].data);
    free(rows->values);
    *rows = (struct db_rows){0};
}

bool db_rows_grow(struct db_rows *rows, uint32_t columns)
{
    size_t used = (size_t)rows->count * columns;
    if ((rows->count & (rows->count - 1)) == 0) { // full at each power of two
        size_t room = rows->count ? 2 * used : columns;
        struct db_value *values = realloc(rows->values, room * sizeof *values);
        if (!values)
            return false;
        rows->values = values;
    }
    memset(rows->values + used, 0, columns * sizeof *rows->values);
    rows->columns = columns;
    rows->count++;
    return true;
}

bool db_keep(struct db_value *value, enum db_kind kind, const void *data, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy)
        return false;
    if (size)
        memcpy(copy, data, size);
    copy[size] = 0;
    *value = (struct db_value){.kind = kind, .data = copy, .size = size};
    return true;
}

int64_t db_number(const struct db_rows *rows, uint32_t row, uint32_t column)
{
    return db_at(rows, row, column)->number;
}

const char *db_text(const struct db_rows *rows, uint32_t row, uint32_t column)
{
    const struct db_value *value = db_at(rows, row, column);
    return value->kind == DB_TEXT ? value->data : "";
}

struct db_value db_int(int64_t number)
{
    return (struct db_value){.kind = DB_INT, .number = number};
}

struct db_value db_str(const char *text)
{
    if (!text)
        return (struct db_value){.kind = DB_NULL};
    return (struct db_value){.kind = DB_TEXT, .data = text, .size = strlen(text)};
}

struct db_value db_blob(const void *data, size_t size)
{
    return (struct db_value){.kind = DB_BLOB, .data = data, .size = size};
}
