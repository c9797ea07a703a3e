// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/greeting.h"

#include "tools/leatd/journal.h"
#include "tools/leatd/leatd.h"

#include <string.h>

#define HARDWARE_BYTES 2000u

void greeting_refuse(struct request *request, int status, const char *state, int64_t wait,
                     const char *sentence)
{
    request_refuse(request, status, "%s", sentence);
    cJSON_AddStringToObject(request->answer, "state", state);
    cJSON_AddNumberToObject(request->answer, "wait", (double)wait);
}

void greeting_known(struct request *request)
{
    cJSON *answer = request_answer(request, 200);
    cJSON_AddStringToObject(answer, "state", "known");
    cJSON_AddNumberToObject(answer, "wait", GREETING_WAIT);
}

enum db_result greeting_unknown(struct request *request, int status,
                                const struct greeting *greeting)
{
    struct leatd *leatd = request->leatd;
    greeting_refuse(request, status, "unknown", GREETING_WAIT,
                    "This machine is not known to the server: ask your administrator.");
    if (!limit_take_address(&leatd->limit, LIMIT_UNKNOWN_EVENT, request->address, GREETING_NOTES,
                            leatd_monotonic()))
        return DB_OK;
    return journal_refused(leatd, NULL, request->address, "a machine that is not known: %s%s%.54s",
                           greeting->uuid, greeting->macs[0] ? ", " : "", greeting->macs);
}

static bool read_macs(char *out, const cJSON *list)
{
    size_t used = 0;
    const cJSON *item;
    out[0] = 0;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > 8)
        return false;
    cJSON_ArrayForEach(item, list)
    {
        if (used)
            out[used++] = ' ';
        if (!cJSON_IsString(item) || !check_mac(out + used, item->valuestring))
            return false;
        used += 17;
    }
    return true;
}

bool greeting_read(struct request *request, struct greeting *greeting)
{
    const cJSON *body = request->body;
    const char *uuid = body ? json_text(body, "uuid") : NULL;
    const cJSON *hardware = cJSON_GetObjectItemCaseSensitive(body, "hardware");
    const char *why = NULL;
    greeting->version = body ? json_text(body, "version") : NULL;
    greeting->hardware = NULL;
    if (!uuid || !check_uuid(greeting->uuid, uuid))
        why = "a hello needs a uuid";
    else if (!read_macs(greeting->macs, cJSON_GetObjectItemCaseSensitive(body, "macs")))
        why = "a hello needs macs, an array of at most eight addresses";
    else if (!greeting->version || strlen(greeting->version) > 63)
        why = "a hello needs the version of Leat";
    else if (hardware && !cJSON_IsObject(hardware))
        why = "hardware has to be an object";
    else if (hardware)
        greeting->hardware = cJSON_PrintUnformatted(hardware);
    if (greeting->hardware && strlen(greeting->hardware) > HARDWARE_BYTES) {
        cJSON_free(greeting->hardware);
        why = "hardware is too long";
    }
    if (why)
        request_refuse(request, 400, "%s", why);
    return !why;
}
