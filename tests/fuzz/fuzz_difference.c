// SPDX-License-Identifier: BSD-2-Clause
/*
 * A difference file of anybody's making: its first pages are the input's, with right checksums if the input asks for that. It
 * opens or is refused; opened, reads and writes end, and stay inside the file.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_input.h"
#include "tools/nbdkit-leat/difference.h"
#include "vdisk/bytes.h"
#include "vdisk/store/crc32c.h"

#define IMAGE (8u << 20)
#define FILE_BYTES (10u << 20) /* 1 MiB of metadata, and room for a last block */
#define PAGES 4u               /* headers, and the first page of the map */

static uint8_t *file;

static int file_read(void *context, void *to, size_t count, uint64_t offset)
{
    (void)context;
    if (offset > FILE_BYTES || count > FILE_BYTES - offset) {
        memset(to, 0, count);
        return 0;
    }
    memcpy(to, file + offset, count);
    return 0;
}

static int file_write(void *context, const void *from, size_t count, uint64_t offset)
{
    (void)context;
    if (offset <= FILE_BYTES && count <= FILE_BYTES - offset)
        memcpy(file + offset, from, count);
    return 0;
}

static int file_sync(void *context)
{
    (void)context;
    return 0;
}

static int file_punch(void *context, uint64_t count, uint64_t offset)
{
    (void)context, (void)count;
    if (offset < DIFF_MAP_AT)
        abort(); /* metadata are never punched */
    return 0;
}

static int64_t file_used(void *context)
{
    (void)context;
    return 0;
}

static int below_read(void *context, void *to, size_t count, uint64_t offset)
{
    (void)context, (void)offset;
    memset(to, 0x5a, count);
    return 0;
}

/* A good file; then bytes of the input over its pages, and sums that are right again. */
static void make(struct fuzz_input *in, const struct diff_device *device)
{
    char error[DIFF_ERROR];
    bool seals = fuzz_take(in, 1) & 1;
    difference_create(device, "image", IMAGE, DIFF_BLOCK_MIN, 7, 1, error);
    for (unsigned i = 2; i < PAGES; i++)
        diff_page_seal(file + (size_t)i * DIFF_PAGE, 7, 0, i);
    for (unsigned n = (unsigned)fuzz_take(in, 1) % 32; n; n--)
        file[fuzz_take(in, 2) % (PAGES * DIFF_PAGE)] = (uint8_t)fuzz_take(in, 1);
    for (unsigned i = 0; seals && i < PAGES; i++) {
        uint8_t *page = file + (size_t)i * DIFF_PAGE;
        unsigned sum_at = i < 2 ? 8 : 4;
        bytes_put(page + sum_at, crc32c(0, page + sum_at + 4, DIFF_PAGE - sum_at - 4), 4);
    }
}

static void use(struct fuzz_input *in, struct difference *d)
{
    static uint8_t data[3 * DIFF_BLOCK_MAX];
    uint64_t size = difference_header(d)->image_size;
    for (unsigned i = 0; i < 24 && in->size; i++) {
        uint64_t kind = fuzz_take(in, 1), offset = fuzz_take(in, 6) % size,
                 count = fuzz_take(in, 3);
        enum diff_state state;
        uint64_t end;
        count = count % sizeof data + 1;
        if (count > size - offset)
            count = size - offset;
        if (kind % 6 == 0)
            difference_write(d, data, count, offset);
        else if (kind % 6 == 1)
            difference_zero(d, count, offset);
        else if (kind % 6 == 2)
            difference_trim(d, count, offset);
        else if (kind % 6 == 3)
            difference_flush(d);
        else if (kind % 6 == 4)
            difference_read(d, data, count, offset);
        else if (!difference_state(d, count, offset, &state, &end) &&
                 (end <= offset || end > offset + count || state > DIFF_DATA))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct diff_device device = {.read = file_read,
                                 .write = file_write,
                                 .sync = file_sync,
                                 .punch = file_punch,
                                 .used = file_used};
    struct diff_below below = {.read = below_read};
    struct difference *d;
    char error[DIFF_ERROR];
    if (!file)
        file = malloc(FILE_BYTES);
    memset(file, 0, PAGES * DIFF_PAGE);
    make(&in, &device);
    struct diff_options options = {.writable = fuzz_take(&in, 1) & 1};
    /* Maps of TiB are read page by page after a crash: no fault, but no speed. */
    if (difference_open(&d, &device, &below, &(struct diff_options){.writable = false}, error))
        return 0;
    bool is_small = difference_header(d)->image_size <= 64ull << 30;
    difference_close(d);
    if (!is_small || difference_open(&d, &device, &below, &options, error))
        return 0;
    if (options.writable)
        use(&in, d);
    struct diff_map_look look;
    difference_look(d, &look);
    difference_close(d);
    return 0;
}
