// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/auth.h"

#include "tools/leatd/check.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/page.h"
#include "tools/leatd/password.h"
#include "tools/leatd/secret.h"

#include <stdio.h>
#include <string.h>

struct login {
    struct request *request;
    const char *name;
    char hash[PASSWORD_HASH_BYTES]; // "" when there is no such account, or it is disabled
    bool good;
};

static enum db_result find_account(void *context)
{
    struct login *login = context;
    struct db_rows rows;
    struct db_value name = db_str(login->name);
    enum db_result result =
        db_query(login->request->leatd->db,
                 "SELECT password FROM admin WHERE name = $1 AND enabled = 1", &name, 1, &rows);
    if (result != DB_OK)
        return result;
    snprintf(login->hash, sizeof login->hash, "%s", rows.count ? db_text(&rows, 0, 0) : "");
    db_rows_free(&rows);
    return DB_OK;
}

static enum db_result give_token(struct request *request, const char *name)
{
    char id[ID_BYTES], token[TOKEN_BYTES], hash[HASH_BYTES];
    int64_t now = leatd_now(), expires = now + request->leatd->config.login_term;
    secret_id(id);
    secret_token(token, 'a');
    secret_hash(hash, token);
    struct db_value values[] = {db_str(id),      db_str(hash), db_str(name),
                                db_str("login"), db_int(now),  db_int(expires)};
    cJSON *answer = request_answer(request, 200);
    if (request->is_page)
        page_give(request, token);
    else
        cJSON_AddStringToObject(answer, "token", token);
    cJSON_AddNumberToObject(answer, "expires", (double)expires);
    secret_wipe(token, sizeof token);
    return db_run(request->leatd->db,
                  "INSERT INTO api_token (id, hash, admin, note, created, expires)"
                  " VALUES ($1, $2, $3, $4, $5, $6)",
                  values, 6, NULL);
}

static enum db_result finish(void *context)
{
    struct login *login = context;
    struct request *request = login->request;
    if (login->good) {
        enum db_result result = give_token(request, login->name);
        return result == DB_OK ? journal_event(request->leatd, "login", NULL, request->address,
                                               "%s has logged in", login->name)
                               : result;
    }
    request_refuse(request, 401, "the name or the password is wrong");
    // What was tried is not repeated in full: it may be a password in the wrong place.
    return journal_event(request->leatd, "refused", NULL, request->address, "a wrong login for %s",
                         login->hash[0] ? login->name : "an unknown account");
}

static bool within_limits(struct request *request, const char *name)
{
    struct limit *limit = &request->leatd->limit;
    int64_t now = leatd_monotonic();
    // An address that is over its limit takes no place of an account: it could fill them all.
    return limit_take_address(limit, LIMIT_LOGIN_ADDRESS, request->address, AUTH_ADDRESS_ATTEMPTS,
                              now) &&
           limit_take(limit, LIMIT_LOGIN_NAME, name, AUTH_ACCOUNT_ATTEMPTS, now);
}

static void refuse_failed(struct request *request)
{
    leatd_log("login: %s", db_error(request->leatd->db));
    request_refuse(request, 503, "the database cannot be used now");
}

void auth_login(struct request *request)
{
    const char *name = request->body ? json_text(request->body, "name") : NULL;
    const char *password = request->body ? json_text(request->body, "password") : NULL;
    struct login login = {.request = request, .name = name};
    if (!name || !password || !check_name(name) || strlen(password) > PASSWORD_MOST) {
        request_refuse(request, 400, "a login needs name and password");
        return;
    }
    if (!within_limits(request, name)) {
        request_refuse(request, 429, "too many attempts: wait a minute");
        return;
    }
    struct db *db = request->leatd->db;
    if (db_transact(db, find_account, &login) != DB_OK) {
        refuse_failed(request);
        return;
    }
    login.good = password_is(login.hash[0] ? login.hash : NULL, password);
    if (db_transact(db, finish, &login) != DB_OK)
        refuse_failed(request);
    else if (login.good)
        limit_clear(&request->leatd->limit, LIMIT_LOGIN_NAME, name);
}

enum db_result auth_check(struct request *request, bool *found)
{
    char hash[HASH_BYTES];
    struct db_rows rows = {0};
    enum db_result result = DB_OK;
    if (request->token && secret_is_token(request->token, 'a')) {
        secret_hash(hash, request->token);
        struct db_value values[] = {db_str(hash), db_int(leatd_now())};
        result = db_query(request->leatd->db,
                          "SELECT admin.name FROM api_token JOIN admin ON"
                          " api_token.admin = admin.name WHERE hash = $1 AND"
                          " api_token.expires > $2 AND enabled = 1",
                          values, 2, &rows);
    }
    if (result != DB_OK)
        return result;
    *found = rows.count;
    if (*found)
        snprintf(request->who, sizeof request->who, "%s", db_text(&rows, 0, 0));
    else
        request_refuse(request, 401, "the request needs a token that is good: log in");
    db_rows_free(&rows);
    return DB_OK;
}

enum db_result auth_logout(struct request *request)
{
    char hash[HASH_BYTES];
    secret_hash(hash, request->token);
    struct db_value value = db_str(hash);
    request_answer(request, 200);
    if (request->is_page)
        page_forget(request);
    return db_run(request->leatd->db, "DELETE FROM api_token WHERE hash = $1", &value, 1, NULL);
}

#define TRIM_SECONDS 86400

enum db_result auth_trim(struct leatd *leatd)
{
    struct db_value before = db_int(leatd_now() - TRIM_SECONDS);
    return db_run(leatd->db, "DELETE FROM api_token WHERE expires <= $1", &before, 1, NULL);
}

struct addition {
    struct leatd *leatd;
    const char *name;
    char hash[PASSWORD_HASH_BYTES];
};

static enum db_result add(void *context)
{
    struct addition *a = context;
    struct request request = {.leatd = a->leatd, .who = "add-admin", .address = "local"};
    char object[96];
    snprintf(object, sizeof object, "administrator %s", a->name);
    struct db_value values[] = {db_str(a->name), db_str(a->hash), db_int(leatd_now())};
    enum db_result result =
        db_run(a->leatd->db,
               "INSERT INTO admin (name, password, enabled, created) VALUES ($1, $2, 1, $3)"
               " ON CONFLICT (name) DO UPDATE SET password = $2, enabled = 1",
               values, 3, NULL);
    if (result == DB_OK) // whoever knew an old password
        result = db_run(a->leatd->db, "DELETE FROM api_token WHERE admin = $1", values, 1, NULL);
    return result == DB_OK ? journal_audit(&request, "create", object, NULL, NULL) : result;
}

bool auth_add_admin(struct leatd *leatd, const char *name, const char *password, char *error)
{
    struct addition a = {.leatd = leatd, .name = name};
    size_t size = strlen(password);
    if (!check_name(name))
        snprintf(error, DB_ERROR_BYTES,
                 "a name has 1 to 63 of a-z 0-9 . _ -, beginning with a letter or digit");
    else if (size < PASSWORD_LEAST || size > PASSWORD_MOST)
        snprintf(error, DB_ERROR_BYTES, "a password has to have %u to %u bytes", PASSWORD_LEAST,
                 PASSWORD_MOST);
    else if (!password_hash(a.hash, password))
        snprintf(error, DB_ERROR_BYTES, "no memory to hash the password");
    else if (db_transact(leatd->db, add, &a) != DB_OK)
        snprintf(error, DB_ERROR_BYTES, "%.250s", db_error(leatd->db));
    else
        return true;
    return false;
}
