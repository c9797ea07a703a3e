// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/api.h"

#include "tools/leatd/auth.h"
#include "tools/leatd/care.h"
#include "tools/leatd/enrol.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/manage.h"
#include "tools/leatd/object.h"
#include "tools/leatd/online.h"
#include "tools/leatd/profile.h"
#include "tools/leatd/session.h"
#include "tools/leatd/start.h"
#include "tools/leatd/upload.h"

#include <string.h>

typedef enum db_result (*handler)(struct request *request);

struct job {
    struct request *request;
    handler run;
};

static enum db_result body(void *context)
{
    struct job *job = context;
    job->request->who[0] = 0;
    request_repeat(job->request);
    return job->run(job->request);
}

static void in_transaction(struct request *request, handler run)
{
    struct job job = {request, run};
    enum db_result result = care_transact(request->leatd, body, &job);
    if (result == DB_OK || (result == DB_UNDONE && (request->status >= 400 || request->waits)))
        return;
    leatd_log("%s: %s", request->segments[2] ? request->segments[2] : "api",
              db_error(request->leatd->db));
    request_refuse(request, 503, "the database cannot be used now");
}

static bool is_path(const struct request *request, const char *a, const char *b)
{
    const char *const *s = request->segments;
    return s[0] && s[1] && !strcmp(s[0], a) && !strcmp(s[1], b) && s[2];
}

static void refuse_path(struct request *request)
{
    request_refuse(request, 404, "there is nothing of that name here");
}

static const struct object *find(const struct object *const *list, const char *path)
{
    while (*list && strcmp((*list)->path, path))
        list++;
    return *list;
}

/* /images/NAME/versions[/N[/profile]] */
static enum db_result versions(struct request *request)
{
    const char *const *s = request->segments + 2;
    if (s[3] && s[4] && !s[5] && !strcmp(s[4], "profile"))
        return profile_of_version(request, s[1], s[3]);
    if (s[3] && s[4]) {
        refuse_path(request);
        return DB_OK;
    }
    return object_handle(request, &object_versions, s[1], s[3]);
}

static enum db_result file(struct request *request, const char *name)
{
    if (request->method == REQUEST_PUT)
        return upload_piece(request, name);
    if (request->method == REQUEST_GET)
        return upload_show(request, name);
    if (request->method == REQUEST_DELETE)
        return upload_drop(request, name);
    refuse_path(request);
    return DB_OK;
}

static enum db_result dispatch(struct request *request)
{
    const char *const *s = request->segments + 2;
    enum request_method method = request->method;
    const struct object *object = find(objects, s[0]);
    if (!object)
        object = find(object_logs, s[0]);
    if (object && (!s[1] || !s[2])) {
        if (method == REQUEST_DELETE && s[1] && manage_knows(s[0]))
            return manage_remove(request, s[0], s[1]);
        return object_handle(request, object, NULL, s[1]);
    }
    if (object && s[1] && !strcmp(s[0], "images") && !strcmp(s[2], "versions"))
        return versions(request);
    if ((method == REQUEST_POST || method == REQUEST_DELETE) && s[1] && s[2] && !s[3] &&
        !strcmp(s[0], "clients") && !strcmp(s[2], "key"))
        return manage_key(request, s[1]);
    if (s[1] && !s[2] && !strcmp(s[0], "files"))
        return file(request, s[1]);
    if (method == REQUEST_POST && !s[1] && !strcmp(s[0], "files"))
        return upload_claim(request);
    if (method == REQUEST_GET && !s[1] && !strcmp(s[0], "status"))
        return manage_status(request);
    if (method == REQUEST_GET && !s[1] && !strcmp(s[0], "online"))
        return online_list(request);
    if (method == REQUEST_POST && !s[1] && !strcmp(s[0], "logout"))
        return auth_logout(request);
    refuse_path(request);
    return DB_OK;
}

static enum db_result admin(struct request *request)
{
    bool found;
    enum db_result result = auth_check(request, &found);
    return result == DB_OK && found ? dispatch(request) : result;
}

void api_admin(struct request *request)
{
    const char *const *s = request->segments + 2;
    if (!is_path(request, "api", "v1"))
        refuse_path(request);
    else if (!strcmp(s[0], "login") && !s[1] && request->method == REQUEST_POST)
        auth_login(request);
    else
        in_transaction(request, admin);
    if (request->method != REQUEST_GET && request->status >= 200 && request->status < 300 &&
        !strcmp(s[0], "clients"))
        request->leatd->keys_changed = true;
}

/* DISK/kernel, DISK/initrd, DISK/profile */
static handler file_handler(const char *const *s)
{
    if (!s[1] || !s[2] || s[3])
        return NULL;
    if (!strcmp(s[2], "profile"))
        return profile_of_session;
    return !strcmp(s[2], "kernel") || !strcmp(s[2], "initrd") ? start_file : NULL;
}

static handler client_handler(const struct request *request)
{
    const char *const *s = request->segments + 2;
    bool post = request->method == REQUEST_POST && !s[1];
    if (!strcmp(s[0], "profile") && s[1] && !s[2])
        return profile_of_session;
    if (!strcmp(s[0], "file") && request->method == REQUEST_GET)
        return file_handler(s);
    static const struct {
        const char *name;
        handler run;
    } posts[] = {{"hello", session_hello},
                 {"renew", session_renew},
                 {"bye", session_bye},
                 {"chosen", start_chosen},
                 {"enrol", enrol}};
    for (unsigned i = 0; post && i < sizeof posts / sizeof posts[0]; i++)
        if (!strcmp(s[0], posts[i].name))
            return posts[i].run;
    return NULL;
}

void api_client(struct request *request)
{
    handler run = is_path(request, "client", "v1") ? client_handler(request) : NULL;
    if (run)
        in_transaction(request, run);
    else
        refuse_path(request);
}

static enum db_result check_session(struct request *request)
{
    struct session session;
    bool found;
    return session_find(request, &session, &found);
}

bool api_client_may_send(struct request *request)
{
    if (request->method != REQUEST_PUT)
        return true;
    if (is_path(request, "client", "v1") && client_handler(request) == profile_of_session)
        in_transaction(request, check_session);
    else
        refuse_path(request);
    return !request->status;
}

static enum db_result check_admin(struct request *request)
{
    bool found;
    return auth_check(request, &found);
}

bool api_admin_sends_file(struct request *request)
{
    const char *const *s = request->segments + 2;
    if (request->status || request->method != REQUEST_PUT || !is_path(request, "api", "v1") ||
        strcmp(s[0], "files") || !s[1] || s[2])
        return false;
    in_transaction(request, check_admin);
    return !request->status;
}
