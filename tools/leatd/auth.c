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

#define LOGGED_IN "%s has logged in"
#define TOO_MANY "too many attempts: wait a minute"

/* An attempt, and what becomes of it: argon2 takes a thread's time, not the loop's. */
struct login {
    struct work work;
    struct request *request;
    char name[NAME_BYTES], password[PASSWORD_MOST + 1];
    char hash[PASSWORD_HASH_BYTES]; // "" when there is no such account, or it is disabled
    bool is_known;                  // it has logged in from this address before
    bool is_right;                  // the password, for that hash
    bool good;                      // and the account still has that hash
};

static void check_password(struct work *work)
{
    struct login *login = (struct login *)work;
    login->is_right = password_is(login->hash[0] ? login->hash : NULL, login->password);
}

static void wipe_password(struct work *work)
{
    struct login *login = (struct login *)work;
    secret_wipe(login->password, sizeof login->password);
}

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
    char message[NAME_BYTES + 20];
    snprintf(message, sizeof message, LOGGED_IN, login->name);
    struct db_value values[] = {db_str(login->request->address), db_str(message)};
    return db_finds(login->request->leatd->db,
                    "SELECT 1 FROM event WHERE kind = 'login' AND address = $1 AND message = $2"
                    " LIMIT 1",
                    values, 2, &login->is_known);
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

/* The password may have been changed, or the account disabled, while the thread compared. */
static enum db_result look_again(struct login *login)
{
    struct db_value values[] = {db_str(login->name), db_str(login->hash)};
    return db_finds(login->request->leatd->db,
                    "SELECT 1 FROM admin WHERE name = $1 AND password = $2 AND enabled = 1", values,
                    2, &login->good);
}

static enum db_result finish(void *context)
{
    struct login *login = context;
    struct request *request = login->request;
    if (login->is_right) {
        enum db_result result = look_again(login);
        if (result != DB_OK)
            return result;
    }
    if (login->good) {
        enum db_result result = give_token(request, login->name);
        return result == DB_OK ? journal_event(request->leatd, "login", NULL, request->address,
                                               LOGGED_IN, login->name)
                               : result;
    }
    request_refuse(request, 401, "the name or the password is wrong");
    // What was tried is not repeated in full: it may be a password in the wrong place.
    return journal_refused(request->leatd, NULL, request->address, "a wrong login for %s",
                           login->hash[0] ? login->name : "an unknown account");
}

/* What its attempts are counted by: whoever tries an account elsewhere shall not keep out the one whose it is. */
static enum limit_kind find_limit(const struct login *login,
                                  char name[NAME_BYTES + INET6_ADDRSTRLEN])
{
    snprintf(name, NAME_BYTES + INET6_ADDRSTRLEN, "%s%s%s", login->name, login->is_known ? " " : "",
             login->is_known ? login->request->address : "");
    return login->is_known ? LIMIT_LOGIN_KNOWN : LIMIT_LOGIN_NAME;
}

static void refuse_failed(struct request *request)
{
    leatd_log("login: %s", db_error(request->leatd->db));
    request_refuse(request, 503, "the database cannot be used now");
}

static void begin_login(struct request *request)
{
    const char *name = request->body ? json_text(request->body, "name") : NULL;
    const char *password = request->body ? json_text(request->body, "password") : NULL;
    if (!name || !password || !check_name(name) || strlen(password) > PASSWORD_MOST) {
        request_refuse(request, 400, "a login needs name and password");
        return;
    }
    // An address that is over its limit takes no place of an account: it could fill them all.
    struct limit *limit = &request->leatd->limit;
    int64_t now = leatd_monotonic();
    if (!limit_take_address(limit, LIMIT_LOGIN_ADDRESS, request->address, AUTH_ADDRESS_ATTEMPTS,
                            now)) {
        request_refuse(request, 429, TOO_MANY);
        return;
    }
    struct login *login = request_wait(request, WORK_PASSWORD, sizeof *login, check_password);
    if (!login)
        return;
    login->work.drop = wipe_password;
    login->request = request;
    snprintf(login->name, sizeof login->name, "%s", name);
    snprintf(login->password, sizeof login->password, "%s", password);
    if (db_transact(request->leatd->db, find_account, login) != DB_OK) {
        refuse_failed(request);
        return;
    }
    char account[NAME_BYTES + INET6_ADDRSTRLEN];
    enum limit_kind kind = find_limit(login, account);
    if (!limit_take(limit, kind, account, AUTH_ACCOUNT_ATTEMPTS, now))
        request_refuse(request, 429, TOO_MANY);
}

void auth_login(struct request *request)
{
    struct login *login = request_done(request, check_password);
    char account[NAME_BYTES + INET6_ADDRSTRLEN];
    if (!login)
        begin_login(request);
    else if (db_transact(request->leatd->db, finish, login) != DB_OK)
        refuse_failed(request);
    else if (login->good)
        limit_clear(&request->leatd->limit, find_limit(login, account), account);
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
