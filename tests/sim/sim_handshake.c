// SPDX-License-Identifier: BSD-2-Clause
#include "tests/sim/sim_handshake.h"

#include <string.h>

#include "vdisk/nbd/proto.h"

void sim_handshake_begin(struct sim_conn *c, struct sim_session *s)
{
    uint8_t greeting[18];
    *s = (struct sim_session){.phase = SIM_GREETED, .client = -1};
    be64_put(greeting, NBD_MAGIC);
    be64_put(greeting + 8, NBD_OPTION_MAGIC);
    be16_put(greeting + 16, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
    sim_conn_deliver(c, greeting, sizeof greeting);
}

static void reply_option(struct sim_conn *c, struct sim_session *s, uint32_t option, uint32_t type,
                         const uint8_t *data, uint32_t size)
{
    uint8_t header[20];
    be64_put(header, NBD_REPLY_MAGIC);
    be32_put(header + 8, option);
    be32_put(header + 12, type);
    be32_put(header + 16, size);
    sim_server_damage(header, sizeof header);
    if (option == NBD_OPT_STRUCTURED_REPLY)
        s->was_told_structured = be32_get(header + 12) == NBD_REP_ACK;
    if (option == NBD_OPT_GO && be32_get(header + 12) != type)
        s->has_hidden_limits = true;
    sim_conn_deliver(c, header, sizeof header);
    if (size)
        sim_conn_deliver(c, data, size);
}

/* Of a lie: a block more or less. */
static uint64_t told_bytes(const struct sim_session *s)
{
    uint64_t unit = sim_profile.min_block;
    uint64_t bytes = s->is_tree ? (sim_tree_bytes() + unit - 1) / unit * unit
                                : sim_server_sectors_told() * SIM_SECTOR;
    if (sim_chance(sim_profile.lie_other))
        bytes = sim_random() % 2 || bytes <= 4096 ? bytes + 4096 : bytes - 4096;
    return bytes;
}

static void go(struct sim_conn *c, struct sim_session *s)
{
    uint8_t info[14];
    const uint8_t *name = c->tx + 20; /* behind the option's header and the name's length */
    uint32_t size = be32_get(c->tx + 16);
    s->is_tree = size == 8 && !memcmp(name, "e.verity", 8);
    s->client = size == 2 && *name == 'c' ? name[1] - '0' : -1;
    if (!s->is_tree && s->client < 0 && (size != 1 || *name != 'e'))
        sim_fail("the engine asked for an export that nobody named");
    uint32_t flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_WRITE_ZEROES;
    flags |= sim_profile.has_flush ? NBD_FLAG_SEND_FLUSH : 0;
    flags |= sim_profile.has_fua ? NBD_FLAG_SEND_FUA : 0;
    flags |= sim_profile.has_multi_conn ? NBD_FLAG_CAN_MULTI_CONN : 0;
    flags |= sim_profile.has_trim ? NBD_FLAG_SEND_TRIM : 0;
    be16_put(info, NBD_INFO_EXPORT);
    be64_put(info + 2, told_bytes(s));
    be16_put(info + 10, (uint16_t)flags);
    reply_option(c, s, NBD_OPT_GO, NBD_REP_INFO, info, 12);
    be16_put(info, NBD_INFO_BLOCK_SIZE);
    be32_put(info + 2, sim_profile.min_block);
    be32_put(info + 6, 4096);
    be32_put(info + 10, sim_profile.max_block);
    reply_option(c, s, NBD_OPT_GO, NBD_REP_INFO, info, 14);
    reply_option(c, s, NBD_OPT_GO, NBD_REP_ACK, NULL, 0);
}

/* The option's second query: behind the name of the export, and the first. */
static bool is_asked_for_depths(const struct sim_conn *c)
{
    uint32_t name = be32_get(c->tx + 16), queries = be32_get(c->tx + 20 + name);
    if (queries > 1 && c->tx[20] != 'c')
        sim_fail("the engine asks for the depths of an export that is no client's");
    return queries > 1;
}

static void send_depth_context(struct sim_conn *c, struct sim_session *s)
{
    static const char name[] = NBD_ALLOCATION_DEPTH;
    uint8_t context[4 + sizeof name - 1];
    be32_put(context, SIM_DEPTHS);
    memcpy(context + 4, name, sizeof name - 1);
    reply_option(c, s, NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, context, sizeof context);
}

static void set_context(struct sim_conn *c, struct sim_session *s)
{
    static const char name[] = NBD_BASE_ALLOCATION;
    uint8_t context[4 + sizeof name - 1];
    be32_put(context, SIM_CONTEXT);
    memcpy(context + 4, name, sizeof name - 1);
    if (!s->was_told_structured)
        sim_fail("the engine asks for contexts without structured replies");
    if (!sim_profile.structured) {
        reply_option(c, s, NBD_OPT_SET_META_CONTEXT, NBD_REP_ERR_INVALID, NULL, 0);
        return;
    }
    if (!sim_profile.has_status && sim_random() % 2) {
        reply_option(c, s, NBD_OPT_SET_META_CONTEXT, NBD_REP_ERR_UNSUP, NULL, 0);
        return;
    }
    if (sim_profile.has_status)
        reply_option(c, s, NBD_OPT_SET_META_CONTEXT, NBD_REP_META_CONTEXT, context, sizeof context);
    s->has_depths = sim_profile.has_status && sim_profile.has_depth && is_asked_for_depths(c);
    if (s->has_depths)
        send_depth_context(c, s);
    reply_option(c, s, NBD_OPT_SET_META_CONTEXT, NBD_REP_ACK, NULL, 0);
}

static size_t take_option(struct sim_conn *c, struct sim_session *s)
{
    if (c->tx_size < 16)
        return 0;
    uint32_t option = be32_get(c->tx + 8), size = be32_get(c->tx + 12);
    if (be64_get(c->tx) != NBD_OPTION_MAGIC || size > 4096)
        sim_fail("the engine sent a malformed option");
    if (c->tx_size < 16 + size)
        return 0;
    if (option == NBD_OPT_STRUCTURED_REPLY) {
        reply_option(c, s, option, sim_profile.structured ? NBD_REP_ACK : NBD_REP_ERR_UNSUP, NULL,
                     0);
    } else if (option == NBD_OPT_SET_META_CONTEXT) {
        set_context(c, s);
    } else if (option == NBD_OPT_GO) {
        go(c, s);
        s->phase = SIM_TRANSMISSION;
    } else {
        sim_fail("the engine sent option %u", (unsigned)option);
    }
    return 16 + size;
}

size_t sim_handshake_take(struct sim_conn *c, struct sim_session *s)
{
    if (s->phase == SIM_OPTIONS)
        return take_option(c, s);
    if (c->tx_size < 4)
        return 0;
    s->phase = SIM_OPTIONS;
    return 4;
}
