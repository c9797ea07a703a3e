// SPDX-License-Identifier: BSD-2-Clause
/*
 * Numbers and byte order of the NBD protocol (NBD project, doc/proto.md; the section is named at
 * each group).
 */
#ifndef VDISK_NBD_PROTO_H
#define VDISK_NBD_PROTO_H

#include <stdint.h>

/* "Newstyle negotiation", "Fixed newstyle negotiation" */
#define NBD_MAGIC 0x4e42444d41474943ull        /* "NBDMAGIC" */
#define NBD_OPTION_MAGIC 0x49484156454f5054ull /* "IHAVEOPT" */
#define NBD_OLDSTYLE_MAGIC 0x00420281861253ull
#define NBD_REPLY_MAGIC 0x3e889045565a9ull /* of option replies */
#define NBD_FLAG_FIXED_NEWSTYLE 1u
#define NBD_FLAG_NO_ZEROES 2u
#define NBD_MAX_STRING 4096u /* "Values", string lengths */

/* "Transmission flags" */
#define NBD_FLAG_HAS_FLAGS (1u << 0)
#define NBD_FLAG_READ_ONLY (1u << 1)
#define NBD_FLAG_SEND_FLUSH (1u << 2)
#define NBD_FLAG_SEND_FUA (1u << 3)
#define NBD_FLAG_SEND_TRIM (1u << 5)
#define NBD_FLAG_SEND_WRITE_ZEROES (1u << 6)
#define NBD_FLAG_CAN_MULTI_CONN (1u << 8)
#define NBD_FLAG_SEND_CACHE (1u << 10)
#define NBD_FLAG_SEND_FAST_ZERO (1u << 11)

enum nbd_option { /* "Option types" */
                  NBD_OPT_EXPORT_NAME = 1,
                  NBD_OPT_ABORT = 2,
                  NBD_OPT_LIST = 3,
                  NBD_OPT_STARTTLS = 5,
                  NBD_OPT_INFO = 6,
                  NBD_OPT_GO = 7,
                  NBD_OPT_STRUCTURED_REPLY = 8,
                  NBD_OPT_SET_META_CONTEXT = 10,
};

enum nbd_option_reply { /* "Option reply types"; bit 31: error */
                        NBD_REP_ACK = 1,
                        NBD_REP_SERVER = 2,
                        NBD_REP_INFO = 3,
                        NBD_REP_META_CONTEXT = 4,
};
#define NBD_REP_ERROR(n) ((1u << 31) + (n))
#define NBD_REP_ERR_UNSUP NBD_REP_ERROR(1u)
#define NBD_REP_ERR_POLICY NBD_REP_ERROR(2u)
#define NBD_REP_ERR_INVALID NBD_REP_ERROR(3u)
#define NBD_REP_ERR_PLATFORM NBD_REP_ERROR(4u)
#define NBD_REP_ERR_TLS_REQD NBD_REP_ERROR(5u)
#define NBD_REP_ERR_UNKNOWN NBD_REP_ERROR(6u)
#define NBD_REP_ERR_SHUTDOWN NBD_REP_ERROR(7u)
#define NBD_REP_ERR_BLOCK_SIZE_REQD NBD_REP_ERROR(8u)

enum nbd_info { /* "NBD_INFO information types" */
                NBD_INFO_EXPORT = 0,
                NBD_INFO_BLOCK_SIZE = 3,
};

enum nbd_command_type { /* "Request types" */
                        NBD_CMD_READ = 0,
                        NBD_CMD_WRITE = 1,
                        NBD_CMD_DISC = 2,
                        NBD_CMD_FLUSH = 3,
                        NBD_CMD_TRIM = 4,
                        NBD_CMD_CACHE = 5,
                        NBD_CMD_WRITE_ZEROES = 6,
                        NBD_CMD_BLOCK_STATUS = 7,
};
#define NBD_CMD_FLAG_FUA (1u << 0) /* "Command flags" */
#define NBD_CMD_FLAG_NO_HOLE (1u << 1)
#define NBD_CMD_FLAG_REQ_ONE (1u << 3)
#define NBD_CMD_FLAG_FAST_ZERO (1u << 4)

/* "Transmission phase" */
#define NBD_REQUEST_MAGIC 0x25609513u
#define NBD_REQUEST_BYTES 28u
#define NBD_SIMPLE_REPLY_MAGIC 0x67446698u
#define NBD_SIMPLE_REPLY_BYTES 16u
#define NBD_STRUCTURED_REPLY_MAGIC 0x668e33efu
#define NBD_STRUCTURED_REPLY_BYTES 20u

/* "Structured reply flags", "Structured reply types" */
#define NBD_REPLY_FLAG_DONE 1u
#define NBD_REPLY_NONE 0u
#define NBD_REPLY_OFFSET_DATA 1u
#define NBD_REPLY_OFFSET_HOLE 2u
#define NBD_REPLY_BLOCK_STATUS 5u
#define NBD_REPLY_ERROR 0x8001u
#define NBD_REPLY_ERROR_OFFSET 0x8002u

enum nbd_error { /* "Error values" */
                 NBD_EPERM = 1,
                 NBD_EIO = 5,
                 NBD_ENOMEM = 12,
                 NBD_EINVAL = 22,
                 NBD_ENOSPC = 28,
                 NBD_ENOTSUP = 95,
                 NBD_ESHUTDOWN = 108,
};

/* "Metadata querying", "base:allocation metadata context" */
#define NBD_BASE_ALLOCATION "base:allocation"
#define NBD_STATE_HOLE (1u << 0)
#define NBD_STATE_ZERO (1u << 1) /* reads as zeros */
/* QEMU, docs/interop/nbd.rst: in which layer of a chain of images an extent lies. 0: in none; 1: in the
   topmost, the export's own; 2 and up: in one below it. */
#define NBD_ALLOCATION_DEPTH "qemu:allocation-depth"
#define NBD_DEPTH_OWN 1u

/* What a client may assume when the server says nothing: "Block size constraints". */
#define NBD_DEFAULT_MIN_BLOCK 512u
#define NBD_DEFAULT_MAX_BLOCK (32u << 20)

static inline uint16_t be16_get(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t be32_get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t be64_get(const uint8_t *p)
{
    return (uint64_t)be32_get(p) << 32 | be32_get(p + 4);
}
static inline void be16_put(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void be32_put(uint8_t *p, uint32_t v)
{
    be16_put(p, (uint16_t)(v >> 16));
    be16_put(p + 2, (uint16_t)v);
}
static inline void be64_put(uint8_t *p, uint64_t v)
{
    be32_put(p, (uint32_t)(v >> 32));
    be32_put(p + 4, (uint32_t)v);
}

#endif
