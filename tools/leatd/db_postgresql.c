// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/db_backend.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Object ids of types (PostgreSQL's catalogue pg_type; they are the same in every version).
#define OID_BYTEA 17
#define OID_INT8 20
#define OID_INT4 23

// A database that does not answer holds up everything: so leatd is away for so long, and not for ever.
#define CONNECT_SECONDS "3"
#define LOST_MS "10000" // until what was sent and not acknowledged ends the connection

static void say(struct db *db, const char *message)
{
    // libpq's messages have several lines; the first says what is wrong.
    snprintf(db->error, sizeof db->error, "PostgreSQL: %.*s", (int)strcspn(message, "\n"), message);
}

/* By the SQLSTATE (PostgreSQL 15, appendix A): class 23 is constraints, 40 is "try again". */
static enum db_result failed(struct db *db, const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    say(db, text ? text : PQerrorMessage(db->connection));
    if (state && !strncmp(state, "23", 2))
        return DB_CONFLICT;
    if (state && !strncmp(state, "40", 2))
        return DB_RETRY;
    return DB_FAILED;
}

static enum db_result simple(struct db *db, const char *sql)
{
    PGresult *result = PQexec(db->connection, sql);
    enum db_result answer = PQresultStatus(result) == PGRES_COMMAND_OK ? DB_OK : failed(db, result);
    PQclear(result);
    return answer;
}

static enum db_result begin(struct db *db)
{
    enum db_result result = simple(db, "BEGIN ISOLATION LEVEL SERIALIZABLE");
    if (result == DB_OK)
        return result;
    // The server was restarted: nothing of this transaction has begun, so a new connection will do. libpq may still call the
    // old one good.
    PQreset(db->connection);
    return PQstatus(db->connection) == CONNECTION_OK
               ? simple(db, "BEGIN ISOLATION LEVEL SERIALIZABLE")
               : result;
}

static enum db_result commit(struct db *db)
{
    PGresult *result = PQexec(db->connection, "COMMIT");
    enum db_result answer = DB_OK;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        answer = failed(db, result);
    } else if (strcmp(PQcmdStatus(result), "COMMIT")) { // "ROLLBACK": a statement had failed
        say(db, "the transaction was rolled back");
        answer = DB_FAILED;
    }
    PQclear(result);
    return answer;
}

static void rollback(struct db *db)
{
    PGTransactionStatusType status = PQtransactionStatus(db->connection);
    if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR)
        PQclear(PQexec(db->connection, "ROLLBACK"));
}

static bool take(struct db_value *value, const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return true;
    const char *text = PQgetvalue(result, row, column);
    Oid type = PQftype(result, column);
    if (type == OID_INT8 || type == OID_INT4) {
        *value = db_int(strtoll(text, NULL, 10));
        return true;
    }
    if (type != OID_BYTEA)
        return db_keep(value, DB_TEXT, text, (size_t)PQgetlength(result, row, column));
    size_t size;
    unsigned char *data = PQunescapeBytea((const unsigned char *)text, &size);
    bool ok = data && db_keep(value, DB_BLOB, data, size);
    PQfreemem(data);
    return ok;
}

static bool take_all(struct db_rows *rows, const PGresult *result)
{
    int columns = PQnfields(result);
    for (int i = 0; i < PQntuples(result); i++) {
        if (!db_rows_grow(rows, (uint32_t)columns))
            return false;
        struct db_value *row = rows->values + (size_t)(rows->count - 1) * rows->columns;
        for (int j = 0; j < columns; j++)
            if (!take(&row[j], result, i, j))
                return false;
    }
    return true;
}

static enum db_result run(struct db *db, const char *sql, const struct db_value *values,
                          unsigned count, struct db_rows *rows, uint64_t *changed)
{
    const char *data[DB_PARAMETERS];
    int sizes[DB_PARAMETERS], binary[DB_PARAMETERS];
    char numbers[DB_PARAMETERS][24];
    if (count > DB_PARAMETERS) {
        say(db, "a statement with too many parameters");
        return DB_FAILED;
    }
    for (unsigned i = 0; i < count; i++) {
        const struct db_value *value = &values[i];
        snprintf(numbers[i], sizeof numbers[i], "%" PRId64, value->number);
        binary[i] = value->kind == DB_BLOB;
        sizes[i] = (int)value->size;
        data[i] = value->kind == DB_NULL  ? NULL
                  : value->kind == DB_INT ? numbers[i]
                  : value->size           ? value->data
                                          : "";
    }
    PGresult *result = PQexecParams(db->connection, sql, (int)count, NULL, data, sizes, binary, 0);
    ExecStatusType status = PQresultStatus(result);
    enum db_result answer = DB_OK;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        answer = failed(db, result);
    } else if (rows && !take_all(rows, result)) {
        say(db, "no memory for what was found");
        answer = DB_FAILED;
    }
    if (answer == DB_OK && changed)
        *changed = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return answer;
}

static void close_connection(struct db *db)
{
    PQfinish(db->connection);
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

static const struct db_backend backend = {
    .begin = begin, .commit = commit, .rollback = rollback, .run = run, .close = close_connection};

struct db *db_postgresql_open(const char *where, char *error)
{
    struct db *db = calloc(1, sizeof *db);
    if (!db) {
        snprintf(error, DB_ERROR_BYTES, "no memory");
        return NULL;
    }
    db->backend = &backend;
    // What comes later holds (libpq, "Database Connection Control Functions"): what where says of the same, but of the
    // encoding. PQreset connects by these too. Keepalives: of a host that died between its acknowledgement and its answer
    // nothing is outstanding.
    const char *const words[] = {
        "connect_timeout",  "tcp_user_timeout", "keepalives_idle", "keepalives_interval",
        "keepalives_count", "dbname",           "client_encoding", NULL};
    const char *const values[] = {CONNECT_SECONDS, LOST_MS, "5", "2", "3", where, "UTF8", NULL};
    db->connection = PQconnectdbParams(words, values, 1);
    if (PQstatus(db->connection) == CONNECTION_OK) {
        PQsetNoticeReceiver(db->connection, ignore_notice, NULL);
        return db;
    }
    say(db, PQerrorMessage(db->connection));
    snprintf(error, DB_ERROR_BYTES, "the database cannot be reached: %.200s", db->error);
    db_close(db);
    return NULL;
}
