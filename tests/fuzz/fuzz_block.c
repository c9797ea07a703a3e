// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that no device makes the NVMe or the virtio-blk driver reach outside of memory and registers, wait longer than
 * block.h says, or end a command twice or never. The input says which registers, and which bytes of the memory that a
 * device writes, are other than the model of the device has them, and when. When it is used up the device works.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/block/nvme_private.h"
#include "drivers/block/virtio_private.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/unit/nvme_model.h"
#include "tests/unit/virtio_blk_model.h"

#define COMMANDS 12u
#define ROUNDS 40u
#define MS 1000000ull
#define SLACK_MS 200u
#define SECTORS 64u
#define END_MS 400000u /* of the last command, from when the device works again */

static struct nvme_model nvme;
static struct virtio_blk_model virtio;
static struct block_user *user;
static struct world_command commands[COMMANDS];
static struct fuzz_input input;
static jmp_buf broken;

/* A model complains when a lie has made the driver do what the true device would not have it do; there is no going on,
   and nothing wrong, unless memory would have been reached that the driver was not given. */
void world_require(bool truth, const char *what)
{
    if (truth)
        return;
    if (strstr(what, "DMA"))
        abort();
    longjmp(broken, 1);
}

static uint64_t lie(uint64_t value, unsigned bytes)
{
    return fuzz_take(&input, 1) % 8 == 1 ? value ^ fuzz_take(&input, bytes) : value;
}

/* Some bytes of what the device writes: completions and what it says of itself. */
static void spoil(struct block_world *world)
{
    static const struct {
        uint32_t at, bytes;
    } areas[2][3] = {
        {{NVME_DMA_ADMIN_CQ, 64}, {NVME_DMA_IDENTIFY, 640}, {NVME_DMA_IO_CQ, 256}},
        {{VIRTIO_DMA_USED, 128}, {VIRTIO_DMA_SLOTS, 512}, {VIRTIO_DMA_USED, 4}},
    };

    for (unsigned i = 0; i < 4 && fuzz_take(&input, 1) % 4 == 1; i++) {
        unsigned area = (unsigned)fuzz_take(&input, 1) % 3;
        unsigned which = user == &virtio.user;
        uint64_t at = areas[which][area].at + fuzz_take(&input, 2) % areas[which][area].bytes;
        world->dma[at] = (uint8_t)fuzz_take(&input, 1);
    }
}

static void require_in_time(uint64_t begin_ns, uint64_t limit_ms)
{
    if (user->world.now_ns - begin_ns > (limit_ms + SLACK_MS) * MS)
        abort();
}

static void submit(struct world_command *wc)
{
    uint8_t op = (uint8_t)(fuzz_take(&input, 1) % 4);
    uint32_t sectors = op == BLOCK_FLUSH ? 0 : 1u + (uint32_t)fuzz_take(&input, 1) % 32;
    uint64_t lba = op == BLOCK_FLUSH ? 0 : fuzz_take(&input, 2) % SECTORS;

    wc->ends = 0;
    if (user_submit(user, wc, (unsigned)fuzz_take(&input, 1) % 3, op, lba, sectors,
                    (uint32_t)fuzz_take(&input, 1) * 4) != LEAT_OK)
        wc->ends = 1;
}

static void work(void)
{
    uint64_t begin = user->world.now_ns;
    bool is_late = fuzz_take(&input, 1) % 4 == 1;

    if (user->model->irq(user) || fuzz_take(&input, 1) % 4 == 1)
        user->driver->interrupt(user->state);
    require_in_time(begin, BLOCK_RESET_LIMIT_MS);
    begin = user->world.now_ns;
    uint64_t next = user->driver->tick(user->state);
    require_in_time(begin, BLOCK_RESET_LIMIT_MS);
    user->world.now_ns += 1000;
    if (next != UINT64_MAX && next > user->world.now_ns && (is_late || !input.size))
        user->world.now_ns = next;
    spoil(&user->world);
}

static bool is_ended(const struct world_command *wc)
{
    if (wc->ends > 1)
        abort();
    return wc->ends == 1;
}

static void run(void)
{
    uint64_t begin = user->world.now_ns;
    int error = user == &virtio.user ? virtio_blk_model_start(&virtio) : nvme_model_start(&nvme);

    require_in_time(begin, BLOCK_START_LIMIT_MS);
    for (unsigned i = 0; i < COMMANDS; i++)
        commands[i].ends = 1;
    for (unsigned round = 0; round < ROUNDS && error == LEAT_OK; round++) {
        for (unsigned i = 0; i < COMMANDS; i++) {
            if (is_ended(&commands[i]) && fuzz_take(&input, 1) % 2)
                submit(&commands[i]);
        }
        work();
    }
    input.size = 0;
    begin = user->world.now_ns;
    for (unsigned i = 0; i < COMMANDS && error == LEAT_OK; i++) {
        while (!is_ended(&commands[i])) {
            work();
            require_in_time(begin, END_MS);
        }
    }
    begin = user->world.now_ns;
    user->driver->stop(user->state);
    require_in_time(begin, BLOCK_RESET_LIMIT_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t which = size ? data[0] : 0;

    input = (struct fuzz_input){data + (size != 0), size - (size != 0)};
    if (which & 1) {
        virtio_blk_model_init(&virtio, SECTORS,
                              VIRTIO_BLK_SEG_MAX | VIRTIO_BLK_BLK_SIZE | VIRTIO_BLK_DISCARD |
                                  (which & 2 ? VIRTIO_BLK_FLUSH : 0));
        user = &virtio.user;
    } else {
        nvme_model_init(&nvme);
        nvme_model_add(&nvme, 1, SECTORS, 9);
        nvme_model_add(&nvme, 2, SECTORS, 9);
        nvme.abort_works = which & 2;
        user = &nvme.user;
    }
    user->lie = lie;
    user->world.step = spoil;
    if (setjmp(broken) == 0)
        run();
    if (which & 1)
        virtio_blk_model_free(&virtio);
    else
        nvme_model_free(&nvme);
    return 0;
}
