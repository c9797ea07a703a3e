// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/doorbell.h"

/* Changes are rare and the table is small: it is indexed anew each time. */
static void index_all(struct doorbells *bells)
{
    __builtin_memset(bells->slot, 0, sizeof(bells->slot));
    for (uint32_t i = 0; i < bells->count; i++) {
        uint32_t at = doorbell_hash(bells->bell[i].port);
        while (bells->slot[at])
            at = (at + 1) % DOORBELL_SLOTS;
        bells->slot[at] = (uint8_t)(i + 1);
    }
}

int doorbell_set(struct doorbells *bells, uint16_t port, struct notif *notif, uint64_t bits,
                 struct notif **old)
{
    struct doorbell *bell = doorbell_find(bells, port);
    *old = bell ? bell->notif : NULL;
    if (!bell && !notif)
        return LEAT_ENOENT;
    if (!notif) {
        *bell = bells->bell[--bells->count];
    } else {
        if (!bell && bells->count == DOORBELL_MAX)
            return LEAT_ENOMEM;
        if (!bell)
            bell = &bells->bell[bells->count++];
        *bell = (struct doorbell){.bits = bits, .notif = notif, .port = port};
    }
    index_all(bells);
    return LEAT_OK;
}
