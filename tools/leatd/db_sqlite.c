// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/db_backend.h"
#include "tools/leatd/leatd.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS                                                                                    \
    2000 /* how long another process may hold the lock, before the transaction is tried again */

/* Of the log, before it goes into the file: when leatd has nothing else to do, and at the latest (some hundred machines' starts).
   That takes a third of a second then. */
#define LOG_PAGES_AT_REST 1000
#define LOG_PAGES 8000
#define KEPT 256u /* prepared statements: more than leatd has that come often */
#define PLACES 8u /* at which one may be */

struct sqlite {
    sqlite3 *connection;
    bool syncs_itself;        /* there is no log that could be synced later */
    int changes;              /* of the connection when the transaction began */
    int log_pages;            /* that are not in the file, at the last commit */
    sqlite3_stmt *kept[KEPT]; /* each near the place that its text says; reset */
};

static sqlite3 *connection_of(const struct db *db)
{
    return ((const struct sqlite *)db->connection)->connection;
}

static enum db_result failed(struct db *db, int code)
{
    snprintf(db->error, sizeof db->error, "SQLite: %s", sqlite3_errmsg(connection_of(db)));
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

static int bind_value(sqlite3_stmt *statement, unsigned number, const struct db_value *value)
{
    char name[4] = {'$', (char)('0' + number)};
    if (number > 9) { // up to DB_PARAMETERS
        name[1] = (char)('0' + number / 10);
        name[2] = (char)('0' + number % 10);
    }
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

/* Where the statement is kept, or may be: an empty place, else that of another one. */
static sqlite3_stmt **place_of(struct sqlite *sqlite, const char *sql)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    sqlite3_stmt **place = NULL;
    for (const char *c = sql; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (unsigned i = 0; i < PLACES; i++) {
        sqlite3_stmt **one = &sqlite->kept[(hash + i) % KEPT];
        if (*one && !strcmp(sqlite3_sql(*one), sql))
            return one;
        if (!place || (*place && !*one))
            place = one;
    }
    return place;
}

/* Preparing takes longer than most statements run, and they are the same again and again. */
static int prepare(struct sqlite *sqlite, const char *sql, sqlite3_stmt **statement)
{
    sqlite3_stmt **place = place_of(sqlite, sql);
    *statement = *place;
    if (*place && !strcmp(sqlite3_sql(*place), sql))
        return SQLITE_OK;
    sqlite3_finalize(*place);
    *place = NULL;
    int code =
        sqlite3_prepare_v3(sqlite->connection, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    *place = *statement;
    return code;
}

static enum db_result run(struct db *db, const char *sql, const struct db_value *values,
                          unsigned count, struct db_rows *rows, uint64_t *changed)
{
    sqlite3_stmt *statement;
    int code = prepare(db->connection, sql, &statement);
    for (unsigned i = 0; i < count && code == SQLITE_OK; i++)
        code = bind_value(statement, i + 1, &values[i]);
    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(statement)) == SQLITE_ROW)
            if (rows && (code = take_row(rows, statement)) != SQLITE_ROW)
                break;
    }
    enum db_result result = code == SQLITE_DONE ? DB_OK : failed(db, code);
    if (result == DB_OK && changed)
        *changed = (uint64_t)sqlite3_changes(connection_of(db));
    sqlite3_reset(statement);
    if (statement)
        sqlite3_clear_bindings(statement); /* the values are the caller's, and gone soon */
    return result;
}

static enum db_result begin(struct db *db)
{
    struct sqlite *sqlite = db->connection;
    sqlite->changes = sqlite3_total_changes(sqlite->connection);
    // The write lock at once: two that read first and write then could only both give up.
    return run(db, "BEGIN IMMEDIATE", NULL, 0, NULL, NULL);
}

/*
 * What could not be synced counts as synced for the system from then on, and the next sync succeeds without it (fsync(2), EIO).
 * So nothing that this process has in its hands may be relied on; the next one brings all that is left into the file.
 */
static _Noreturn void end(void)
{
    leatd_log("the disk of the database has failed: it cannot be synced, so leatd ends");
    _exit(1);
}

/* SQLite itself would sync the log with each commit (synchronous=FULL), or not before it is full (NORMAL). */
static void settle(struct db *db)
{
    sqlite3_file *log = NULL;
    sqlite3_file_control(connection_of(db), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log && log->pMethods && log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        end();
    db->lags = false;
}

/* As SQLite itself does, which would say nothing of a disk that fails. */
static void empty_log(struct sqlite *sqlite)
{
    sqlite->log_pages = 0;
    if (sqlite3_wal_checkpoint_v2(sqlite->connection, "main", SQLITE_CHECKPOINT_PASSIVE, NULL,
                                  NULL) == SQLITE_IOERR)
        end();
}

/* sqlite3_wal_hook, after a commit. */
static int note_log(void *context, sqlite3 *connection, const char *name, int pages)
{
    struct sqlite *sqlite = context;
    (void)connection;
    (void)name;
    sqlite->log_pages = pages;
    if (pages >= LOG_PAGES)
        empty_log(sqlite);
    return SQLITE_OK;
}

static void rest(struct db *db)
{
    struct sqlite *sqlite = db->connection;
    if (sqlite->log_pages >= LOG_PAGES_AT_REST)
        empty_log(sqlite);
}

static enum db_result commit(struct db *db)
{
    const struct sqlite *sqlite = db->connection;
    bool wrote = sqlite3_total_changes(sqlite->connection) != sqlite->changes;
    enum db_result result = run(db, "COMMIT", NULL, 0, NULL, NULL);
    if (result != DB_OK || !wrote || sqlite->syncs_itself)
        return result;
    db->lags |= db->may_lag;
    if (!db->may_lag)
        settle(db);
    return DB_OK;
}

static void rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(connection_of(db)))
        run(db, "ROLLBACK", NULL, 0, NULL, NULL);
}

static void close_connection(struct db *db)
{
    struct sqlite *sqlite = db->connection;
    for (unsigned i = 0; i < KEPT; i++)
        sqlite3_finalize(sqlite->kept[i]);
    sqlite3_close(sqlite->connection);
    free(sqlite);
}

static const struct db_backend backend = {.begin = begin,
                                          .commit = commit,
                                          .settle = settle,
                                          .rest = rest,
                                          .rollback = rollback,
                                          .run = run,
                                          .close = close_connection};

static struct db *make(void)
{
    struct db *db = calloc(1, sizeof *db);
    struct sqlite *sqlite = calloc(1, sizeof *sqlite);
    if (db && sqlite) {
        *db = (struct db){.backend = &backend, .connection = sqlite};
        return db;
    }
    free(db);
    free(sqlite);
    return NULL;
}

static int note_mode(void *syncs_itself, int count, char **values, char **names)
{
    (void)count;
    (void)names;
    *(bool *)syncs_itself = strcmp(values[0], "wal") != 0;
    return 0;
}

/* A database that cannot have a write-ahead log (in memory, or of a file system without shared memory) does as SQLite does. */
static int set_up(struct sqlite *sqlite)
{
    sqlite3_busy_timeout(sqlite->connection, BUSY_MS);
    sqlite3_wal_hook(sqlite->connection, note_log, sqlite);
    int code = sqlite3_exec(sqlite->connection, "PRAGMA journal_mode=WAL", note_mode,
                            &sqlite->syncs_itself, NULL);
    if (code == SQLITE_OK)
        code =
            sqlite3_exec(sqlite->connection,
                         sqlite->syncs_itself ? "PRAGMA synchronous=FULL"
                                              : "PRAGMA synchronous=NORMAL; PRAGMA wal_checkpoint",
                         NULL, NULL, NULL);
    return code == SQLITE_OK
               ? sqlite3_exec(sqlite->connection,
                              "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF", NULL, NULL, NULL)
               : code;
}

struct db *db_sqlite_open(const char *path, char *error)
{
    struct db *db = make();
    if (!db) {
        snprintf(error, DB_ERROR_BYTES, "no memory");
        return NULL;
    }
    struct sqlite *sqlite = db->connection;
    mode_t mask = umask(0077); // the database, its log and its index hold keys
    int code = sqlite3_open_v2(path, &sqlite->connection,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    if (code == SQLITE_OK)
        code = set_up(sqlite);
    umask(mask);
    if (code == SQLITE_OK)
        return db;
    snprintf(error, DB_ERROR_BYTES, "the database %s cannot be opened: %s", path,
             sqlite3_errmsg(sqlite->connection));
    db_close(db);
    return NULL;
}
