// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/tls.h"

#include "tools/leatd/leatd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// Times as long as writing took, if that was long: adding thousands of clients one by one shall not be slow.
#define KEYS_REST 9
#define KEYS_LONG 10 // ms

struct search {
    struct leatd *leatd;
    const char *identity;
    uint8_t *key;
    bool found;
};

static enum db_result search(void *context)
{
    struct search *s = context;
    struct db_rows rows;
    struct db_value uuid = db_str(s->identity);
    enum db_result result =
        db_query(s->leatd->db, "SELECT psk FROM client WHERE uuid = $1", &uuid, 1, &rows);
    if (result != DB_OK)
        return result;
    s->found = rows.count && secret_unhex(s->key, KEY_BYTES, db_text(&rows, 0, 0));
    db_rows_free(&rows);
    return DB_OK;
}

bool tls_find_key(struct leatd *leatd, const char *identity, uint8_t key[KEY_BYTES])
{
    struct search s = {.leatd = leatd, .identity = identity, .key = key};
    if (!strcmp(identity, TLS_ENROL_IDENTITY)) {
        memcpy(key, leatd->enrol_key, KEY_BYTES);
        return true;
    }
    if (db_transact(leatd->db, search, &s) == DB_OK && s.found)
        return true;
    secret_random(key, KEY_BYTES);
    return false;
}

bool tls_is_key(const struct request *request, const char *key)
{
    char hash[HASH_BYTES];
    secret_hash(hash, key);
    return request->key_hash && !strcmp(hash, request->key_hash);
}

struct listing {
    struct leatd *leatd;
    struct db_rows rows;
};

static enum db_result list(void *context)
{
    struct listing *l = context;
    struct db_value now = db_int(leatd_now());
    return db_query(l->leatd->db,
                    "SELECT uuid, psk FROM client WHERE enabled = 1 AND psk <> ''"
                    " AND (expires = 0 OR expires > $1) ORDER BY uuid",
                    &now, 1, &l->rows);
}

/* Lines of IDENTITY:HEX, as GnuTLS' psktool writes them. From malloc; NULL if there is no memory. */
static char *print_keys(const struct db_rows *rows, size_t *size)
{
    size_t room = (size_t)rows->count * (40 + KEY_TEXT_BYTES) + 1;
    char *text = malloc(room);
    *size = 0;
    if (!text)
        return NULL;
    text[0] = 0;
    for (uint32_t i = 0; i < rows->count; i++)
        *size += (size_t)snprintf(text + *size, room - *size, "%s:%s\n", db_text(rows, i, 0),
                                  db_text(rows, i, 1));
    return text;
}

/* By rename, so that nobody reads half of it. Not synced: it is written again at the next start. */
static bool write_file(const struct leatd *leatd, const char *text, size_t size)
{
    char path[CONFIG_PATH_BYTES + 16], fresh[CONFIG_PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/nbd.psk", leatd->config.folder);
    snprintf(fresh, sizeof fresh, "%s/nbd.psk.new", leatd->config.folder);
    int file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = file >= 0 && write(file, text, size) == (ssize_t)size;
    if (file >= 0)
        ok = !close(file) && ok;
    return ok && !rename(fresh, path);
}

static void write_keys(struct leatd *leatd)
{
    struct listing l = {.leatd = leatd};
    char hash[HASH_BYTES];
    size_t size;
    if (db_transact(leatd->db, list, &l) != DB_OK) {
        leatd_log("the keys for nbdkit cannot be read: %s", db_error(leatd->db));
        return;
    }
    char *text = print_keys(&l.rows, &size);
    db_rows_free(&l.rows);
    if (!text)
        return;
    secret_hash(hash, text);
    if (strcmp(hash, leatd->keys_hash)) {
        if (write_file(leatd, text, size))
            memcpy(leatd->keys_hash, hash, sizeof hash);
        else
            leatd_log("%s/nbd.psk cannot be written: %s", leatd->config.folder, strerror(errno));
    }
    leatd->keys_changed = false;
    secret_wipe(text, size);
    free(text);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void tls_write_keys(struct leatd *leatd)
{
    int64_t begun = now_ms();
    write_keys(leatd);
    int64_t ended = now_ms(), failed = leatd->keys_changed ? 1000 : 0;
    leatd->keys_rest =
        ended + failed + (ended - begun < KEYS_LONG ? 0 : KEYS_REST * (ended - begun));
}

int tls_keys_wait(const struct leatd *leatd, int most)
{
    int64_t left = leatd->keys_changed ? leatd->keys_rest - now_ms() : most;
    return left < 0 ? 0 : left < most ? (int)left : most;
}
