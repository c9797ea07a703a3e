// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/nbd/handshake.h"

#include <stdio.h>
#include <string.h>

#include "vdisk/nbd/proto.h"

enum { AT_GREETING, AT_TLS, AT_STRUCTURED, AT_META, AT_GO };

#define OPTION_HEADER_BYTES 16u
#define OPTION_REPLY_BYTES 20u
#define MAX_INFO_REPLIES 64u    /* a server that never ends its list is not worth waiting for */
#define MAX_REPLY_PAYLOAD 8192u /* an error text of NBD_MAX_STRING fits */
#define INFO_EXPORT_BYTES 12u
#define INFO_BLOCK_SIZE_BYTES 14u
#define BASE_NAME_BYTES ((uint32_t)sizeof NBD_BASE_ALLOCATION - 1)
#define DEPTH_NAME_BYTES ((uint32_t)sizeof NBD_ALLOCATION_DEPTH - 1)
#define MAX_MIN_BLOCK 65536u /* proto.md, "Block size constraints": at most 64 KiB */
#define MIN_MAX_BLOCK 4096u  /* the engine's own smallest read */

void nbd_handshake_init(struct nbd_handshake *h, const char *export_name, bool wants_tls,
                        bool wants_depth)
{
    memset(h, 0, sizeof *h);
    h->export_name = export_name;
    h->wants_tls = wants_tls;
    h->wants_depth = wants_depth;
    h->state = AT_GREETING;
    h->result.min_block = NBD_DEFAULT_MIN_BLOCK;
    h->result.max_block = NBD_DEFAULT_MAX_BLOCK;
    h->result.preferred_block = MIN_MAX_BLOCK;
}

static enum nbd_step fail(struct nbd_handshake *h, const char *why)
{
    snprintf(h->why, sizeof h->why, "%s", why);
    return NBD_FAILED;
}

static void put_option(struct nbd_stream *s, uint32_t option, const uint8_t *data, uint32_t size)
{
    uint8_t header[OPTION_HEADER_BYTES];
    be64_put(header, NBD_OPTION_MAGIC);
    be32_put(header + 8, option);
    be32_put(header + 12, size);
    nbd_stream_put(s, header, sizeof header);
    if (size)
        nbd_stream_put(s, data, size);
}

/* A length and so many bytes. Returns what follows them. */
static uint8_t *put_string(uint8_t *to, const char *text, uint32_t size)
{
    be32_put(to, size);
    memcpy(to + 4, text, size);
    return to + 4 + size;
}

/* proto.md, NBD_OPT_SET_META_CONTEXT: the name of the export, then a query or two. */
static void put_meta(struct nbd_handshake *h, struct nbd_stream *s)
{
    uint8_t data[4 + 255 + 4 + 4 + BASE_NAME_BYTES + 4 + DEPTH_NAME_BYTES];
    uint8_t *end = put_string(data, h->export_name, (uint32_t)strlen(h->export_name));
    be32_put(end, h->wants_depth ? 2 : 1);
    end = put_string(end + 4, NBD_BASE_ALLOCATION, BASE_NAME_BYTES);
    if (h->wants_depth)
        end = put_string(end, NBD_ALLOCATION_DEPTH, DEPTH_NAME_BYTES);
    put_option(s, NBD_OPT_SET_META_CONTEXT, data, (uint32_t)(end - data));
    h->state = AT_META;
}

static void put_go(struct nbd_handshake *h, struct nbd_stream *s)
{
    uint8_t data[4 + 255 + 2 + 2];
    uint32_t length = (uint32_t)strlen(h->export_name);
    be32_put(data, length);
    memcpy(data + 4, h->export_name, length);
    be16_put(data + 4 + length, 1);
    be16_put(data + 6 + length, NBD_INFO_BLOCK_SIZE);
    put_option(s, NBD_OPT_GO, data, 8 + length);
    h->state = AT_GO;
}

static enum nbd_step greet(struct nbd_handshake *h, struct nbd_stream *s)
{
    const uint8_t *p = nbd_stream_peek(s, 16);
    if (!p)
        return NBD_MORE;
    if (be64_get(p) != NBD_MAGIC)
        return fail(h, "not an NBD server");
    if (be64_get(p + 8) == NBD_OLDSTYLE_MAGIC)
        return fail(h, "the server speaks oldstyle NBD; a newstyle one is needed");
    if (be64_get(p + 8) != NBD_OPTION_MAGIC)
        return fail(h, "not an NBD server");
    p = nbd_stream_peek(s, 18);
    if (!p)
        return NBD_MORE;
    uint16_t offered = be16_get(p + 16);
    nbd_stream_skip(s, 18);
    if (!(offered & NBD_FLAG_FIXED_NEWSTYLE))
        return fail(h, "the server does not speak fixed newstyle NBD");
    uint8_t flags[4];
    be32_put(flags, offered & (NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES));
    nbd_stream_put(s, flags, sizeof flags);
    put_option(s, h->wants_tls ? NBD_OPT_STARTTLS : NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    h->state = h->wants_tls ? AT_TLS : AT_STRUCTURED;
    return NBD_MORE;
}

void nbd_handshake_secured(struct nbd_handshake *h, struct nbd_stream *s)
{
    put_option(s, NBD_OPT_STRUCTURED_REPLY, NULL, 0);
    h->state = AT_STRUCTURED;
}

/* Without TLS there is no going on: somebody on the way may have taken it out. */
static enum nbd_step take_tls(struct nbd_handshake *h, uint32_t type, uint32_t size)
{
    if (type >> 31)
        return fail(h, "the server does not offer TLS, and the disk may not be used without");
    if (type != NBD_REP_ACK || size)
        return fail(h, "the server's reply to NBD_OPT_STARTTLS makes no sense");
    return NBD_SECURE;
}

/* The server's own words, for the log: printable ASCII only, shortened. */
static void quote(const uint8_t *text, uint32_t size, char *to, size_t to_size)
{
    size_t n = 0;
    for (uint32_t i = 0; i < size && n + 1 < to_size; i++)
        to[n++] = text[i] >= ' ' && text[i] < 127 ? (char)text[i] : '?';
    to[n] = 0;
}

static enum nbd_step refuse(struct nbd_handshake *h, uint32_t type, const uint8_t *text,
                            uint32_t size)
{
    const char *reason;
    switch (type) {
    case NBD_REP_ERR_UNKNOWN:
        reason = "the server has no such export";
        break;
    case NBD_REP_ERR_UNSUP:
        reason = "the server does not know NBD_OPT_GO; it is too old";
        break;
    case NBD_REP_ERR_POLICY:
        reason = "the server's policy refuses the export";
        break;
    case NBD_REP_ERR_TLS_REQD:
        reason = "the server demands TLS: give the disk keys for it";
        break;
    case NBD_REP_ERR_SHUTDOWN:
        reason = "the server is shutting down";
        break;
    case NBD_REP_ERR_BLOCK_SIZE_REQD:
        reason = "the server insists on a block size";
        break;
    default:
        snprintf(h->why, sizeof h->why, "the server refuses the export (NBD error 0x%x)",
                 (unsigned)type);
        return NBD_FAILED;
    }
    char words[64];
    quote(text, size, words, sizeof words);
    snprintf(h->why, sizeof h->why, words[0] ? "%s (\"%s\")" : "%s%s", reason, words);
    return NBD_FAILED;
}

static enum nbd_step take_block_size(struct nbd_handshake *h, const uint8_t *p)
{
    uint32_t min = be32_get(p + 2), preferred = be32_get(p + 6), max = be32_get(p + 10);
    if (!min || (min & (min - 1)) || min > MAX_MIN_BLOCK)
        return fail(h, "the server names a senseless minimum block size");
    if (preferred < min || (preferred & (preferred - 1)) || preferred > NBD_DEFAULT_MAX_BLOCK)
        preferred = min > MIN_MAX_BLOCK ? min : MIN_MAX_BLOCK; /* senseless advice is not taken */
    if (max == UINT32_MAX)
        max = NBD_DEFAULT_MAX_BLOCK;
    max -= max % min;
    if (max < MIN_MAX_BLOCK)
        return fail(h, "the server's maximum block size is below 4096");
    h->result.min_block = min;
    h->result.preferred_block = preferred;
    h->result.max_block = max < NBD_DEFAULT_MAX_BLOCK ? max : NBD_DEFAULT_MAX_BLOCK;
    return NBD_MORE;
}

static enum nbd_step take_info(struct nbd_handshake *h, const uint8_t *p, uint32_t size)
{
    if (++h->info_count > MAX_INFO_REPLIES || size < 2)
        return fail(h, "the server's NBD_REP_INFO replies make no sense");
    switch (be16_get(p)) {
    case NBD_INFO_EXPORT:
        if (size != INFO_EXPORT_BYTES)
            return fail(h, "the server's NBD_INFO_EXPORT has a wrong length");
        h->result.size_bytes = be64_get(p + 2);
        h->result.flags = be16_get(p + 10);
        if (h->result.size_bytes > INT64_MAX)
            return fail(h, "the server names a senseless export size");
        if (!(h->result.flags & NBD_FLAG_HAS_FLAGS))
            h->result.flags = 0;
        h->has_export_info = true;
        return NBD_MORE;
    case NBD_INFO_BLOCK_SIZE:
        if (size != INFO_BLOCK_SIZE_BYTES)
            return fail(h, "the server's NBD_INFO_BLOCK_SIZE has a wrong length");
        return take_block_size(h, p);
    default:
        return NBD_MORE; /* information that was not asked for may be ignored */
    }
}

/* One of the contexts that were asked for, once. False: it is not. */
static bool take_context(struct nbd_handshake *h, const uint8_t *p, uint32_t size)
{
    struct nbd_export *x = &h->result;
    uint32_t id = size < 4 ? 0 : be32_get(p);
    if (size == 4 + BASE_NAME_BYTES && !memcmp(p + 4, NBD_BASE_ALLOCATION, BASE_NAME_BYTES) &&
        !x->has_block_status && !(x->has_depth && x->depth_id == id)) {
        x->has_block_status = true;
        x->context_id = id;
        return true;
    }
    if (size == 4 + DEPTH_NAME_BYTES && !memcmp(p + 4, NBD_ALLOCATION_DEPTH, DEPTH_NAME_BYTES) &&
        h->wants_depth && !x->has_depth && !(x->has_block_status && x->context_id == id)) {
        x->has_depth = true;
        x->depth_id = id;
        return true;
    }
    return false;
}

/* A server that knows no contexts, or not these, is used without. */
static enum nbd_step take_meta(struct nbd_handshake *h, struct nbd_stream *s, uint32_t type,
                               const uint8_t *p, uint32_t size)
{
    if (type == NBD_REP_META_CONTEXT) {
        if (!take_context(h, p, size))
            return fail(h, "the server names a metadata context that was not asked for");
        return NBD_MORE;
    }
    bool is_error = type >> 31;
    if (type != NBD_REP_ACK && !is_error)
        return fail(h, "the server's reply to NBD_OPT_SET_META_CONTEXT makes no sense");
    if (type == NBD_REP_ERR_TLS_REQD || type == NBD_REP_ERR_SHUTDOWN || type == NBD_REP_ERR_UNKNOWN)
        return refuse(h, type, p, size);
    if (is_error)
        h->result.has_block_status = h->result.has_depth = false;
    put_go(h, s);
    return NBD_MORE;
}

/* One whole option reply: its payload p of `size` bytes. */
static enum nbd_step take_reply(struct nbd_handshake *h, struct nbd_stream *s, uint32_t type,
                                const uint8_t *p, uint32_t size)
{
    bool is_error = type >> 31;
    if (h->state == AT_TLS)
        return take_tls(h, type, size);
    if (h->state == AT_STRUCTURED) {
        if (type != NBD_REP_ACK && !is_error)
            return fail(h, "the server's reply to NBD_OPT_STRUCTURED_REPLY makes no sense");
        if (type == NBD_REP_ERR_TLS_REQD || type == NBD_REP_ERR_SHUTDOWN)
            return refuse(h, type, p, size);
        h->result.has_structured_replies = !is_error;
        if (is_error)
            put_go(h, s);
        else
            put_meta(h, s);
        return NBD_MORE;
    }
    if (h->state == AT_META)
        return take_meta(h, s, type, p, size);
    if (is_error)
        return refuse(h, type, p, size);
    if (type == NBD_REP_INFO)
        return take_info(h, p, size);
    if (type != NBD_REP_ACK)
        return fail(h, "the server's reply to NBD_OPT_GO makes no sense");
    if (!h->has_export_info)
        return fail(h, "the server did not say how large the export is");
    return NBD_DONE;
}

enum nbd_step nbd_handshake_step(struct nbd_handshake *h, struct nbd_stream *s)
{
    static const uint8_t asked[] = {[AT_TLS] = NBD_OPT_STARTTLS,
                                    [AT_STRUCTURED] = NBD_OPT_STRUCTURED_REPLY,
                                    [AT_META] = NBD_OPT_SET_META_CONTEXT,
                                    [AT_GO] = NBD_OPT_GO};
    for (;;) {
        if (h->state == AT_GREETING) {
            enum nbd_step step = greet(h, s);
            if (step != NBD_MORE || h->state == AT_GREETING)
                return step;
        }
        const uint8_t *p = nbd_stream_peek(s, OPTION_REPLY_BYTES);
        if (!p)
            return NBD_MORE;
        uint32_t option = be32_get(p + 8), type = be32_get(p + 12), size = be32_get(p + 16);
        if (be64_get(p) != NBD_REPLY_MAGIC)
            return fail(h, "an option reply of the server has a wrong magic number");
        if (option != asked[h->state])
            return fail(h, "the server answers an option that was not asked");
        if (size > MAX_REPLY_PAYLOAD)
            return fail(h, "an option reply of the server is too long");
        p = nbd_stream_peek(s, OPTION_REPLY_BYTES + size);
        if (!p)
            return NBD_MORE;
        enum nbd_step step = take_reply(h, s, type, p + OPTION_REPLY_BYTES, size);
        nbd_stream_skip(s, OPTION_REPLY_BYTES + size);
        if (step != NBD_MORE)
            return step;
    }
}
