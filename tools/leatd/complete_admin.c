// SPDX-License-Identifier: BSD-2-Clause
/* Rules of a new or changed administrator, whose password a thread hashes first. */
#include "tools/leatd/complete.h"

#include "tools/leatd/leatd.h"
#include "tools/leatd/password.h"
#include "tools/leatd/secret.h"

#include <stdio.h>

/* A password on its way to the table: argon2 takes a thread's time, not the loop's. */
struct hashing {
    struct work work;
    char password[PASSWORD_MOST + 1];
    char hash[PASSWORD_HASH_BYTES];
    bool good;
};

static void hash(struct work *work)
{
    struct hashing *h = (struct hashing *)work;
    h->good = password_hash(h->hash, h->password);
}

static void wipe(struct work *work)
{
    struct hashing *h = (struct hashing *)work;
    secret_wipe(h->password, sizeof h->password);
}

static void ask(struct request *request, const char *password)
{
    struct hashing *h = request_wait(request, WORK_PASSWORD, sizeof *h, hash);
    if (!h)
        return;
    h->work.drop = wipe;
    snprintf(h->password, sizeof h->password, "%s", password);
}

bool complete_admin(struct request *request, struct record *record, bool is_new,
                    enum db_result *result)
{
    struct db_value *password = record_value(record, &object_admins, "password");
    const struct hashing *h = request_done(request, hash);
    (void)is_new;
    if (!record->given[object_field(&object_admins, "password")])
        return true;
    if (!h) {
        ask(request, password->data);
        *result = DB_UNDONE;
        return false;
    }
    if (!h->good)
        request_refuse(request, 503, "there is no memory to hash the password");
    *password = db_str(h->hash);
    return h->good;
}

enum db_result changed_admin(struct request *request, const struct record *record, const char *key)
{
    char hash[HASH_BYTES];
    if (!record->given[object_field(&object_admins, "password")])
        return DB_OK;
    secret_hash(hash, request->token);
    struct db_value values[] = {db_str(key), db_str(hash)};
    return db_run(request->leatd->db, "DELETE FROM api_token WHERE admin = $1 AND hash <> $2",
                  values, 2, NULL);
}
