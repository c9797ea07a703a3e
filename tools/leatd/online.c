// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/online.h"

#include "tools/leatd/digest.h"
#include "tools/leatd/leatd.h"
#include "tools/leatd/statement.h"

/* In the order of the query's columns; the report is behind them. */
static const struct field fields[] = {
    FIELD("name", "client.name", FIELD_SHOWN, .flags = FIELD_FOUND),
    FIELD("client", "client.uuid", FIELD_SHOWN),
    FIELD("group", "client_group", FIELD_SHOWN, .flags = FIELD_FILTER),
    FIELD("session", "session.id", FIELD_SHOWN),
    FIELD("started", "started", FIELD_SHOWN),
    FIELD("renewed", "renewed", FIELD_SHOWN),
    FIELD("address", "address", FIELD_SHOWN, .flags = FIELD_FOUND),
    FIELD("version", "leat_version", FIELD_SHOWN),
    FIELD("server", "server", FIELD_SHOWN),
    FIELD(NULL, "report", FIELD_SHOWN)};

enum { NAME = 0, SESSION = 3, REPORT = sizeof fields / sizeof fields[0] - 1 };

static const struct object shown = {.fields = fields};

/* "open": somebody has it open at the server now. The row of a disk's own mode: in mode server there is one of its base, too. */
static const char disks[] =
    "SELECT disk.name, disk.mode, export.image, export.version,"
    " (SELECT COUNT(*) FROM lease WHERE lease.session = export.session AND lease.disk = disk.name)"
    " FROM export JOIN disk ON export.disk = disk.name AND export.mode = disk.mode"
    " WHERE export.session = $1 ORDER BY disk.name";

static enum db_result add_disks(struct request *request, cJSON *item, const char *session)
{
    struct db_rows rows;
    struct db_value value = db_str(session);
    enum db_result result = db_query(request->leatd->db, disks, &value, 1, &rows);
    if (result != DB_OK)
        return result;
    cJSON *list = cJSON_AddArrayToObject(item, "disks");
    for (uint32_t i = 0; i < rows.count; i++) {
        cJSON *disk = cJSON_CreateObject();
        json_add_text(disk, "name", db_text(&rows, i, 0));
        json_add_text(disk, "mode", db_text(&rows, i, 1));
        json_add_text(disk, "image", db_at(&rows, i, 2)->data);
        cJSON_AddNumberToObject(disk, "version", (double)db_number(&rows, i, 3));
        cJSON_AddBoolToObject(disk, "open", db_number(&rows, i, 4) > 0);
        cJSON_AddItemToArray(list, disk);
    }
    db_rows_free(&rows);
    return DB_OK;
}

static enum db_result show(struct request *request, const struct db_rows *rows)
{
    enum db_result result = DB_OK;
    cJSON *answer = request_answer(request, 200);
    cJSON *items = cJSON_AddArrayToObject(answer, "items");
    uint32_t count = rows->count > request->limit ? (uint32_t)request->limit : rows->count;
    for (uint32_t i = 0; i < count && result == DB_OK; i++) {
        cJSON *item = record_show(&shown, rows, i);
        cJSON_AddItemToArray(items, item);
        digest_add(item, db_at(rows, i, REPORT)->data);
        result = add_disks(request, item, db_text(rows, i, SESSION));
    }
    json_add_text(answer, "next", count < rows->count ? db_text(rows, count - 1, NAME) : NULL);
    return result;
}

enum db_result online_list(struct request *request)
{
    struct statement s = {.used = 0};
    struct db_rows rows;
    statement_say(&s, "SELECT ");
    for (unsigned i = 0; i <= REPORT; i++)
        statement_say(&s, "%s%s", i ? ", " : "", fields[i].column);
    statement_say(&s, " FROM session JOIN client ON session.client = client.uuid");
    statement_where(&s);
    statement_say(&s, "ended IS NULL");
    if (request->after) {
        statement_where(&s);
        statement_say(&s, "client.name > ");
        statement_parameter(&s, db_str(request->after));
    }
    if (!statement_filter(&s, fields, request))
        return DB_OK;
    statement_say(&s, " ORDER BY client.name LIMIT ");
    statement_parameter(&s,
                        db_int(request->limit + 1)); // one more says whether there is a next page
    enum db_result result = db_query(request->leatd->db, s.text, s.values, s.count, &rows);
    if (result != DB_OK)
        return result;
    result = show(request, &rows);
    db_rows_free(&rows);
    return result;
}
