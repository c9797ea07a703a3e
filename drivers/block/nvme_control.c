// SPDX-License-Identifier: BSD-2-Clause
/* The controller's life: switching it on and off, admin commands, resets. NVM Express 1.4, 3.1, 7.3.2, 7.6. */
#include "drivers/block/nvme_private.h"

#include <string.h>

#define POLL_US 100u
#define READY_LEAST_MS 500u /* CAP.TO has no smaller unit; some say 0 */
/* All admin commands after a reset; block.h bounds what tick() may wait. */
#define BRING_UP_MS 3000u
#define GONE_VALUE UINT32_MAX /* what a removed device's registers read as */

int nvme_check_controller(struct nvme *nvme)
{
    uint32_t bytes = nvme->platform.region_bytes(nvme->platform.context, BLOCK_REGION_BAR0);
    uint64_t cap = nvme_get(nvme, NVME_CAP) | (uint64_t)nvme_get(nvme, NVME_CAP + 4) << 32;
    const char *why = NULL;

    nvme->cap = cap;
    if (nvme_get(nvme, NVME_CSTS) == GONE_VALUE)
        why = "it does not answer";
    else if (!nvme_cap_has_nvm(cap))
        why = "it does not know the NVM command set";
    else if (nvme_cap_page_shift(cap) != 12)
        why = "it cannot work with pages of 4 KiB";
    else if (nvme_cap_entries(cap) < 2)
        why = "its queues are too short";
    else if (NVME_DOORBELLS + 4 * nvme_cap_stride(cap) > bytes)
        why = "its doorbells lie outside of its registers";
    if (why) {
        block_logf(&nvme->platform, NVME_NAME, "the controller cannot be used: %s", why);
        return LEAT_EIO;
    }
    nvme->io.entries = (uint16_t)(nvme_cap_entries(cap) < NVME_IO_ENTRIES ? nvme_cap_entries(cap)
                                                                          : NVME_IO_ENTRIES);
    nvme->work.slots = nvme->io.entries - 1u < BLOCK_SLOTS ? nvme->io.entries - 1u : BLOCK_SLOTS;
    return LEAT_OK;
}

/* -- admin commands -- */

static int wait_admin(struct nvme *nvme)
{
    struct nvme_completion completion;

    for (;;) {
        if (nvme_queue_take(&nvme->admin, &completion)) {
            nvme_queue_consumed(nvme, &nvme->admin);
            if (completion.cid == nvme->admin_cid && completion.sq_id == 0)
                return completion.status >> 1 ? LEAT_EINVAL : LEAT_OK;
            nvme->work.counters.refused++;
        } else {
            block_delay(&nvme->platform, POLL_US);
        }
        uint32_t csts = nvme_get(nvme, NVME_CSTS);
        if (csts == GONE_VALUE || (csts & NVME_CSTS_CFS) ||
            block_now(&nvme->platform) >= nvme->limit_ns)
            return LEAT_EIO;
    }
}

int nvme_admin(struct nvme *nvme, struct nvme_command *command)
{
    command->cid = nvme->admin_cid = (uint16_t)((nvme->admin_cid + 1) & 0x7fff);
    nvme_queue_push(&nvme->admin, command);
    nvme_queue_ring(nvme, &nvme->admin);
    return wait_admin(nvme);
}

static int create_queues(struct nvme *nvme)
{
    uint32_t size_and_id = (uint32_t)(nvme->io.entries - 1) << 16 | 1;
    struct nvme_command features = {
        .opcode = NVME_SET_FEATURES, .cdw10 = NVME_FEATURE_QUEUES, /* cdw11 0: one of each */
    };
    struct nvme_command completion_queue = {
        .opcode = NVME_CREATE_CQ,
        .prp1 = nvme->dma.hpa + NVME_DMA_IO_CQ,
        .cdw10 = size_and_id,
        .cdw11 = NVME_QUEUE_CONTIGUOUS | NVME_QUEUE_INTERRUPTS,
    };
    struct nvme_command submission_queue = {
        .opcode = NVME_CREATE_SQ,
        .prp1 = nvme->dma.hpa + NVME_DMA_IO_SQ,
        .cdw10 = size_and_id,
        .cdw11 = NVME_QUEUE_CONTIGUOUS | 1u << 16, /* its completion queue */
    };

    nvme_queue_init(nvme, &nvme->io, 1, nvme->io.entries, NVME_DMA_IO_SQ, NVME_DMA_IO_CQ);
    int error = nvme_admin(nvme, &features);
    error = error == LEAT_OK ? nvme_admin(nvme, &completion_queue) : error;
    return error == LEAT_OK ? nvme_admin(nvme, &submission_queue) : error;
}

/* -- reset -- */

void nvme_gone(struct nvme *nvme, const char *why)
{
    block_logf(&nvme->platform, NVME_NAME, "the controller is given up: %s", why);
    nvme->state = NVME_GONE;
    nvme_put(nvme, NVME_INTMS, UINT32_MAX);
    block_work_fail_all(&nvme->work);
}

static uint64_t ready_limit(const struct nvme *nvme)
{
    uint32_t ms = nvme_cap_timeout_ms(nvme->cap);

    return block_now(&nvme->platform) +
           (ms < READY_LEAST_MS ? READY_LEAST_MS : ms) * BLOCK_NS_PER_MS;
}

/* 3.1.5: the other fields do not change while EN does. */
static void switch_off(struct nvme *nvme)
{
    uint32_t cc = nvme_get(nvme, NVME_CC) & ~(uint32_t)(NVME_CC_EN | 3u * NVME_CC_SHN_NORMAL);

    nvme_put(nvme, NVME_INTMS, UINT32_MAX);
    nvme_put(nvme, NVME_CC, cc);
}

void nvme_reset_begin(struct nvme *nvme, const char *why)
{
    if (nvme->is_started) {
        block_logf(&nvme->platform, NVME_NAME, "the controller is reset: %s", why);
        nvme->work.counters.resets++;
    }
    nvme->resets_in_row++;
    nvme->why = why;
    switch_off(nvme);
    nvme->state = NVME_DISABLING;
    nvme->ready_limit_ns = ready_limit(nvme);
}

/* 7.6.1: the controller is off; it reaches no memory any more. */
static void switch_on(struct nvme *nvme)
{
    uint32_t last = NVME_ADMIN_ENTRIES - 1;

    block_work_repeat_all(&nvme->work, block_now(&nvme->platform));
    nvme_io_reset(nvme);
    nvme_queue_init(nvme, &nvme->admin, 0, NVME_ADMIN_ENTRIES, NVME_DMA_ADMIN_SQ,
                    NVME_DMA_ADMIN_CQ);
    nvme_put(nvme, NVME_AQA, last << 16 | last);
    nvme_put(nvme, NVME_ASQ, (uint32_t)nvme->admin.commands_hpa);
    nvme_put(nvme, NVME_ASQ + 4, (uint32_t)(nvme->admin.commands_hpa >> 32));
    nvme_put(nvme, NVME_ACQ, (uint32_t)nvme->admin.completions_hpa);
    nvme_put(nvme, NVME_ACQ + 4, (uint32_t)(nvme->admin.completions_hpa >> 32));
    nvme_put(nvme, NVME_CC, NVME_CC_SQES | NVME_CC_CQES);
    nvme_put(nvme, NVME_CC, NVME_CC_EN | NVME_CC_SQES | NVME_CC_CQES);
    nvme->state = NVME_ENABLING;
    nvme->ready_limit_ns = ready_limit(nvme);
}

static bool is_same_disk(const struct nvme_unit *a, const struct nvme_unit *b)
{
    const struct block_device_info *x = &a->info, *y = &b->info;

    return a->nsid == b->nsid && x->sectors == y->sectors && x->sector_bytes == y->sector_bytes &&
           x->max_sectors == y->max_sectors && x->max_discard_sectors == y->max_discard_sectors &&
           x->has_write_cache == y->has_write_cache && x->is_read_only == y->is_read_only &&
           !strcmp(x->serial, y->serial) && !strcmp(x->model, y->model);
}

/* Units that are not what they were before the reset are gone: their users know another disk. */
static void compare_units(struct nvme *nvme, const struct nvme_units *found)
{
    for (unsigned i = 0; i < nvme->units.count; i++) {
        struct nvme_unit *unit = &nvme->units.unit[i];
        bool is_same = false;

        for (unsigned j = 0; j < found->count; j++)
            is_same = is_same || is_same_disk(&found->unit[j], unit);
        if (is_same || unit->is_gone)
            continue;
        unit->is_gone = true;
        block_log(&nvme->platform, NVME_NAME, i, "gone: it is another one after the reset");
        block_work_fail_unit(&nvme->work, i);
    }
}

static int bring_up(struct nvme *nvme)
{
    struct nvme_units found;

    if (nvme->is_started)
        nvme->limit_ns = block_now(&nvme->platform) + BRING_UP_MS * BLOCK_NS_PER_MS;
    int error = nvme_identify(nvme, &found);
    error = error == LEAT_OK ? create_queues(nvme) : error;
    if (error != LEAT_OK)
        return error;
    if (nvme->is_started)
        compare_units(nvme, &found);
    else
        nvme->units = found;
    nvme_put(nvme, NVME_INTMC, 1);
    nvme->state = NVME_RUNNING;
    return LEAT_OK;
}

void nvme_reset_step(struct nvme *nvme)
{
    uint32_t csts = nvme_get(nvme, NVME_CSTS);
    bool is_late = block_now(&nvme->platform) >= nvme->ready_limit_ns;

    if (csts == GONE_VALUE) {
        nvme_gone(nvme, "it answers no more");
    } else if (nvme->state == NVME_DISABLING) {
        if ((csts & NVME_CSTS_RDY) && is_late)
            nvme_gone(nvme, "it cannot be switched off");
        else if (!(csts & NVME_CSTS_RDY) && nvme->resets_in_row > NVME_RESETS_MOST)
            nvme_gone(nvme, nvme->why); /* no reset helps */
        else if (!(csts & NVME_CSTS_RDY))
            switch_on(nvme);
    } else if (nvme->state == NVME_ENABLING) {
        if (csts & NVME_CSTS_CFS)
            nvme_reset_begin(nvme, "it fails when it is switched on");
        else if (!(csts & NVME_CSTS_RDY) && is_late)
            nvme_reset_begin(nvme, "it does not become ready");
        else if ((csts & NVME_CSTS_RDY) && bring_up(nvme) != LEAT_OK)
            nvme_reset_begin(nvme, "it does not do what it is told after the start");
    }
}

/* 9.5: what the controller held in its cache may be lost with the rest of its state. */
static void note_loss(struct nvme *nvme)
{
    for (unsigned i = 0; i < nvme->units.count; i++) {
        struct nvme_unit *unit = &nvme->units.unit[i];
        if (unit->info.has_write_cache && unit->written != unit->flushed)
            unit->has_lost = true;
    }
}

bool nvme_is_well(struct nvme *nvme)
{
    uint32_t csts = nvme_get(nvme, NVME_CSTS);

    if (csts == GONE_VALUE) {
        nvme_gone(nvme, "it answers no more");
    } else if ((csts & NVME_CSTS_CFS) || !(csts & NVME_CSTS_RDY)) {
        note_loss(nvme);
        nvme_reset_begin(nvme, csts & NVME_CSTS_CFS ? "it reports a fatal error"
                                                    : "it has stopped by itself");
    }
    return nvme->state == NVME_RUNNING;
}

/* -- the end -- */

static void wait_status(const struct nvme *nvme, uint32_t mask, uint32_t value)
{
    uint64_t limit_ns = block_now(&nvme->platform) + NVME_OFF_MS * BLOCK_NS_PER_MS;

    for (;;) {
        uint32_t csts = nvme_get(nvme, NVME_CSTS);
        if (csts == GONE_VALUE || (csts & mask) == value || block_now(&nvme->platform) >= limit_ns)
            return;
        block_delay(&nvme->platform, POLL_US);
    }
}

/* 7.6.2: a normal shutdown writes the cache; then off, so that all DMA has ended. */
void nvme_shut_down(struct nvme *nvme)
{
    if (nvme->state == NVME_RUNNING) {
        nvme_put(nvme, NVME_CC, nvme_get(nvme, NVME_CC) | NVME_CC_SHN_NORMAL);
        wait_status(nvme, NVME_CSTS_SHST, NVME_CSTS_SHST_DONE);
    }
    if (nvme->state != NVME_OFF) {
        switch_off(nvme);
        wait_status(nvme, NVME_CSTS_RDY, 0);
    }
    nvme->state = NVME_OFF;
}
