// SPDX-License-Identifier: BSD-2-Clause
/* What the controller and its namespaces say of themselves: NVM Express 1.4, 5.15. Nothing of it is believed unseen. */
#include "drivers/block/nvme_private.h"

#include <string.h>

#define TRANSFER_LEAST (64u << 10) /* block.h: max_sectors */
#define PHYSICAL_MOST (64u << 10)  /* a larger preferred write says nothing about tearing */

struct controller {
    char model[41], serial[21], firmware[9];
    uint32_t namespaces; /* highest number that a namespace may have */
    uint32_t transfer_bytes;
    bool has_discard, has_write_cache;
};

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

static uint64_t get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

/* One page into the copy, so that it does not change while it is read. */
static int identify(struct nvme *nvme, uint32_t cns, uint32_t nsid, uint8_t *page)
{
    struct nvme_command command = {
        .opcode = NVME_IDENTIFY,
        .nsid = nsid,
        .prp1 = nvme->dma.hpa + NVME_DMA_IDENTIFY,
        .cdw10 = cns,
    };

    memset(nvme->dma.va + NVME_DMA_IDENTIFY, 0, NVME_IDENTIFY_BYTES);
    int error = nvme_admin(nvme, &command);
    memcpy(page, nvme->dma.va + NVME_DMA_IDENTIFY, NVME_IDENTIFY_BYTES);
    return error;
}

/* The largest transfer: MDTS is a power of two, in pages of the least size. */
static uint32_t transfer_bytes(const struct nvme *nvme, uint8_t mdts)
{
    unsigned shift = mdts + nvme_cap_page_shift(nvme->cap);

    return mdts == 0 || shift > 31 || 1u << shift > NVME_TRANSFER_BYTES ? NVME_TRANSFER_BYTES
                                                                        : 1u << shift;
}

static int identify_controller(struct nvme *nvme, struct controller *controller, uint8_t *page)
{
    if (identify(nvme, NVME_CNS_CONTROLLER, 0, page) != LEAT_OK)
        return LEAT_EIO;
    block_copy_name(controller->serial, page + NVME_ID_SERIAL, 20);
    block_copy_name(controller->model, page + NVME_ID_MODEL, 40);
    block_copy_name(controller->firmware, page + NVME_ID_FIRMWARE, 8);
    controller->namespaces = get32(page + NVME_ID_NN);
    controller->transfer_bytes = transfer_bytes(nvme, page[NVME_ID_MDTS]);
    controller->has_discard = page[NVME_ID_ONCS] & NVME_ONCS_DATASET;
    controller->has_write_cache = page[NVME_ID_VWC] & NVME_VWC_PRESENT;
    if (page[NVME_ID_TYPE] > NVME_TYPE_IO) {
        block_logf(&nvme->platform, NVME_NAME, "a controller without disks (type %u)",
                   page[NVME_ID_TYPE]);
        return LEAT_EIO;
    }
    if (controller->transfer_bytes < TRANSFER_LEAST) {
        block_logf(&nvme->platform, NVME_NAME,
                   "'%s' moves only %u bytes at a time; at least %u are needed", controller->model,
                   controller->transfer_bytes, TRANSFER_LEAST);
        return LEAT_EIO;
    }
    return LEAT_OK;
}

static uint32_t physical_bytes(const uint8_t *page, uint32_t sector_bytes)
{
    uint64_t bytes = ((uint64_t)(get32(page + NVME_NS_NPWG) & 0xffff) + 1) * sector_bytes;

    return (page[NVME_NS_FEATURES] & NVME_NS_HAS_NPWG) && bytes <= PHYSICAL_MOST ? (uint32_t)bytes
                                                                                 : sector_bytes;
}

/* NULL: the unit is filled; else why the namespace cannot be used. */
static const char *describe(const struct controller *controller, const uint8_t *page,
                            struct block_device_info *info)
{
    unsigned format = page[NVME_NS_FORMAT] & 0xf;
    uint32_t entry = get32(page + NVME_NS_FORMAT_TABLE + 4 * format);
    unsigned shift = entry >> 16 & 0xff;

    if (format > page[NVME_NS_FORMATS] || shift < 9 || shift > 12)
        return "its sectors are not of 512 to 4096 bytes";
    if (entry & 0xffff)
        return "its sectors have metadata";
    memcpy(info->model, controller->model, sizeof(info->model));
    memcpy(info->serial, controller->serial, sizeof(info->serial));
    memcpy(info->firmware, controller->firmware, sizeof(info->firmware));
    info->sectors = get64(page + NVME_NS_SIZE);
    info->sector_bytes = 1u << shift;
    info->physical_bytes = physical_bytes(page, info->sector_bytes);
    if (!block_sizes_are_good(info->sectors, info->sector_bytes, info->physical_bytes))
        return "its size makes no sense";
    info->max_sectors = controller->transfer_bytes >> shift;
    info->max_discard_sectors =
        controller->has_discard ? (uint32_t)(NVME_DISCARD_BYTES >> shift) : 0;
    info->has_write_cache = controller->has_write_cache;
    info->has_fua = true;
    info->is_read_only = page[NVME_NS_ATTRIBUTES] & NVME_NS_WRITE_PROTECTED;
    return NULL;
}

static int add_unit(struct nvme *nvme, const struct controller *controller, uint32_t nsid,
                    struct nvme_units *units, uint8_t *page)
{
    struct nvme_unit *unit;
    const char *why;
    int error = identify(nvme, NVME_CNS_NAMESPACE, nsid, page);

    /* 5.15.2.1: one that is not active has no blocks; before version 1.1 the command may fail, too. */
    if (error == LEAT_EIO || error == LEAT_EINVAL || get64(page + NVME_NS_SIZE) == 0)
        return error == LEAT_EIO ? LEAT_EIO : LEAT_OK;
    if (units->count == NVME_UNITS_MOST) {
        block_logf(&nvme->platform, NVME_NAME, "namespace %u is one too many; %u are used", nsid,
                   NVME_UNITS_MOST);
        return LEAT_OK;
    }
    unit = &units->unit[units->count];
    memset(unit, 0, sizeof(*unit));
    unit->nsid = nsid;
    unit->info.queue_depth = nvme->work.slots;
    why = describe(controller, page, &unit->info);
    if (why) {
        nvme->work.counters.refused++;
        block_logf(&nvme->platform, NVME_NAME, "namespace %u of '%s' cannot be used: %s", nsid,
                   controller->model, why);
        return LEAT_OK;
    }
    units->count++;
    return LEAT_OK;
}

/* The numbers of the active namespaces, in ascending order. Controllers of version 1.0 have no such list; there the first
   ones are tried. Returns how many; or LEAT_EIO. */
static int active_list(struct nvme *nvme, const struct controller *controller, uint32_t *list,
                       unsigned most, uint8_t *page)
{
    int error = identify(nvme, NVME_CNS_ACTIVE_LIST, 0, page);
    unsigned count = 0;

    if (error == LEAT_EIO)
        return LEAT_EIO;
    if (error != LEAT_OK) {
        for (; count < most && count < controller->namespaces; count++)
            list[count] = count + 1;
        return (int)count;
    }
    for (unsigned i = 0; i < NVME_LIST_COUNT && count < most; i++) {
        uint32_t nsid = get32(page + 4 * i);
        if (nsid == 0)
            break;
        if (nsid > controller->namespaces || (count && nsid <= list[count - 1])) {
            nvme->work.counters.refused++;
            break;
        }
        list[count++] = nsid;
    }
    return (int)count;
}

int nvme_identify(struct nvme *nvme, struct nvme_units *units)
{
    struct controller controller;
    uint32_t list[NVME_UNITS_MOST + 1]; /* one more, to say that there are more */
    uint8_t page[NVME_IDENTIFY_BYTES];

    memset(units, 0, sizeof(*units));
    if (identify_controller(nvme, &controller, page) != LEAT_OK)
        return LEAT_EIO;
    int count = active_list(nvme, &controller, list, sizeof(list) / sizeof(list[0]), page);
    for (int i = 0; i < count; i++) {
        if (add_unit(nvme, &controller, list[i], units, page) != LEAT_OK)
            return LEAT_EIO;
    }
    return count < 0 ? LEAT_EIO : LEAT_OK;
}
