// SPDX-License-Identifier: BSD-2-Clause
/* Fixed newstyle negotiation, as the server. One export under any name. */
#include <string.h>

#include "vdisk/leat_nbd/client.h"
#include "vdisk/nbd/proto.h"

#define ZEROES_BYTES 124u /* proto.md, NBD_OPT_EXPORT_NAME */

void greeting_begin(struct client *c)
{
    uint8_t *p = client_answer(c, 18);
    be64_put(p, NBD_MAGIC);
    be64_put(p + 8, NBD_OPTION_MAGIC);
    be16_put(p + 16, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
}

static uint8_t *reply(struct client *c, uint32_t option, uint32_t type, uint32_t size)
{
    uint8_t *p = client_answer(c, 20 + size);
    be64_put(p, NBD_REPLY_MAGIC);
    be32_put(p + 8, option);
    be32_put(p + 12, type);
    be32_put(p + 16, size);
    return p + 20;
}

static uint16_t transmission_flags(const struct leat_blk_info *info)
{
    uint32_t flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_CAN_MULTI_CONN | NBD_FLAG_SEND_CACHE;
    flags |= info->features & LEAT_BLK_READ_ONLY ? NBD_FLAG_READ_ONLY : 0;
    flags |= info->features & LEAT_BLK_CAN_FLUSH ? NBD_FLAG_SEND_FLUSH : 0;
    flags |= info->features & LEAT_BLK_CAN_FUA ? NBD_FLAG_SEND_FUA : 0;
    flags |= info->features & LEAT_BLK_CAN_DISCARD ? NBD_FLAG_SEND_TRIM : 0;
    flags |= info->features & LEAT_BLK_CAN_ZERO ? NBD_FLAG_SEND_WRITE_ZEROES : 0;
    return (uint16_t)flags;
}

static void inform(struct client *c, uint32_t option)
{
    struct leat_blk_info info;
    vdisk_info(c->disk, &info);
    uint8_t *p = reply(c, option, NBD_REP_INFO, 12);
    be16_put(p, NBD_INFO_EXPORT);
    be64_put(p + 2, info.size_bytes);
    be16_put(p + 10, transmission_flags(&info));
    p = reply(c, option, NBD_REP_INFO, 14);
    be16_put(p, NBD_INFO_BLOCK_SIZE);
    be32_put(p + 2, info.block_size);
    be32_put(p + 6, info.optimal_size);
    be32_put(p + 10, CLIENT_MAX_BLOCK);
    reply(c, option, NBD_REP_ACK, 0);
}

static void old_export_name(struct client *c)
{
    struct leat_blk_info info;
    vdisk_info(c->disk, &info);
    uint32_t size = 10 + (c->wants_no_zeroes ? 0 : ZEROES_BYTES);
    uint8_t *p = client_answer(c, size);
    memset(p, 0, size);
    be64_put(p, info.size_bytes);
    be16_put(p + 8, transmission_flags(&info));
    c->phase = CLIENT_REQUESTS;
}

static void take_option(struct client *c, uint32_t option)
{
    switch (option) {
    case NBD_OPT_EXPORT_NAME:
        old_export_name(c);
        break;
    case NBD_OPT_GO:
        inform(c, option);
        c->phase = CLIENT_REQUESTS;
        break;
    case NBD_OPT_INFO:
        inform(c, option);
        break;
    case NBD_OPT_LIST:
        be32_put(reply(c, option, NBD_REP_SERVER, 4), 0);
        reply(c, option, NBD_REP_ACK, 0);
        break;
    case NBD_OPT_ABORT:
        reply(c, option, NBD_REP_ACK, 0);
        c->phase = CLIENT_ENDING;
        break;
    default:
        reply(c, option, NBD_REP_ERR_UNSUP, 0);
    }
}

long greeting_step(struct client *c)
{
    if (c->phase == CLIENT_FLAGS) {
        if (c->in_size < 4)
            return 0;
        uint32_t flags = be32_get(c->in);
        if (flags & ~(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES))
            return -1;
        c->wants_no_zeroes = flags & NBD_FLAG_NO_ZEROES;
        c->phase = CLIENT_OPTIONS;
        return 4;
    }
    if (c->in_size < 16)
        return 0;
    uint32_t size = be32_get(c->in + 12);
    if (be64_get(c->in) != NBD_OPTION_MAGIC || size > 2 * NBD_MAX_STRING)
        return -1;
    if (c->in_size < 16 + size)
        return 0;
    take_option(c, be32_get(c->in + 8));
    return 16 + (long)size;
}
