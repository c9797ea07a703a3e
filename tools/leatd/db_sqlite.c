// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/db_backend.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BUSY_MS                                                                                    \
    2000 /* how long another process may hold the lock, before the transaction is tried again */

static enum db_result failed(struct db *db, int code)
{
    snprintf(db->error, sizeof db->error, "SQLite: %s", sqlite3_errmsg(db->connection));
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
        return DB_CONFLICT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return DB_RETRY;
    default:
        return DB_FAILED;
    }
}

static enum db_result simple(struct db *db, const char *sql)
{
    int code = sqlite3_exec(db->connection, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? DB_OK : failed(db, code);
}

static enum db_result begin(struct db *db)
{
    // The write lock at once: two that read first and write then could only both give up.
    return simple(db, "BEGIN IMMEDIATE");
}

static enum db_result commit(struct db *db)
{
    return simple(db, "COMMIT");
}

static void rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->connection))
        sqlite3_exec(db->connection, "ROLLBACK", NULL, NULL, NULL);
}

static int bind(sqlite3_stmt *statement, unsigned number, const struct db_value *value)
{
    char name[16];
    snprintf(name, sizeof name, "$%u", number);
    int index = sqlite3_bind_parameter_index(statement, name);
    if (!index)
        return SQLITE_RANGE;
    switch (value->kind) {
    case DB_INT:
        return sqlite3_bind_int64(statement, index, value->number);
    case DB_TEXT:
        return sqlite3_bind_text64(statement, index, value->data, value->size, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case DB_BLOB:
        return sqlite3_bind_blob64(statement, index, value->size ? value->data : "", value->size,
                                   SQLITE_STATIC);
    default:
        return sqlite3_bind_null(statement, index);
    }
}

static bool take(struct db_value *value, sqlite3_stmt *statement, int column)
{
    const void *data;
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        *value = db_int(sqlite3_column_int64(statement, column));
        return true;
    case SQLITE_NULL:
        return true;
    case SQLITE_BLOB:
        data = sqlite3_column_blob(statement, column);
        return db_keep(value, DB_BLOB, data, (size_t)sqlite3_column_bytes(statement, column));
    default:
        data = sqlite3_column_text(statement, column);
        return data &&
               db_keep(value, DB_TEXT, data, (size_t)sqlite3_column_bytes(statement, column));
    }
}

static int take_row(struct db_rows *rows, sqlite3_stmt *statement)
{
    int columns = sqlite3_column_count(statement);
    if (!db_rows_grow(rows, (uint32_t)columns))
        return SQLITE_NOMEM;
    struct db_value *row = rows->values + (size_t)(rows->count - 1) * rows->columns;
    for (int i = 0; i < columns; i++)
        if (!take(&row[i], statement, i))
            return SQLITE_NOMEM;
    return SQLITE_ROW;
}

static enum db_result run(struct db *db, const char *sql, const struct db_value *values,
                          unsigned count, struct db_rows *rows, uint64_t *changed)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db->connection, sql, -1, &statement, NULL);
    for (unsigned i = 0; i < count && code == SQLITE_OK; i++)
        code = bind(statement, i + 1, &values[i]);
    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(statement)) == SQLITE_ROW)
            if (rows && (code = take_row(rows, statement)) != SQLITE_ROW)
                break;
    }
    enum db_result result = code == SQLITE_DONE ? DB_OK : failed(db, code);
    if (result == DB_OK && changed)
        *changed = (uint64_t)sqlite3_changes(db->connection);
    sqlite3_finalize(statement);
    return result;
}

static void close_connection(struct db *db)
{
    sqlite3_close(db->connection);
}

static const struct db_backend backend = {
    .begin = begin, .commit = commit, .rollback = rollback, .run = run, .close = close_connection};

struct db *db_sqlite_open(const char *path, char *error)
{
    struct db *db = calloc(1, sizeof *db);
    if (!db) {
        snprintf(error, DB_ERROR_BYTES, "no memory");
        return NULL;
    }
    db->backend = &backend;
    mode_t mask = umask(0077); // the database, its log and its index hold keys
    int code = sqlite3_open_v2(path, (sqlite3 **)&db->connection,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (code == SQLITE_OK) {
        sqlite3_busy_timeout(db->connection, BUSY_MS);
        code = simple(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                          "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF") == DB_OK
                   ? SQLITE_OK
                   : SQLITE_ERROR;
    }
    umask(mask);
    if (code == SQLITE_OK)
        return db;
    snprintf(error, DB_ERROR_BYTES, "the database %s cannot be opened: %s", path,
             sqlite3_errmsg(db->connection));
    db_close(db);
    return NULL;
}
