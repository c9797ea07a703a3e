// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/digest.h"

#include "tools/leatd/check.h"
#include "tools/leatd/json.h"

#include <stdio.h>
#include <string.h>

#define MOST 1e15 // bytes, and whatever else: cJSON prints 15 digits
#define WORDS 80  // bytes of a text

/* 0 for what is no number, or below 0. */
static double number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    double value = cJSON_IsNumber(item) && item->valuedouble > 0 ? item->valuedouble : 0;
    return value < MOST ? value : MOST;
}

static double sum(double a, double b)
{
    return a + b < MOST ? a + b : MOST;
}

static void add_words(cJSON *object, const char *name, const cJSON *from)
{
    char text[WORDS + 1];
    const char *found = json_text(from, name);
    found = found ? found : "";
    snprintf(text, sizeof text, "%.*s", check_cut(found, WORDS), found);
    cJSON_AddStringToObject(object, name, text);
}

static void add_boot(cJSON *object, const cJSON *report)
{
    const cJSON *mark, *last = NULL;
    cJSON_ArrayForEach(mark, cJSON_GetObjectItemCaseSensitive(report, "boot")) last = mark;
    if (!cJSON_IsObject(last)) {
        cJSON_AddNullToObject(object, "boot");
        return;
    }
    cJSON *shown = cJSON_AddObjectToObject(object, "boot");
    cJSON_AddNumberToObject(shown, "ms", number_of(last, "ms"));
    add_words(shown, "what", last);
}

static void add_vms(cJSON *object, const cJSON *report)
{
    const cJSON *vm;
    cJSON *shown = cJSON_AddArrayToObject(object, "vms");
    cJSON_ArrayForEach(vm, cJSON_GetObjectItemCaseSensitive(report, "vms"))
    {
        if (!cJSON_IsObject(vm) || cJSON_GetArraySize(shown) == DIGEST_VMS)
            continue;
        cJSON *one = cJSON_CreateObject();
        add_words(one, "name", vm);
        add_words(one, "state", vm);
        cJSON_AddItemToArray(shown, one);
    }
}

static void add_disks(cJSON *object, const cJSON *report)
{
    static const char *const ways[][2] = {
        {"ram", "ram_bytes"}, {"disk", "disk_bytes"}, {"network", "network_bytes"}};
    double bytes = 0, streamed = 0, sums[3] = {0};
    const cJSON *disk;
    cJSON_ArrayForEach(disk, cJSON_GetObjectItemCaseSensitive(report, "disks"))
    {
        // In mode server the profile is the shared image's (docs/vdisk.md).
        const cJSON *shared = cJSON_GetObjectItemCaseSensitive(disk, "shared");
        const cJSON *profile = cJSON_GetObjectItemCaseSensitive(shared ? shared : disk, "profile");
        bytes = sum(bytes, number_of(profile, "bytes"));
        streamed = sum(streamed, number_of(profile, "streamed_bytes"));
        for (unsigned i = 0; i < 3; i++)
            sums[i] = sum(sums[i], number_of(disk, ways[i][1]));
    }
    cJSON *profile = cJSON_AddObjectToObject(object, "profile");
    cJSON_AddNumberToObject(profile, "bytes", bytes);
    cJSON_AddNumberToObject(profile, "streamed", streamed < bytes ? streamed : bytes);
    cJSON *traffic = cJSON_AddObjectToObject(object, "traffic");
    for (unsigned i = 0; i < 3; i++)
        cJSON_AddNumberToObject(traffic, ways[i][0], sums[i]);
}

void digest_add(cJSON *object, const char *text)
{
    const char *why;
    cJSON *report = text ? json_parse(text, strlen(text), &why) : NULL;
    add_boot(object, report);
    add_vms(object, report);
    add_disks(object, report);
    cJSON_Delete(report);
}
