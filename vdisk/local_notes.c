// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/local_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdisk/bytes.h"
#include "vdisk/engine.h"
#include "vdisk/store/crc32c.h"

#define IMAGE_AGAIN_NS (60 * SECOND_NS)
#define MAGIC "LEATIMG1" /* and the version */
#define OFFER_AT 8u
#define IDENTITY_AT 36u
#define HEADER_BYTES (IDENTITY_AT + IDENTITY_NOTE_BYTES)
#define MAX_PREFERRED (32u << 20)
#define SUM_START 0xcbf29ce484222325ull /* FNV-1a, 64 bits */
#define SUM_PRIME 0x100000001b3ull

static uint64_t sum_text(uint64_t sum, const char *text)
{
    do
        sum = (sum ^ (uint8_t)*text) * SUM_PRIME;
    while (*text++);
    return sum;
}

/* RFC 4648, section 5, without padding: 32 bytes are 43 characters. */
static void put_base64(char *to, const uint8_t content[CONTENT_BYTES])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (unsigned bit = 0; bit < CONTENT_BYTES * 8; bit += 6) {
        unsigned next = bit / 8 + 1 < CONTENT_BYTES ? content[bit / 8 + 1] : 0;
        unsigned word = (unsigned)content[bit / 8] << 8 | next;
        *to++ = digits[word >> (10 - bit % 8) & 63];
    }
    *to = 0;
}

static void name_note(const struct vdisk_export *e, bool is_profile, char name[STORE_NAME_BYTES])
{
    int n = snprintf(name, STORE_NAME_BYTES, "%s-", is_profile ? "profile" : "image");
    if (e->has_content) {
        put_base64(name + n, e->content_id);
        return;
    }
    uint64_t sum = sum_text(sum_text(SUM_START + e->servers[0].port, e->servers[0].host), e->name);
    snprintf(name + n, STORE_NAME_BYTES - (size_t)n, "x%016llx", (unsigned long long)sum);
}

/* -- what has been done -- */

static void end_note(struct vdisk *v)
{
    struct local_note *n = &v->note;
    free(n->data);
    n->data = NULL;
    n->blob = NULL;
    n->export = NULL;
}

/* The blob ends in one of the last block's sectors. */
static bool is_whole(const struct local_note *n)
{
    for (size_t at = 0; at < n->size; at += STORE_SECTOR_BYTES)
        if (!(n->held[at / STORE_BLOCK_BYTES] >> at % STORE_BLOCK_BYTES / STORE_SECTOR_BYTES & 1))
            return false;
    return true;
}

static void use_profile(struct vdisk_export *e, const struct local_note *n)
{
    struct profile p = {0};
    const char *why = profile_decode(n->data, n->size, &p);
    if (why)
        link_say(e, "its boot profile in the local store is not used", why);
    else
        stream_adopt(e, &p);
}

/* -- the description -- */

static void put_offer(const struct nbd_export *x, uint8_t *data)
{
    const uint32_t words[5] = {x->flags, x->min_block, x->max_block, x->preferred_block,
                               (uint32_t)x->has_structured_replies | (uint32_t)x->has_block_status
                                                                         << 1};
    bytes_put(data, x->size_bytes, 8);
    for (unsigned i = 0; i < 5; i++)
        bytes_put(data + 8 + 4 * i, words[i], 4);
}

static bool is_power(uint32_t n, uint32_t least, uint32_t most)
{
    return n >= least && n <= most && (n & (n - 1)) == 0;
}

/* False: no handshake could have had such a result. */
static bool get_offer(const uint8_t *data, struct nbd_export *x)
{
    uint32_t words[5];
    for (unsigned i = 0; i < 5; i++)
        words[i] = (uint32_t)bytes_get(data + 8 + 4 * i, 4);
    *x = (struct nbd_export){.size_bytes = bytes_get(data, 8),
                             .flags = words[0],
                             .min_block = words[1],
                             .max_block = words[2],
                             .preferred_block = words[3],
                             .has_structured_replies = words[4] & 1,
                             .has_block_status = words[4] >> 1 & 1};
    return is_power(x->min_block, 1, IDENTITY_PAGES * NBD_PAGE_BYTES) &&
           x->max_block >= CACHE_BLOCK_BYTES && x->max_block % x->min_block == 0 &&
           is_power(x->preferred_block, x->min_block, MAX_PREFERRED);
}

void notes_use_image(struct vdisk_export *e)
{
    struct local_notes *n = &e->notes;
    uint8_t *data = n->image;
    n->image = NULL;
    if (data && n->offer.size_bytes == e->identity.size_bytes) {
        bool is_told = !e->extents.span_count || /* else: the next server may tell them again */
                       extents_decode(e, data + HEADER_BYTES, n->image_size - HEADER_BYTES);
        n->has_put_image = !e->extents.span_count;
        if (is_told) {
            identity_adopt(e, data + IDENTITY_AT);
            n->image_crc = crc32c(0, data, n->image_size);
        }
    }
    free(data);
}

void notes_free(struct vdisk_export *e)
{
    free(e->notes.image);
    e->notes.image = NULL;
    e->notes.offer.size_bytes = 0;
}

/* Takes the note's data. */
static void got_image(struct vdisk_export *e, struct local_note *n)
{
    if (n->size < HEADER_BYTES || memcmp(n->data, MAGIC, OFFER_AT) ||
        !get_offer(n->data + OFFER_AT, &e->notes.offer)) {
        e->notes.offer.size_bytes = 0;
        return;
    }
    free(e->notes.image);
    e->notes.image = n->data;
    e->notes.image_size = n->size;
    n->data = NULL;
    if (e->was_up)
        notes_use_image(e);
}

static void has_read(struct store_op *op, enum store_status status)
{
    struct vdisk *v = op->owner;
    struct local_note *n = &v->note;
    bool is_good = status == STORE_OK && is_whole(n);
    store_release(n->blob);
    if (!is_good)
        link_say(n->export, "a note about it in the local store is lost",
                 store_status_text(status == STORE_OK ? STORE_DAMAGED : status));
    else if (n->is_profile)
        use_profile(n->export, n);
    else
        got_image(n->export, n);
    v->has_read = true;
    end_note(v);
}

static void has_put(struct store_op *op, enum store_status status)
{
    struct vdisk *v = op->owner;
    if (status != STORE_OK)
        link_say(v->note.export, "a note about it could not be put into the local store",
                 store_status_text(status));
    v->has_read = true;
    end_note(v);
}

/* -- what is to be done -- */

/* Room for one more of its kind: what was put longest ago goes. */
static void forget_oldest(struct store *s, const char *kind)
{
    uint32_t count;
    uint64_t size;
    const char *name = store_oldest_blob(s, kind, &count);
    struct store_object *blob = count >= NOTES_KEPT ? store_blob(s, name, &size) : NULL;
    if (blob)
        store_delete(blob);
}

static void begin(struct vdisk_export *e, bool is_profile)
{
    struct local_note *n = &e->engine->note;
    n->export = e;
    n->is_profile = is_profile;
    n->blob = NULL;
    name_note(e, is_profile, n->name);
    n->op = (struct store_op){.owner = e->engine, .name = n->name};
}

/* False: there is no such note. */
static bool read_note(struct vdisk_export *e, bool is_profile)
{
    struct local_note *n = &e->engine->note;
    uint64_t size;
    begin(e, is_profile);
    n->blob = store_blob(e->engine->store, n->name, &size);
    if (!n->blob) {
        end_note(e->engine);
        return false;
    }
    uint64_t length = (size + STORE_BLOCK_BYTES - 1) / STORE_BLOCK_BYTES * STORE_BLOCK_BYTES;
    uint8_t *data = malloc(length + 1);
    if (!data) {
        store_release(n->blob);
        end_note(e->engine);
        return false;
    }
    n->data = n->op.data = data;
    n->size = (size_t)size;
    n->op.length = length;
    n->op.type = STORE_READ;
    n->op.object = n->blob;
    n->op.held = n->held;
    n->op.done = has_read;
    store_submit(e->engine->store, &n->op);
    return true;
}

/* Takes data. */
static void put_note(struct vdisk_export *e, bool is_profile, uint8_t *data, size_t size)
{
    struct local_note *n = &e->engine->note;
    forget_oldest(e->engine->store, is_profile ? "profile-" : "image-");
    begin(e, is_profile);
    n->data = data;
    n->size = size;
    n->op.type = STORE_PUT_BLOB;
    n->op.length = size;
    n->op.data = data;
    n->op.done = has_put;
    store_submit(e->engine->store, &n->op);
}

static bool put_profile(struct vdisk_export *e)
{
    size_t size = profile_encoded_bytes(&e->stream.known);
    uint8_t *data = size <= STORE_BLOB_BYTES ? malloc(size) : NULL;
    e->notes.wants_profile = false;
    if (!data) {
        export_log(e, "its boot profile is too large for the local store: not kept");
        return false;
    }
    profile_encode(&e->stream.known, data);
    put_note(e, true, data, size);
    return true;
}

static bool put_image(struct vdisk_export *e)
{
    uint8_t *data = malloc(STORE_BLOB_BYTES);
    e->notes.image_when_ns = e->engine->now_ns + IMAGE_AGAIN_NS;
    if (!data)
        return false;
    memcpy(data, MAGIC, OFFER_AT);
    put_offer(&e->identity, data + OFFER_AT);
    identity_put(e, data + IDENTITY_AT);
    size_t size =
        HEADER_BYTES + extents_encode(e, data + HEADER_BYTES, STORE_BLOB_BYTES - HEADER_BYTES);
    uint32_t crc = crc32c(0, data, size);
    if (crc == e->notes.image_crc) {
        free(data);
        return false;
    }
    e->notes.image_crc = crc;
    put_note(e, false, data, size);
    return true;
}

/* Something of the description is new, and nothing of it is still on its way. */
static bool has_image_news(struct vdisk_export *e)
{
    bool is_due = e->local.image && e->engine->now_ns >= e->notes.image_when_ns;
    if (!is_due || !identity_is_taken(e) || !extents_are_settled(e))
        return false;
    bool has_news = e->extents.has_news || !e->notes.has_put_image;
    e->extents.has_news = false;
    e->notes.has_put_image = true;
    return has_news;
}

/* True: something has been begun. */
static bool begin_for(struct vdisk_export *e)
{
    struct local_notes *n = &e->notes;
    if (!n->has_read_profile && e->stream.is_profiled) {
        n->has_read_profile = true;
        if ((!e->stream.known.count || e->stream.is_suggested) && read_note(e, true))
            return true;
    }
    if (!n->has_read_image && e->has_content && !export_is_written(e)) {
        n->has_read_image = true;
        if (read_note(e, false))
            return true;
    }
    if (n->wants_profile)
        return put_profile(e);
    return has_image_news(e) && put_image(e);
}

bool notes_image_is_read(const struct vdisk_export *e)
{
    const struct local_note *n = &e->engine->note;
    return e->notes.has_read_image && !(n->export == e && !n->is_profile && n->blob);
}

bool notes_are_read(const struct vdisk_export *e)
{
    const struct local_notes *n = &e->notes;
    if (!e->local.image || e->engine->now_ns >= n->patience_ns)
        return true;
    return (n->has_read_profile || !e->stream.is_profiled) && n->has_read_image &&
           e->engine->note.export != e;
}

void notes_run(struct vdisk *v)
{
    struct list *n = v->exports.next;
    for (; v->store && !v->note.export && n != &v->exports; n = n->next)
        begin_for(LIST_ENTRY(n, struct vdisk_export, node));
}

void notes_forget(struct vdisk *v)
{
    end_note(v);
}

bool notes_are_pending(const struct vdisk *v)
{
    if (v->note.export)
        return true;
    for (const struct list *n = v->exports.next; v->store && n != &v->exports; n = n->next)
        if (LIST_ENTRY(n, struct vdisk_export, node)->notes.wants_profile)
            return true;
    return false;
}
