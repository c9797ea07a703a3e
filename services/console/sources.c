// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/sources.h"

#include <stddef.h>

void sources_add(struct sources *all, struct source *source)
{
    source->bytes = (struct pace){.step_ns = SOURCE_BYTE_NS, .burst = SOURCE_BURST};
    source->next = all->first;
    all->first = source;
}

void sources_remove(struct sources *all, struct source *source)
{
    for (struct source **link = &all->first; *link != NULL; link = &(*link)->next) {
        if (*link == source) {
            *link = source->next;
            return;
        }
    }
}

/* The list goes round until that one is its first. */
static void begin_with(struct sources *all, const struct source *source)
{
    struct source **end = &all->first;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    while (all->first != source) {
        struct source *moved = all->first;

        all->first = moved->next;
        moved->next = NULL;
        *end = moved;
        end = &moved->next;
    }
}

/* True: it has had its turn. */
static bool serve(struct source *s, bool is_shown, uint64_t now_ns, uint64_t *next_ns)
{
    uint32_t cost = is_shown ? SOURCE_SHOWN_COST : 1;
    uint32_t left = pace_left(&s->bytes, now_ns);
    uint64_t when_ns;

    if (left >= SOURCE_TURN * cost) {
        pace_take_many(&s->bytes, now_ns, s->take(s->context, SOURCE_TURN) * cost);
        return true;
    }
    when_ns = now_ns + (uint64_t)(SOURCE_TURN * cost - left) * SOURCE_BYTE_NS;
    if (*next_ns == 0 || when_ns < *next_ns) {
        *next_ns = when_ns;
    }
    return false;
}

bool sources_serve(struct sources *all, bool (*has_room)(void), uint64_t now_ns, uint64_t *next_ns)
{
    const struct source *without_room = NULL;
    bool was_any = false;

    *next_ns = 0;
    for (struct source *s = all->first; s != NULL; s = s->next) {
        bool is_shown = s->is_shown(s->context);

        if (s->is_empty(s->context)) {
            continue;
        }
        if (is_shown && !has_room()) {
            without_room = without_room != NULL ? without_room : s;
        } else {
            was_any |= serve(s, is_shown, now_ns, next_ns);
        }
    }
    if (without_room != NULL) {
        begin_with(all, without_room);
    }
    return was_any;
}
