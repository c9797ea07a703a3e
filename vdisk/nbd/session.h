// SPDX-License-Identifier: BSD-2-Clause
/*
 * One connection to an NBD server, from connect to its loss. It never reconnects: when it is lost,
 * its owner takes back the unanswered commands and starts anew.
 */
#ifndef VDISK_NBD_SESSION_H
#define VDISK_NBD_SESSION_H

#include "vdisk/nbd/command.h"
#include "vdisk/nbd/handshake.h"

#define NBD_SESSION_SLOTS 64u
#define NBD_SESSION_WINDOW (8u << 20) /* payload bytes of all commands in flight, both ways */

enum nbd_session_state {
    NBD_CLOSED,
    NBD_CONNECTING,
    NBD_NEGOTIATING,
    NBD_READY,
    NBD_LOST, /* `why` says the reason; the connection is closed already */
};

/* How long what may take. */
struct nbd_patience {
    uint64_t connect_ns; /* connecting and negotiating */
    uint64_t silence_ns; /* a server that owes an answer */
    uint64_t idle_ns;    /* nothing to do, until a small read asks whether the server is there */
};

struct nbd_target { /* strings and tls must stay valid */
    const char *host;
    uint16_t port;
    const char *export_name;
    const struct vdisk_tls *tls; /* NULL: plain text */
    bool wants_depth;            /* qemu:allocation-depth is asked for */
};

/* How far the answer that is arriving has been read: reply.c. */
struct nbd_reply_state {
    uint8_t at;
    bool is_done;                /* the chunk is the last of its command */
    bool is_depth;               /* the extents that are arriving are of qemu:allocation-depth */
    struct nbd_command *command; /* whose payload is arriving */
    uint32_t position;           /* of the next payload byte in the command's range */
    uint32_t left;               /* payload bytes still to come */
};

struct nbd_session {
    const struct vdisk_platform *platform;
    enum nbd_session_state state;
    struct nbd_patience patience;
    struct nbd_target target;
    uint64_t started_ns, moved_ns; /* start of the connection; last sign of life */
    uint64_t moved_seen;
    bool is_conn_closed; /* the platform said so; what had arrived is still being read */
    struct nbd_handshake handshake;
    struct list queue;   /* accepted, not yet entirely sent; the first may be partly sent */
    uint32_t queue_sent; /* bytes of the first one that have been put, header included */
    struct list flying;  /* sent, in the order of sending */
    struct nbd_command *slots[NBD_SESSION_SLOTS];
    struct nbd_command ping;
    uint32_t in_flight;
    uint64_t bytes_in_flight;
    uint64_t serial;
    struct nbd_reply_state reply;
    struct nbd_stream stream;
    char why[160];
};

void nbd_session_init(struct nbd_session *s, const struct vdisk_platform *platform,
                      const struct nbd_patience *patience);
/* From NBD_CLOSED. False: the platform has no free connection. */
bool nbd_session_start(struct nbd_session *s, const struct nbd_target *target, uint64_t now_ns);
/* Says goodbye if the server is listening, closes; commands in flight can be taken back after it.
 */
void nbd_session_close(struct nbd_session *s);

/* Reads what has arrived (calling done of commands), sends what is queued, judges silence. */
void nbd_session_run(struct nbd_session *s, uint64_t now_ns);
/* When nbd_session_run has to look at the clock again. */
uint64_t nbd_session_deadline(const struct nbd_session *s);

/* True if a command with that many payload bytes may be sent now. */
bool nbd_session_has_room(const struct nbd_session *s, uint32_t bytes);
void nbd_session_send(struct nbd_session *s, struct nbd_command *command, uint64_t now_ns);
/* After NBD_LOST or a close: an unanswered command, in the order of sending; NULL: no more. */
struct nbd_command *nbd_session_take_back(struct nbd_session *s);

/* -- between session.c and reply.c -- */
void nbd_session_lose(struct nbd_session *s, const char *why);
struct nbd_command *nbd_session_find(struct nbd_session *s, uint64_t cookie);
void nbd_session_finish(struct nbd_session *s, struct nbd_command *command);
/* Reads replies until there is no more input or the session is lost. */
void nbd_reply_run(struct nbd_session *s);

#endif
