// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no server, whatever it says in negotiation and in replies, makes the NBD client
 * read or write outside its memory: the input is all that the server sends, in pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/nbd_peer.h"
#include "vdisk/nbd/proto.h"
#include "vdisk/nbd/session.h"

#define COMMANDS 8u
#define PAGES 4u

static const char *fake_tls_start(const struct vdisk_tls *tls, void *conn, const char *server_name)
{
    (void)tls, (void)conn, (void)server_name;
    return NULL; /* what follows is what the peer says inside TLS */
}
static const struct vdisk_tls fake_tls = {fake_tls_start};
static unsigned finished;

static void got_extent(struct nbd_command *command, uint64_t offset, uint32_t length,
                       uint32_t flags)
{
    (void)flags;
    if (!length || offset < command->offset || offset - command->offset > command->length - length)
        __builtin_trap();
}

static void command_done(struct nbd_command *command, uint32_t error)
{
    (void)error;
    command->owner = NULL;
    finished++;
}

static struct nbd_command commands[COMMANDS];

/* Each has memory of its own that ends where its range does: what is written beyond it is seen. */
static void give_memory(struct nbd_command *c)
{
    uint32_t pages = (c->length + NBD_PAGE_BYTES - 1) / NBD_PAGE_BYTES;
    uint8_t **table = malloc(pages * sizeof *table), *data = malloc(c->length);
    for (unsigned p = 0; p < pages; p++)
        table[p] = data + p * NBD_PAGE_BYTES;
    c->data = data;
    c->pages = table;
}

static void send_commands(struct nbd_session *session)
{
    for (unsigned i = 0; i < COMMANDS; i++) {
        struct nbd_command *c = &commands[i];
        c->type = i == 5   ? NBD_CMD_WRITE
                  : i == 6 ? NBD_CMD_FLUSH
                  : i == 7 ? NBD_CMD_BLOCK_STATUS
                           : NBD_CMD_READ;
        c->extent = c->depth = got_extent;
        c->offset = i * 65536u;
        c->length = i == 6 ? 0 : i == 4 ? 512 : PAGES * NBD_PAGE_BYTES;
        c->done = command_done;
        c->owner = c;
        give_memory(c);
        nbd_session_send(session, c, peer.now);
    }
}

static void free_commands(void)
{
    for (unsigned i = 0; i < COMMANDS; i++) {
        free((void *)commands[i].data);
        free((void *)commands[i].pages);
    }
    memset(commands, 0, sizeof commands);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nbd_session session;
    if (size < 2)
        return 0;
    /* First byte: skip the negotiation? structured? TLS? two contexts? second: how the bytes arrive. */
    bool is_negotiated = data[0] & 1;
    bool is_structured = data[0] & 2;
    peer = (struct nbd_peer){
        .in = data + 2, .in_size = size - 2, .piece = 1 + data[1] * 16u, .now = 1};
    finished = 0;
    static const struct nbd_patience patience = {1000, 1000, 1000};
    nbd_session_init(&session, &peer_platform, &patience);
    const struct nbd_target target = {"h", 1, "e", data[0] & 4 ? &fake_tls : NULL, data[0] & 8};
    nbd_session_start(&session, &target, peer.now);
    session.state = is_negotiated ? NBD_READY : NBD_NEGOTIATING;
    if (is_negotiated) {
        session.handshake.result.has_structured_replies = is_structured;
        session.handshake.result.has_block_status = is_structured;
        session.handshake.result.has_depth = is_structured && target.wants_depth;
        session.handshake.result.depth_id = 1;
    }
    bool is_sent = false;
    for (unsigned round = 0;
         round < 4096 && session.state != NBD_LOST && peer.in_taken < peer.in_size; round++) {
        if (session.state == NBD_READY && !is_sent) {
            is_sent = true;
            send_commands(&session);
        }
        nbd_session_run(&session, peer.now);
    }
    unsigned taken = 0;
    while (nbd_session_take_back(&session))
        taken++;
    if (is_sent && (finished + taken != COMMANDS || session.in_flight || session.bytes_in_flight))
        __builtin_trap();
    nbd_session_close(&session);
    free_commands();
    return 0;
}
