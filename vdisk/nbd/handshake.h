// SPDX-License-Identifier: BSD-2-Clause
/*
 * Fixed newstyle negotiation of one connection, as the client: TLS if it is wanted, then structured
 * replies and block status (base:allocation, and qemu:allocation-depth where it is wanted) if the
 * server has them, then NBD_OPT_GO with the request for block sizes. One option at a time.
 */
#ifndef VDISK_NBD_HANDSHAKE_H
#define VDISK_NBD_HANDSHAKE_H

#include "vdisk/nbd/stream.h"

struct nbd_export { /* checked: see the comments */
    uint64_t size_bytes;
    uint32_t flags;           /* NBD_FLAG_*, as sent */
    uint32_t min_block;       /* a power of two, 1 .. 64 KiB */
    uint32_t max_block;       /* a multiple of min_block, at least 4096 */
    uint32_t preferred_block; /* a power of two, min_block .. 32 MiB; only advice */
    bool has_structured_replies;
    bool has_block_status; /* NBD_CMD_BLOCK_STATUS may be sent */
    uint32_t context_id;   /* of base:allocation in its answers */
    bool has_depth;        /* each answer has extents of qemu:allocation-depth too */
    uint32_t depth_id;
};

enum nbd_step {
    NBD_MORE,
    NBD_SECURE, /* start TLS on the connection, then nbd_handshake_secured */
    NBD_DONE,
    NBD_FAILED
};

struct nbd_handshake {
    const char *export_name;
    uint8_t state;
    bool wants_tls, wants_depth;
    bool has_export_info;
    uint32_t info_count;
    struct nbd_export result;
    char why[160]; /* of NBD_FAILED */
};

/* export_name: at most 255 bytes, must stay valid. wants_tls: nothing but NBD_OPT_STARTTLS is said
   in plain text. wants_depth: qemu:allocation-depth is asked for. */
void nbd_handshake_init(struct nbd_handshake *h, const char *export_name, bool wants_tls,
                        bool wants_depth);
/* Takes what has arrived, queues answers. NBD_FAILED: close the connection; `why` says the reason.
 */
enum nbd_step nbd_handshake_step(struct nbd_handshake *h, struct nbd_stream *s);
/* TLS has been started after NBD_SECURE: goes on inside it. */
void nbd_handshake_secured(struct nbd_handshake *h, struct nbd_stream *s);

#endif
