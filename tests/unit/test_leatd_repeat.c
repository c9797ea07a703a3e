// SPDX-License-Identifier: BSD-2-Clause
/*
 * A request that is judged more than once: by what is so after its work, and, if its transaction has to be repeated, as
 * PostgreSQL may ask for, by what the last one has done, while its limits count it once. And which need not be synced.
 */
#include "tools/leatd/api.h"
#include "tools/leatd/auth.h"
#include "tools/leatd/db_backend.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PASSWORD "correct horse"
#define LOGIN "{\"name\": \"anna\", \"password\": \"" PASSWORD "\"}"
#define UUID "00000000-0000-0000-0000-000000000001"
#define KERNEL "a kernel"

static struct leatd leatd;
static char folder[] = "leatd-repeat-XXXXXX", admin[TOKEN_BYTES], session[TOKEN_BYTES];
static enum db_result (*commit)(struct db *db);
static struct db_backend backend;
static void (*meanwhile)(void); // what happens while a thread works; NULL: nothing
static bool is_broken;          // nothing can be committed
static unsigned in_the_way;     // commits that another transaction is in the way of
static bool lagged;             // the last commit need not be synced

int64_t leatd_monotonic(void)
{
    return 1000;
}

static enum db_result commit_or_not(struct db *db)
{
    lagged = db->may_lag;
    return is_broken ? DB_FAILED : in_the_way && in_the_way-- ? DB_RETRY : commit(db);
}

/* Runs the request as the event loop does; the transaction after its work is repeated so many times. */
static void ask(struct request *request, enum request_method method, const char *path,
                const char *body, unsigned repeats, void (*api)(struct request *))
{
    char copy[128];
    const char *why;
    request->leatd = &leatd;
    request->method = method;
    strcpy(request->address, "127.0.0.1");
    snprintf(copy, sizeof copy, "%s", path);
    assert_true(request_path(request, copy));
    cJSON *json = body ? json_parse(body, strlen(body), &why) : NULL;
    request->body = json;
    api(request);
    for (; request->waits && !request->status; repeats = 0) {
        request->work->run(request->work);
        request->waits = false;
        if (meanwhile)
            meanwhile();
        in_the_way = repeats;
        api(request);
    }
    cJSON_Delete(json);
}

static void make(const char *path, const char *body, const char *name, char *text)
{
    struct request request = {.token = admin};
    ask(&request, REQUEST_POST, path, body, 0, api_admin);
    assert_int_equal(request.status / 100, 2);
    if (name)
        snprintf(text, TOKEN_BYTES, "%s", json_text(request.answer, name));
    request_free(&request);
}

static const char *in_folder(const char *name)
{
    static char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int begin(void **state)
{
    char error[DB_ERROR_BYTES];
    (void)state;
    if (!mkdtemp(folder))
        return 1;
    strcpy(leatd.config.server, "one");
    strcpy(leatd.config.images, folder);
    leatd.config.session_term = leatd.config.lease_term = leatd.config.login_term = 1000;
    leatd.db = db_open("sqlite::memory:", error);
    assert_true(leatd.db && schema_prepare(leatd.db, error));
    backend = *leatd.db->backend;
    commit = backend.commit;
    backend.commit = commit_or_not;
    leatd.db->backend = &backend;
    FILE *file = fopen(in_folder("kernel"), "w");
    assert_non_null(file);
    assert_true(fputs(KERNEL, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_true(auth_add_admin(&leatd, "anna", PASSWORD, error));
    make("/api/v1/login", LOGIN, "token", admin);
    make("/api/v1/images", "{\"name\": \"i\"}", NULL, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(in_folder("kernel"));
    rmdir(folder);
    db_close(leatd.db);
    return 0;
}

#define VERSION                                                                                    \
    "{\"source\": \"nbd://h/x\", \"size\": 4096, \"state\": \"published\", \"kernel\": "           \
    "\"kernel\"}"

static void test_version(void **state)
{
    (void)state;
    struct request made = {.token = admin}, found = {.token = admin};
    ask(&made, REQUEST_POST, "/api/v1/images/i/versions", VERSION, 2, api_admin);
    assert_int_equal(made.status, 201);
    ask(&found, REQUEST_GET, "/api/v1/images/i/versions/1", NULL, 0, api_admin);
    assert_int_equal(found.status, 200);
    request_free(&made);
    request_free(&found);
}

static void say_hello_after(unsigned lost)
{
    struct request hello = {.identity = UUID};
    in_the_way = lost;
    ask(&hello, REQUEST_POST, "/client/v1/hello",
        "{\"uuid\": \"" UUID "\", \"macs\": [\"02:00:00:00:00:01\"], \"version\": \"0\"}", 0,
        api_client);
    assert_int_equal(hello.status, 200);
    snprintf(session, sizeof session, "%s", json_text(hello.answer, "session"));
    request_free(&hello);
}

static void test_kernel(void **state)
{
    (void)state;
    char text[sizeof KERNEL] = "";
    make("/api/v1/disks", "{\"name\": \"d\", \"image\": \"i\", \"mode\": \"server\"}", NULL, NULL);
    make("/api/v1/clients", "{\"uuid\": \"" UUID "\", \"name\": \"c\"}", NULL, NULL);
    make("/api/v1/assignments", "{\"client\": \"c\", \"disk\": \"d\"}", NULL, NULL);
    say_hello_after(0);
    struct request request = {.identity = UUID, .token = session};
    ask(&request, REQUEST_GET, "/client/v1/file/d/kernel", NULL, 1, api_client);
    assert_int_equal(request.status, 200);
    assert_int_equal(pread(request.answer_file - 1, text, sizeof text, 0), strlen(KERNEL));
    assert_string_equal(text, KERNEL);
    request_free(&request);
}

/* A request of the client's, of whose transactions so many come to nothing. */
static int status_of(enum request_method method, const char *path, const char *body,
                     const char *token, unsigned lost)
{
    struct request request = {.identity = UUID,
                              .token = token,
                              .data = "bad",
                              .data_size = method == REQUEST_PUT ? 3 : 0};
    in_the_way = lost;
    ask(&request, method, path, body, 0, api_client);
    in_the_way = 0;
    int status = request.status;
    request_free(&request);
    return status;
}

static void test_limits_count_requests(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 12; i++) { // with each of four tries counted, more than all limits
        say_hello_after(3);
        assert_int_equal(
            status_of(REQUEST_POST, "/client/v1/chosen", "{\"disks\": [\"d\"]}", session, 3), 200);
    }
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(status_of(REQUEST_PUT, "/client/v1/profile/d", NULL, session, 3), 422);
}

/* Of a log; kind NULL: of all kinds. */
static int count_entries(const char *path, const char *kind)
{
    struct request request = {
        .token = admin, .limit = 100, .filters = {{"kind", kind}}, .filter_count = kind != NULL};
    ask(&request, REQUEST_GET, path, NULL, 0, api_admin);
    int count = cJSON_GetArraySize(cJSON_GetObjectItem(request.answer, "items"));
    request_free(&request);
    return count;
}

static int refused_events(void)
{
    return count_entries("/api/v1/events", "refused");
}

static void test_events_that_are_not_kept_do_not_count(void **state)
{
    (void)state;
    is_broken = true;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(status_of(REQUEST_POST, "/client/v1/renew", NULL, "s.none", 0), 503);
    is_broken = false;
    assert_int_equal(refused_events(), 0);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(status_of(REQUEST_POST, "/client/v1/renew", NULL, "s.none", 2), 401);
    assert_int_equal(refused_events(), 5);
}

/* Strangers, too, can be refused as often as they like: so nothing is synced for them; but what has changed is. */
static void test_refusals_may_lag(void **state)
{
    (void)state;
    static const char hello[] = "{\"uuid\": \"00000000-0000-0000-0000-000000000009\", \"macs\": [],"
                                " \"version\": \"0\"}";
    struct request unknown = {.identity = "enrol"}, login = {0};
    int before = refused_events();
    ask(&unknown, REQUEST_POST, "/client/v1/hello", hello, 0, api_client);
    assert_int_equal(unknown.status, 404);
    assert_true(lagged);
    ask(&login, REQUEST_POST, "/api/v1/login",
        "{\"name\": \"anna\", \"password\": \"wrong words\"}", 0, api_admin);
    assert_int_equal(login.status, 401);
    assert_true(lagged);
    assert_int_equal(status_of(REQUEST_POST, "/client/v1/renew", NULL, session, 0), 200);
    assert_false(lagged);
    assert_int_equal(refused_events(), before + 2);
    request_free(&unknown);
    request_free(&login);
}

static void change_password(void)
{
    char error[DB_ERROR_BYTES];
    assert_true(auth_add_admin(&leatd, "anna", "another password", error));
}

static void test_password_changed(void **state)
{
    (void)state;
    struct request request = {0};
    meanwhile = change_password;
    ask(&request, REQUEST_POST, "/api/v1/login", LOGIN, 0, api_admin);
    meanwhile = NULL;
    assert_int_equal(request.status, 401);
    request_free(&request);
}

#define BERT "/api/v1/admins/bert"
#define CHANGE "{\"password\": \"another password\"}"

static void remove_bert(void)
{
    struct request request = {.token = admin};
    meanwhile = NULL;
    ask(&request, REQUEST_DELETE, BERT, NULL, 0, api_admin);
    assert_int_equal(request.status, 200);
    request_free(&request);
}

static void log_out(void)
{
    struct request request = {.token = admin};
    meanwhile = NULL;
    ask(&request, REQUEST_POST, "/api/v1/logout", NULL, 0, api_admin);
    assert_int_equal(request.status, 200);
    request_free(&request);
}

static int count_audited(void)
{
    return count_entries("/api/v1/audit", NULL);
}

/* bert's new password; `during`: what happens while it is hashed. */
static int change_bert(void (*during)(void), unsigned repeats)
{
    struct request request = {.token = admin};
    meanwhile = during;
    ask(&request, REQUEST_PATCH, BERT, CHANGE, repeats, api_admin);
    meanwhile = NULL;
    request_free(&request);
    return request.status;
}

/* Hashed for nobody, or for one who may no longer: nothing comes of it. Else there is one entry, however often it is tried. */
static void test_new_password(void **state)
{
    (void)state;
    meanwhile = NULL;
    make("/api/v1/admins", "{\"name\": \"bert\", \"password\": \"bert's password\"}", NULL, NULL);
    int before = count_audited();
    assert_int_equal(change_bert(NULL, 2), 200);
    assert_int_equal(count_audited(), before + 1);
    make("/api/v1/login", "{\"name\": \"bert\", \"password\": \"another password\"}", NULL, NULL);
    assert_int_equal(change_bert(remove_bert, 0), 404);
    assert_int_equal(count_audited(), before + 2); // the removal's
    assert_int_equal(change_bert(log_out, 0), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_version),
                                       cmocka_unit_test(test_kernel),
                                       cmocka_unit_test(test_limits_count_requests),
                                       cmocka_unit_test(test_events_that_are_not_kept_do_not_count),
                                       cmocka_unit_test(test_refusals_may_lag),
                                       cmocka_unit_test(test_new_password),
                                       cmocka_unit_test(test_password_changed)};
    return cmocka_run_group_tests(tests, begin, end);
}
