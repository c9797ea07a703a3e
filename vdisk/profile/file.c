// SPDX-License-Identifier: BSD-2-Clause
/* A profile as bytes, and back. What is read may be anything. */
#include <string.h>

#include "vdisk/bytes.h"
#include "vdisk/profile/profile.h"

#define HEADER_BYTES 40u
#define RUN_BYTES 16u
#define CHECK_AT 32u
#define VERSION 1u

static const uint8_t magic[8] = {'L', 'E', 'A', 'T', 'P', 'R', 'O', 'F'};

/* FNV-1a, 64 bits (draft-eastlake-fnv); the field itself counts as 0. */
static uint64_t check_of(const uint8_t *data, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < size; i++) {
        hash ^= i >= CHECK_AT && i < CHECK_AT + 8 ? 0 : data[i];
        hash *= 0x100000001b3ull;
    }
    return hash;
}

size_t profile_encoded_bytes(const struct profile *p)
{
    return HEADER_BYTES + (size_t)p->count * RUN_BYTES;
}

void profile_encode(const struct profile *p, uint8_t *data)
{
    memset(data, 0, HEADER_BYTES);
    memcpy(data, magic, sizeof magic);
    bytes_put(data + 8, VERSION, 4);
    bytes_put(data + 12, p->count, 4);
    bytes_put(data + 16, p->size_bytes, 8);
    bytes_put(data + 24, p->boots, 4);
    uint8_t *at = data + HEADER_BYTES;
    for (uint32_t i = 0; i < p->count; i++, at += RUN_BYTES) {
        bytes_put(at, p->runs[i].first, 8);
        bytes_put(at + 8, p->runs[i].count, 4);
        bytes_put(at + 12, p->runs[i].at_ms, 3);
        at[15] = p->runs[i].boots;
    }
    bytes_put(data + CHECK_AT, check_of(data, profile_encoded_bytes(p)), 8);
}

static const char *decode_runs(const uint8_t *at, uint32_t count, struct profile *p)
{
    uint64_t end = p->size_bytes / PROFILE_BLOCK_BYTES + (p->size_bytes % PROFILE_BLOCK_BYTES != 0);
    uint32_t before_ms = 0;
    for (uint32_t i = 0; i < count; i++, at += RUN_BYTES) {
        uint64_t first = bytes_get(at, 8), blocks = bytes_get(at + 8, 4);
        uint32_t at_ms = (uint32_t)bytes_get(at + 12, 3);
        if (!blocks || first >= end || blocks > end - first)
            return "it names blocks outside the image";
        if (at_ms < before_ms || !at[15])
            return "its order makes no sense";
        before_ms = at_ms;
        if (!profile_add(p, first, (uint32_t)blocks, at_ms, at[15]))
            return "it is too large";
    }
    return NULL;
}

const char *profile_decode(const uint8_t *data, size_t size, struct profile *p)
{
    if (size < HEADER_BYTES || memcmp(data, magic, sizeof magic))
        return "it is not a boot profile";
    if (bytes_get(data + 8, 4) != VERSION)
        return "it is of another version";
    uint64_t count = bytes_get(data + 12, 4), boots = bytes_get(data + 24, 4);
    if (count > PROFILE_MAX_RUNS || size != HEADER_BYTES + count * RUN_BYTES)
        return "it is cut off";
    if (bytes_get(data + CHECK_AT, 8) != check_of(data, size))
        return "it is damaged";
    p->size_bytes = bytes_get(data + 16, 8);
    p->boots = (uint32_t)boots;
    const char *why = NULL;
    if (!boots || boots > PROFILE_BOOTS || bytes_get(data + 28, 4))
        why = "its header makes no sense";
    else
        why = decode_runs(data + HEADER_BYTES, (uint32_t)count, p);
    if (why)
        profile_free(p);
    return why;
}
