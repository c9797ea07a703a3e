// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no server, whatever it says in negotiation and in replies, makes the NBD client
 * read or write outside its memory: the input is all that the server sends, in pieces.
 */
#include <string.h>

#include "vdisk/nbd/proto.h"
#include "vdisk/nbd/session.h"

#define COMMANDS 8u
#define PAGES 4u

static const uint8_t *input;
static size_t input_size, piece;
static uint64_t now;

static uint64_t fake_now(void *ctx)
{
    (void)ctx;
    return now;
}
static void *fake_connect(void *ctx, const char *host, uint16_t port,
                          const struct vdisk_conn_events *events, void *owner)
{
    (void)ctx, (void)host, (void)port;
    events->connected(owner); /* the session ignores it before it has started */
    return (void *)1;
}
static void fake_close(void *ctx, void *conn)
{
    (void)ctx, (void)conn;
}
static size_t fake_send(void *ctx, void *conn, const void *data, size_t size)
{
    (void)ctx, (void)conn, (void)data;
    return size;
}
static size_t fake_receive(void *ctx, void *conn, void *data, size_t size)
{
    (void)ctx, (void)conn;
    size_t n = input_size < size ? input_size : size;
    if (n > piece)
        n = piece;
    if (n)
        memcpy(data, input, n);
    input += n;
    input_size -= n;
    return n;
}
static uint64_t fake_random(void *ctx)
{
    (void)ctx;
    return 0;
}
static void fake_log(void *ctx, const char *line)
{
    (void)ctx, (void)line;
}

static const struct vdisk_platform platform = {
    NULL, fake_now, fake_connect, fake_close, fake_send, fake_receive, fake_random, fake_log, NULL};
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nbd_session session;
    static struct nbd_command commands[COMMANDS];
    static uint8_t pages[COMMANDS][PAGES][NBD_PAGE_BYTES];
    static uint8_t *tables[COMMANDS][PAGES];
    if (size < 2)
        return 0;
    /* First byte: skip the negotiation? structured? TLS? second: how the bytes arrive. */
    bool is_negotiated = data[0] & 1;
    bool is_structured = data[0] & 2;
    piece = 1 + data[1] * 16u;
    input = data + 2;
    input_size = size - 2;
    now = 1;
    finished = 0;
    static const struct nbd_patience patience = {1000, 1000, 1000};
    nbd_session_init(&session, &platform, &patience);
    const struct nbd_target target = {"h", 1, "e", data[0] & 4 ? &fake_tls : NULL};
    nbd_session_start(&session, &target, now);
    session.state = is_negotiated ? NBD_READY : NBD_NEGOTIATING;
    if (is_negotiated) {
        session.handshake.result.has_structured_replies = is_structured;
        session.handshake.result.has_block_status = is_structured;
    }
    memset(commands, 0, sizeof commands);
    bool is_sent = false;
    for (unsigned round = 0; round < 4096 && session.state != NBD_LOST && input_size; round++) {
        if (session.state == NBD_READY && !is_sent) {
            is_sent = true;
            for (unsigned i = 0; i < COMMANDS; i++) {
                struct nbd_command *c = &commands[i];
                for (unsigned p = 0; p < PAGES; p++)
                    tables[i][p] = pages[i][p];
                c->type = i == 5   ? NBD_CMD_WRITE
                          : i == 6 ? NBD_CMD_FLUSH
                          : i == 7 ? NBD_CMD_BLOCK_STATUS
                                   : NBD_CMD_READ;
                c->extent = got_extent;
                c->offset = i * 65536u;
                c->length = i == 6 ? 0 : i == 4 ? 512 : PAGES * NBD_PAGE_BYTES;
                c->pages = tables[i];
                c->data = pages[i][0];
                c->done = command_done;
                c->owner = c;
                nbd_session_send(&session, c, now);
            }
        }
        nbd_session_run(&session, now);
    }
    unsigned taken = 0;
    while (nbd_session_take_back(&session))
        taken++;
    if (is_sent && (finished + taken != COMMANDS || session.in_flight || session.bytes_in_flight))
        __builtin_trap();
    nbd_session_close(&session);
    return 0;
}
