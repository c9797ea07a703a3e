// SPDX-License-Identifier: BSD-2-Clause
/* What a power cut takes of the database: SQLite on files, of which only what was synced is there afterwards. */
#include "tools/leatd/lag.h"
#include "tools/leatd/leatd.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "leatd-lag-XXXXXX", error[DB_ERROR_BYTES];
static unsigned syncs;
static bool fails;

static void path_of(char path[128], const char *name)
{
    snprintf(path, 128, "%s/%s", folder, name);
}

static void copy(const char *from, const char *to)
{
    static char data[1 << 20];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t n; (n = read(in, data, sizeof data)) > 0;)
        assert_int_equal(write(out, data, (size_t)n), n);
    close(in);
    close(out);
}

/* In place of the C library's: what SQLite syncs is on the disk from then on. */
int fdatasync(int fd)
{
    char link[64], path[PATH_MAX] = "", on_disk[128];
    syncs++;
    if (fails)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    assert_true(readlink(link, path, sizeof path - 1) > 0);
    if (strstr(path, "one.db-wal")) {
        path_of(on_disk, "disk.db-wal");
        copy(path, on_disk);
    }
    return (int)syscall(SYS_fdatasync, fd);
}

struct work {
    struct db *db;
    const char *name; /* to insert; NULL: only count */
    bool may_lag;
    int64_t found;
};

static enum db_result do_work(void *context)
{
    struct work *w = context;
    struct db_rows rows;
    struct db_value value = db_str(w->name);
    if (w->may_lag)
        db_may_lag(w->db);
    enum db_result result =
        db_run(w->db, "CREATE TABLE IF NOT EXISTS thing (name TEXT)", NULL, 0, NULL);
    if (result == DB_OK && w->name)
        result = db_run(w->db, "INSERT INTO thing (name) VALUES ($1)", &value, 1, NULL);
    if (result == DB_OK)
        result = db_query(w->db, "SELECT COUNT(*) FROM thing", NULL, 0, &rows);
    if (result != DB_OK)
        return result;
    w->found = db_number(&rows, 0, 0);
    db_rows_free(&rows);
    return DB_OK;
}

static enum db_result transact(struct db *db, const char *name, bool may_lag)
{
    return db_transact(db, do_work, &(struct work){.db = db, .name = name, .may_lag = may_lag});
}

static struct db *open_file(const char *name)
{
    char where[160];
    snprintf(where, sizeof where, "sqlite:%s/%s", folder, name);
    struct db *db = db_open(where, error);
    if (!db)
        fail_msg("%s", error);
    return db;
}

static int64_t count_in(const char *name)
{
    struct work w = {.db = open_file(name)};
    assert_int_equal(db_transact(w.db, do_work, &w), DB_OK);
    db_close(w.db);
    return w.found;
}

/* How many rows are left when the power fails now; the database file itself is only written by a checkpoint. */
static int64_t left_by_power_cut(void)
{
    char from[128], to[128], log[128], kept[128];
    path_of(from, "one.db");
    path_of(to, "disk.db");
    path_of(log, "disk.db-wal");
    path_of(kept, "kept");
    copy(from, to);
    copy(log, kept);
    int64_t found = count_in("disk.db"); /* puts the log into the file, and removes it */
    copy(kept, log);
    return found;
}

/* The same when the process is killed. */
static int64_t left_by_kill(void)
{
    char from[128], to[128];
    path_of(from, "one.db");
    path_of(to, "dead.db");
    copy(from, to);
    path_of(from, "one.db-wal");
    path_of(to, "dead.db-wal");
    copy(from, to);
    return count_in("dead.db");
}

static void test_power_cut(void **state)
{
    (void)state;
    struct db *db = open_file("one.db");
    assert_int_equal(transact(db, "a", false), DB_OK);
    assert_int_equal(left_by_power_cut(), 1);
    unsigned before = syncs;
    assert_int_equal(transact(db, "b", true), DB_OK);
    assert_int_equal(transact(db, "c", true), DB_OK);
    assert_int_equal(transact(db, NULL, false), DB_OK); /* only reads */
    assert_int_equal(syncs, before);
    assert_true(db_lags(db));
    assert_int_equal(left_by_kill(), 3);
    assert_int_equal(left_by_power_cut(), 1);
    assert_int_equal(transact(db, "d", false), DB_OK); /* takes the others along */
    assert_false(db_lags(db));
    assert_int_equal(left_by_power_cut(), 4);
    assert_int_equal(transact(db, "e", true), DB_OK);
    db_settle(db);
    assert_false(db_lags(db));
    assert_int_equal(left_by_power_cut(), 5);
    before = syncs;
    db_settle(db); /* nothing to do */
    assert_int_equal(syncs, before);
    db_close(db);
}

/* A sync waits until nobody wants anything, but not for ever. */
static void test_when_quiet(void **state)
{
    (void)state;
    static struct leatd leatd;
    struct db *db = leatd.db = open_file("one.db");
    assert_int_equal(transact(db, "f", true), DB_OK);
    unsigned before = syncs;
    assert_int_equal(lag_settle(&leatd, 100, true, 5000), 1000);
    assert_int_equal(lag_settle(&leatd, 100, true, 5000), 1000);
    assert_int_equal(lag_settle(&leatd, 101, false, 5000), LAG_QUIET_MS);
    assert_int_equal(lag_settle(&leatd, 101, false, 3), 3);
    assert_int_equal(syncs, before);
    assert_int_equal(lag_settle(&leatd, 101, true, 5000), 5000);
    assert_int_equal(syncs, before + 1);
    assert_false(db_lags(db));
    assert_int_equal(transact(db, "g", true), DB_OK);
    assert_int_equal(lag_settle(&leatd, 200, false, 5000), 1000);
    assert_int_equal(lag_settle(&leatd, 201, false, 5000), LAG_QUIET_MS);
    assert_int_equal(syncs, before + 1);
    assert_int_equal(lag_settle(&leatd, 202, false, 5000), 5000); /* never quiet */
    assert_int_equal(syncs, before + 2);
    assert_int_equal(transact(db, "h", true), DB_OK);
    lag_settle(&leatd, 300, false, 5000);
    assert_int_equal(transact(db, "i", false), DB_OK); /* somebody else's sync */
    assert_int_equal(syncs, before + 3);
    assert_int_equal(lag_settle(&leatd, 301, true, 5000), 5000);
    assert_int_equal(syncs, before + 3);
    db_close(db);
}

/* What the file has without its log: after a rest all, since the log was large. */
static void test_rest(void **state)
{
    static char text[5u << 20];
    static struct leatd leatd;
    char from[128], to[128];
    (void)state;
    path_of(from, "three.db");
    path_of(to, "file.db");
    struct db *db = leatd.db = open_file("three.db");
    assert_int_equal(transact(db, "a", false), DB_OK);
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(transact(db, text, false), DB_OK);
    lag_settle(&leatd, 100, false, 5000);
    copy(from, to);
    assert_int_equal(count_in("file.db"), 0);
    lag_settle(&leatd, 100, true, 5000);
    copy(from, to);
    assert_int_equal(count_in("file.db"), 2);
    assert_int_equal(transact(db, "b", false), DB_OK); /* not worth it */
    lag_settle(&leatd, 101, true, 5000);
    copy(from, to);
    assert_int_equal(count_in("file.db"), 2);
    assert_int_equal(count_in("three.db"), 3);
    db_close(db);
}

#define LARGE (40u << 20) /* more than the log may have before it goes into the file */

static void settle(struct db *db)
{
    db_settle(db);
}

static void change(struct db *db)
{
    transact(db, "c", false);
}

static void fill_log(struct db *db)
{
    char *text = calloc(1, LARGE + 1);
    memset(text, 'x', LARGE);
    transact(db, text, true);
    free(text);
}

/* What a process that does so on a disk that fails ends with. */
static int status_of(void (*act)(struct db *db))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        struct db *db = open_file("two.db");
        bool is_begun = transact(db, "a", false) == DB_OK; /* the log has its first lines */
        fails = true;
        if (is_begun && transact(db, "b", true) == DB_OK)
            act(db);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Nothing is answered as done or as not done, and nothing goes on as if the next sync were good for the one that failed. */
static void test_disk_that_fails(void **state)
{
    (void)state;
    assert_int_equal(count_in("two.db"), 0);
    assert_int_equal(status_of(settle), 1);
    assert_int_equal(status_of(change), 1);
    assert_int_equal(status_of(fill_log), 1);
    unsigned before = syncs;
    struct db *db = open_file("two.db"); /* the next process brings it into the file */
    assert_true(syncs > before);
    db_close(db);
    assert_int_equal(count_in("two.db"), 8); /* all that was left */
}

static int make_folder(void **state)
{
    (void)state;
    return !mkdtemp(folder);
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cut), cmocka_unit_test(test_when_quiet),
        cmocka_unit_test(test_rest), cmocka_unit_test(test_disk_that_fails)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
