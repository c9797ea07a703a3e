// SPDX-License-Identifier: BSD-2-Clause
#include "vdisk/leat_nbd/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vdisk/nbd/proto.h"

#define READ_BYTES (256u << 10)

struct job {
    struct vdisk_request request;
    struct client *client;
    uint64_t cookie;
    struct out *answer; /* of a read: header and data, queued when it is done */
    uint8_t *data;      /* of a write; of a cache command: what was read, for nobody */
};

static void *must(void *memory)
{
    if (!memory)
        abort(); /* a Linux program without memory has nothing better to do */
    return memory;
}

struct client *client_new(int fd, struct vdisk_disk *disk)
{
    struct client *c = must(calloc(1, sizeof *c));
    c->fd = fd;
    c->disk = disk;
    c->out_end = &c->out;
    greeting_begin(c);
    return c;
}

static void free_if_unused(struct client *c)
{
    if (c->fd >= 0 || c->jobs)
        return;
    while (c->out) {
        struct out *o = c->out;
        c->out = o->next;
        free(o);
    }
    free(c->in);
    free(c);
}

void client_drop(struct client *c)
{
    close(c->fd);
    c->fd = -1;
    free_if_unused(c);
}

static struct out *make_out(size_t size)
{
    struct out *o = must(malloc(sizeof *o + size));
    o->next = NULL;
    o->size = size;
    o->sent = 0;
    return o;
}

static void queue(struct client *c, struct out *o)
{
    *c->out_end = o;
    c->out_end = &o->next;
}

uint8_t *client_answer(struct client *c, size_t size)
{
    struct out *o = make_out(size);
    queue(c, o);
    return o->data;
}

static uint32_t nbd_error(int status)
{
    switch (status) {
    case LEAT_OK:
        return 0;
    case LEAT_EINVAL:
        return NBD_EINVAL;
    case LEAT_EROFS:
        return NBD_EPERM;
    case LEAT_ENOMEM:
        return NBD_ENOMEM;
    case LEAT_ENOSPC:
        return NBD_ENOSPC;
    default:
        return NBD_EIO;
    }
}

static void fill_header(uint8_t *p, uint32_t error, uint64_t cookie)
{
    be32_put(p, NBD_SIMPLE_REPLY_MAGIC);
    be32_put(p + 4, error);
    be64_put(p + 8, cookie);
}

static void job_done(struct vdisk_request *request, int status)
{
    struct job *j = request->owner;
    struct client *c = j->client;
    struct out *o = j->answer;
    if (!o || status != LEAT_OK) {
        free(o);
        o = make_out(NBD_SIMPLE_REPLY_BYTES);
    }
    fill_header(o->data, nbd_error(status), j->cookie);
    if (c->fd >= 0)
        queue(c, o);
    else
        free(o);
    free(j->data);
    free(j);
    c->jobs--;
    free_if_unused(c);
}

static void submit(struct client *c, uint16_t flags, uint16_t type, uint64_t cookie,
                   uint64_t offset, uint32_t length, const uint8_t *payload)
{
    static const uint8_t ops[] = {
        [NBD_CMD_READ] = LEAT_BLK_READ,   [NBD_CMD_WRITE] = LEAT_BLK_WRITE,
        [NBD_CMD_FLUSH] = LEAT_BLK_FLUSH, [NBD_CMD_TRIM] = LEAT_BLK_DISCARD,
        [NBD_CMD_CACHE] = LEAT_BLK_READ,  [NBD_CMD_WRITE_ZEROES] = LEAT_BLK_WRITE_ZEROES};
    struct job *j = must(calloc(1, sizeof *j));
    j->client = c;
    j->cookie = cookie;
    c->jobs++;
    j->request.owner = j;
    j->request.done = job_done;
    bool is_read = type == NBD_CMD_READ || type == NBD_CMD_CACHE;
    bool is_known = type < sizeof ops && (is_read || ops[type] != LEAT_BLK_READ);
    if (!is_known || (flags & ~(NBD_CMD_FLAG_FUA | NBD_CMD_FLAG_NO_HOLE)) ||
        (is_read && length > CLIENT_MAX_BLOCK)) {
        job_done(&j->request, LEAT_EINVAL);
        return;
    }
    j->request.op = ops[type];
    j->request.offset = type == NBD_CMD_FLUSH ? 0 : offset;
    j->request.length = length;
    if (flags & NBD_CMD_FLAG_FUA && type != NBD_CMD_FLUSH && !is_read)
        j->request.flags |= LEAT_BLK_FUA;
    if (flags & NBD_CMD_FLAG_NO_HOLE)
        j->request.flags |= LEAT_BLK_NO_HOLE;
    if (type == NBD_CMD_READ) {
        j->answer = make_out(NBD_SIMPLE_REPLY_BYTES + length);
        j->request.data = j->answer->data + NBD_SIMPLE_REPLY_BYTES;
    } else if (type == NBD_CMD_CACHE) {
        j->data = must(malloc(length + 1));
        j->request.data = j->data;
    } else if (type == NBD_CMD_WRITE) {
        j->data = must(malloc(length + 1));
        memcpy(j->data, payload, length);
        j->request.data = j->data;
    }
    vdisk_submit(c->disk, &j->request);
}

static long take_request(struct client *c)
{
    const uint8_t *p = c->in;
    if (c->in_size < NBD_REQUEST_BYTES || c->jobs >= CLIENT_MAX_JOBS)
        return 0;
    uint16_t flags = be16_get(p + 4), type = be16_get(p + 6);
    uint32_t length = be32_get(p + 24);
    if (be32_get(p) != NBD_REQUEST_MAGIC || (type == NBD_CMD_WRITE && length > CLIENT_MAX_BLOCK))
        return -1;
    uint32_t payload = type == NBD_CMD_WRITE ? length : 0;
    if (c->in_size < NBD_REQUEST_BYTES + payload)
        return 0;
    if (type == NBD_CMD_DISC)
        return -1;
    submit(c, flags, type, be64_get(p + 8), be64_get(p + 16), length, p + NBD_REQUEST_BYTES);
    return NBD_REQUEST_BYTES + (long)payload;
}

static bool serve(struct client *c)
{
    size_t used = 0;
    uint8_t *start = c->in;
    for (;;) {
        long n = 0;
        if (c->phase == CLIENT_REQUESTS)
            n = take_request(c);
        else if (c->phase != CLIENT_ENDING)
            n = greeting_step(c);
        if (n < 0)
            return false;
        if (n == 0)
            break;
        used += (size_t)n;
        c->in += n;
        c->in_size -= (size_t)n;
    }
    c->in = start;
    if (used)
        memmove(c->in, c->in + used, c->in_size);
    return true;
}

bool client_wants_input(const struct client *c)
{
    return c->phase != CLIENT_ENDING && c->jobs < CLIENT_MAX_JOBS;
}

bool client_input(struct client *c)
{
    if (c->in_room - c->in_size < READ_BYTES) {
        c->in_room = c->in_room * 2 + READ_BYTES;
        c->in = must(realloc(c->in, c->in_room));
    }
    ssize_t n = recv(c->fd, c->in + c->in_size, c->in_room - c->in_size, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return false;
    if (n > 0)
        c->in_size += (size_t)n;
    uint8_t *start = c->in;
    bool is_good = serve(c);
    c->in = start;
    return is_good;
}

bool client_output(struct client *c)
{
    while (c->out) {
        struct out *o = c->out;
        ssize_t n = send(c->fd, o->data + o->sent, o->size - o->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        o->sent += (size_t)n;
        if (o->sent < o->size)
            return true;
        c->out = o->next;
        if (!c->out)
            c->out_end = &c->out;
        free(o);
    }
    return c->phase != CLIENT_ENDING;
}
