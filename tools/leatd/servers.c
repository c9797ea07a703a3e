// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/servers.h"

#include "tools/leatd/identity.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"

#include <stdio.h>
#include <string.h>

#define FORGET (7 * 86400) // seconds after which nobody waits for a server any more
#define CLOCKS 2           // seconds that two servers' clocks may be apart

/* The columns of known. */
enum { NAME, ALIVE, LOST, EXPORTS, INSTANCE, BEAT };

static const char known[] = "SELECT name, alive, lost, exports, instance, beat FROM server"
                            " ORDER BY name";

static const char sessions_longer[] = "UPDATE session SET expires = $3 WHERE ended IS NULL AND"
                                      " expires > $2 AND (server = $1 OR $1 = '')";
static const char leases_longer[] =
    "UPDATE lease SET expires = $3 WHERE expires > $2 AND (server = $1 OR $1 = '')";

int64_t servers_away(const struct config *config)
{
    int64_t term =
        config->session_term < config->lease_term ? config->session_term : config->lease_term;
    return term >= 60 ? 15 : term >= 8 ? term / 4 : 2;
}

int64_t servers_lost(const struct config *config)
{
    return 2 * servers_away(config) + 1;
}

/* A whole term for all of a server's ("": everybody's) that lived then; also less than they have, after a clock was set back. */
static enum db_result prolong(struct leatd *leatd, const char *server, int64_t alive)
{
    int64_t now = leatd_now();
    const struct config *config = &leatd->config;
    struct db_value values[] = {db_str(server), db_int(alive), db_int(now + config->session_term)};
    enum db_result result = db_run(leatd->db, sessions_longer, values, 3, NULL);
    values[2] = db_int(now + config->lease_term);
    return result == DB_OK ? db_run(leatd->db, leases_longer, values, 3, NULL) : result;
}

static enum db_result note(struct leatd *leatd, bool is_new)
{
    char exports[sizeof leatd->config.servers + CONFIG_SERVERS];
    int64_t now = leatd_now();
    size_t used = 0;
    exports[0] = 0;
    for (uint32_t i = 0; i < leatd->config.server_count; i++)
        used += (size_t)snprintf(exports + used, sizeof exports - used, "%s%s", i ? "," : "",
                                 leatd->config.servers[i]);
    struct db_value values[] = {
        db_str(leatd->config.server), db_int(now),         db_str(exports), db_int(leatd->beat),
        db_str(leatd->instance),      db_str(leatd->place)};
    return db_run(leatd->db,
                  is_new
                      ? "INSERT INTO server (name, started, alive, exports, lost, beat, instance,"
                        " place) VALUES ($1, $2, $2, $3, 0, $4, $5, $6)"
                      : "UPDATE server SET alive = $2, exports = $3, lost = 0, beat = $4"
                        " WHERE name = $1",
                  values, is_new ? 6 : 4, NULL);
}

static enum db_result set_lost(struct leatd *leatd, const char *name, int64_t alive)
{
    struct db_value value = db_str(name);
    enum db_result result =
        db_run(leatd->db, "UPDATE server SET lost = 1 WHERE name = $1", &value, 1, NULL);
    return result == DB_OK ? journal_event(leatd, "server", NULL, "local",
                                           "server %s is away: nothing was heard of it for %lld s",
                                           name, (long long)(leatd_now() - alive))
                           : result;
}

/* Leases are judged by whoever is there: clocks that are apart would let one take what is another's. */
static enum db_result warn_of_clock(struct leatd *leatd, const char *name, int64_t alive)
{
    int64_t ahead = alive - leatd_now();
    if (ahead <= CLOCKS || leatd->has_warned_of_clock)
        return DB_OK;
    leatd->has_warned_of_clock = true;
    return journal_event(leatd, "server", NULL, "local",
                         "the clock of server %s is %lld s ahead of this one's: let both be set "
                         "by the same time server",
                         name, (long long)ahead);
}

static enum db_result look_at_others(struct leatd *leatd, const struct db_rows *rows)
{
    enum db_result result = DB_OK;
    uint32_t others = 0;
    for (uint32_t i = 0; i < rows->count && result == DB_OK; i++) {
        const char *name = db_text(rows, i, NAME);
        int64_t alive = db_number(rows, i, ALIVE);
        if (!strcmp(name, leatd->config.server))
            continue;
        others++;
        if (leatd_now() - alive > servers_lost(&leatd->config) && !db_number(rows, i, LOST))
            result = set_lost(leatd, name, alive);
        if (result == DB_OK)
            result = warn_of_clock(leatd, name, alive);
    }
    leatd->has_others = others && !strncmp(leatd->config.database, "postgresql:", 11);
    return result;
}

static enum db_result look(struct leatd *leatd, const struct db_rows *rows, bool away)
{
    const char *own = leatd->config.server;
    int64_t now = leatd_now(), most = servers_away(&leatd->config), mine = 0, newest = 0;
    bool is_known = false, was_lost = false, holds = true;
    for (uint32_t i = 0; i < rows->count; i++) {
        int64_t alive = db_number(rows, i, ALIVE);
        newest = alive > newest ? alive : newest;
        if (strcmp(db_text(rows, i, NAME), own))
            continue;
        is_known = true;
        mine = alive;
        was_lost = db_number(rows, i, LOST);
        holds = identity_holds(leatd, db_text(rows, i, INSTANCE), db_number(rows, i, BEAT));
    }
    if (!holds)
        return DB_UNDONE;
    enum db_result result = DB_OK;
    if (rows->count && now - newest > most)
        result = prolong(leatd, "", newest);
    else if (is_known && (away || now < mine || now - mine > most))
        result = prolong(leatd, own, mine);
    if (result == DB_OK)
        result = note(leatd, !is_known);
    if (result == DB_OK && was_lost)
        result = journal_event(leatd, "server", NULL, "local", "server %s is back", own);
    return result == DB_OK ? look_at_others(leatd, rows) : result;
}

enum db_result servers_alive(struct leatd *leatd, bool away)
{
    struct db_rows rows;
    struct db_value old = db_int(leatd_now() - FORGET);
    enum db_result result = db_query(leatd->db, known, NULL, 0, &rows);
    if (result != DB_OK)
        return result;
    result = look(leatd, &rows, away);
    db_rows_free(&rows);
    return result == DB_OK ? db_run(leatd->db, "DELETE FROM server WHERE alive < $1", &old, 1, NULL)
                           : result;
}

static uint32_t number_of(const char *text)
{
    uint32_t hash = 2166136261u; // FNV-1a: any spread will do
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash ^ hash >> 16;
}

/* What commas separate. */
static void add_addresses(cJSON *addresses, const char *list)
{
    char one[sizeof((struct config *)0)->servers[0]];
    while (*list && cJSON_GetArraySize(addresses) < (int)CONFIG_SERVERS) {
        size_t size = strcspn(list, ",");
        snprintf(one, sizeof one, "%.*s", (int)size, list);
        cJSON_AddItemToArray(addresses, cJSON_CreateString(one));
        list += size + (list[size] == ',');
    }
}

enum db_result servers_offer(struct leatd *leatd, const char *client, cJSON *addresses)
{
    struct db_rows rows;
    struct db_value since = db_int(leatd_now() - servers_lost(&leatd->config));
    enum db_result result = db_query(
        leatd->db, "SELECT exports FROM server WHERE alive >= $1 AND exports <> '' ORDER BY name",
        &since, 1, &rows);
    if (result != DB_OK)
        return result;
    uint32_t first = rows.count ? number_of(client) % rows.count : 0;
    for (uint32_t i = 0; i < rows.count; i++)
        add_addresses(addresses, db_text(&rows, (first + i) % rows.count, 0));
    db_rows_free(&rows);
    return DB_OK;
}

enum db_result servers_show(struct leatd *leatd, cJSON *list)
{
    struct db_rows rows;
    enum db_result result = db_query(leatd->db, known, NULL, 0, &rows);
    if (result != DB_OK)
        return result;
    for (uint32_t i = 0; i < rows.count; i++) {
        cJSON *server = cJSON_CreateObject();
        int64_t alive = db_number(&rows, i, ALIVE);
        cJSON_AddStringToObject(server, "name", db_text(&rows, i, NAME));
        cJSON_AddNumberToObject(server, "alive", (double)alive);
        cJSON_AddBoolToObject(server, "lost", leatd_now() - alive > servers_lost(&leatd->config));
        cJSON_AddStringToObject(server, "addresses", db_text(&rows, i, EXPORTS));
        cJSON_AddItemToArray(list, server);
    }
    db_rows_free(&rows);
    return DB_OK;
}
