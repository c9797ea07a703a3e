// SPDX-License-Identifier: BSD-2-Clause
/* The NVMe and virtio-blk drivers with a hostile device: block_hostile.h. */
#include <stdlib.h>
#include <string.h>

#include "drivers/block/nvme_private.h"
#include "drivers/block/virtio_private.h"
#include "tests/fuzz/block_hostile.h"
#include "tests/unit/nvme_model.h"
#include "tests/unit/virtio_blk_model.h"

#define NAMESPACES 2u

static struct nvme_model nvme;
static struct virtio_blk_model virtio;

/* ---- NVMe ---- */

static bool make_nvme(struct fuzz_input *in)
{
    uint8_t kind = (uint8_t)fuzz_take(in, 1);

    nvme_model_init(&nvme);
    for (uint32_t i = 0; i < NAMESPACES; i++)
        nvme_model_add(&nvme, i + 1, HOSTILE_SECTORS, 9);
    nvme.abort_works = kind & 1;
    nvme.user.is_slow = kind & 2;
    if (!(kind & 4))
        return false;
    nvme.ns[1].npwg = (uint8_t)fuzz_take(in, 1);
    nvme.ns[1].metadata = (uint16_t)(fuzz_take(in, 1) % 4 ? 0 : 8);
    nvme.ns[1].shift = (uint8_t)(fuzz_take(in, 1) % 16);
    nvme.ns[1].blocks = (uint64_t)HOSTILE_SECTORS * 512 >> nvme.ns[1].shift;
    nvme.mdts = (uint8_t)(fuzz_take(in, 1) % 20);
    nvme.nn = (uint32_t)fuzz_take(in, 1);
    for (unsigned i = 0; i < 3; i++)
        nvme.list[i] = (uint32_t)fuzz_take(in, 1);
    if (kind & 8) { /* 2^n or one less: what overflows, and what does not quite */
        uint8_t most = (uint8_t)fuzz_take(in, 1);
        nvme.ns[1].said_blocks = (1ull << most % 64) - (most >> 6 & 1);
    }
    return true;
}

static const uint8_t *nvme_content(unsigned unit)
{
    return unit < NAMESPACES ? nvme.ns[unit].content : NULL;
}

static void fault_nvme(struct fuzz_input *in)
{
    uint8_t what = (uint8_t)fuzz_take(in, 1);

    switch (what % 8) {
    case 0:
        nvme.fail_status = (uint16_t)((fuzz_take(in, 2) & ~1u) | 2);
        nvme.user.fail_count = 1u + (what >> 6);
        break;
    case 1:
        nvme.user.swallow = 1u + (what >> 6);
        break;
    case 2:
        nvme.user.is_slow = what & 0x20;
        break;
    case 3:
        if ((what & 0xe0) == 0xe0)
            nvme.user.model->crash(&nvme.user);
        break;
    case 4:
        nvme.user.irq_is_lost = what & 0x20;
        break;
    case 5:
        nvme.user.is_gone = (what & 0xf8) == 0xf8;
        break;
    case 6: /* a lie that the driver sees through */
        if (what >= 0xf0)
            nvme_model_repeat(&nvme);
        else
            nvme.lie = (what >> 3) % 6;
        break;
    default:
        if (nvme.user.held_count)
            nvme.user.model->complete(&nvme.user, (what >> 3) % nvme.user.held_count);
    }
}

/* A completion where the driver looks next. */
static void complete_falsely(struct nvme_queue *queue, uint8_t what, uint16_t value)
{
    struct nvme_completion *to = &queue->completions[queue->head];
    const struct nvme *driver = nvme.user.state;

    to->sq_id = what & 0x20 ? queue->id : value >> 8;
    to->sq_head = what & 0x40 ? 0 : value;
    to->cid = value;
    if (what & 0x80) /* a slot's, as it was or as it is */
        to->cid = (uint16_t)((value & 7) |
                             (unsigned)(driver->generation[value & 7] - (value >> 8 & 1)) << 8);
    to->status = (uint16_t)((what & 0x10 ? 0 : value & 0xfffe) | queue->phase);
}

static void forge_nvme(struct fuzz_input *in)
{
    uint8_t what = (uint8_t)fuzz_take(in, 1);
    uint16_t value = (uint16_t)fuzz_take(in, 2);
    struct nvme *driver = nvme.user.state;

    if (what % 4 == 1)
        nvme.csts = value & 0x3f;
    else if (driver->io.completions && driver->admin.completions)
        complete_falsely(what & 4 && value & 1 ? &driver->admin : &driver->io, what, value);
}

static void kill_nvme(void)
{
    nvme.user.is_slow = true;
    nvme.abort_works = false;
}

static int start_nvme(void)
{
    return nvme_model_start(&nvme);
}

static void free_nvme(void)
{
    nvme_model_free(&nvme);
}

static const struct hostile_device nvme_device = {
    .user = &nvme.user,
    .units = NAMESPACES + 1,
    .places = 1,
    .make = make_nvme,
    .start = start_nvme,
    .free = free_nvme,
    .content = nvme_content,
    .fault = fault_nvme,
    .forge = forge_nvme,
    .kill = kill_nvme,
    .areas = {{NVME_DMA_ADMIN_CQ, 64}, {NVME_DMA_IDENTIFY, 640}, {NVME_DMA_IO_CQ, 256}},
};

/* ---- virtio ---- */

static bool make_virtio(struct fuzz_input *in)
{
    uint8_t kind = (uint8_t)fuzz_take(in, 1);

    virtio_blk_model_init(&virtio, HOSTILE_SECTORS,
                          VIRTIO_BLK_SEG_MAX | VIRTIO_BLK_BLK_SIZE | VIRTIO_BLK_DISCARD |
                              (kind & 1 ? VIRTIO_BLK_FLUSH : 0));
    virtio.user.is_slow = kind & 2;
    if (!(kind & 4))
        return false;
    for (unsigned n = (unsigned)fuzz_take(in, 1) % 8; n; n--)
        virtio.config[fuzz_take(in, 1) % MODEL_CONFIG_BYTES] = (uint8_t)fuzz_take(in, 1);
    for (unsigned n = (unsigned)fuzz_take(in, 1) % 4; n; n--)
        virtio.pci[fuzz_take(in, 1)] = (uint8_t)fuzz_take(in, 1);
    virtio.queue_most = virtio.queue_size = (uint16_t)(kind & 8 ? fuzz_take(in, 2) : 256);
    virtio.offered ^= kind & 16 ? 1ull << fuzz_take(in, 1) % 34 : 0;
    return true;
}

static const uint8_t *virtio_content(unsigned unit)
{
    return unit ? NULL : virtio.content;
}

static void fault_virtio(struct fuzz_input *in)
{
    uint8_t what = (uint8_t)fuzz_take(in, 1);

    switch (what % 8) {
    case 0:
        virtio.fail_status = (uint8_t)(1 + (what >> 3) % 2);
        virtio.user.fail_count = 1u + (what >> 6);
        break;
    case 1:
        virtio.user.swallow = 1u + (what >> 6);
        break;
    case 2:
        virtio.user.is_slow = what & 0x20;
        break;
    case 3:
        if ((what & 0xe0) == 0xe0)
            virtio.user.model->crash(&virtio.user);
        break;
    case 4:
        virtio.user.irq_is_lost = what & 0x20;
        break;
    case 5:
        virtio.no_notify = what & 0x20;
        break;
    case 6: /* a lie that the driver sees through */
        virtio.lie = (what >> 3) % 7;
        break;
    default:
        if (virtio.user.held_count)
            virtio.user.model->complete(&virtio.user, (what >> 3) % virtio.user.held_count);
    }
}

static void forge_virtio(struct fuzz_input *in)
{
    uint8_t what = (uint8_t)fuzz_take(in, 1);
    uint16_t value = (uint16_t)fuzz_take(in, 2);
    const struct virtio_blk *driver = virtio.user.state;
    struct virtq_used *used = (struct virtq_used *)(virtio.user.world.dma + VIRTIO_DMA_USED);

    if (what % 4 == 1)
        virtio.status ^= (uint8_t)(1u << value % 8);
    if (what % 4 == 1 || !driver->entries)
        return;
    struct virtq_used_element *next = &used->ring[driver->used_index % driver->entries];
    next->id = what & 8 ? value % (8 * virtio_chain_length(driver)) : value;
    if (what & 16) /* a slot's */
        next->id = value % 8 * virtio_chain_length(driver);
    next->length = value >> 8;
    if (what & 32) {
        virtio.user.world.dma[VIRTIO_DMA_SLOTS + value % 8 * sizeof(struct virtio_slot) +
                              offsetof(struct virtio_slot, status)] = (uint8_t)(what >> 6);
    }
    used->index = (uint16_t)(used->index + (what & 4 ? value >> 12 : 1u));
}

static void kill_virtio(void)
{
    virtio.swallows_all = true;
    virtio.user.is_slow = true;
}

static int start_virtio(void)
{
    return virtio_blk_model_start(&virtio);
}

static void free_virtio(void)
{
    virtio_blk_model_free(&virtio);
}

static const struct hostile_device virtio_device = {
    .user = &virtio.user,
    .units = 2,
    .places = 1,
    .make = make_virtio,
    .start = start_virtio,
    .free = free_virtio,
    .content = virtio_content,
    .fault = fault_virtio,
    .forge = forge_virtio,
    .kill = kill_virtio,
    .areas = {{VIRTIO_DMA_USED, 128}, {VIRTIO_DMA_SLOTS, 512}, {VIRTIO_DMA_USED, 4}},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool is_virtio = size && (data[0] & 1);

    hostile_run(is_virtio ? &virtio_device : &nvme_device, data + (size != 0), size - (size != 0));
    return 0;
}
