// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/journal.h"

#include "tools/leatd/check.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/secret.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static enum db_result add(struct leatd *leatd, const char *kind, const char *client,
                          const char *address, const char *format, va_list arguments)
{
    char message[256], line[400], id[ID_BYTES];
    vsnprintf(message, sizeof message, format, arguments);
    message[check_cut(message, sizeof message - 2)] = 0;
    snprintf(line, sizeof line, "%s: %s (%s)", kind, message, address);
    db_say(leatd->db, line);
    secret_id(id);
    struct db_value values[] = {db_str(id),     db_int(leatd_now()), db_str(kind),
                                db_str(client), db_str(address),     db_str(message)};
    return db_run(leatd->db,
                  "INSERT INTO event (id, at, kind, client, address, message)"
                  " VALUES ($1, $2, $3, $4, $5, $6)",
                  values, 6, NULL);
}

enum db_result journal_event(struct leatd *leatd, const char *kind, const char *client,
                             const char *address, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    enum db_result result = add(leatd, kind, client, address, format, arguments);
    va_end(arguments);
    return result;
}

enum db_result journal_refused(struct leatd *leatd, const char *client, const char *address,
                               const char *format, ...)
{
    va_list arguments;
    db_may_lag(leatd->db);
    va_start(arguments, format);
    enum db_result result = add(leatd, "refused", client, address, format, arguments);
    va_end(arguments);
    return result;
}

enum db_result journal_audit(const struct request *request, const char *action, const char *object,
                             const cJSON *before, const cJSON *after)
{
    char id[ID_BYTES];
    char *old = before ? cJSON_PrintUnformatted(before) : NULL;
    char *new = after ? cJSON_PrintUnformatted(after) : NULL;
    secret_id(id);
    struct db_value values[] = {
        db_str(id),     db_int(leatd_now()), db_str(request->who), db_str(request->address),
        db_str(action), db_str(object),      db_str(old),          db_str(new)};
    enum db_result result =
        db_run(request->leatd->db,
               "INSERT INTO audit (id, at, who, address, action, object, before, after)"
               " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
               values, 8, NULL);
    cJSON_free(old);
    cJSON_free(new);
    return result;
}

enum db_result journal_trim(struct leatd *leatd)
{
    struct db_value most = db_int(JOURNAL_EVENTS);
    return db_run(leatd->db,
                  "DELETE FROM event WHERE id <="
                  " (SELECT id FROM event ORDER BY id DESC LIMIT 1 OFFSET $1)",
                  &most, 1, NULL);
}
