// SPDX-License-Identifier: BSD-2-Clause
/*
 * NBD requests to the plugin, as nbdkit hands them on: any offset and count inside the export, any flags, on a real image file
 * with a difference over it, or on an image alone; now and then it is closed and opened again. What is read is what was written,
 * and extents cover what was asked for and say the truth.
 */
#include "tests/fuzz/fuzz_input.h"
#include "tools/nbdkit-leat/plugin_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE ((512u << 10) + 512u)
#define IMAGE (256u << 10) /* the rest of the export is zeros */
#define REQUESTS 40u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t image[SIZE], model[SIZE], data_of[SIZE], answer[SIZE];
static char folder[] = "fuzz-plugin-XXXXXX";
static uint64_t extents_at;

static void require(bool truth)
{
    if (!truth)
        abort();
}

/* No disk is waited for. */
int fsync(int file)
{
    return file < 0 ? -1 : 0;
}

int fdatasync(int file)
{
    return file < 0 ? -1 : 0;
}

bool lease_enter(struct lease *lease)
{
    atomic_fetch_add(&lease->inside, 1);
    return !atomic_load(&lease->is_gone);
}

void lease_leave(struct lease *lease)
{
    require(atomic_fetch_sub(&lease->inside, 1) == 1);
}

bool lease_is_vain(const struct lease *lease)
{
    return atomic_load(&lease->is_gone);
}

void lease_give_up(const struct lease *lease)
{
    require(!lease);
}

int nbdkit_add_extent(struct nbdkit_extents *extents, uint64_t offset, uint64_t length,
                      uint32_t type)
{
    (void)extents;
    require(offset == extents_at && length && length <= SIZE - offset);
    extents_at += length;
    for (uint64_t i = offset; i < offset + length; i++)
        require(type & NBDKIT_EXTENT_ZERO ? !model[i] : true);
    if (type == NBDKIT_EXTENT_HOLE) // mode `server`: what the image has
        require(!memcmp(model + offset, image + offset, length));
    return 0;
}

static void write_file(const char *path)
{
    FILE *file = fopen(path, "w");
    require(file && fwrite(image, 1, IMAGE, file) == IMAGE);
    fclose(file);
}

static void begin(struct grant *grant)
{
    require(mkdtemp(folder));
    for (unsigned i = 0; i < IMAGE; i++)
        image[i] = i / 65536 % 2 ? 0 : (uint8_t)(i / 512 + 1);
    snprintf(grant->image, sizeof grant->image, "%s/image", folder);
    snprintf(grant->difference, sizeof grant->difference, "%s/difference", folder);
    grant->size = SIZE;
    write_file(grant->image);
}

static void end(void)
{
    char path[sizeof folder + 16];
    static const char *const names[] = {"image", "difference", "difference.new"};
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static void open_disk(struct lease *lease, bool is_new)
{
    char error[DIFF_ERROR];
    lease->grant.is_new = is_new;
    require(!disk_open(&lease->disk, &lease->grant, 0, error));
}

/* Offsets and counts near each other's and the export's borders are as likely as any. */
static uint32_t take_range(struct fuzz_input *in, uint64_t *offset)
{
    uint64_t kind = fuzz_take(in, 1);
    uint64_t at = fuzz_take(in, 3), count = fuzz_take(in, kind & 1 ? 3 : 2);
    if (kind & 2)
        at = at / 4096 * 4096 + (kind >> 4) - 8; // about a block's border
    if (kind & 4)
        at = SIZE - 1 - at % 8192;
    *offset = at % SIZE;
    count = count % SIZE + 1;
    return (uint32_t)(count > SIZE - *offset ? SIZE - *offset : count);
}

static void change(struct connection *c, unsigned kind, uint32_t count, uint64_t offset,
                   uint32_t flags)
{
    int result;
    if (kind == 0) {
        memset(data_of, (int)(offset % 251 + 1), count);
        result = leat_pwrite(c, data_of, count, offset, flags & NBDKIT_FLAG_FUA);
    } else {
        memset(data_of, 0, count);
        result = kind == 1 ? leat_trim(c, count, offset, flags & NBDKIT_FLAG_FUA)
                           : leat_zero(c, count, offset,
                                       flags & (NBDKIT_FLAG_FUA | NBDKIT_FLAG_MAY_TRIM |
                                                NBDKIT_FLAG_FAST_ZERO));
        if (result && kind == 2 && errno == EOPNOTSUPP && flags & NBDKIT_FLAG_FAST_ZERO)
            return;
    }
    require(!result);
    if (kind == 1) { // NBD: what was trimmed may be as it was; here whole blocks are zeros
        require(!leat_pread(c, data_of, count, offset, 0));
        for (uint32_t i = 0; i < count; i++)
            require(!data_of[i] || data_of[i] == model[offset + i]);
    }
    memcpy(model + offset, data_of, count);
}

static void serve(struct connection *c, struct fuzz_input *in)
{
    for (unsigned i = 0; i < REQUESTS && in->size; i++) {
        uint64_t offset;
        unsigned kind = (unsigned)fuzz_take(in, 1) % 8;
        uint32_t flags = (uint32_t)fuzz_take(in, 1), count = take_range(in, &offset);
        if (kind < 3 && c->lease->disk.is_writable) {
            change(c, kind, count, offset, flags);
        } else if (kind == 3) {
            require(!leat_flush(c, 0));
        } else if (kind == 4) {
            extents_at = offset;
            require(!leat_extents(c, count, offset, flags & NBDKIT_FLAG_REQ_ONE, NULL));
            require(extents_at > offset &&
                    (flags & NBDKIT_FLAG_REQ_ONE || extents_at >= offset + count));
        } else if (kind == 5 && flags % 4 == 0) {
            require(!disk_close(&c->lease->disk));
            open_disk(c->lease, false);
        } else {
            require(!leat_pread(c, answer, count, offset, 0));
            require(!memcmp(answer, model + offset, count));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lease lease;
    struct connection c = {.lease = &lease};
    struct fuzz_input in = {data, size};
    if (!lease.grant.size) {
        begin(&lease.grant);
        atexit(end);
    }
    uint64_t modes = fuzz_take(&in, 1);
    lease.grant.mode = modes & 1 ? GRANT_SERVER : GRANT_PRIVATE;
    lease.grant.read_only = modes % 16 == 15;
    if (lease.grant.read_only)
        lease.grant.mode = GRANT_SHARED;
    char path[GRANT_PATH];
    snprintf(path, sizeof path, "%s", lease.grant.difference);
    if (lease.grant.read_only)
        lease.grant.difference[0] = 0;
    unlink(path);
    memcpy(model, image, SIZE);
    open_disk(&lease, true);
    serve(&c, &in);
    require(!leat_pread(&c, answer, SIZE, 0, 0) && !memcmp(answer, model, SIZE));
    require(!disk_close(&lease.disk));
    snprintf(lease.grant.difference, sizeof lease.grant.difference, "%s", path);
    return 0;
}
