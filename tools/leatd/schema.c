// SPDX-License-Identifier: BSD-2-Clause
/*
 * Types are those that SQLite and PostgreSQL have in common: BIGINT, TEXT, BYTEA (in SQLite a column of any type
 * takes a blob). Truth values are 0 and 1; times are seconds since 1970, 0 for "never".
 */
#include "tools/leatd/schema.h"

#include <stdio.h>

static const char *const first[] = {
    "CREATE TABLE admin (name TEXT PRIMARY KEY, password TEXT NOT NULL, enabled BIGINT NOT NULL,"
    " created BIGINT NOT NULL)",
    "CREATE TABLE api_token (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE,"
    " admin TEXT NOT NULL REFERENCES admin(name) ON DELETE CASCADE, note TEXT NOT NULL,"
    " created BIGINT NOT NULL, expires BIGINT NOT NULL)",
    "CREATE TABLE client_group (name TEXT PRIMARY KEY, note TEXT NOT NULL, created BIGINT NOT "
    "NULL)",
    "CREATE TABLE client (uuid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " client_group TEXT REFERENCES client_group(name), macs TEXT NOT NULL, psk TEXT NOT NULL,"
    " enabled BIGINT NOT NULL, expires BIGINT NOT NULL, note TEXT NOT NULL, created BIGINT NOT "
    "NULL)",
    "CREATE TABLE image (name TEXT PRIMARY KEY, note TEXT NOT NULL, created BIGINT NOT NULL)",
    "CREATE TABLE image_version (image TEXT NOT NULL REFERENCES image(name), number BIGINT NOT "
    "NULL,"
    " state TEXT NOT NULL, source TEXT NOT NULL, format TEXT NOT NULL, size BIGINT NOT NULL,"
    " content TEXT, root_hash TEXT, root_blocks BIGINT, hash_source TEXT, note TEXT NOT NULL,"
    " created BIGINT NOT NULL, PRIMARY KEY (image, number))",
    "CREATE TABLE disk (name TEXT PRIMARY KEY, image TEXT REFERENCES image(name), version BIGINT,"
    " mode TEXT NOT NULL, size BIGINT NOT NULL, iops BIGINT NOT NULL, bandwidth BIGINT NOT NULL,"
    " note TEXT NOT NULL, created BIGINT NOT NULL,"
    " FOREIGN KEY (image, version) REFERENCES image_version(image, number))",
    "CREATE TABLE assignment (id TEXT PRIMARY KEY,"
    " client TEXT REFERENCES client(uuid) ON DELETE CASCADE,"
    " client_group TEXT REFERENCES client_group(name) ON DELETE CASCADE,"
    " disk TEXT NOT NULL REFERENCES disk(name), place BIGINT NOT NULL, label TEXT NOT NULL,"
    " is_default BIGINT NOT NULL, memory BIGINT NOT NULL, cpus BIGINT NOT NULL,"
    " created BIGINT NOT NULL, CHECK ((client IS NULL) <> (client_group IS NULL)))",
    "CREATE TABLE session (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE,"
    " client TEXT NOT NULL REFERENCES client(uuid) ON DELETE CASCADE, started BIGINT NOT NULL,"
    " renewed BIGINT NOT NULL, expires BIGINT NOT NULL, address TEXT NOT NULL,"
    " macs TEXT NOT NULL, leat_version TEXT NOT NULL, hardware TEXT NOT NULL,"
    " server TEXT NOT NULL, ended BIGINT, why TEXT)",
    // One client has one session that has not ended: the database itself keeps a second one out.
    "CREATE UNIQUE INDEX session_live ON session (client) WHERE ended IS NULL",
    "CREATE TABLE difference (id TEXT PRIMARY KEY, disk TEXT NOT NULL REFERENCES disk(name),"
    " client TEXT REFERENCES client(uuid), image TEXT, version BIGINT, size BIGINT NOT NULL,"
    " dropped BIGINT NOT NULL, created BIGINT NOT NULL,"
    " FOREIGN KEY (image, version) REFERENCES image_version(image, number))",
    // COALESCE, since two NULLs are not equal: one difference for a private disk.
    "CREATE UNIQUE INDEX difference_live ON difference (disk, COALESCE(client, ''))"
    " WHERE dropped = 0",
    "CREATE TABLE export (hash TEXT PRIMARY KEY,"
    " session TEXT NOT NULL REFERENCES session(id) ON DELETE CASCADE,"
    " disk TEXT NOT NULL REFERENCES disk(name) ON DELETE CASCADE, mode TEXT NOT NULL,"
    " image TEXT, version BIGINT, size BIGINT NOT NULL, difference TEXT REFERENCES difference(id),"
    " FOREIGN KEY (image, version) REFERENCES image_version(image, number))",
    "CREATE INDEX export_session ON export (session)",
    // The target is the difference's id, or the hash of a read-only export: one lease for each, ever.
    "CREATE TABLE lease (target TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " session TEXT NOT NULL REFERENCES session(id) ON DELETE CASCADE,"
    " export TEXT NOT NULL REFERENCES export(hash) ON DELETE CASCADE, disk TEXT NOT NULL,"
    " writer BIGINT NOT NULL, taken BIGINT NOT NULL, expires BIGINT NOT NULL,"
    " bytes_read BIGINT NOT NULL, bytes_written BIGINT NOT NULL)",
    "CREATE TABLE profile (image TEXT NOT NULL, version BIGINT NOT NULL, data BYTEA NOT NULL,"
    " changed BIGINT NOT NULL, PRIMARY KEY (image, version),"
    " FOREIGN KEY (image, version) REFERENCES image_version(image, number) ON DELETE CASCADE)",
    "CREATE TABLE event (id TEXT PRIMARY KEY, at BIGINT NOT NULL, kind TEXT NOT NULL,"
    " client TEXT, address TEXT NOT NULL, message TEXT NOT NULL)",
    "CREATE TABLE audit (id TEXT PRIMARY KEY, at BIGINT NOT NULL, who TEXT NOT NULL,"
    " address TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, before TEXT, after TEXT)",
    "CREATE TABLE server (name TEXT PRIMARY KEY, started BIGINT NOT NULL, alive BIGINT NOT NULL)",
    NULL};

// Whether the plugin has confirmed the file: from then on a file that is not there is lost, and not new.
static const char *const second[] = {
    "ALTER TABLE difference ADD COLUMN made BIGINT NOT NULL DEFAULT 0", NULL};

// What a machine needs beside its disks, windows of enrolment, reports, and sessions that may live again.
static const char *const third[] = {
    "ALTER TABLE image_version ADD COLUMN kernel TEXT",
    "ALTER TABLE image_version ADD COLUMN kernel_size BIGINT",
    "ALTER TABLE image_version ADD COLUMN kernel_sha256 TEXT",
    "ALTER TABLE image_version ADD COLUMN initrd TEXT",
    "ALTER TABLE image_version ADD COLUMN initrd_size BIGINT",
    "ALTER TABLE image_version ADD COLUMN initrd_sha256 TEXT",
    "ALTER TABLE image_version ADD COLUMN cmdline TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE client_group ADD COLUMN menu_timeout BIGINT",
    "ALTER TABLE assignment ADD COLUMN start_mode TEXT NOT NULL DEFAULT 'menu'",
    // Names of the disks that the client started last, separated by blanks.
    "ALTER TABLE client ADD COLUMN chosen TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE session ADD COLUMN report TEXT",
    // 1: nothing but silence has ended it; its exports are in export_kept.
    "ALTER TABLE session ADD COLUMN expired BIGINT NOT NULL DEFAULT 0",
    // Whose writer opened it last: what another session has written since, a silent machine must not write over.
    "ALTER TABLE difference ADD COLUMN session TEXT",
    // The hash of the boot profile that the session was told of.
    "ALTER TABLE export ADD COLUMN profile TEXT",
    // Without references: what a silent machine had keeps nobody from removing anything.
    "CREATE TABLE export_kept (hash TEXT PRIMARY KEY,"
    " session TEXT NOT NULL REFERENCES session(id) ON DELETE CASCADE, disk TEXT NOT NULL,"
    " mode TEXT NOT NULL, image TEXT, version BIGINT, size BIGINT NOT NULL, difference TEXT,"
    " profile TEXT)",
    "CREATE INDEX export_kept_session ON export_kept (session)",
    "CREATE TABLE enrolment (id TEXT PRIMARY KEY,"
    " client_group TEXT REFERENCES client_group(name) ON DELETE CASCADE,"
    " client TEXT REFERENCES client(uuid) ON DELETE CASCADE, admin TEXT NOT NULL,"
    " seconds BIGINT NOT NULL, expires BIGINT NOT NULL, places BIGINT NOT NULL,"
    " used BIGINT NOT NULL, created BIGINT NOT NULL)",
    // What each client needed in its last boot, and what leatd has made of these.
    "DROP TABLE profile",
    "CREATE TABLE profile_part (id TEXT PRIMARY KEY, image TEXT NOT NULL, version BIGINT NOT NULL,"
    " size BIGINT NOT NULL, client TEXT NOT NULL REFERENCES client(uuid) ON DELETE CASCADE,"
    " blocks BIGINT NOT NULL, data BYTEA NOT NULL, changed BIGINT NOT NULL,"
    " UNIQUE (image, version, size, client), FOREIGN KEY (image, version)"
    " REFERENCES image_version(image, number) ON DELETE CASCADE)",
    "CREATE TABLE profile_merged (image TEXT NOT NULL, version BIGINT NOT NULL,"
    " size BIGINT NOT NULL, sha256 TEXT NOT NULL, data BYTEA NOT NULL, state TEXT NOT NULL,"
    " changed BIGINT NOT NULL, PRIMARY KEY (image, version, size, sha256),"
    " FOREIGN KEY (image, version) REFERENCES image_version(image, number) ON DELETE CASCADE)",
    NULL};

// Several servers: which of them has a lease, and where each is reached.
static const char *const fourth[] = {
    "ALTER TABLE lease ADD COLUMN server TEXT NOT NULL DEFAULT ''",
    "UPDATE lease SET server = (SELECT server FROM session WHERE session.id = lease.session)",
    "ALTER TABLE server ADD COLUMN exports TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE server ADD COLUMN lost BIGINT NOT NULL DEFAULT 0", NULL};

// Which process has a server's name, and how often it has noted that it is alive. And what is looked for by something else than
// its key, also when rows that others refer to are removed.
static const char *const fifth[] = {
    "ALTER TABLE server ADD COLUMN instance TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE server ADD COLUMN beat BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE server ADD COLUMN place TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX client_in_group ON client (client_group)",
    "CREATE INDEX assignment_client ON assignment (client)",
    "CREATE INDEX assignment_group ON assignment (client_group)",
    "CREATE INDEX assignment_disk ON assignment (disk)",
    "CREATE INDEX session_client ON session (client)",
    "CREATE INDEX session_ended ON session (ended)",
    "CREATE INDEX difference_client ON difference (client)",
    "CREATE INDEX difference_version ON difference (image, version)",
    "CREATE INDEX export_difference ON export (difference)",
    "CREATE INDEX export_disk ON export (disk)",
    "CREATE INDEX export_version ON export (image, version)",
    "CREATE INDEX lease_session ON lease (session)",
    "CREATE INDEX lease_export ON lease (export)",
    "CREATE INDEX disk_version ON disk (image, version)",
    "CREATE INDEX profile_part_client ON profile_part (client)",
    "CREATE INDEX enrolment_client ON enrolment (client)",
    "CREATE INDEX api_token_admin ON api_token (admin)",
    "CREATE INDEX event_kind ON event (kind, id)",
    "CREATE INDEX event_client ON event (client, id)",
    NULL};

// Files of the image folder that no version has yet (brought.h).
static const char *const sixth[] = {
    "CREATE TABLE brought (name TEXT PRIMARY KEY, since BIGINT NOT NULL, dropping BIGINT NOT NULL)",
    NULL};

// Which process removes one (server.instance), and whether a whole file of that name is the import's own.
static const char *const seventh[] = {
    "ALTER TABLE brought ADD COLUMN remover TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE brought ADD COLUMN whole BIGINT NOT NULL DEFAULT 0", NULL};

static const char *const *const migrations[SCHEMA_VERSION] = {first, second, third,  fourth,
                                                              fifth, sixth,  seventh};

struct preparation {
    struct db *db;
    int64_t found;
};

static enum db_result run_step(struct db *db, const char *const *statements)
{
    enum db_result result = DB_OK;
    for (; *statements && result == DB_OK; statements++)
        result = db_run(db, *statements, NULL, 0, NULL);
    return result;
}

static enum db_result find_version(struct preparation *p)
{
    struct db_rows rows;
    enum db_result result =
        db_run(p->db, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)", NULL,
               0, NULL);
    if (result == DB_OK)
        result = db_query(p->db, "SELECT version FROM schema_version", NULL, 0, &rows);
    if (result != DB_OK)
        return result;
    p->found = rows.count ? db_number(&rows, 0, 0) : 0;
    db_rows_free(&rows);
    return DB_OK;
}

static enum db_result prepare(void *context)
{
    struct preparation *p = context;
    enum db_result result = find_version(p);
    if (result != DB_OK || p->found >= SCHEMA_VERSION)
        return result;
    for (int64_t i = p->found; i < SCHEMA_VERSION && result == DB_OK; i++)
        result = run_step(p->db, migrations[i]);
    if (result == DB_OK)
        result = db_run(p->db, "DELETE FROM schema_version", NULL, 0, NULL);
    struct db_value now = db_int(SCHEMA_VERSION);
    if (result == DB_OK)
        result = db_run(p->db, "INSERT INTO schema_version (version) VALUES ($1)", &now, 1, NULL);
    return result;
}

bool schema_prepare(struct db *db, char *error)
{
    struct preparation p = {.db = db};
    if (db_transact(db, prepare, &p) != DB_OK) {
        snprintf(error, DB_ERROR_BYTES, "the database's tables cannot be made: %.200s",
                 db_error(db));
        return false;
    }
    if (p.found > SCHEMA_VERSION) {
        snprintf(
            error, DB_ERROR_BYTES,
            "the database is of a newer leatd (schema %d, this one knows %d): install that one",
            (int)p.found, SCHEMA_VERSION);
        return false;
    }
    return true;
}
