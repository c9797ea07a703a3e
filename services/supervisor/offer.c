// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/offer.h"

#include <string.h>

static void copy(void *to, const volatile void *from, size_t size)
{
    const volatile uint8_t *at = from;

    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)to)[i] = at[i];
    }
}

const char *offer_take(struct offer *offer, const volatile struct leat_client_offer *shared)
{
    struct leat_client_offer *given = &offer->given;

    memset(offer, 0, sizeof(*offer));
    copy(given, shared, sizeof(*given));
    if (given->count == 0 || given->count > LEAT_CLIENT_ENTRIES) {
        return "it has no entries, or more than 64";
    }
    for (unsigned i = 0; i < given->count; i++) {
        struct leat_client_entry *entry = &given->entries[i];

        entry->name[sizeof(entry->name) - 1] = 0;
        entry->label[sizeof(entry->label) - 1] = 0;
        if (entry->name[0] == 0) {
            return "an entry has no name";
        }
        if (entry->always != 0) {
            offer->always |= 1ull << i;
            continue;
        }
        if (i == given->chosen_first) {
            offer->chosen_first = offer->choices;
        }
        offer->label[offer->choices] = entry->label[0] != 0 ? entry->label : entry->name;
        offer->choice[offer->choices++] = i;
    }
    return NULL;
}

uint64_t offer_chosen(const struct offer *offer, unsigned choice)
{
    return offer->choices == 0 ? offer->always : offer->always | 1ull << offer->choice[choice];
}

int offer_find(const struct offer *offer, const char *name)
{
    for (unsigned i = 0; i < offer->choices; i++) {
        if (strcmp(offer->given.entries[offer->choice[i]].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}
