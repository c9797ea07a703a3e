// SPDX-License-Identifier: BSD-2-Clause
/*
 * The answers of a server in the transmission phase. Nothing in them is believed: a wrong magic
 * number, a cookie that is not in flight, a chunk outside its request, twice the same byte, a
 * missing byte or an unknown chunk type loses the session with a reason.
 */
#include <string.h>

#include "vdisk/nbd/proto.h"
#include "vdisk/nbd/session.h"

enum { AT_HEADER, AT_DATA, AT_SKIP, AT_EXTENTS };

#define OFFSET_DATA_HEAD 8u    /* u64 offset */
#define OFFSET_HOLE_BYTES 12u  /* u64 offset, u32 size */
#define STATUS_HEAD 4u         /* u32 context */
#define EXTENT_BYTES 8u        /* u32 length, u32 flags */
#define MAX_EXTENTS (1u << 20) /* proto.md lets a client hang up at more in one reply */
#define ERROR_HEAD 6u          /* u32 error, u16 length of the text */
#define MAX_ERROR_BYTES (ERROR_HEAD + NBD_MAX_STRING + 8u)

struct chunk { /* a structured reply's header, copied */
    uint16_t flags, type;
    uint32_t length;
};

/* The command has its last reply. */
static void finish(struct nbd_session *s, struct nbd_command *c)
{
    if (c->type == NBD_CMD_READ && !c->error && !nbd_command_is_whole(c)) {
        nbd_session_lose(s, "the server left out a part of a read");
        return;
    }
    const struct nbd_export *x = &s->handshake.result;
    bool lacks_extents =
        (x->has_block_status && !c->described) || (x->has_depth && !c->depth_described);
    if (c->type == NBD_CMD_BLOCK_STATUS && !c->error && lacks_extents) {
        nbd_session_lose(s, "the server left out the extents of a block status");
        return;
    }
    if (c->error ==
        NBD_ESHUTDOWN) { /* not an answer: another server, or the next one, will give it */
        nbd_session_lose(s, "the server is shutting down");
        return;
    }
    nbd_session_finish(s, c);
}

static void end_chunk(struct nbd_session *s)
{
    struct nbd_command *c = s->reply.command;
    s->reply.at = AT_HEADER;
    s->reply.command = NULL;
    if (s->reply.is_done)
        finish(s, c);
}

/* False: there is not enough input, or the session is lost. */
static bool take_simple(struct nbd_session *s)
{
    const uint8_t *p = nbd_stream_peek(&s->stream, NBD_SIMPLE_REPLY_BYTES);
    if (!p)
        return false;
    uint32_t error = be32_get(p + 4);
    struct nbd_command *c = nbd_session_find(s, be64_get(p + 8));
    nbd_stream_skip(&s->stream, NBD_SIMPLE_REPLY_BYTES);
    if (!c) {
        nbd_session_lose(s, "the server answers a request that was not made");
        return false;
    }
    c->error = error;
    if (c->type != NBD_CMD_READ || error) {
        finish(s, c);
        return s->state == NBD_READY;
    }
    if (s->handshake.result.has_structured_replies) {
        nbd_session_lose(s, "the server answers a read with a simple reply after it agreed to "
                            "structured ones");
        return false;
    }
    nbd_command_got(c, 0, c->length);
    s->reply = (struct nbd_reply_state){
        .at = AT_DATA, .is_done = true, .command = c, .position = 0, .left = c->length};
    return true;
}

/* True if [offset, offset + size) lies in the read and none of it has come before. */
static bool accept_range(struct nbd_session *s, struct nbd_command *c, uint64_t offset,
                         uint32_t size)
{
    if (c->type != NBD_CMD_READ || !size || offset < c->offset || size > c->length ||
        offset - c->offset > c->length - size) {
        nbd_session_lose(s, "the server sent a range that was not asked for");
        return false;
    }
    if (!nbd_command_got(c, (uint32_t)(offset - c->offset), size)) {
        nbd_session_lose(s, "the server sent a part of a read twice");
        return false;
    }
    return true;
}

static void zero_range(struct nbd_command *c, uint32_t position, uint32_t size)
{
    while (size) {
        uint32_t n;
        uint8_t *place = nbd_command_place(c, position, &n);
        if (n > size)
            n = size;
        memset(place, 0, n);
        position += n;
        size -= n;
    }
}

/* The part of a chunk behind its header that must be there whole. 0: malformed. */
static uint32_t head_bytes(const struct chunk *k)
{
    if (k->type == NBD_REPLY_OFFSET_DATA)
        return k->length > OFFSET_DATA_HEAD ? OFFSET_DATA_HEAD : 0;
    if (k->type == NBD_REPLY_OFFSET_HOLE)
        return k->length == OFFSET_HOLE_BYTES ? OFFSET_HOLE_BYTES : 0;
    if (k->type == NBD_REPLY_BLOCK_STATUS)
        return k->length > STATUS_HEAD && (k->length - STATUS_HEAD) % EXTENT_BYTES == 0 &&
                       (k->length - STATUS_HEAD) / EXTENT_BYTES <= MAX_EXTENTS
                   ? STATUS_HEAD
                   : 0;
    return k->length >= ERROR_HEAD && k->length <= MAX_ERROR_BYTES ? ERROR_HEAD : 0;
}

static bool take_error(struct nbd_session *s, struct nbd_command *c, const struct chunk *k,
                       const uint8_t *head)
{
    uint32_t error = be32_get(head);
    uint32_t text = be16_get(head + 4), rest = k->length - ERROR_HEAD;
    bool fits = k->type == NBD_REPLY_ERROR          ? text == rest
                : k->type == NBD_REPLY_ERROR_OFFSET ? text + 8 == rest
                                                    : text <= rest;
    if (!error || !fits) {
        nbd_session_lose(s, "the server sent a malformed error reply");
        return false;
    }
    if (!c->error)
        c->error = error;
    s->reply.at = AT_SKIP;
    s->reply.left = rest;
    return true;
}

static bool take_status(struct nbd_session *s, struct nbd_command *c, const struct chunk *k,
                        const uint8_t *head)
{
    const struct nbd_export *x = &s->handshake.result;
    bool is_base = x->has_block_status && be32_get(head) == x->context_id && !c->described;
    bool is_depth = x->has_depth && be32_get(head) == x->depth_id && !c->depth_described;
    if (c->type != NBD_CMD_BLOCK_STATUS || (!is_base && !is_depth)) {
        nbd_session_lose(s, "the server sent a block status that was not asked for");
        return false;
    }
    s->reply.at = AT_EXTENTS;
    s->reply.is_depth = is_depth;
    s->reply.left = k->length - STATUS_HEAD;
    return true;
}

/* Only the last extent may reach beyond the range that was asked about. */
static bool take_extents(struct nbd_session *s)
{
    struct nbd_reply_state *r = &s->reply;
    struct nbd_command *c = r->command;
    uint32_t *described = r->is_depth ? &c->depth_described : &c->described;
    while (r->left) {
        const uint8_t *p = nbd_stream_peek(&s->stream, EXTENT_BYTES);
        if (!p)
            return false;
        uint32_t length = be32_get(p), flags = be32_get(p + 4), rest = c->length - *described;
        if (!length || !rest) {
            nbd_session_lose(s, length ? "the server sent extents beyond what was asked"
                                       : "the server sent an empty extent");
            return false;
        }
        if (length > rest)
            length = rest;
        uint64_t offset = c->offset + *described;
        *described += length;
        r->left -= EXTENT_BYTES;
        nbd_stream_skip(&s->stream, EXTENT_BYTES);
        if (r->is_depth && c->depth)
            c->depth(c, offset, length, flags);
        if (!r->is_depth && c->extent)
            c->extent(c, offset, length, flags);
    }
    end_chunk(s);
    return s->state == NBD_READY;
}

static bool take_structured(struct nbd_session *s)
{
    const uint8_t *p = nbd_stream_peek(&s->stream, NBD_STRUCTURED_REPLY_BYTES);
    if (!p)
        return false;
    struct chunk k = {be16_get(p + 4), be16_get(p + 6), be32_get(p + 16)};
    struct nbd_command *c = nbd_session_find(s, be64_get(p + 8));
    if (!c) {
        nbd_session_lose(s, "the server answers a request that was not made");
        return false;
    }
    bool is_error = k.type >> 15;
    if ((k.flags & ~NBD_REPLY_FLAG_DONE) ||
        (!is_error && k.type > NBD_REPLY_OFFSET_HOLE && k.type != NBD_REPLY_BLOCK_STATUS)) {
        nbd_session_lose(s, "the server sent a reply of an unknown kind");
        return false;
    }
    s->reply.command = c;
    s->reply.is_done = k.flags & NBD_REPLY_FLAG_DONE;
    if (k.type == NBD_REPLY_NONE) {
        if (k.length || !s->reply.is_done) {
            nbd_session_lose(s, "the server sent a malformed empty reply");
            return false;
        }
        nbd_stream_skip(&s->stream, NBD_STRUCTURED_REPLY_BYTES);
        end_chunk(s);
        return s->state == NBD_READY;
    }
    uint32_t head = head_bytes(&k);
    if (!head) {
        nbd_session_lose(s, "the server sent a reply of a wrong length");
        return false;
    }
    p = nbd_stream_peek(&s->stream, NBD_STRUCTURED_REPLY_BYTES + head);
    if (!p)
        return false;
    p += NBD_STRUCTURED_REPLY_BYTES;
    if (is_error) {
        if (!take_error(s, c, &k, p))
            return false;
    } else if (k.type == NBD_REPLY_BLOCK_STATUS) {
        if (!take_status(s, c, &k, p))
            return false;
    } else {
        uint64_t offset = be64_get(p);
        bool is_hole = k.type == NBD_REPLY_OFFSET_HOLE;
        uint32_t size = is_hole ? be32_get(p + 8) : k.length - OFFSET_DATA_HEAD;
        if (!accept_range(s, c, offset, size))
            return false;
        s->reply.position = (uint32_t)(offset - c->offset);
        s->reply.left = is_hole ? 0 : size;
        s->reply.at = AT_DATA;
        if (is_hole)
            zero_range(c, s->reply.position, size);
    }
    nbd_stream_skip(&s->stream, NBD_STRUCTURED_REPLY_BYTES + head);
    return true;
}

static bool take_header(struct nbd_session *s)
{
    const uint8_t *p = nbd_stream_peek(&s->stream, 4);
    if (!p)
        return false;
    uint32_t magic = be32_get(p);
    if (magic == NBD_SIMPLE_REPLY_MAGIC)
        return take_simple(s);
    if (magic == NBD_STRUCTURED_REPLY_MAGIC && s->handshake.result.has_structured_replies)
        return take_structured(s);
    nbd_session_lose(s, "a reply of the server has a wrong magic number");
    return false;
}

static bool take_data(struct nbd_session *s)
{
    struct nbd_reply_state *r = &s->reply;
    while (r->left) {
        uint32_t size;
        uint8_t *place = nbd_command_place(r->command, r->position, &size);
        if (size > r->left)
            size = r->left;
        uint32_t got = (uint32_t)nbd_stream_take(&s->stream, place, size);
        r->position += got;
        r->left -= got;
        if (got < size)
            return false;
    }
    end_chunk(s);
    return s->state == NBD_READY;
}

static bool skip_rest(struct nbd_session *s)
{
    struct nbd_reply_state *r = &s->reply;
    while (r->left) {
        uint32_t got = (uint32_t)nbd_stream_drop(&s->stream, r->left);
        if (!got)
            return false;
        r->left -= got;
    }
    end_chunk(s);
    return s->state == NBD_READY;
}

void nbd_reply_run(struct nbd_session *s)
{
    for (bool more = true; more;)
        more = s->reply.at == AT_HEADER    ? take_header(s)
               : s->reply.at == AT_DATA    ? take_data(s)
               : s->reply.at == AT_EXTENTS ? take_extents(s)
                                           : skip_rest(s);
}
