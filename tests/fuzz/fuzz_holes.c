// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no kept map of holes, whatever is in it, leads outside the map in memory, and that what it says is
 * written as the same map again. First two bytes: the size of the image; the third: is the head good?
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_input.h"
#include "vdisk/bytes.h"
#include "vdisk/engine.h"

#define MOST (64u << 10)

/* Nothing is asked of a server here. */
struct nbd_session *link_room(struct vdisk_export *e, uint32_t bytes)
{
    (void)e, (void)bytes;
    return NULL;
}
void nbd_session_send(struct nbd_session *s, struct nbd_command *command, uint64_t now_ns)
{
    (void)s, (void)command, (void)now_ns;
}
void vdisk_log(struct vdisk *v, const char *fmt, ...)
{
    (void)v, (void)fmt;
}

static void must(bool is_true)
{
    if (!is_true)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vdisk_export first, second;
    static uint8_t out[MOST];
    struct fuzz_input in = {data, size};
    uint64_t blocks = fuzz_take(&in, 2) * 17 + 1;
    bool is_mended = fuzz_take(&in, 1) % 2;
    uint8_t *file = malloc(in.size + 1);
    if (!file || in.size > MOST - 64) {
        free(file);
        return 0;
    }
    memcpy(file, in.data, in.size);
    if (is_mended && in.size >= 20) {
        memcpy(file, "LEATHOL1", 8);
        bytes_put(file + 8, blocks * CACHE_BLOCK_BYTES, 8);
        bytes_put(file + 16, (in.size - 20) / 8, 4);
        in.size -= (in.size - 20) % 8;
    }
    first.identity.size_bytes = second.identity.size_bytes = blocks * CACHE_BLOCK_BYTES;
    first.session.handshake.result.has_block_status = true;
    second.session.handshake.result.has_block_status = true;
    first.identity.has_block_status = second.identity.has_block_status = true;
    extents_init(&first);
    extents_init(&second);
    if (extents_decode(&first, file, in.size)) {
        size_t bytes = extents_encode(&first, out, sizeof out);
        must(bytes <= sizeof out && extents_decode(&second, out, bytes));
        for (uint64_t b = 0; b < blocks; b += 1 + b / 64)
            must(extents_is_zero(&first.extents, b) == extents_is_zero(&second.extents, b));
    }
    extents_free(&first);
    extents_free(&second);
    free(file);
    return 0;
}
