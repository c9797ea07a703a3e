// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no content of the disk, even with checksums that are right, makes the store read or
 * write outside its memory, loop, or end anything but cleanly. The input changes a small good store
 * in bytes of its metadata; the pages are then sealed again, so that what they say is looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_input.h"
#include "vdisk/store/crc32c.h"
#include "vdisk/store/format.h"

#define PAGES 256u
#define BYTES (PAGES * FORMAT_PAGE)
#define MAX_STEPS 20000u
#define USED_BYTES 704u /* of a page: header, and what the small store has of records */

static uint8_t disk[BYTES], pristine[BYTES];
static struct list commands = {&commands, &commands};
static uint64_t now, chance;

static uint64_t fake_now(void *ctx)
{
    (void)ctx;
    return now;
}
static uint64_t fake_random(void *ctx)
{
    (void)ctx;
    return ++chance * 0x9e3779b97f4a7c15ull;
}
static void fake_submit(void *ctx, struct store_io *io)
{
    (void)ctx;
    if (io->offset + io->length > BYTES)
        __builtin_trap();
    list_push_back(&commands, &io->node);
}
static void fake_log(void *ctx, const char *line)
{
    (void)ctx, (void)line;
}
static const struct store_platform platform = {NULL, fake_now, fake_random, fake_submit, fake_log};

static void settle(struct store *s)
{
    for (unsigned step = 0;; step++) {
        if (step == MAX_STEPS)
            __builtin_trap(); /* a loop without an end */
        uint64_t when = store_run(s);
        struct list *node = list_pop(&commands);
        if (node) {
            struct store_io *io = LIST_ENTRY(node, struct store_io, node);
            if (io->type == STORE_IO_READ)
                memcpy(io->data, disk + io->offset, io->length);
            else if (io->type == STORE_IO_WRITE)
                memcpy(disk + io->offset, io->data, io->length);
            io->done(io, true);
        } else if (when == UINT64_MAX) {
            return;
        } else if (when > now) {
            now = when;
        }
    }
}

static enum store_status opened_status;
static void opened(void *owner, enum store_status status)
{
    (void)owner;
    opened_status = status;
}

static unsigned done_count;
static void done(struct store_op *op, enum store_status status)
{
    (void)op, (void)status;
    done_count++;
}

/* A little of everything, through whatever the store says that it holds. */
static void use(struct store *s)
{
    static const uint8_t content[STORE_CONTENT_BYTES] = {1};
    static uint8_t data[32 * STORE_BLOCK_BYTES], held[34];
    struct store_object *objects[3] = {store_image(s, content, 1u << 20), NULL, NULL};
    uint64_t size;
    store_difference(s, "vm/root", content, 1u << 20, &objects[1]);
    objects[2] = store_blob(s, "profile", &size);
    struct store_op ops[8];
    unsigned count = 0;
    for (unsigned i = 0; i < 3; i++)
        if (objects[i])
            ops[count++] = (struct store_op){
                .type = STORE_READ,
                .object = objects[i],
                .length = i == 2 && size < sizeof data ? (size + 4095) / 4096 * 4096 : 65536};
    if (objects[0])
        store_put(objects[0], 9, 20, data);
    if (objects[1]) {
        ops[count++] = (struct store_op){
            .type = STORE_WRITE, .object = objects[1], .offset = 512, .length = 70000 / 512 * 512};
        ops[count++] = (struct store_op){
            .type = STORE_DISCARD, .object = objects[1], .offset = 8192, .length = 65536};
        ops[count++] = (struct store_op){.type = STORE_ZERO, .object = objects[1], .length = 65536};
    }
    ops[count++] = (struct store_op){.type = STORE_PUT_BLOB, .name = "profile", .length = 9000};
    ops[count++] = (struct store_op){.type = STORE_FLUSH};
    done_count = 0;
    for (unsigned i = 0; i < count; i++) {
        ops[i].data = data;
        ops[i].held = held;
        ops[i].done = done;
        store_submit(s, &ops[i]);
    }
    settle(s);
    if (done_count != count)
        __builtin_trap();
}

static const struct store_options options = {
    .range_bytes = BYTES, .sector_bytes = 512, .pieces = 2};

static void make_pristine(void)
{
    struct store *s = store_create(&platform, &options);
    store_format(s, opened, NULL);
    settle(s);
    for (unsigned round = 0; round < 3; round++)
        use(s);
    store_destroy(s);
    memcpy(pristine, disk, BYTES);
}

static void seal_again(uint64_t page)
{
    uint8_t *at = disk + page * FORMAT_PAGE;
    uint32_t crc = crc32c(0, at + 12, FORMAT_PAGE - 12); /* format.h: bytes 12..4095 */
    for (unsigned i = 0; i < 4; i++)
        at[8 + i] = (uint8_t)(crc >> 8 * i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct format_layout l;
    if (!pristine[0])
        make_pristine();
    memcpy(disk, pristine, BYTES);
    list_init(&commands);
    format_layout(PAGES, &l);
    unsigned rounds = 1 + (fuzz_take(&in, 1) & 1); /* the second: what the first has written */
    while (in.size >= 5) {
        uint64_t half = format_data_page(&l, 0), page = fuzz_take(&in, 1) % (2 * half);
        if (page >= half)
            page = PAGES - 1 - (page - half);
        unsigned at = (unsigned)fuzz_take(&in, 2);
        disk[page * FORMAT_PAGE + at % USED_BYTES] = (uint8_t)fuzz_take(&in, 1);
        if (!(fuzz_take(&in, 1) & 1)) { /* else it is damage */
            seal_again(page);
            if (at & 0x8000) /* in both copies */
                memcpy(disk + (PAGES - half + page) % PAGES * FORMAT_PAGE,
                       disk + page * FORMAT_PAGE, FORMAT_PAGE);
        }
    }
    for (unsigned round = 0; round < rounds; round++) {
        struct store *s = store_create(&platform, &options);
        opened_status = STORE_OK;
        store_open(s, opened, NULL);
        settle(s);
        if (opened_status == STORE_OK)
            use(s);
        store_destroy(s);
        if (opened_status != STORE_OK)
            break;
    }
    return 0;
}
