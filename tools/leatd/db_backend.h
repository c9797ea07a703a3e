// SPDX-License-Identifier: BSD-2-Clause
/* What db.c asks of a database; db_sqlite.c and db_postgresql.c have it. */
#ifndef LEATD_DB_BACKEND_H
#define LEATD_DB_BACKEND_H

#include "tools/leatd/db.h"

struct db_backend {
    enum db_result (*begin)(struct db *db);
    enum db_result (*commit)(struct db *db); /* synced, unless db->may_lag; sets db->lags */
    void (*settle)(struct db *db);           /* syncs, and clears db->lags; of one that sets it */
    void (*rest)(struct db *db);             /* db_rest; NULL: there is nothing to do */
    void (*rollback)(struct db *db);         /* also when there is no transaction */
    /* rows or changed may be NULL. On an error rows holds what db_rows_free frees. */
    enum db_result (*run)(struct db *db, const char *sql, const struct db_value *values,
                          unsigned count, struct db_rows *rows, uint64_t *changed);
    void (*close)(struct db *db);
};

struct db {
    const struct db_backend *backend;
    void *connection; /* the backend's own */
    bool in_transaction;
    bool may_lag; /* this transaction */
    bool lags;    /* some that are over */
    char *said;   /* this transaction: lines, each with its NUL; from malloc, NULL: none */
    size_t said_size;
    char error[DB_ERROR_BYTES];
};

/* NULL with a sentence in error. where is what is behind "sqlite:", or all of "postgresql://...". */
struct db *db_sqlite_open(const char *path, char *error);
struct db *db_postgresql_open(const char *where, char *error);

/* Makes place for one more row of the given columns, all NULL; false if there is no memory. */
bool db_rows_grow(struct db_rows *rows, uint32_t columns);

/* A copy in a value of its own, which db_rows_free frees; false if there is no memory. */
bool db_keep(struct db_value *value, enum db_kind kind, const void *data, size_t size);

#endif
