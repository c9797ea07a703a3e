// SPDX-License-Identifier: BSD-2-Clause
#include "lib/start.h"

#include <string.h>

const struct leat_start *leat_start(void)
{
    return (const struct leat_start *)LEAT_START_VA;
}

const struct leat_start_entry *leat_start_next(const char *role,
                                               const struct leat_start_entry *after)
{
    const struct leat_start *start = leat_start();
    size_t i = after == NULL ? 0 : (size_t)(after - start->entries) + 1;

    for (; i < start->count && i < LEAT_START_MAX_ENTRIES; i++) {
        if (strncmp(start->entries[i].role, role, sizeof(start->entries[i].role)) == 0) {
            return &start->entries[i];
        }
    }
    return NULL;
}

const struct leat_start_entry *leat_start_find(const char *role, const char *name)
{
    const struct leat_start_entry *entry = NULL;

    while ((entry = leat_start_next(role, entry)) != NULL) {
        if (name == NULL || strncmp(entry->name, name, sizeof(entry->name)) == 0) {
            break;
        }
    }
    return entry;
}

const char *leat_start_arg(const char *key, char *buf, size_t size)
{
    return leat_arg_find(leat_start()->args, sizeof(leat_start()->args), key, buf, size);
}

leat_handle_t leat_start_notif(void)
{
    const struct leat_start_entry *entry = leat_start_find("notif", NULL);

    return entry == NULL ? 0 : entry->handle;
}
