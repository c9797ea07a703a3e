// SPDX-License-Identifier: BSD-2-Clause
/*
 * An NBD server with a volatile cache and bad manners. It keeps a tag for each sector, one that is
 * current and one that is durable; what a broken connection had asked is either done at once or
 * never.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_handshake.h"
#include "vdisk/nbd/proto.h"

struct job {
    struct job *next;
    bool is_done; /* it has taken effect; the answer is on its way */
    uint32_t error;
    uint8_t *result; /* of a read: the data; of a block status: the chunk's payload */
    uint32_t result_size;
    uint8_t *depths; /* of a block status: the second chunk's */
    uint32_t depths_size;
    int client; /* whose export it is for; -1: the image's */
    struct sim_conn *conn;
    uint64_t generation;
    uint16_t type, flags;
    uint64_t cookie, offset;
    uint32_t length;
    uint8_t data[];
};

static uint64_t *current, *durable, sectors, restarts;
static bool is_up, was_changed;
static uint64_t shown; /* sectors of the size that is told */
bool sim_server_may_change;
static struct sim_session sessions[SIM_CONNS];
static bool is_mute[SIM_CONNS];
static struct sim_conn *open_conns[SIM_CONNS];
static struct job *jobs;

static unsigned index_of(const struct sim_conn *c)
{
    for (unsigned i = 0; i < SIM_CONNS; i++)
        if (open_conns[i] == c)
            return i;
    sim_fail("the server does not know the connection");
}

void sim_server_init(uint64_t count)
{
    sectors = count;
    restarts = 0;
    current = malloc(count * 8);
    durable = malloc(count * 8);
    for (uint64_t i = 0; i < count; i++)
        current[i] = durable[i] = sim_initial_tag(i);
    is_up = true;
    was_changed = sim_server_may_change = false;
    shown = count;
    jobs = NULL;
    memset(open_conns, 0, sizeof open_conns);
}

void sim_server_new_image(void)
{
    for (uint64_t i = 0; i < sectors; i++)
        current[i] = durable[i] = sim_initial_tag(i);
}

static void free_job(struct job *j)
{
    free(j->result);
    free(j->depths);
    free(j);
}

void sim_server_end(void)
{
    while (jobs) {
        struct job *j = jobs;
        jobs = j->next;
        free_job(j);
    }
    free(current);
    free(durable);
}

bool sim_server_is_up(void)
{
    return is_up;
}

uint64_t sim_server_tag(uint64_t sector)
{
    return durable[sector];
}

uint64_t sim_server_sectors_told(void)
{
    return shown;
}

bool sim_server_was_changed(void)
{
    return was_changed;
}

/* Somebody has put another image in the place of the old one: another size, or other content all
 * over. */
static void change_image(void)
{
    was_changed = true;
    if (sim_random() % 4 == 0) {
        shown -= 128;
        return;
    }
    for (uint64_t i = 0; i < sectors; i++)
        current[i] = durable[i] = SIM_INITIAL | 1ull << 60 | i;
}

static void come_back(void *ctx, uint64_t arg)
{
    (void)ctx, (void)arg;
    is_up = true;
    if (sim_server_may_change && !was_changed && sim_chance(sim_profile.other_image))
        change_image();
    if (sim_server_may_change && sim_chance(sim_profile.unit_grows)) /* disks know sectors */
        sim_profile.min_block = 64u << 10;
}

void sim_server_crash(bool restart)
{
    for (unsigned i = 0; i < SIM_CONNS; i++)
        if (open_conns[i])
            sim_conn_cut(open_conns[i], "server crash");
    for (uint64_t s = 0; s < sectors; s++) {
        if (current[s] != durable[s] && sim_random() % 2)
            durable[s] = current[s];
        current[s] = durable[s];
    }
    sim_clients_crash();
    is_up = false;
    if (restart)
        sim_at(sim_random() % 20000 * SIM_MS, come_back, NULL, 0);
}

void sim_server_accept(struct sim_conn *c)
{
    unsigned i = 0;
    while (open_conns[i])
        i++;
    open_conns[i] = c;
    is_mute[i] = false;
    sim_handshake_begin(c, &sessions[i]);
}

static const struct sim_session *session_of(const struct job *j)
{
    return &sessions[index_of(j->conn)];
}

/* -- what requests do -- */

static uint64_t tag_at(const struct job *j, uint64_t sector)
{
    return j->client < 0 ? current[sector] : sim_client_tag((unsigned)j->client, sector);
}

static void do_write(const struct job *j)
{
    uint64_t first = j->offset / SIM_SECTOR, count = j->length / SIM_SECTOR;
    if (j->offset % sim_profile.min_block || j->length % sim_profile.min_block || !j->length ||
        first + count > sectors || (j->type == NBD_CMD_WRITE && j->length > sim_profile.max_block))
        sim_fail("the engine sent a request that the server's limits forbid");
    for (uint64_t s = 0; s < count; s++) {
        uint64_t tag = 0;
        if (j->type == NBD_CMD_WRITE)
            tag = sim_sector_tag(j->data + s * SIM_SECTOR, first + s, "server");
        if (j->type == NBD_CMD_TRIM && sim_random() % 2)
            continue;
        bool is_durable = (j->flags & NBD_CMD_FLAG_FUA) || !sim_profile.has_flush;
        if (j->client >= 0) {
            sim_client_write((unsigned)j->client, first + s, tag, is_durable);
            continue;
        }
        current[first + s] = tag;
        if (is_durable)
            durable[first + s] = tag;
    }
}

static bool is_change(const struct job *j)
{
    return j->type != NBD_CMD_READ && j->type != NBD_CMD_FLUSH && j->type != NBD_CMD_BLOCK_STATUS;
}

static void do_flush(const struct job *j)
{
    if (j->client >= 0)
        sim_client_flush((unsigned)j->client);
    else
        memcpy(durable, current, sectors * 8);
}

void sim_server_gone(struct sim_conn *c)
{
    open_conns[index_of(c)] = NULL;
    for (struct job **link = &jobs; *link;) { /* what it had asked: now or never */
        struct job *j = *link;
        if (j->conn != c) {
            link = &j->next;
            continue;
        }
        if (!j->is_done && sim_random() % 2 && is_change(j))
            do_write(j);
        *link = j->next;
        free_job(j);
    }
}

/* -- replies -- */

void sim_server_damage(uint8_t *header, size_t size)
{
    if (sim_chance(sim_profile.corrupt))
        header[sim_random() % size] ^= (uint8_t)(1u << sim_random() % 8);
}

static void send_chunk(struct sim_conn *c, uint64_t cookie, uint16_t flags, uint16_t type,
                       const uint8_t *payload, uint32_t size, uint32_t head)
{
    uint8_t *reply = malloc(NBD_STRUCTURED_REPLY_BYTES + size);
    be32_put(reply, NBD_STRUCTURED_REPLY_MAGIC);
    be16_put(reply + 4, flags);
    be16_put(reply + 6, type);
    be64_put(reply + 8, cookie);
    be32_put(reply + 16, size);
    if (size)
        memcpy(reply + NBD_STRUCTURED_REPLY_BYTES, payload, size);
    sim_server_damage(reply, NBD_STRUCTURED_REPLY_BYTES + head);
    sim_conn_deliver(c, reply, NBD_STRUCTURED_REPLY_BYTES + size);
    free(reply);
}

static void send_simple(struct sim_conn *c, uint64_t cookie, uint32_t error, const uint8_t *data,
                        uint32_t size)
{
    uint8_t *reply = malloc(NBD_SIMPLE_REPLY_BYTES + size);
    be32_put(reply, NBD_SIMPLE_REPLY_MAGIC);
    be32_put(reply + 4, error);
    be64_put(reply + 8, cookie);
    if (size)
        memcpy(reply + NBD_SIMPLE_REPLY_BYTES, data, size);
    sim_server_damage(reply, NBD_SIMPLE_REPLY_BYTES);
    sim_conn_deliver(c, reply, NBD_SIMPLE_REPLY_BYTES + size);
    free(reply);
}

static void send_error(struct sim_conn *c, const struct job *j, uint32_t error)
{
    if (!sim_profile.structured) {
        send_simple(c, j->cookie, error, NULL, 0);
        return;
    }
    uint8_t payload[6 + 5] = {0};
    be32_put(payload, error);
    be16_put(payload + 4, 5);
    memcpy(payload + 6, "sorry", 5);
    send_chunk(c, j->cookie, NBD_REPLY_FLAG_DONE, NBD_REPLY_ERROR, payload, sizeof payload, 6);
}

static bool is_zero(const uint8_t *p, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (p[i])
            return false;
    return true;
}

/* In pieces, in any order, holes as holes; sometimes one too few. */
static void send_structured_read(struct sim_conn *c, const struct job *j, const uint8_t *data)
{
    uint32_t pieces = 1 + sim_random() % 6, unit = j->length / pieces;
    if (unit == 0)
        pieces = 1, unit = j->length;
    uint32_t start = sim_random() % pieces;
    for (uint32_t k = 0; k < pieces; k++) {
        uint32_t i = (start + k) % pieces, from = i * unit;
        uint32_t size = i + 1 == pieces ? j->length - from : unit;
        uint16_t flags = k + 1 == pieces ? NBD_REPLY_FLAG_DONE : 0;
        uint8_t *payload = malloc(8 + size);
        be64_put(payload, j->offset + from);
        if (sim_chance(sim_profile.duplicate))
            flags = NBD_REPLY_FLAG_DONE; /* the rest follows an answer that is complete: a lie */
        if (size > 3 && is_zero(data + from, size) && sim_random() % 2) {
            be32_put(payload + 8, size);
            send_chunk(c, j->cookie, flags, NBD_REPLY_OFFSET_HOLE, payload, 12, 12);
        } else {
            memcpy(payload + 8, data + from, size);
            send_chunk(c, j->cookie, flags, NBD_REPLY_OFFSET_DATA, payload, 8 + size, 8);
        }
        free(payload);
    }
}

static uint64_t bytes_of(const struct job *j)
{
    uint64_t bytes = session_of(j)->is_tree ? sim_tree_bytes() : sectors * SIM_SECTOR;
    return (bytes + sim_profile.min_block - 1) / sim_profile.min_block * sim_profile.min_block;
}

/* The effect of a request, and what will be answered later. */
static void act_read(struct job *j)
{
    bool of_tree = session_of(j)->is_tree;
    if (j->offset % SIM_SECTOR || j->length % SIM_SECTOR || !j->length ||
        j->length > sim_profile.max_block || j->offset % sim_profile.min_block ||
        j->length % sim_profile.min_block || j->offset + j->length > bytes_of(j))
        sim_fail("the engine sent a read that the server's limits forbid");
    j->result = calloc(1, j->length);
    if (of_tree)
        sim_tree_read(j->offset, j->length, j->result);
    for (uint32_t s = 0; !of_tree && s < j->length / SIM_SECTOR; s++)
        sim_sector_fill(j->result + s * SIM_SECTOR, j->offset / SIM_SECTOR + s,
                        tag_at(j, j->offset / SIM_SECTOR + s));
    if (j->client < 0)
        sim_lie(of_tree, j->offset, j->result, j->length);
}

static uint32_t flags_of(const struct job *j, uint64_t sector)
{
    if (j->client >= 0 && sim_profile.by_holes && !sim_client_holds((unsigned)j->client, sector))
        return NBD_STATE_HOLE;
    if (!tag_at(j, sector) || sim_chance(sim_profile.lie_other))
        return NBD_STATE_ZERO | (uint32_t)(sim_random() % 2);
    return sim_profile.by_holes || sim_random() % 4 ? 0 : NBD_STATE_HOLE;
}

/* 1 is never wrong, if not always true. */
static uint32_t depth_of(const struct job *j, uint64_t sector)
{
    if (sim_client_holds((unsigned)j->client, sector) || sim_random() % 50 == 0)
        return NBD_DEPTH_OWN;
    return tag_at(j, sector) ? 2 + (uint32_t)(sim_random() % 2) : 0;
}

/* May the sectors be in one extent? */
static bool are_alike(const struct job *j, uint64_t a, uint64_t b)
{
    bool is_same_layer = j->client < 0 || sim_client_holds((unsigned)j->client, a) ==
                                              sim_client_holds((unsigned)j->client, b);
    return is_same_layer && !tag_at(j, a) == !tag_at(j, b);
}

/* A context's chunk. */
static uint8_t *tell(const struct job *j, uint32_t context, uint64_t first, uint64_t end,
                     uint32_t (*value)(const struct job *, uint64_t), uint32_t *size)
{
    uint8_t *chunk = malloc(4 + (end - first + 1) * 8);
    be32_put(chunk, context);
    *size = 4;
    while (first < end) {
        uint64_t stop = first + 1;
        while (stop < sectors && are_alike(j, first, stop) && sim_random() % 100 &&
               (stop < end || sim_random() % 2))
            stop++;
        be32_put(chunk + *size, (uint32_t)(stop - first) * SIM_SECTOR);
        be32_put(chunk + *size + 4, value(j, first));
        *size += 8;
        first = stop;
    }
    return chunk;
}

/* Where zeros are now; a real server too may stop early, cut an extent in two, or go on beyond the
 * end of the range. */
static void act_status(struct job *j)
{
    uint64_t first = j->offset / SIM_SECTOR, end = first + j->length / SIM_SECTOR;
    if (j->offset % sim_profile.min_block || j->length % sim_profile.min_block || !j->length ||
        end > sectors || !sim_profile.has_status || session_of(j)->is_tree)
        sim_fail("the engine sent a block status that makes no sense");
    if (sim_random() % 4 == 0)
        end = first + 1 + sim_random() % (end - first);
    j->result = tell(j, SIM_CONTEXT, first, end, flags_of, &j->result_size);
    if (session_of(j)->has_depths)
        j->depths = tell(j, SIM_DEPTHS, first, end, depth_of, &j->depths_size);
}

static void act(struct job *j)
{
    j->is_done = true;
    if (sim_chance(sim_profile.server_error)) {
        if (is_change(j) && sim_random() % 2)
            do_write(j); /* it fails, and yet something was written */
        j->error = sim_random() % 2 ? NBD_EIO : NBD_ENOSPC;
    } else if (j->type == NBD_CMD_READ) {
        act_read(j);
    } else if (j->type == NBD_CMD_BLOCK_STATUS) {
        act_status(j);
    } else if (j->type == NBD_CMD_FLUSH) {
        do_flush(j);
    } else {
        do_write(j);
    }
}

static void send_status(struct sim_conn *c, const struct job *j)
{
    bool is_twice = sim_chance(sim_profile.duplicate);
    if (sim_chance(sim_profile.duplicate)) /* an extent of no length, which may never end */
        be32_put(j->result + 4, 0);
    if (j->depths)
        send_chunk(c, j->cookie, 0, NBD_REPLY_BLOCK_STATUS, j->depths, j->depths_size, 4);
    send_chunk(c, j->cookie, is_twice ? 0 : NBD_REPLY_FLAG_DONE, NBD_REPLY_BLOCK_STATUS, j->result,
               j->result_size, 4);
    if (is_twice)
        send_chunk(c, j->cookie, NBD_REPLY_FLAG_DONE, NBD_REPLY_BLOCK_STATUS, j->result,
                   j->result_size, 4);
}

static void answer(struct sim_conn *c, const struct job *j)
{
    if (j->error)
        send_error(c, j, j->error);
    else if (j->type == NBD_CMD_BLOCK_STATUS)
        send_status(c, j);
    else if (j->type == NBD_CMD_READ && sim_profile.structured)
        send_structured_read(c, j, j->result);
    else if (j->type == NBD_CMD_READ)
        send_simple(c, j->cookie, 0, j->result, j->length);
    else if (sim_profile.structured && sim_random() % 2)
        send_chunk(c, j->cookie, NBD_REPLY_FLAG_DONE, NBD_REPLY_NONE, NULL, 0, 0);
    else
        send_simple(c, j->cookie, 0, NULL, 0);
}

static uint64_t some_time(void)
{
    return sim_random() % (sim_profile.delay_ms * 4 + 1) * SIM_MS;
}

/* First the effect, later the answer. */
static void work(void *ctx, uint64_t arg)
{
    struct job **link = &jobs;
    (void)arg;
    while (*link && *link != ctx)
        link = &(*link)->next;
    if (!*link)
        return; /* its connection is gone */
    struct job *j = *link;
    struct sim_conn *c = j->conn;
    if (!j->is_done && sim_chance(sim_profile.restart) && restarts++ < 6) {
        sim_server_crash(true);
        return;
    }
    if (!j->is_done) {
        act(j);
        sim_at(some_time(), work, j, 0);
        return;
    }
    *link = j->next;
    if (sim_chance(sim_profile.silent))
        is_mute[index_of(c)] = true;
    if (is_mute[index_of(c)]) {
        free_job(j);
        return;
    }
    if (sim_chance(sim_profile.truncate)) {
        uint8_t part[7] = {0x67, 0x44, 0x66, 0x98};
        sim_conn_deliver(c, part, 1 + sim_random() % sizeof part);
        sim_conn_cut(c, "truncated");
    } else {
        answer(c, j);
        if (sim_chance(sim_profile.cut))
            sim_conn_cut(c, "cut");
    }
    free_job(j);
}

/* -- requests -- */

static size_t take_request(struct sim_conn *c, const struct sim_session *s)
{
    const uint8_t *p = c->tx;
    if (c->tx_size < NBD_REQUEST_BYTES)
        return 0;
    if (be32_get(p) != NBD_REQUEST_MAGIC)
        sim_fail("the engine sent a request with a wrong magic number");
    uint16_t type = be16_get(p + 6);
    uint32_t length = be32_get(p + 24), payload = type == NBD_CMD_WRITE ? length : 0;
    if (c->tx_size < NBD_REQUEST_BYTES + payload)
        return 0;
    if (type == NBD_CMD_DISC || s->has_hidden_limits)
        return NBD_REQUEST_BYTES + payload;
    struct job *j = malloc(sizeof *j + payload);
    *j = (struct job){.next = jobs,
                      .conn = c,
                      .client = s->client,
                      .generation = c->generation,
                      .type = type,
                      .flags = be16_get(p + 4),
                      .cookie = be64_get(p + 8),
                      .offset = be64_get(p + 16),
                      .length = length};
    if (payload)
        memcpy(j->data, p + NBD_REQUEST_BYTES, payload);
    jobs = j;
    sim_at(some_time(), work, j, 0);
    return NBD_REQUEST_BYTES + payload;
}

void sim_server_input(struct sim_conn *c)
{
    struct sim_session *s = &sessions[index_of(c)];
    for (;;) {
        size_t used = s->phase == SIM_TRANSMISSION ? take_request(c, s) : sim_handshake_take(c, s);
        if (!used)
            return;
        memmove(c->tx, c->tx + used, c->tx_size - used);
        c->tx_size -= used;
    }
}
