// SPDX-License-Identifier: BSD-2-Clause
/*
 * The reads of a boot by NBD (NBD project, doc/proto.md), as vdisk/nbd makes them: structured replies, all requests that may
 * be under way sent at once. What is read is thrown away where it arrived. Of its own, since libnbd 1.14 burns a CPU while it
 * waits for a TLS handshake, on a host where servers and machines share two.
 */
#include "vdisk/nbd/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/storm/storm.h"

#define BUFFER_BYTES (256u << 10)
#define OPTION_BYTES 16u
#define OPTION_REPLY_BYTES 20u

struct nbd {
    const struct storm_client *client;
    int fd;
    struct storm_tls *tls; /* NULL: none */
    size_t from, to;       /* in data: what has come and was not used */
    uint64_t read_bytes;   /* of the image, that have come */
    uint8_t data[BUFFER_BYTES];
};

static void send_all(struct nbd *n, const void *data, size_t size)
{
    const uint8_t *next = data;
    while (size) {
        ssize_t done =
            n->tls ? storm_tls_send(n->tls, next, size) : send(n->fd, next, size, MSG_NOSIGNAL);
        if (done <= 0)
            storm_die(n->client, "its disk", "cannot be asked");
        next += done;
        size -= (size_t)done;
    }
}

/* Waits until at least one more byte is there. */
static void receive(struct nbd *n)
{
    if (n->from == n->to)
        n->from = n->to = 0;
    if (n->to == BUFFER_BYTES) {
        memmove(n->data, n->data + n->from, n->to - n->from);
        n->to -= n->from;
        n->from = 0;
    }
    ssize_t got = n->tls ? storm_tls_receive(n->tls, n->data + n->to, BUFFER_BYTES - n->to)
                         : recv(n->fd, n->data + n->to, BUFFER_BYTES - n->to, 0);
    if (got <= 0)
        storm_die(n->client, "its disk", "has closed the connection");
    n->to += (size_t)got;
}

/* The next bytes, of a head: until the next call. */
static const uint8_t *take(struct nbd *n, size_t size)
{
    while (n->to - n->from < size)
        receive(n);
    n->from += size;
    return n->data + n->from - size;
}

static void skip(struct nbd *n, size_t size)
{
    while (size) {
        size_t part = n->to - n->from < size ? n->to - n->from : size;
        n->from += part;
        if (size -= part)
            receive(n);
    }
}

/* "Fixed newstyle negotiation": one option, and its replies up to the last one, which has to be ACK. */
static void negotiate(struct nbd *n, uint32_t option, const void *data, uint32_t size)
{
    uint8_t text[OPTION_BYTES + 6 + NBD_MAX_STRING];
    uint32_t type;
    be64_put(text, NBD_OPTION_MAGIC);
    be32_put(text + 8, option);
    be32_put(text + 12, size);
    memcpy(text + OPTION_BYTES, data, size);
    send_all(n, text, OPTION_BYTES + size);
    do {
        const uint8_t *head = take(n, OPTION_REPLY_BYTES);
        type = be32_get(head + 12);
        if (be64_get(head) != NBD_REPLY_MAGIC || be32_get(head + 8) != option ||
            (type != NBD_REP_ACK && type != NBD_REP_INFO))
            storm_die(n->client, "its disk", "refuses an option");
        skip(n, be32_get(head + 16));
    } while (type != NBD_REP_ACK);
}

void storm_nbd_open(const struct storm *storm, struct storm_client *client)
{
    struct nbd *n = client->connection = malloc(sizeof *n);
    uint8_t flags[4], go[6 + sizeof client->token];
    uint32_t length = (uint32_t)strlen(client->token);
    if (!n)
        storm_die(client, "its disk", "no memory");
    *n = (struct nbd){.client = client,
                      .fd = storm_connect(client, client->disk_host, client->disk_port)};
    const uint8_t *greeting = take(n, 18);
    if (be64_get(greeting) != NBD_MAGIC || be64_get(greeting + 8) != NBD_OPTION_MAGIC)
        storm_die(client, "its disk", "is no NBD server");
    be32_put(flags, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES);
    send_all(n, flags, sizeof flags);
    if (storm->is_secure) {
        negotiate(n, NBD_OPT_STARTTLS, "", 0);
        n->tls = storm_tls_open(client, n->fd);
    }
    negotiate(n, NBD_OPT_STRUCTURED_REPLY, "", 0);
    be32_put(go, length);
    memcpy(go + 4, client->token, length);
    be16_put(go + 4 + length, 0);
    negotiate(n, NBD_OPT_GO, go, 6 + length);
}

static void put_request(uint8_t *request, const struct storm_read *read, uint64_t cookie)
{
    be32_put(request, NBD_REQUEST_MAGIC);
    be16_put(request + 4, 0);
    be16_put(request + 6, NBD_CMD_READ);
    be64_put(request + 8, cookie);
    be64_put(request + 16, read->offset);
    be32_put(request + 24, read->length);
}

/* One chunk of a reply. Returns whether it ends a read. */
static bool take_chunk(struct nbd *n)
{
    static const uint32_t part_bytes[] = {
        [NBD_REPLY_OFFSET_DATA] = 8, [NBD_REPLY_OFFSET_HOLE] = 12}; /* before the data */
    const uint8_t *head = take(n, NBD_STRUCTURED_REPLY_BYTES);
    uint16_t flags = be16_get(head + 4), type = be16_get(head + 6);
    if (be32_get(head) != NBD_STRUCTURED_REPLY_MAGIC || type > NBD_REPLY_OFFSET_HOLE)
        storm_die(n->client, "a read", "fails");
    uint32_t length = be32_get(head + 16);
    if (length < part_bytes[type])
        storm_die(n->client, "a read", "gets a chunk that is too short");
    const uint8_t *part = take(n, part_bytes[type]);
    length -= part_bytes[type];
    n->read_bytes += type == NBD_REPLY_OFFSET_HOLE ? be32_get(part + 8) : length;
    skip(n, length);
    return flags & NBD_REPLY_FLAG_DONE;
}

void storm_nbd_boot(const struct storm *storm, struct storm_client *client)
{
    struct nbd *n = client->connection;
    uint8_t requests[STORM_IN_FLIGHT * NBD_REQUEST_BYTES];
    uint32_t asked = 0, done = 0;
    uint64_t wanted = 0;
    while (done < storm->count) {
        size_t used = 0;
        for (; asked < storm->count && asked - done < STORM_IN_FLIGHT; used += NBD_REQUEST_BYTES) {
            wanted += storm->reads[asked].length;
            put_request(requests + used, &storm->reads[asked], asked);
            asked++;
        }
        send_all(n, requests, used);
        do
            done += take_chunk(n);
        while (done < asked && n->to - n->from >= NBD_STRUCTURED_REPLY_BYTES);
    }
    if (n->read_bytes != wanted)
        storm_die(client, "its disk", "has sent less than was asked for, or more");
}

void storm_nbd_close(struct storm_client *client)
{
    struct nbd *n = client->connection;
    uint8_t request[NBD_REQUEST_BYTES];
    put_request(request, &(struct storm_read){0}, 0);
    be16_put(request + 6, NBD_CMD_DISC);
    send_all(n, request, sizeof request);
    storm_tls_close(n->tls);
    close(n->fd);
    free(n);
}
