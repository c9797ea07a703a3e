// SPDX-License-Identifier: BSD-2-Clause
/*
 * The database: one interface over SQLite and PostgreSQL.
 *
 * Statements are constant text in the SQL that both know, with parameters $1, $2, ... (numbered without gaps);
 * values never become part of the text. Column types are BIGINT, TEXT and BYTEA. Every statement runs inside of
 * db_transact. Calls block until the database has answered; one thread.
 */
#ifndef LEATD_DB_H
#define LEATD_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DB_PARAMETERS 32u
#define DB_ERROR_BYTES 256u

struct db;

enum db_result {
    DB_OK,
    DB_CONFLICT, /* a unique, foreign key or check constraint says no; the transaction can only be rolled back */
    DB_RETRY,  /* another transaction was in the way: the same again may succeed */
    DB_UNDONE, /* the body of a transaction wants nothing of it kept */
    DB_FAILED, /* anything else: db_error() has the sentence */
};

enum db_kind { DB_NULL, DB_INT, DB_TEXT, DB_BLOB };

struct db_value {
    enum db_kind kind;
    int64_t number;   /* DB_INT */
    const char *data; /* DB_TEXT: ends in NUL, which size does not count; DB_BLOB */
    size_t size;
};

/* What a query has found, row after row; db_rows_free frees it, also after an error. All zeros is empty. */
struct db_rows {
    struct db_value *values;
    uint32_t count; /* of rows */
    uint32_t columns;
};

/* Opens "sqlite:PATH" or "postgresql://...". NULL with a sentence in error (DB_ERROR_BYTES). */
struct db *db_open(const char *where, char *error);
void db_close(struct db *db);
const char *db_error(const struct db *db);

/*
 * Runs body in one transaction that sees no other's half: all of what it has done is kept, synced, when it returns DB_OK, else
 * nothing. Repeats it after DB_RETRY (a body must not mind), 20 times and some seconds at most, then DB_FAILED.
 */
enum db_result db_transact(struct db *db, enum db_result (*body)(void *context), void *context);

/* Inside of a transaction: a line of the log, which is there if the transaction is kept, and once. */
void db_say(struct db *db, const char *line);

/*
 * Inside of a transaction: nobody relies on it after a power cut, so that it need not be synced before it is answered. It is
 * when the next transaction is that does not say so, or by db_settle; until then db_lags. What ends the process loses nothing
 * of it. PostgreSQL syncs all the same. When SQLite's files cannot be synced, here or by db_transact, the process ends with a
 * sentence and status 1: what is done is not answered, and nothing is relied on that the disk may not have.
 */
void db_may_lag(struct db *db);
bool db_lags(const struct db *db);
void db_settle(struct db *db);

/* Outside of a transaction, when nobody waits for anything: the time for what takes long. SQLite's log goes into the file once it
   has 4 MiB; it does not wait for this for ever. */
void db_rest(struct db *db);

/* count parameters in values. *changed (may be NULL) is the number of rows inserted, updated or deleted. */
enum db_result db_run(struct db *db, const char *sql, const struct db_value *values, unsigned count,
                      uint64_t *changed);
enum db_result db_query(struct db *db, const char *sql, const struct db_value *values,
                        unsigned count, struct db_rows *rows);
void db_rows_free(struct db_rows *rows);

/* Whether the query finds a row. */
enum db_result db_finds(struct db *db, const char *sql, const struct db_value *values,
                        unsigned count, bool *found);

static inline const struct db_value *db_at(const struct db_rows *rows, uint32_t row,
                                           uint32_t column)
{
    return &rows->values[(size_t)row * rows->columns + column];
}

/* The value as a number, 0 for NULL; as a text, "" for NULL. */
int64_t db_number(const struct db_rows *rows, uint32_t row, uint32_t column);
const char *db_text(const struct db_rows *rows, uint32_t row, uint32_t column);

/* Parameters: (struct db_value[]){db_int(1), db_str("x")}. A NULL text is NULL. The memory stays the caller's. */
struct db_value db_int(int64_t number);
struct db_value db_str(const char *text);
struct db_value db_blob(const void *data, size_t size);

#endif
