// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/identity.h"

#include <stdlib.h>
#include <string.h>

#include "vdisk/bytes.h"
#include "vdisk/engine.h"
#include "vdisk/nbd/proto.h"

#define PARTITION_OFFSET (1ull << 20)
#define MOST_UNIT ((uint64_t)IDENTITY_PAGES * NBD_PAGE_BYTES)
#define SUM_START 0xcbf29ce484222325ull /* FNV-1a, 64 bits */
#define SUM_PRIME 0x100000001b3ull

static uint32_t sample_bytes(const struct vdisk_export *e)
{
    uint32_t unit = e->identity.min_block;
    uint32_t bytes = unit > CACHE_BLOCK_BYTES ? unit : CACHE_BLOCK_BYTES;
    return bytes < e->identity.size_bytes ? bytes : (uint32_t)e->identity.size_bytes;
}

static uint64_t sample_offset(const struct vdisk_export *e, uint32_t i)
{
    uint64_t size = e->identity.size_bytes, bytes = sample_bytes(e);
    uint64_t offset = i == 0 ? 0 : i == 1 ? PARTITION_OFFSET : size / IDENTITY_SAMPLES * i;
    if (offset > size - bytes)
        offset = size - bytes;
    uint64_t unit = e->identity.min_block > e->block_size ? e->identity.min_block : e->block_size;
    if (size >= MOST_UNIT) /* the same samples whatever the server's unit is */
        unit = MOST_UNIT;
    return offset - offset % unit;
}

static void taken(struct nbd_command *command, uint32_t error)
{
    struct vdisk_export *e = command->owner;
    struct identity_sample *s = LIST_ENTRY(command, struct identity_sample, command);
    uint64_t sum = SUM_START;
    for (uint32_t i = 0; !error && i < command->length && i < NBD_PAGE_BYTES; i++)
        sum = (sum ^ s->pages[0][i]) * SUM_PRIME;
    if (!error && s->is_known && s->sum != sum) {
        e->content.has_changed = true;
        e->content.is_not_as_noted |= s->is_noted;
    }
    if (!error)
        s->is_noted = false;
    if (!error && !s->is_known) {
        s->is_known = true;
        s->sum = sum;
    }
    s->is_wanted = false;
    if (--e->content.wanted == 0) {
        identity_end(e);
        e->layers.has_news |= e->layers.is_wanted;
        for (struct list *n = e->disks.next; n != &e->disks; n = n->next) {
            struct vdisk_disk *above = LIST_ENTRY(n, struct vdisk_disk, node)->above;
            if (above)
                above->export->layers.has_news = true;
        }
        e->engine->is_stirred = true; /* a disk on two exports waits for the sums of both */
    }
}

static void begin_sample(struct vdisk_export *e, uint32_t i)
{
    struct identity_sample *s = &e->content.samples[i];
    uint32_t bytes = sample_bytes(e);
    for (uint32_t p = 0; p * NBD_PAGE_BYTES < bytes; p++)
        s->pages[p] = e->content.memory + (i * IDENTITY_PAGES + p) * NBD_PAGE_BYTES;
    s->command.type = NBD_CMD_READ;
    s->command.offset = sample_offset(e, i);
    s->command.length = bytes;
    s->command.pages = s->pages;
    s->command.done = taken;
    s->command.owner = e;
    s->is_wanted = true;
    s->is_sent = false;
}

static void begin(struct vdisk_export *e)
{
    e->content.memory = malloc(IDENTITY_SAMPLES * IDENTITY_PAGES * NBD_PAGE_BYTES);
    if (!e->content.memory)
        return;
    for (uint32_t i = 0; i < IDENTITY_SAMPLES; i++)
        begin_sample(e, i);
    e->content.wanted = IDENTITY_SAMPLES;
}

void identity_begin(struct vdisk_export *e)
{
    if (e->layers.is_wanted)
        identity_forget(e);
    if (!e->verify && (e->layers.is_wanted || !export_is_written(e))) /* a root hash says more */
        begin(e);
}

bool identity_pump(struct vdisk_export *e)
{
    bool any = false;
    for (uint32_t i = 0; e->content.wanted && i < IDENTITY_SAMPLES; i++) {
        struct identity_sample *s = &e->content.samples[i];
        struct nbd_session *session = NULL;
        if (s->is_wanted && !s->is_sent)
            session = link_room(e, s->command.length);
        if (!session)
            continue;
        s->is_sent = any = true;
        nbd_session_send(session, &s->command, e->engine->now_ns);
    }
    return any;
}

void identity_end(struct vdisk_export *e)
{
    free(e->content.memory);
    e->content.memory = NULL;
    e->content.wanted = 0;
}

bool identity_is_judged(const struct vdisk_export *e)
{
    for (uint32_t i = 0; e->content.wanted && i < IDENTITY_SAMPLES; i++)
        if (e->content.samples[i].is_wanted && e->content.samples[i].is_known)
            return false;
    return true;
}

bool identity_sample(const struct vdisk_export *e, uint32_t i, uint64_t *offset, uint64_t *sum)
{
    *offset = sample_offset(e, i);
    *sum = e->content.samples[i].sum;
    return e->content.samples[i].is_known;
}

bool identity_content(const struct vdisk_export *e, uint8_t content[CONTENT_BYTES])
{
    uint64_t words[3] = {e->identity.size_bytes, SUM_START, SUM_START};
    for (uint32_t i = 0; i < IDENTITY_SAMPLES; i++) {
        if (!e->content.samples[i].is_known)
            return false;
        words[1 + i % 2] = (words[1 + i % 2] ^ e->content.samples[i].sum) * SUM_PRIME;
    }
    memset(content, 0, CONTENT_BYTES);
    content[0] = CONTENT_SUMS;
    memcpy(content + CONTENT_BYTES - sizeof words, words, sizeof words);
    return true;
}

void identity_again(struct vdisk_export *e)
{
    if (link_is_connected(e) && !e->content.wanted && wlog_is_drained(e))
        begin(e);
}

void identity_forget(struct vdisk_export *e)
{
    for (uint32_t i = 0; i < IDENTITY_SAMPLES; i++)
        e->content.samples[i].is_known = false;
}

/* Bytes of a sample (they depend on the server's block size), which sums are known, the sums. */
void identity_put(const struct vdisk_export *e, uint8_t *data)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < IDENTITY_SAMPLES; i++) {
        mask |= (uint32_t)e->content.samples[i].is_known << i;
        bytes_put(data + 8 + 8 * i, e->content.samples[i].sum, 8);
    }
    bytes_put(data, sample_bytes(e), 4);
    bytes_put(data + 4, mask, 4);
}

void identity_adopt(struct vdisk_export *e, const uint8_t *data)
{
    bool is_same_range =
        bytes_get(data, 4) == sample_bytes(e) || e->identity.size_bytes >= MOST_UNIT;
    uint64_t mask = is_same_range ? bytes_get(data + 4, 4) : 0;
    for (uint32_t i = 0; i < IDENTITY_SAMPLES; i++) {
        struct identity_sample *s = &e->content.samples[i];
        uint64_t sum = bytes_get(data + 8 + 8 * i, 8);
        if (!(mask >> i & 1))
            continue;
        if (s->is_known && !s->is_noted && s->sum != sum) /* the server was faster than the note */
            e->content.has_changed = e->content.is_not_as_noted = true;
        if (s->is_known)
            continue;
        s->is_known = s->is_noted = true;
        s->sum = sum;
    }
}

bool identity_is_noted(const struct vdisk_export *e)
{
    bool any = false;
    for (uint32_t i = 0; i < IDENTITY_SAMPLES; i++)
        any |= e->content.samples[i].is_noted;
    return any;
}

bool identity_is_taken(const struct vdisk_export *e)
{
    bool any = false;
    for (uint32_t i = 0; i < IDENTITY_SAMPLES; i++)
        any |= e->content.samples[i].is_known && !e->content.samples[i].is_noted;
    return any && !e->content.wanted;
}
