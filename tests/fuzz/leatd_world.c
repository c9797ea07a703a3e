// SPDX-License-Identifier: BSD-2-Clause
#include "tests/fuzz/leatd_world.h"

#include "tools/leatd/api.h"
#include "tools/leatd/auth.h"
#include "tools/leatd/password.h"
#include "tools/leatd/schema.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKS 8 // of threads that one request may need

struct leatd world;
char world_admin[TOKEN_BYTES], world_session[TOKEN_BYTES];
char world_export[TOKEN_BYTES], world_tree[TOKEN_BYTES];

void require(int truth)
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

/* Files are written, but no disk is waited for. */
int fsync(int file)
{
    return file < 0;
}

int fdatasync(int file)
{
    return file < 0;
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

void world_ask(struct request *request, enum request_method method, const char *path,
               const char *body, size_t size, void (*api)(struct request *))
{
    char copy[512];
    cJSON *json = NULL;
    const char *why;
    request->leatd = &world;
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
        for (unsigned i = 0; request->waits && !request->status && i < WORKS; i++) {
            request->work->run(request->work);
            request->waits = false;
            api(request);
        }
        require(request->status >= 200 && request->status < 600);
        require(request->answer || request->answer_data || request->answer_file);
        require(request->status < 400 || json_text(request->answer, "error"));
    }
    cJSON_Delete(json);
}

/* As an administrator; the token of the answer under that name goes to where the caller wants it. */
static void make(const char *path, const char *body, const char *name, char *token)
{
    struct request request = {.token = world_admin};
    world_ask(&request, REQUEST_POST, path, body, strlen(body), api_admin);
    require(request.status < 300);
    if (token)
        snprintf(token, TOKEN_BYTES, "%s", json_text(request.answer, name));
    request_free(&request);
}

static void say_hello(void)
{
    static const char hello[] = "{\"uuid\": \"" WORLD_UUID "\", \"macs\": [], \"version\": \"1\"}";
    struct request request = {.identity = WORLD_UUID};
    world_ask(&request, REQUEST_POST, "/client/v1/hello", hello, sizeof hello - 1, api_client);
    const cJSON *disk = cJSON_GetArrayItem(cJSON_GetObjectItem(request.answer, "disks"), 0);
    if (request.status == 200 && disk) {
        snprintf(world_session, TOKEN_BYTES, "%s", json_text(request.answer, "session"));
        snprintf(world_export, TOKEN_BYTES, "%s", json_text(disk, "export"));
        const char *tree = json_text(disk, "tree"); // none, if its version has been deleted
        snprintf(world_tree, TOKEN_BYTES, "%s", tree ? tree : "x.none");
    }
    request_free(&request);
}

/* The file of a hash tree of one block, which is its superblock alone (vdisk/verity/verity.h). */
static void make_tree(void)
{
    static const uint8_t numbers[] = {[0] = 1, [4] = 1};
    uint8_t block[4096] = "verity";
    char path[CONFIG_PATH_BYTES + 8];
    memcpy(block + 8, numbers, sizeof numbers);
    memcpy(block + 32, "sha256", 6);
    block[65] = block[69] = 0x10; // blocks of 4096 bytes
    block[72] = 1;                // and one of them
    snprintf(path, sizeof path, "%s/t", world.config.images);
    FILE *file = fopen(path, "w");
    require(file && fwrite(block, sizeof block, 1, file) == 1 && !fclose(file));
}

static void begin(void)
{
    static char folder[] = "fuzz-images-XXXXXX";
    char error[DB_ERROR_BYTES];
    snprintf(world.config.server, sizeof world.config.server, "one");
    require(mkdtemp(folder) != NULL);
    snprintf(world.config.images, sizeof world.config.images, "%s", folder);
    world.config.session_term = world.config.lease_term = world.config.login_term = 1000;
    world.db = db_open("sqlite::memory:", error);
    require(world.db && schema_prepare(world.db, error));
    require(auth_add_admin(&world, "anna", "0123456789", error));
    make("/api/v1/login", "{\"name\": \"anna\", \"password\": \"0123456789\"}", "token",
         world_admin);
    make("/api/v1/images", "{\"name\": \"i\"}", NULL, NULL);
    make_tree();
    make("/api/v1/images/i/versions",
         "{\"source\": \"nbd://h/x\", \"size\": 4096, \"state\": \"published\", \"root_blocks\": 1,"
         " \"root_hash\": \"abababababababababababababababababababababababababababababababab\","
         " \"hash_source\": \"t\"}",
         NULL, NULL);
    make("/api/v1/disks", "{\"name\": \"d\", \"image\": \"i\", \"mode\": \"server\"}", NULL, NULL);
    make("/api/v1/clients", "{\"uuid\": \"" WORLD_UUID "\", \"name\": \"c\"}", NULL, NULL);
    make("/api/v1/assignments", "{\"client\": \"c\", \"disk\": \"d\"}", NULL, NULL);
    say_hello();
}

static enum db_result forget(void *context)
{
    (void)context;
    require(db_run(world.db, "DELETE FROM event", NULL, 0, NULL) == DB_OK);
    require(db_run(world.db, "DELETE FROM audit", NULL, 0, NULL) == DB_OK);
    return db_run(world.db, "DELETE FROM session WHERE ended IS NOT NULL", NULL, 0, NULL);
}

static void empty_folder(void)
{
    char path[CONFIG_PATH_BYTES + 300];
    DIR *list = opendir(world.config.images);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        snprintf(path, sizeof path, "%s/%s", world.config.images, entry->d_name);
        unlink(path); // not the two that are folders
    }
    if (list)
        closedir(list);
}

static void end(void)
{
    empty_folder();
    rmdir(world.config.images);
}

void world_next(void)
{
    static unsigned inputs;
    if (!world.db) {
        begin();
        atexit(end);
    }
    if (++inputs % 16 == 0)
        say_hello(); // the session and the export are there again, whatever was done to them
    if (inputs % 1024 == 0) {
        db_transact(world.db, forget, NULL); // or all time goes into ever longer lists
        empty_folder();
        make_tree();
    }
}
