// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/overlay.h"

#define SHARE_LEAST (1ull << 20)

static bool has_overlay(const struct leat_config_disk *disk)
{
    return disk->mode == LEAT_CONFIG_RAM && !disk->read_only;
}

/* Heap headers and page tables: less than 1/64. */
static uint64_t with_bookkeeping(uint64_t bytes)
{
    return bytes + bytes / 64;
}

void overlay_plan(const struct leat_config *config, uint64_t available_bytes,
                  struct overlay_plan *plan)
{
    unsigned sharers = 0, asking = 0;

    *plan = (struct overlay_plan){0};
    for (unsigned v = 0; v < config->vm_count; v++) {
        const struct leat_config_vm *vm = &config->vms[v];

        for (unsigned i = 0; i < vm->disk_count; i++) {
            const struct leat_config_disk *disk = &config->disks[vm->disk[i]];

            if (has_overlay(disk) && disk->overlay_bytes != 0) {
                plan->asked_bytes += with_bookkeeping(disk->overlay_bytes);
                asking++;
            } else if (has_overlay(disk)) {
                sharers++;
            }
        }
    }
    if (sharers != 0) {
        uint64_t left =
            available_bytes > plan->asked_bytes ? available_bytes - plan->asked_bytes : 0;

        plan->share_bytes =
            left / sharers / 65 * 64; /* with_bookkeeping(share) * sharers <= left */
        if (plan->share_bytes < SHARE_LEAST) {
            plan->share_bytes = SHARE_LEAST;
        }
        plan->total_bytes = available_bytes;
    } else if (asking != 0) {
        plan->total_bytes =
            plan->asked_bytes < available_bytes ? plan->asked_bytes : available_bytes;
    }
}

uint64_t overlay_of(const struct leat_config_disk *disk, const struct overlay_plan *plan)
{
    if (!has_overlay(disk)) {
        return 0;
    }
    return disk->overlay_bytes != 0 ? disk->overlay_bytes : plan->share_bytes;
}
