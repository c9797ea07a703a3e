// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no profile file, whatever is in it, does more than name blocks inside its image, a
 * bounded number of them; and that what is accepted can be merged, planned and written again.
 */
#include <stdlib.h>
#include <string.h>

#include "vdisk/profile/profile.h"

static void must(bool is_true)
{
    if (!is_true)
        __builtin_trap();
}

static void check(const struct profile *p)
{
    uint64_t blocks = 0, end = p->size_bytes / PROFILE_BLOCK_BYTES + 1;
    for (uint32_t i = 0; i < p->count; i++) {
        must(p->runs[i].count && p->runs[i].first < end && p->runs[i].count <= end);
        blocks += p->runs[i].count;
    }
    must(blocks == p->blocks && blocks <= PROFILE_MAX_BLOCKS && p->count <= PROFILE_MAX_RUNS);
}

/* The check of a file as profile.h says, so that the fuzzer gets past it. */
static void mend(uint8_t *file, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    memset(file + 32, 0, 8);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ file[i]) * 0x100000001b3ull;
    memcpy(file + 32, &hash, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile p = {0}, merged = {0}, again = {0}, plan = {0}, other = {0};
    uint8_t *file = malloc(size + 1);
    if (!file || !size)
        goto end;
    memcpy(file, data + 1, size - 1);
    if (data[0] % 2 && size > 40) {
        uint32_t count = (uint32_t)((size - 1 - 40) / 16);
        memcpy(file, "LEATPROF\1\0\0", 12);
        memcpy(file + 12, &count, 4);
        size = 1 + 40 + count * 16u;
        mend(file, size - 1);
    }
    const char *why = profile_decode(file, size - 1, &p);
    must(!why || (!p.runs && !p.count));
    if (why)
        goto end;
    check(&p);
    must(profile_plan(&p, &plan));
    check(&plan);
    must(plan.blocks == p.blocks && plan.count <= p.count);
    must(profile_merge(&p, &p, &merged)); /* may have fewer blocks: each once */
    check(&merged);
    must(merged.blocks <= p.blocks);
    must(profile_add(&other, 0, 1, 0, 1));
    other.size_bytes = p.size_bytes;
    must(profile_merge(&p, &other, &again));
    check(&again);
    profile_free(&again);
    free(file);
    size = profile_encoded_bytes(&merged);
    file = malloc(size);
    must(file);
    profile_encode(&merged, file);
    must(!profile_decode(file, size, &again));
    must(again.count <= merged.count && again.blocks == merged.blocks);
end:
    free(file);
    profile_free(&p);
    profile_free(&merged);
    profile_free(&again);
    profile_free(&plan);
    profile_free(&other);
    return 0;
}
