// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/storage.h"

#include <stdio.h>
#include <string.h>

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

/* So many deaths in a row are borne, and one more each minute: what kills it may be there for good. */
#define DEATHS 10u
#define DEATH_NS 60000000000ull
#define PAUSE_NS 100000000ull /* before it is started again */

static struct {
    const struct leat_config *config;
    struct process *process; /* NULL: does not run */
    struct process *vdisk;   /* joined to it, or to be; NULL: nobody is */
    struct leat_loop_timer timer;
    struct attachment log;
    struct pace deaths;
    char partition[80]; /* its id and place, once one was found: no other one will do later */
    uint64_t partition_bytes;
    struct {
        uint64_t cookie, bits; /* of the channel, for vdisk; bits 0: there is none */
    } link, old;               /* old: vdisk has not let go of it yet */
    bool has_looked, is_given_up;
    bool is_ready; /* the process that runs has found the partition */
} storage;

/* The new channel comes as a message to vdisk, when that runs. Until it has been sent vdisk knows the old one's
   cookie only, which part() needs. */
static int join(void)
{
    struct leat_start_entry ours = {0}, theirs = {0};
    uint64_t cookie = link_cookie();
    int error;

    link_name(&theirs, "disk", "store");
    link_name(&ours, "store", "");
    ours.arg[0] = cookie; /* in a start block there is no message around it */
    error = link_processes(storage.process, 0, &theirs, storage.vdisk, 0, &ours,
                           sizeof(struct leat_blk_channel));
    if (error != LEAT_OK) {
        return error;
    }
    error = link_deliver(storage.vdisk, &ours, cookie);
    if (error != LEAT_OK) {
        process_return_bits(storage.vdisk, ours.my_bits);
        return error;
    }
    storage.link.cookie = cookie;
    storage.link.bits = ours.my_bits;
    return link_deliver(storage.process, &theirs, cookie);
}

/* vdisk lets go of the dead one's channel, and waits for another or not. */
static void part(bool comes_again)
{
    if (storage.vdisk == NULL) {
        return;
    }
    process_send_text(storage.vdisk, LEAT_CTL_DETACH, "", storage.link.cookie, comes_again);
    if (storage.link.bits != 0) {
        storage.old = storage.link;
        storage.link.bits = 0;
    }
}

static void give_up(const char *why)
{
    leat_log("%s; local disks are not used until the next boot", why);
    storage.is_given_up = true;
    leat_loop_timer_set(&supervisor_loop, &storage.timer, 0);
    if (storage.process != NULL) {
        leat_domain_kill(storage.process->domain, 1);
    }
    controllers_off();
    part(false);
}

/* When there is a new one, and vdisk has nothing of the old one any more. */
static void join_again(void)
{
    if (storage.is_ready && storage.vdisk != NULL && storage.link.bits == 0 &&
        storage.old.bits == 0 && join() != LEAT_OK) {
        give_up("the new storage service and vdisk cannot be joined");
    }
}

static void has_found(const struct leat_ctl *message)
{
    bool is_same = message->arg[0] == storage.partition_bytes &&
                   strncmp(message->text, storage.partition, sizeof(storage.partition) - 1) == 0;

    if (!storage.has_looked) {
        storage.has_looked = true;
        storage.partition_bytes = message->arg[0];
        snprintf(storage.partition, sizeof(storage.partition), "%.79s", message->text);
    } else if (!is_same) {
        give_up("the partition of the store is not there any more");
        return;
    }
    if (storage.partition_bytes != 0) { /* else it ends; or the timer ends it */
        leat_loop_timer_set(&supervisor_loop, &storage.timer, 0);
        storage.is_ready = true;
        join_again();
    }
}

static void on_message(struct process *process, const struct leat_ctl *message)
{
    if (message->op == LEAT_CTL_STATUS && process == storage.process && !storage.is_given_up) {
        has_found(message);
    }
}

static void say_death(const struct leat_domain_status *status, const char *then)
{
    char how[120];

    process_describe_death(status, how, sizeof(how));
    leat_log("service 'storage' has died: %s; %s", how, then);
}

static void on_death(struct process *process, const struct leat_domain_status *status)
{
    bool is_fault = status->code != 0 || status->fault_vector != UINT32_MAX;

    storage.process = NULL;
    storage.is_ready = false;
    prompt_forget_process(process);
    if (storage.log.process != NULL) {
        process_send_text(storage.log.process, LEAT_CTL_DETACH, "", storage.log.cookie, 0);
    }
    storage.log.process = NULL;
    if (storage.is_given_up) {
        return;
    }
    if (storage.has_looked && storage.partition_bytes == 0 && !is_fault) {
        leat_loop_timer_set(&supervisor_loop, &storage.timer, 0);
        controllers_off(); /* there is nothing for it to do */
        storage.is_given_up = true;
    } else if (!pace_take(&storage.deaths, leat_clock_ns())) {
        say_death(status, "as it has too often");
        give_up("service 'storage' is not started again");
    } else {
        say_death(status, "it is started again, what needs it waits");
        part(true);
        leat_loop_timer_set(&supervisor_loop, &storage.timer, leat_clock_ns() + PAUSE_NS);
    }
}

static bool build(void)
{
    struct process *p = process_create("storage", "storage", STORAGE_QUOTA, LEAT_PRIO_SERVICE);
    const char *wanted = storage.config->store.partition;

    if (p == NULL) {
        return false;
    }
    p->on_message = on_message;
    p->on_death = on_death;
    services_attach_log(p, &storage.log);
    wanted = storage.partition[0] != 0 ? storage.partition : wanted;
    if (wanted[0] != 0) {
        process_argument(p, "partition=%s", wanted);
    }
    if (controllers_give(p) != LEAT_OK || process_run(p) != LEAT_OK) {
        process_discard(p);
        return false;
    }
    storage.process = p;
    leat_loop_timer_set(&supervisor_loop, &storage.timer, leat_clock_ns() + LOOK_NS);
    return true;
}

/* Either it is time to start it again, or it has not answered for long. */
static void on_timer(void *context)
{
    (void)context;
    if (storage.process != NULL) {
        give_up("the local disks do not answer");
    } else if (!build()) {
        give_up("service 'storage' cannot be started again");
    }
}

void storage_start(const struct leat_config *config)
{
    bool has_disks = config->disk_count != 0 || config->leatd.line != 0;

    if (!has_disks || config->store.is_off || !services_has_net() || controllers_find() == 0) {
        return;
    }
    storage.config = config;
    storage.deaths = (struct pace){.step_ns = DEATH_NS, .burst = DEATHS};
    leat_loop_timer(&supervisor_loop, &storage.timer, on_timer, NULL);
    if (!build()) {
        controllers_off();
        return;
    }
    /* When it has found nothing it ends, and what it was given is there again. */
    while (!storage.is_given_up && storage.partition_bytes == 0) {
        leat_loop_step(&supervisor_loop);
    }
}

uint64_t storage_partition_bytes(void)
{
    return storage.process != NULL && storage.has_looked ? storage.partition_bytes : 0;
}

int storage_join(struct process *vdisk)
{
    int error;

    storage.vdisk = vdisk;
    error = join();
    if (error != LEAT_OK) {
        storage.vdisk = NULL;
    }
    return error;
}

bool storage_detached(const struct process *vdisk, uint64_t cookie)
{
    if (storage.vdisk != vdisk || storage.old.bits == 0 || storage.old.cookie != cookie) {
        return false;
    }
    process_return_bits(storage.vdisk, storage.old.bits);
    storage.old.bits = 0;
    join_again();
    return true;
}

void storage_forget(const struct process *service)
{
    if (storage.vdisk == service) {
        storage.vdisk = NULL;
    }
    if (storage.log.process == service) {
        storage.log.process = NULL;
    }
}

bool storage_restart(void)
{
    if (storage.process == NULL || storage.is_given_up) {
        return false;
    }
    leat_domain_kill(storage.process->domain, 0);
    return true;
}
