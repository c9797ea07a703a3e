// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/storage.h"

#include <leat/blk.h>
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "services/supervisor/controllers.h"
#include "services/supervisor/link.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/prompt.h"
#include "services/supervisor/services.h"

#define STORAGE_QUOTA (4ull << 20) /* beside its DMA memory */

/* Disks that spin up take their time (drivers/block/block.h: 30 s for each controller at most); but a
   machine that waits for a dead one must come up. */
#define LOOK_NS 60000000000ull

static struct {
    struct process *process; /* NULL: does not run */
    struct process *vdisk;   /* joined to it */
    struct leat_loop_timer timer;
    uint64_t cookie; /* of the channel, for vdisk */
    uint64_t partition_bytes;
    bool has_looked, is_late;
} storage;

static void on_message(struct process *process, const struct leat_ctl *message)
{
    (void)process;
    if (message->op == LEAT_CTL_STATUS) {
        storage.has_looked = true;
        storage.partition_bytes = message->arg[0];
    }
}

static void on_death(struct process *process, const struct leat_domain_status *status)
{
    bool had_nothing = storage.has_looked && storage.partition_bytes == 0 && status->code == 0 &&
                       status->fault_vector == UINT32_MAX;
    char how[120];

    controllers_off();
    if (!had_nothing) {
        process_describe_death(status, how, sizeof(how));
        leat_log("service 'storage' has died: %s; local disks are not used until the next boot",
                 how);
    }
    if (storage.vdisk != NULL) {
        process_send_text(storage.vdisk, LEAT_CTL_DETACH, "", storage.cookie, 0);
    }
    storage.process = NULL;
    storage.partition_bytes = 0;
    prompt_forget_process(process);
}

static void on_late(void *context)
{
    (void)context;
    storage.is_late = true;
}

static void wait_for_it(void)
{
    leat_loop_timer(&supervisor_loop, &storage.timer, on_late, NULL);
    leat_loop_timer_set(&supervisor_loop, &storage.timer, leat_clock_ns() + LOOK_NS);
    /* When it has found nothing it ends, and what it was given is there again. */
    while (storage.process != NULL && storage.partition_bytes == 0 && !storage.is_late) {
        leat_loop_step(&supervisor_loop);
    }
    leat_loop_timer_set(&supervisor_loop, &storage.timer, 0);
    if (storage.process != NULL && storage.partition_bytes == 0) {
        leat_log("the local disks do not answer: the machine starts without them");
        leat_domain_kill(storage.process->domain, 1);
    }
}

void storage_start(const struct leat_config *config)
{
    struct process *p;

    if (config->disk_count == 0 || config->store.is_off || !services_has_net() ||
        controllers_find() == 0) {
        return;
    }
    p = process_create("storage", "storage", STORAGE_QUOTA, LEAT_PRIO_SERVICE);
    if (p == NULL) {
        return;
    }
    p->on_message = on_message;
    p->on_death = on_death;
    services_attach_log(p, NULL);
    if (config->store.partition[0] != 0) {
        process_argument(p, "partition=%s", config->store.partition);
    }
    if (controllers_give(p) != LEAT_OK || process_run(p) != LEAT_OK) {
        controllers_off();
        process_discard(p);
        return;
    }
    storage.process = p;
    wait_for_it();
}

uint64_t storage_partition_bytes(void)
{
    return storage.process != NULL && storage.has_looked ? storage.partition_bytes : 0;
}

int storage_join(struct process *vdisk)
{
    struct leat_start_entry ours = {0}, theirs = {0};
    int error;

    storage.cookie = link_cookie();
    link_name(&theirs, "disk", "store");
    link_name(&ours, "store", "");
    ours.arg[0] = storage.cookie; /* in a start block there is no message around it */
    error = link_processes(storage.process, 0, &theirs, vdisk, 0, &ours,
                           sizeof(struct leat_blk_channel));
    error = error == LEAT_OK ? link_deliver(vdisk, &ours, 0) : error;
    error = error == LEAT_OK ? link_deliver(storage.process, &theirs, storage.cookie) : error;
    if (error == LEAT_OK) {
        storage.vdisk = vdisk;
    }
    return error;
}

void storage_forget(const struct process *vdisk)
{
    if (storage.vdisk == vdisk) {
        storage.vdisk = NULL;
    }
}
