// SPDX-License-Identifier: BSD-2-Clause
/* The database layer, on the database that LEAT_DATABASE names; without it on SQLite in memory. */
#include "tools/leatd/leatd.h"
#include "tools/leatd/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char error[DB_ERROR_BYTES], said[64];

void leatd_log(const char *format, ...)
{
    size_t used = strlen(said);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(said + used, sizeof said - used, format, arguments);
    va_end(arguments);
}

/* What a transaction of a test does. */
struct work {
    struct db *db;
    unsigned calls, retries;
    enum db_result end;
};

static enum db_result make_table(void *context)
{
    struct work *w = context;
    enum db_result result = db_run(w->db, "DROP TABLE IF EXISTS thing", NULL, 0, NULL);
    assert_int_equal(result, DB_OK);
    return db_run(w->db,
                  "CREATE TABLE thing (name TEXT PRIMARY KEY, number BIGINT, data BYTEA,"
                  " CHECK (number <> 13))",
                  NULL, 0, NULL);
}

static int open_database(void **state)
{
    const char *where = getenv("LEAT_DATABASE");
    struct work *w = calloc(1, sizeof *w);
    w->db = db_open(where ? where : "sqlite::memory:", error);
    if (!w->db)
        fail_msg("%s", error);
    assert_int_equal(db_transact(w->db, make_table, w), DB_OK);
    *state = w;
    return 0;
}

static int close_database(void **state)
{
    struct work *w = *state;
    db_close(w->db);
    free(w);
    return 0;
}

static enum db_result insert(struct db *db, const char *name, int64_t number)
{
    struct db_value values[] = {db_str(name), db_int(number), db_blob("\0\1\xff'", 4)};
    return db_run(db, "INSERT INTO thing (name, number, data) VALUES ($1, $2, $3)", values, 3,
                  NULL);
}

static enum db_result count(struct db *db, int64_t *found)
{
    struct db_rows rows;
    enum db_result result = db_query(db, "SELECT COUNT(*) FROM thing", NULL, 0, &rows);
    if (result == DB_OK)
        *found = db_number(&rows, 0, 0);
    db_rows_free(&rows);
    return result;
}

static enum db_result do_values(void *context)
{
    struct work *w = context;
    struct db_rows rows;
    uint64_t changed;
    const char *text = "Grüße'; DROP TABLE thing; --";
    assert_int_equal(insert(w->db, text, INT64_MIN), DB_OK);
    assert_int_equal(insert(w->db, "b", INT64_MAX), DB_OK);
    struct db_value empty[] = {db_str(""), db_str(NULL), db_blob(NULL, 0)};
    assert_int_equal(
        db_run(w->db, "INSERT INTO thing (name, number, data) VALUES ($1, $2, $3)", empty, 3, NULL),
        DB_OK);
    // The second parameter stands before the first.
    struct db_value values[] = {db_str(text), db_int(INT64_MIN)};
    assert_int_equal(
        db_query(w->db, "SELECT name, number, data FROM thing WHERE number = $2 AND name = $1",
                 values, 2, &rows),
        DB_OK);
    assert_int_equal(rows.count, 1);
    assert_string_equal(db_text(&rows, 0, 0), text);
    assert_true(db_number(&rows, 0, 1) == INT64_MIN);
    assert_int_equal(db_at(&rows, 0, 2)->kind, DB_BLOB);
    assert_int_equal(db_at(&rows, 0, 2)->size, 4);
    assert_memory_equal(db_at(&rows, 0, 2)->data, "\0\1\xff'", 4);
    db_rows_free(&rows);
    assert_int_equal(
        db_query(w->db, "SELECT name, number, data FROM thing ORDER BY number IS NULL, number",
                 NULL, 0, &rows),
        DB_OK);
    assert_int_equal(rows.count, 3);
    assert_true(db_number(&rows, 1, 1) == INT64_MAX);
    assert_int_equal(db_at(&rows, 2, 0)->kind, DB_TEXT);
    assert_int_equal(db_at(&rows, 2, 1)->kind, DB_NULL);
    assert_int_equal(db_at(&rows, 2, 2)->kind, DB_BLOB);
    assert_int_equal(db_at(&rows, 2, 2)->size, 0);
    assert_string_equal(db_text(&rows, 2, 1), "");
    db_rows_free(&rows);
    assert_int_equal(db_run(w->db, "UPDATE thing SET number = 1", NULL, 0, &changed), DB_OK);
    assert_int_equal(changed, 3);
    return DB_OK;
}

static void test_values(void **state)
{
    struct work *w = *state;
    assert_int_equal(db_transact(w->db, do_values, w), DB_OK);
}

static enum db_result do_insert(void *context)
{
    struct work *w = context;
    w->calls++;
    assert_int_equal(insert(w->db, "x", 1), DB_OK);
    return w->calls <= w->retries ? DB_RETRY : w->end;
}

static enum db_result do_count(void *context)
{
    struct work *w = context;
    int64_t found = -1;
    enum db_result result = count(w->db, &found);
    w->calls = (unsigned)found;
    return result;
}

static unsigned rows_in(struct work *w)
{
    assert_int_equal(db_transact(w->db, do_count, w), DB_OK);
    return w->calls;
}

static void test_all_or_nothing(void **state)
{
    struct work *w = *state;
    for (unsigned i = 0; i < 2; i++) {
        w->calls = 0;
        w->end = i ? DB_FAILED : DB_UNDONE;
        assert_int_equal(db_transact(w->db, do_insert, w), w->end);
        assert_int_equal(rows_in(w), 0);
    }
    w->calls = 0;
    w->retries = 2;
    w->end = DB_OK;
    assert_int_equal(db_transact(w->db, do_insert, w), DB_OK);
    assert_int_equal(w->calls, 3);
    assert_int_equal(rows_in(w), 1);
}

static enum db_result do_say(void *context)
{
    struct work *w = context;
    db_say(w->db, "one, ");
    db_say(w->db, "two");
    return do_insert(w);
}

/* The log has what is kept, and that once. */
static void test_said(void **state)
{
    struct work *w = *state;
    said[0] = 0;
    w->end = DB_UNDONE;
    assert_int_equal(db_transact(w->db, do_say, w), DB_UNDONE);
    assert_string_equal(said, "");
    w->calls = 0;
    w->retries = 2;
    w->end = DB_OK;
    assert_int_equal(db_transact(w->db, do_say, w), DB_OK);
    assert_string_equal(said, "one, two");
}

static void test_gives_up(void **state)
{
    struct work *w = *state;
    w->retries = 1000;
    assert_int_equal(db_transact(w->db, do_insert, w), DB_FAILED);
    assert_true(w->calls > 1 && w->calls < 100);
    assert_int_equal(rows_in(w), 0);
}

static enum db_result do_conflict(void *context)
{
    struct work *w = context;
    assert_int_equal(insert(w->db, "same", 1), DB_OK);
    return insert(w->db, w->retries ? "other" : "same", w->retries ? 13 : 1);
}

static void test_conflict(void **state)
{
    struct work *w = *state;
    for (w->retries = 0; w->retries < 2; w->retries++) {
        assert_int_equal(db_transact(w->db, do_conflict, w), DB_CONFLICT);
        assert_true(strlen(db_error(w->db)) > 10);
        assert_int_equal(rows_in(w), 0);
    }
}

static enum db_result do_nonsense(void *context)
{
    struct work *w = context;
    struct db_rows rows;
    enum db_result result = db_query(w->db, "SELECT name FROM nowhere", NULL, 0, &rows);
    assert_int_equal(rows.count, 0);
    return result;
}

static void test_nonsense(void **state)
{
    struct work *w = *state;
    assert_int_equal(db_transact(w->db, do_nonsense, w), DB_FAILED);
    if (!strstr(db_error(w->db), "nowhere"))
        fail_msg("%s", db_error(w->db));
    assert_int_equal(rows_in(w), 0);
}

static enum db_result do_age(void *context)
{
    struct work *w = context;
    struct db_value version = db_int(w->end);
    return db_run(w->db, "UPDATE schema_version SET version = $1", &version, 1, NULL);
}

static void test_schema(void **state)
{
    struct work *w = *state;
    assert_true(schema_prepare(w->db, error));
    assert_true(schema_prepare(w->db, error)); // there already
    w->end = SCHEMA_VERSION + 1;
    assert_int_equal(db_transact(w->db, do_age, w), DB_OK);
    assert_false(schema_prepare(w->db, error));
    assert_non_null(strstr(error, "newer leatd"));
    w->end = SCHEMA_VERSION - 1; // the tables are there, so the step fails: nothing of it is kept
    assert_int_equal(db_transact(w->db, do_age, w), DB_OK);
    assert_false(schema_prepare(w->db, error));
    assert_non_null(strstr(error, "cannot be made"));
    w->end = SCHEMA_VERSION;
    assert_int_equal(db_transact(w->db, do_age, w), DB_OK);
    assert_true(schema_prepare(w->db, error));
}

static void test_no_database(void **state)
{
    (void)state;
    assert_null(db_open("sqlite:/nowhere/at/all", error));
    assert_non_null(strstr(error, "/nowhere/at/all"));
    assert_null(db_open("postgresql://someone:secret@/x?host=/nowhere", error));
    assert_null(strstr(error, "secret"));
    assert_null(db_open("mysql://someone:secret@x", error));
    assert_null(strstr(error, "secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, open_database, close_database),
        cmocka_unit_test_setup_teardown(test_all_or_nothing, open_database, close_database),
        cmocka_unit_test_setup_teardown(test_said, open_database, close_database),
        cmocka_unit_test_setup_teardown(test_gives_up, open_database, close_database),
        cmocka_unit_test_setup_teardown(test_conflict, open_database, close_database),
        cmocka_unit_test_setup_teardown(test_nonsense, open_database, close_database),
        cmocka_unit_test_setup_teardown(test_schema, open_database, close_database),
        cmocka_unit_test(test_no_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
