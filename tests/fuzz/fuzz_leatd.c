// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests to leatd, behind HTTP and TLS: from an administrator, a client, the plugin. The first line of the input says how
 * it comes ("A" administrator, "N" nobody, "C" client, "E" enrolment, "P" plugin; then the method, then the path), the rest is
 * the body. One database in memory, in which what has been made stays: no input may crash leatd, and each answer is one.
 */
#include "tools/leatd/api.h"
#include "tools/leatd/auth.h"
#include "tools/leatd/control.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/password.h"
#include "tools/leatd/schema.h"
#include "tools/leatd/secret.h"
#include "tools/leatd/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UUID "00000000-0000-0000-0000-000000000001"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct leatd leatd;
static char admin_token[TOKEN_BYTES], session_token[TOKEN_BYTES], export_token[TOKEN_BYTES];

static void require(int truth)
{
    if (!truth)
        abort();
}

/* argon2 would take all of the time. */
bool password_hash(char hash[PASSWORD_HASH_BYTES], const char *password)
{
    snprintf(hash, PASSWORD_HASH_BYTES, "%zu", strlen(password));
    return true;
}

bool password_is(const char *hash, const char *password)
{
    return hash && strtoul(hash, NULL, 10) == strlen(password);
}

void leatd_log(const char *format, ...)
{
    (void)format;
}

/* TLS is not here: whoever has a client's identity has its key. */
bool tls_is_key(const struct request *request, const char *key)
{
    return request && key;
}

void tls_write_keys(struct leatd *l)
{
    l->keys_changed = false;
}

int64_t leatd_now(void)
{
    return 1700000000;
}

int64_t leatd_monotonic(void)
{
    static int64_t now;
    return now += 100; // no attempt is one too many
}

/* "?name=value&..." as HTTP's library hands it on, but for escapes; cuts it off. */
static void read_query(struct request *request, char *query)
{
    while (query) {
        *query++ = 0;
        char *next = strchr(query, '&');
        if (next)
            *next = 0;
        char *value = strchr(query, '=');
        if (value)
            *value++ = 0;
        request_query(request, query, value);
        query = next;
    }
}

static void ask(struct request *request, enum request_method method, const char *path,
                const char *body, size_t size, void (*api)(struct request *))
{
    char copy[512];
    cJSON *json = NULL;
    const char *why;
    request->leatd = &leatd;
    request->method = method;
    snprintf(request->address, sizeof request->address, "127.0.0.1");
    snprintf(copy, sizeof copy, "%s", path);
    read_query(request, strchr(copy, '?'));
    if (method == REQUEST_PUT) {
        request->data = body;
        request->data_size = size;
    } else if (size) {
        request->body = json = json_parse(body, size, &why);
    }
    if (request_path(request, copy) && request_page(request) &&
        (json || !size || method == REQUEST_PUT)) {
        api(request);
        require(request->status >= 200 && request->status < 600);
        require(request->answer || request->answer_data || request->answer_file);
        require(request->status < 400 || json_text(request->answer, "error"));
    }
    cJSON_Delete(json);
}

/* As an administrator; the token of the answer under that name goes to where the caller wants it. */
static void make(const char *path, const char *body, const char *name, char *token)
{
    struct request request = {.token = admin_token};
    ask(&request, REQUEST_POST, path, body, strlen(body), api_admin);
    require(request.status < 300);
    if (token)
        snprintf(token, TOKEN_BYTES, "%s", json_text(request.answer, name));
    request_free(&request);
}

static void say_hello(void)
{
    static const char hello[] = "{\"uuid\": \"" UUID "\", \"macs\": [], \"version\": \"1\"}";
    struct request request = {.identity = UUID};
    ask(&request, REQUEST_POST, "/client/v1/hello", hello, sizeof hello - 1, api_client);
    const cJSON *disk = cJSON_GetArrayItem(cJSON_GetObjectItem(request.answer, "disks"), 0);
    if (request.status == 200 && disk) {
        snprintf(session_token, TOKEN_BYTES, "%s", json_text(request.answer, "session"));
        snprintf(export_token, TOKEN_BYTES, "%s", json_text(disk, "export"));
    }
    request_free(&request);
}

static void begin(void)
{
    char error[DB_ERROR_BYTES];
    snprintf(leatd.config.server, sizeof leatd.config.server, "one");
    snprintf(leatd.config.images, sizeof leatd.config.images, "/nowhere");
    leatd.config.session_term = leatd.config.lease_term = leatd.config.login_term = 1000;
    leatd.db = db_open("sqlite::memory:", error);
    require(leatd.db && schema_prepare(leatd.db, error));
    require(auth_add_admin(&leatd, "anna", "0123456789", error));
    make("/api/v1/login", "{\"name\": \"anna\", \"password\": \"0123456789\"}", "token",
         admin_token);
    make("/api/v1/images", "{\"name\": \"i\"}", NULL, NULL);
    make("/api/v1/images/i/versions",
         "{\"source\": \"nbd://h/x\", \"size\": 512, \"state\": \"published\"}", NULL, NULL);
    make("/api/v1/disks", "{\"name\": \"d\", \"image\": \"i\", \"mode\": \"server\"}", NULL, NULL);
    make("/api/v1/clients", "{\"uuid\": \"" UUID "\", \"name\": \"c\"}", NULL, NULL);
    make("/api/v1/assignments", "{\"client\": \"c\", \"disk\": \"d\"}", NULL, NULL);
    say_hello();
}

/* "xT" anywhere in the line stands for the export's name, which no fuzzer would guess. */
static void ask_plugin(const char *line, size_t size)
{
    char text[CONTROL_LINE_BYTES + TOKEN_BYTES];
    const char *mark = memmem(line, size, "xT", 2);
    if (size > CONTROL_LINE_BYTES)
        return;
    size_t before = mark ? (size_t)(mark - line) : size;
    memcpy(text, line, before);
    size_t used = before;
    if (mark) {
        memcpy(text + used, export_token, strlen(export_token));
        used += strlen(export_token);
        memcpy(text + used, mark + 2, size - before - 2);
        used += size - before - 2;
    }
    char *answer = control_answer(&leatd, text, used);
    require(!answer ||
            (answer[strlen(answer) - 1] == '\n' && strlen(answer) <= CONTROL_LINE_BYTES));
    free(answer);
}

static enum db_result forget(void *context)
{
    (void)context;
    require(db_run(leatd.db, "DELETE FROM event", NULL, 0, NULL) == DB_OK);
    require(db_run(leatd.db, "DELETE FROM audit", NULL, 0, NULL) == DB_OK);
    return db_run(leatd.db, "DELETE FROM session WHERE ended IS NOT NULL", NULL, 0, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned inputs;
    static const char methods[] = "GPURD"; // in the order of enum request_method
    char path[512];
    if (!leatd.db)
        begin();
    const char *body = memchr(data, '\n', size);
    if (!body || size < 3 || body - (const char *)data < 3)
        return 0;
    size_t rest = size - (size_t)(++body - (const char *)data);
    const char *method = data[1] ? strchr(methods, data[1]) : NULL;
    snprintf(path, sizeof path, "%.*s", (int)(body - (const char *)data - 3),
             (const char *)data + 2);
    if (data[0] == 'P') {
        ask_plugin(body, rest);
    } else if (method) {
        bool is_admin = data[0] == 'A' || data[0] == 'N';
        struct request request = {.token = data[0] == 'A'   ? admin_token
                                           : data[0] == 'C' ? session_token
                                                            : NULL,
                                  .identity = is_admin         ? NULL
                                              : data[0] == 'E' ? "enrol"
                                                               : UUID};
        ask(&request, (enum request_method)(method - methods), path, body, rest,
            is_admin ? api_admin : api_client);
        request_free(&request);
    }
    if (++inputs % 16 == 0)
        say_hello(); // the session and the export are there again, whatever was done to them
    if (inputs % 1024 == 0)
        db_transact(leatd.db, forget, NULL); // or all time goes into ever longer lists
    return 0;
}
