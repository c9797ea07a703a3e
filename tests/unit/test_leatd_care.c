// SPDX-License-Identifier: BSD-2-Clause
/*
 * What ends with time, and that nothing ends because of a clock: leatd's expiry with both clocks in the test's hands, on
 * SQLite in memory.
 */
#include "tools/leatd/care.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TERM 60

static struct leatd leatd;
static int64_t wall, monotonic, expires;

int64_t leatd_now(void)
{
    return wall;
}

int64_t leatd_monotonic(void)
{
    return monotonic;
}

void leatd_log(const char *format, ...)
{
    (void)format;
}

static void pass(int64_t seconds)
{
    wall += seconds;
    monotonic += seconds;
}

static enum db_result begin_session(void *context)
{
    static const char client[] =
        "INSERT INTO client (uuid, name, macs, psk, enabled, expires, note, created)"
        " VALUES ('u', 'n', '', '', 1, 0, '', 0)";
    static const char session[] =
        "INSERT INTO session (id, hash, client, started, renewed, expires, address, macs,"
        " leat_version, hardware, server) VALUES ('s', 'h', 'u', 0, 0, $1, '', '', '', '', 'one')";
    struct db_value end = db_int(wall + TERM);
    (void)context;
    enum db_result result = db_run(leatd.db, client, NULL, 0, NULL);
    return result == DB_OK ? db_run(leatd.db, session, &end, 1, NULL) : result;
}

static enum db_result look(void *context)
{
    struct db_rows rows;
    (void)context;
    enum db_result result =
        db_query(leatd.db, "SELECT expires FROM session WHERE ended IS NULL", NULL, 0, &rows);
    expires = result == DB_OK && rows.count ? db_number(&rows, 0, 0) : 0;
    if (result == DB_OK)
        db_rows_free(&rows);
    return result;
}

/* When the session will end, as a request sees it; 0: it has ended. */
static int64_t look_up(void)
{
    assert_int_equal(care_transact(&leatd, look, NULL), DB_OK);
    return expires;
}

static int begin(void **state)
{
    char error[DB_ERROR_BYTES];
    (void)state;
    memset(&leatd, 0, sizeof leatd);
    strcpy(leatd.config.server, "one");
    strcpy(leatd.config.folder, "/nowhere");
    leatd.config.session_term = leatd.config.lease_term = TERM;
    wall = 1700000000;
    monotonic = 1000;
    leatd.db = db_open("sqlite::memory:", error);
    assert_non_null(leatd.db);
    assert_true(schema_prepare(leatd.db, error));
    care_tick(&leatd);
    assert_int_equal(db_transact(leatd.db, begin_session, NULL), DB_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    db_close(leatd.db);
    return 0;
}

static void test_silence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TERM / 10; i++) {
        assert_int_equal(look_up(), 1700000000 + TERM);
        pass(10);
        care_tick(&leatd);
    }
    assert_int_equal(look_up(), 0);
}

static void test_forward(void **state)
{
    (void)state;
    wall += 3600;
    assert_int_equal(look_up(), wall + TERM);
    pass(10);
    assert_int_equal(look_up(), wall + TERM - 10); // once: what is silent then ends
}

static void test_backward(void **state)
{
    (void)state;
    wall -= 3600;
    assert_int_equal(look_up(), wall + TERM); // not an hour more either
}

static void test_hidden_absence(void **state)
{
    (void)state;
    pass(TERM + 10);
    wall -= TERM; // as if ten seconds had passed
    assert_int_equal(look_up(), wall + TERM);
}

static void test_sleep(void **state)
{
    (void)state;
    wall += TERM + 1; // CLOCK_MONOTONIC stands still while the machine sleeps
    assert_int_equal(look_up(), wall + TERM);
}

static enum db_result make_ended(void *context)
{
    static const char sessions[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10007)"
        " INSERT INTO session (id, hash, client, started, renewed, expires, address, macs,"
        " leat_version, hardware, server, ended, why, report)"
        " SELECT 'e' || (100000 + i), i, 'u', 0, 0, 0, '', '', '', '', 'one', 1, '', '{}' FROM n";
    static const char exports[] = "INSERT INTO export_kept (hash, session, disk, mode, size) "
                                  "VALUES ('x', 'e110000', 'd', 'm',"
                                  " 0), ('y', 's', 'd', 'm', 0)";
    static const char tokens[] =
        "INSERT INTO api_token VALUES ('old', 'a', 'b', '', 0, 1700000000 - 86400),"
        " ('new', 'b', 'b', '', 0, 1700000000 - 86399)";
    (void)context;
    enum db_result result = db_run(leatd.db, sessions, NULL, 0, NULL);
    if (result == DB_OK)
        result = db_run(leatd.db, exports, NULL, 0, NULL);
    if (result == DB_OK)
        result = db_run(leatd.db, "INSERT INTO admin VALUES ('b', '', 1, 0)", NULL, 0, NULL);
    return result == DB_OK ? db_run(leatd.db, tokens, NULL, 0, NULL) : result;
}

static enum db_result count_kept(void *context)
{
    struct db_rows rows;
    (void)context;
    enum db_result result =
        db_query(leatd.db,
                 "SELECT COUNT(*), MIN(id), (SELECT MIN(id) FROM api_token),"
                 " (SELECT COUNT(*) FROM session WHERE ended IS NULL), COUNT(report),"
                 " (SELECT MAX(hash) || COUNT(*) FROM export_kept) FROM session"
                 " WHERE ended IS NOT NULL",
                 NULL, 0, &rows);
    assert_int_equal(result, DB_OK);
    assert_int_equal(db_number(&rows, 0, 0), 10000);
    assert_string_equal(db_text(&rows, 0, 1), "e100008"); // the oldest have gone
    assert_string_equal(db_text(&rows, 0, 2), "new");
    assert_int_equal(db_number(&rows, 0, 3), 1);
    assert_int_equal(db_number(&rows, 0, 4), 1000);
    assert_string_equal(db_text(&rows, 0, 5), "y1"); // of one that may live again
    db_rows_free(&rows);
    return DB_OK;
}

static void test_trim(void **state)
{
    (void)state;
    assert_int_equal(db_transact(leatd.db, make_ended, NULL), DB_OK);
    care_tick(&leatd);
    assert_int_equal(db_transact(leatd.db, count_kept, NULL), DB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_silence, begin, end),
        cmocka_unit_test_setup_teardown(test_forward, begin, end),
        cmocka_unit_test_setup_teardown(test_backward, begin, end),
        cmocka_unit_test_setup_teardown(test_hidden_absence, begin, end),
        cmocka_unit_test_setup_teardown(test_sleep, begin, end),
        cmocka_unit_test_setup_teardown(test_trim, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
