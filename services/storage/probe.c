// SPDX-License-Identifier: BSD-2-Clause
#include "services/storage/probe.h"

#include <string.h>

/* Between two looks at a device that has raised no interrupt that anybody takes here. */
#define POLL_US 50u

struct reader {
    const struct probe *probe;
    struct guard guard; /* writes nothing */
    uint32_t sector_bytes;
    struct block_command command;
    bool is_done, is_ok;
};

static void command_done(struct block_command *command, bool is_ok)
{
    struct reader *r = command->owner;

    r->is_done = true;
    r->is_ok = is_ok;
}

/* The driver's own time limits end a command that the device does not. */
static bool run_command(struct reader *r)
{
    const struct probe *p = r->probe;

    r->is_done = false;
    if (guard_submit(&r->guard, &r->command) != LEAT_OK)
        return false;
    while (!r->is_done) {
        p->driver->interrupt(p->state);
        p->driver->tick(p->state);
        p->platform->delay_us(p->platform->context, POLL_US);
    }
    return r->is_ok;
}

static bool read_sectors(void *ctx, uint64_t sector, uint32_t count, uint8_t *data)
{
    struct reader *r = ctx;
    uint32_t most = SERVER_PIECE_BYTES / r->sector_bytes;

    while (count > 0) {
        uint32_t now = count < most ? count : most;
        uint32_t bytes = now * r->sector_bytes;
        r->command = (struct block_command){
            .op = BLOCK_READ,
            .sectors = now,
            .lba = sector,
            .data = r->probe->buffers->va,
            .data_hpa = r->probe->buffers->hpa,
            .done = command_done,
            .owner = r,
        };
        if (!run_command(r))
            return false;
        memcpy(data, r->probe->buffers->va, bytes);
        data += bytes;
        sector += now;
        count -= now;
    }
    return true;
}

enum gpt_status probe_unit(const struct probe *probe, unsigned unit, struct gpt_result *result)
{
    const struct block_device_info *info = probe->driver->info(probe->state, unit);
    struct reader reader = {
        .probe = probe,
        .guard = {.driver = probe->driver, .state = probe->state, .unit = unit},
        .sector_bytes = info->sector_bytes,
    };
    const struct gpt_disk disk = {info->sectors, info->sector_bytes, read_sectors, &reader,
                                  probe->table};

    return gpt_find(&disk, result);
}
