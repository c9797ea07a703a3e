// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/lies.h"

#include "tools/leatd/check.h"
#include "tools/leatd/journal.h"
#include "tools/leatd/json.h"
#include "tools/leatd/leatd.h"

#include <string.h>

#define EVENTS 5u // in a minute of a client
#define MOST 1e15 // cJSON prints 15 digits
#define WORDS 64  // bytes of a disk's name

static double number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    double value = cJSON_IsNumber(item) && item->valuedouble > 0 ? item->valuedouble : 0;
    return value < MOST ? value : MOST;
}

/* What vdisk counts of one disk; in mode server the shared image's (docs/vdisk.md). */
static double lies_of(const cJSON *disk)
{
    const cJSON *shared = cJSON_GetObjectItemCaseSensitive(disk, "shared");
    const cJSON *verity = cJSON_GetObjectItemCaseSensitive(shared ? shared : disk, "verity");
    return number_of(verity, "lies") + number_of(verity, "tree_lies");
}

unsigned lies_read(const cJSON *report, struct lies_told told[LIES_DISKS])
{
    unsigned count = 0;
    const cJSON *disk;
    cJSON_ArrayForEach(disk, cJSON_GetObjectItemCaseSensitive(report, "disks"))
    {
        const char *name = json_text(disk, "disk");
        double lies = name && name[0] ? lies_of(disk) : 0;
        if (lies > 0)
            told[count++] = (struct lies_told){name, lies};
        if (count == LIES_DISKS)
            break;
    }
    return count;
}

static double lies_before(const struct lies_told *last, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (!strcmp(last[i].disk, name))
            return last[i].lies;
    return 0;
}

static enum db_result compare(struct request *request, const struct session *session,
                              const struct lies_told *told, unsigned count, const cJSON *report)
{
    struct lies_told last[LIES_DISKS];
    unsigned last_count = lies_read(report, last);
    enum db_result result = DB_OK;
    for (unsigned i = 0; i < count && result == DB_OK; i++) {
        const char *name = told[i].disk;
        if (told[i].lies <= lies_before(last, last_count, name) ||
            !limit_take(&request->leatd->limit, LIMIT_VERIFY_EVENT, session->client, EVENTS,
                        leatd_monotonic()))
            continue;
        result = journal_event(request->leatd, "verify", session->client, request->address,
                               "%s: disk %.*s: %.0f blocks so far are not as the image's root hash "
                               "wants them, and were thrown away",
                               session->name, check_cut(name, WORDS), name, told[i].lies);
    }
    return result;
}

enum db_result lies_note(struct request *request, const struct session *session,
                         const cJSON *report)
{
    struct db_rows rows;
    struct lies_told told[LIES_DISKS];
    const char *why;
    struct db_value value = db_str(session->id);
    unsigned count = lies_read(report, told);
    if (!count) // nearly all machines
        return DB_OK;
    enum db_result result =
        db_query(request->leatd->db, "SELECT report FROM session WHERE id = $1", &value, 1, &rows);
    if (result != DB_OK)
        return result;
    const char *text = rows.count ? db_text(&rows, 0, 0) : "";
    cJSON *last = text[0] ? json_parse(text, strlen(text), &why) : NULL;
    result = compare(request, session, told, count, last);
    cJSON_Delete(last);
    db_rows_free(&rows);
    return result;
}
