// SPDX-License-Identifier: BSD-2-Clause
/* Commands of the user: built, completed, limited in time. NVM Express 1.4, 4.3, 4.6, 6. */
#include "drivers/block/nvme_private.h"

#include <string.h>

#define PAGE_BYTES 4096u

void nvme_io_reset(struct nvme *nvme)
{
    nvme->aborted = 0;
    nvme->is_aborting = false;
}

static struct nvme_unit *unit_of(struct nvme *nvme, const struct block_command *command)
{
    return &nvme->units.unit[command->unit];
}

/* -- building -- */

static uint16_t cid_of(const struct nvme *nvme, unsigned slot)
{
    return (uint16_t)(slot | (unsigned)nvme->generation[slot] << 8);
}

/* 4.3: the first entry may begin inside a page, all others name whole pages; more than two are in a list. */
static void set_pages(struct nvme *nvme, unsigned slot, uint64_t data_hpa, uint32_t bytes,
                      struct nvme_command *to)
{
    uint32_t first = PAGE_BYTES - (uint32_t)(data_hpa % PAGE_BYTES);
    uint32_t list_offset = NVME_DMA_LISTS + slot * NVME_LIST_BYTES;
    uint64_t *list = (uint64_t *)(nvme->dma.va + list_offset);

    to->prp1 = data_hpa;
    if (bytes <= first)
        return;
    uint64_t next = data_hpa + first;
    uint32_t pages = (bytes - first + PAGE_BYTES - 1) / PAGE_BYTES;
    to->prp2 = pages == 1 ? next : nvme->dma.hpa + list_offset;
    for (uint32_t i = 0; pages > 1 && i < pages; i++)
        list[i] = next + (uint64_t)i * PAGE_BYTES;
}

/* 6.7: one range */
static void set_range(struct nvme *nvme, unsigned slot, const struct block_command *command,
                      struct nvme_command *to)
{
    uint32_t offset = NVME_DMA_LISTS + slot * NVME_LIST_BYTES;
    struct nvme_range range = {.blocks = command->sectors, .lba = command->lba};

    memcpy(nvme->dma.va + offset, &range, sizeof(range));
    to->prp1 = nvme->dma.hpa + offset;
    to->cdw10 = 0; /* number of ranges, less one */
    to->cdw11 = NVME_DEALLOCATE;
}

static void send(struct nvme *nvme, unsigned slot, const struct block_command *command)
{
    static const uint8_t opcodes[] = {
        [BLOCK_READ] = NVME_READ,
        [BLOCK_WRITE] = NVME_WRITE,
        [BLOCK_FLUSH] = NVME_FLUSH,
        [BLOCK_DISCARD] = NVME_DATASET_MANAGEMENT,
    };
    struct nvme_unit *unit = unit_of(nvme, command);
    struct nvme_command to = {.opcode = opcodes[command->op], .nsid = unit->nsid};

    nvme->generation[slot] = (uint8_t)((nvme->generation[slot] + 1) % 0xff);
    to.cid = cid_of(nvme, slot);
    nvme->mark[slot] = unit->written;
    if (command->op == BLOCK_READ || command->op == BLOCK_WRITE) { /* 6.9, 6.15 */
        set_pages(nvme, slot, command->data_hpa, command->sectors * unit->info.sector_bytes, &to);
        to.cdw10 = (uint32_t)command->lba;
        to.cdw11 = (uint32_t)(command->lba >> 32);
        to.cdw12 = (command->sectors - 1) | (command->fua ? NVME_FUA : 0);
    } else if (command->op == BLOCK_DISCARD) {
        set_range(nvme, slot, command, &to);
    }
    nvme_queue_push(&nvme->io, &to);
}

/* After a crash of the controller the user must hear of it before it builds on what was written. */
static bool is_lost_flush(struct nvme *nvme, const struct block_command *command)
{
    struct nvme_unit *unit = unit_of(nvme, command);

    if (command->op != BLOCK_FLUSH || !unit->has_lost)
        return false;
    unit->has_lost = false;
    unit->flushed = unit->written;
    block_log(&nvme->platform, NVME_NAME, command->unit,
              "a flush fails: the controller had a fatal error since the last one");
    return true;
}

void nvme_io_pump(struct nvme *nvme)
{
    uint64_t now_ns = block_now(&nvme->platform);
    unsigned sent = 0;
    int slot;

    if (nvme->state != NVME_RUNNING)
        return;
    block_work_wake(&nvme->work, now_ns);
    while ((slot = block_work_take(&nvme->work, now_ns)) >= 0) {
        struct block_command *command = nvme->work.slot[slot];
        if (is_lost_flush(nvme, command)) {
            block_work_end(&nvme->work, block_work_release(&nvme->work, (unsigned)slot), false);
            continue;
        }
        send(nvme, (unsigned)slot, command);
        sent++;
    }
    if (sent)
        nvme_queue_ring(nvme, &nvme->io);
}

/* -- completions -- */

static void succeeded(struct nvme *nvme, unsigned slot, struct block_command *command)
{
    struct nvme_unit *unit = unit_of(nvme, command);

    nvme->resets_in_row = 0;
    if (command->op == BLOCK_WRITE && !command->fua)
        unit->written++;
    else if (command->op == BLOCK_FLUSH)
        unit->flushed = nvme->mark[slot];
    block_work_end(&nvme->work, command, true);
}

static void failed(struct nvme *nvme, struct block_command *command, uint16_t status,
                   bool is_aborted)
{
    static const char *const names[] = {"read", "write", "flush", "discard"};
    uint64_t now_ns = block_now(&nvme->platform);
    /* That we have aborted it says nothing against trying again. */
    bool is_final =
        (status & NVME_STATUS_DNR) && !(is_aborted && NVME_STATUS_TYPE(status) == 0 &&
                                        NVME_STATUS_CODE(status) == NVME_STATUS_ABORTED);

    if (block_work_may_log(&nvme->work, now_ns))
        block_logf(&nvme->platform, NVME_NAME, "disk %u: %s of %u sectors at %llu: status %u/%xh",
                   command->unit, names[command->op], command->sectors,
                   (unsigned long long)command->lba, NVME_STATUS_TYPE(status),
                   NVME_STATUS_CODE(status));
    if (is_final)
        block_work_end(&nvme->work, command, false);
    else
        block_work_repeat(&nvme->work, command, now_ns);
}

static void complete(struct nvme *nvme, const struct nvme_completion *completion)
{
    unsigned slot = completion->cid & 0xff;

    if (completion->sq_id != nvme->io.id || completion->sq_head >= nvme->io.entries ||
        slot >= nvme->work.slots || !(nvme->work.busy & 1ull << slot) ||
        completion->cid != cid_of(nvme, slot)) {
        nvme->work.counters.refused++;
        return;
    }
    struct block_command *command = block_work_release(&nvme->work, slot);
    bool is_aborted = nvme->aborted & 1ull << slot;
    nvme->aborted &= ~(1ull << slot);
    if (completion->status >> 1)
        failed(nvme, command, completion->status, is_aborted);
    else
        succeeded(nvme, slot, command);
}

/* While commands of the user run, the admin queue has Abort commands only. What they say does not matter: the aborted
   command completes, or its time limit comes. */
static bool poll_admin(struct nvme *nvme)
{
    struct nvme_completion completion;

    if (!nvme_queue_take(&nvme->admin, &completion))
        return false;
    if (nvme->is_aborting && completion.cid == nvme->admin_cid)
        nvme->is_aborting = false;
    else
        nvme->work.counters.refused++;
    nvme_queue_consumed(nvme, &nvme->admin);
    return true;
}

unsigned nvme_io_poll(struct nvme *nvme)
{
    struct nvme_completion completion;
    unsigned count = 0;
    bool has_admin = poll_admin(nvme);

    while (count < nvme->io.entries && nvme_queue_take(&nvme->io, &completion)) {
        complete(nvme, &completion);
        count++;
    }
    if (count)
        nvme_queue_consumed(nvme, &nvme->io);
    return count + has_admin;
}

/* -- time limits -- */

static void abort_slot(struct nvme *nvme, unsigned slot)
{
    struct nvme_command command = {
        .opcode = NVME_ABORT,
        .cid = nvme->admin_cid = (uint16_t)((nvme->admin_cid + 1) & 0x7fff),
        .cdw10 = nvme->io.id | (uint32_t)cid_of(nvme, slot) << 16, /* 5.1 */
    };

    nvme->is_aborting = true;
    nvme_queue_push(&nvme->admin, &command);
    nvme_queue_ring(nvme, &nvme->admin);
}

void nvme_io_limits(struct nvme *nvme, uint64_t now_ns)
{
    int slot;

    while ((slot = block_work_overdue(&nvme->work, now_ns)) >= 0) {
        struct block_command *command = nvme->work.slot[slot];
        if (nvme->aborted & 1ull << slot) {
            nvme_reset_begin(nvme, "a command does not end");
            return;
        }
        nvme->work.counters.timeouts++;
        nvme->aborted |= 1ull << slot;
        command->deadline_ns = now_ns + NVME_ABORT_LIMIT_MS * BLOCK_NS_PER_MS;
        if (!nvme->is_aborting) /* 5.1: one at a time is always allowed */
            abort_slot(nvme, (unsigned)slot);
    }
}
