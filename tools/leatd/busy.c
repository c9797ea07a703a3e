// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/busy.h"

#include "tools/leatd/leatd.h"

/* The target of a lease that writes is a difference. */
static const char held[] =
    "SELECT export.disk, client.name FROM export JOIN lease ON lease.target = export.difference"
    " JOIN session ON lease.session = session.id JOIN client ON session.client = client.uuid"
    " WHERE export.session = $1 AND lease.session <> $1 AND lease.expires > $2"
    " ORDER BY export.disk LIMIT 8";

enum db_result busy_add(struct leatd *leatd, const char *session, cJSON *answer)
{
    struct db_rows rows;
    struct db_value values[] = {db_str(session), db_int(leatd_now())};
    enum db_result result = db_query(leatd->db, held, values, 2, &rows);
    if (result != DB_OK)
        return result;
    cJSON *list = rows.count ? cJSON_AddArrayToObject(answer, "busy") : NULL;
    for (uint32_t i = 0; i < rows.count; i++) {
        cJSON *disk = cJSON_CreateObject();
        cJSON_AddStringToObject(disk, "disk", db_text(&rows, i, 0));
        cJSON_AddStringToObject(disk, "holder", db_text(&rows, i, 1));
        cJSON_AddItemToArray(list, disk);
    }
    db_rows_free(&rows);
    return DB_OK;
}
