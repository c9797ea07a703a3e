// SPDX-License-Identifier: BSD-2-Clause
#include "tools/leatd/merge.h"

#include "vdisk/profile/profile.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 40u // vdisk/profile/profile.h
#define RUN_BYTES 16u

/* As bytes, at most MERGE_BYTES of them: what comes last is needed least. */
static uint8_t *encode(struct profile *p, size_t *bytes)
{
    if (p->count > (MERGE_BYTES - HEADER_BYTES) / RUN_BYTES)
        p->count = (MERGE_BYTES - HEADER_BYTES) / RUN_BYTES;
    *bytes = profile_encoded_bytes(p);
    uint8_t *data = malloc(*bytes);
    if (data)
        profile_encode(p, data);
    return data;
}

static const char *take_newest(const struct profile *sent, uint64_t image_size,
                               struct profile *boot)
{
    boot->size_bytes = sent->size_bytes;
    boot->boots = 1;
    if (sent->size_bytes != image_size)
        return "it is of an image of another size";
    for (uint32_t i = 0; i < sent->count; i++) {
        const struct profile_run *r = &sent->runs[i];
        if (r->boots & 1 && !profile_add(boot, r->first, r->count, r->at_ms, 1))
            return "there is no memory";
    }
    return boot->count ? NULL : "it has no boot of this machine";
}

uint8_t *merge_newest(struct merge_part sent, uint64_t image_size, size_t *bytes, uint64_t *blocks,
                      const char **why)
{
    struct profile all = {0}, boot = {0};
    uint8_t *data = NULL;
    *why = profile_decode(sent.data, sent.bytes, &all);
    if (!*why)
        *why = take_newest(&all, image_size, &boot);
    if (!*why) {
        *blocks = boot.blocks;
        data = encode(&boot, bytes);
        *why = data ? NULL : "there is no memory";
    }
    profile_free(&all);
    profile_free(&boot);
    return data;
}

static unsigned ones(unsigned bits)
{
    unsigned count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

/* The runs of one window by how many boots needed them, the most first; their times stay in order. */
static void rank_window(struct profile_run *runs, uint32_t count, struct profile_run *room)
{
    uint32_t used = 0;
    for (unsigned boots = PROFILE_BOOTS; boots; boots--)
        for (uint32_t i = 0; i < count; i++)
            if (ones(runs[i].boots) == boots)
                room[used++] = runs[i];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at_ms = runs[i].at_ms;
        runs[i] = room[i];
        runs[i].at_ms = at_ms;
    }
}

static bool rank(struct profile *p)
{
    struct profile_run *room = malloc((p->count + 1u) * sizeof *room);
    if (!room)
        return false;
    for (uint32_t i = 0, end; i < p->count; i = end) {
        for (end = i + 1; end < p->count && p->runs[end].at_ms / MERGE_WINDOW_MS ==
                                                p->runs[i].at_ms / MERGE_WINDOW_MS;)
            end++;
        rank_window(p->runs + i, end - i, room);
    }
    free(room);
    return true;
}

/* *merged becomes what is known after one more boot. */
static bool add_part(struct profile *merged, struct merge_part part)
{
    struct profile boot = {0}, next = {0};
    bool ok = !profile_decode(part.data, part.bytes, &boot) && profile_merge(merged, &boot, &next);
    profile_free(&boot);
    profile_free(merged);
    *merged = next;
    return ok;
}

uint8_t *merge_parts(const struct merge_part *parts, unsigned count, size_t *bytes)
{
    struct profile merged = {0};
    bool ok = count > 0 && count <= MERGE_PARTS;
    for (unsigned i = 0; ok && i < count; i++)
        ok = add_part(&merged, parts[i]);
    uint8_t *data = ok && rank(&merged) ? encode(&merged, bytes) : NULL;
    profile_free(&merged);
    return data;
}
