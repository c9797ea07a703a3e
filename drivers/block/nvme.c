// SPDX-License-Identifier: BSD-2-Clause
/* The NVMe driver as block.h wants it. */
#include "drivers/block/nvme_private.h"

#define STEP_MS 10u /* between looks at a controller that is being reset */
#define START_STEP_US 1000u

static bool is_resetting(const struct nvme *nvme)
{
    return nvme->state == NVME_DISABLING || nvme->state == NVME_ENABLING;
}

static int nvme_start(void *state, const struct block_platform *platform,
                      const struct block_dma *dma)
{
    struct nvme *nvme = state;

    if (!block_dma_is_good(dma, NVME_DMA_BYTES) ||
        platform->region_bytes(platform->context, BLOCK_REGION_BAR0) <= NVME_DOORBELLS)
        return LEAT_EINVAL;
    nvme->platform = *platform;
    nvme->dma = *dma;
    if (nvme_check_controller(nvme) != LEAT_OK)
        return LEAT_EIO;
    nvme->limit_ns = block_now(platform) + (BLOCK_START_LIMIT_MS - NVME_OFF_MS) * BLOCK_NS_PER_MS;
    nvme->resets_in_row = NVME_RESETS_MOST - 1; /* a start is tried once */
    nvme_reset_begin(nvme, "");
    while (is_resetting(nvme)) {
        nvme_reset_step(nvme);
        if (!is_resetting(nvme))
            break;
        if (block_now(platform) >= nvme->limit_ns)
            nvme_gone(nvme, "it does not become ready");
        block_delay(platform, START_STEP_US);
    }
    nvme->resets_in_row = 0;
    nvme->is_started = nvme->state == NVME_RUNNING;
    if (!nvme->is_started)
        nvme_shut_down(nvme);
    return nvme->is_started ? LEAT_OK : LEAT_EIO;
}

static unsigned nvme_unit_count(const void *state)
{
    return ((const struct nvme *)state)->units.count;
}

static const struct block_device_info *nvme_info(const void *state, unsigned unit)
{
    const struct nvme *nvme = state;

    if (nvme->state == NVME_OFF || nvme->state == NVME_GONE || unit >= nvme->units.count ||
        nvme->units.unit[unit].is_gone)
        return NULL;
    return &nvme->units.unit[unit].info;
}

static int nvme_submit(void *state, unsigned unit, struct block_command *command)
{
    struct nvme *nvme = state;
    int error = block_check(nvme_info(nvme, unit), command);

    if (error != LEAT_OK)
        return error;
    block_work_add(&nvme->work, unit, command);
    nvme_io_pump(nvme);
    return LEAT_OK;
}

static void finish(struct nvme *nvme)
{
    block_work_deliver(&nvme->work);
    nvme_io_pump(nvme);
}

static bool nvme_interrupt(void *state)
{
    struct nvme *nvme = state;
    unsigned count = nvme->state == NVME_RUNNING ? nvme_io_poll(nvme) : 0;

    if (count)
        block_work_interrupted(&nvme->work);
    finish(nvme);
    return count != 0;
}

static uint64_t nvme_tick(void *state)
{
    struct nvme *nvme = state;

    if (nvme->state != NVME_OFF) {
        uint64_t now_ns = block_now(&nvme->platform);
        if (is_resetting(nvme))
            nvme_reset_step(nvme);
        else if (nvme->state == NVME_RUNNING && block_work_watch(&nvme->work, now_ns) &&
                 nvme_is_well(nvme))
            block_work_watched(&nvme->work, nvme_io_poll(nvme));
        if (nvme->state == NVME_RUNNING)
            nvme_io_limits(nvme, now_ns);
        finish(nvme);
    }
    uint64_t next = block_work_next(&nvme->work);
    if (is_resetting(nvme)) {
        uint64_t step = block_now(&nvme->platform) + STEP_MS * BLOCK_NS_PER_MS;
        return next == 0 ? 0 : step;
    }
    return next;
}

static void nvme_stop(void *state)
{
    struct nvme *nvme = state;

    nvme_shut_down(nvme);
    nvme->work = (struct block_work){.slots = nvme->work.slots, .counters = nvme->work.counters};
}

static const struct block_counters *nvme_counters(const void *state)
{
    return &((const struct nvme *)state)->work.counters;
}

const struct block_driver block_driver_nvme = {
    .name = NVME_NAME,
    .state_bytes = sizeof(struct nvme),
    .dma_bytes = NVME_DMA_BYTES,
    .start = nvme_start,
    .unit_count = nvme_unit_count,
    .info = nvme_info,
    .submit = nvme_submit,
    .interrupt = nvme_interrupt,
    .tick = nvme_tick,
    .stop = nvme_stop,
    .counters = nvme_counters,
};
