// SPDX-License-Identifier: BSD-2-Clause
/*
 * The storage service: looks for Leat's partition on the disks of the controllers that it was given,
 * tells the supervisor, and serves that one partition to vdisk. Without a partition it ends.
 *
 * All work is done in one place, `pump`, which the loop calls before each sleep; interrupts, signals
 * and timers only wake it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/channel.h"
#include "lib/clock.h"
#include "lib/ctl.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/start.h"
#include "lib/sys.h"
#include "services/storage/controller.h"
#include "services/storage/probe.h"
#include "services/storage/wanted.h"

#define CONTROLLERS_MOST 8u
#define BUFFER_BYTES ((uint64_t)SERVER_PIECES_MOST * SERVER_PIECE_BYTES)
#define POLL_NS 100000ull /* a controller without an interrupt is looked at so often */
#define STRAYS_MOST 1000u /* interrupts in a row that were for nothing */

static struct {
    struct leat_loop loop;
    struct leat_loop_timer timer;
    struct controller controllers[CONTROLLERS_MOST];
    struct server_buffers buffers;
    bool has_wanted;
    struct wanted wanted;
    char name[WANTED_TEXT_BYTES]; /* of the partition, when this process is started again */
    struct controller *chosen;    /* NULL: no partition yet */
    struct guard guard;           /* of the partition */
    struct server *server;        /* NULL: nobody has asked for it */
    struct leat_start_entry client;
    bool irq_came;
    unsigned strays;
} storage;

/* -- looking for the partition -- */

/* "disk 'QEMU HARDDISK' (ahci 00:1f.2), 512 MiB" */
static const char *describe(const struct controller *c, const struct block_device_info *info)
{
    static char text[160];

    snprintf(text, sizeof text, "disk '%s' (%s), %llu MiB", info->model, c->name,
             (unsigned long long)(info->sectors * info->sector_bytes >> 20));
    return text;
}

static void choose(struct controller *c, unsigned unit, const struct block_device_info *info,
                   const struct gpt_partition *p)
{
    char id[GUID_TEXT_BYTES];
    enum wanted_answer answer = WANTED_THIS;
    const char *what = "is the store";

    guid_text(p->id, id);
    if (storage.has_wanted)
        answer = wanted_judge(&storage.wanted, p->id, c->place, unit);
    if (answer == WANTED_OTHER_ID)
        what = "is not the one that leat.conf names";
    else if (answer == WANTED_OTHER_PLACE)
        what = "is not used: it has the id of the store's, but is on another disk, a copy";
    else if (storage.chosen)
        what = "is not used: there is another one already; [store] partition in leat.conf chooses";
    else if (info->is_read_only)
        what = "is not used: the disk cannot be written";
    else {
        storage.chosen = c;
        storage.guard = (struct guard){c->driver, c->state, unit, p->first, p->sectors};
        wanted_text(p->id, c->place, unit, storage.name);
    }
    leat_log("%s: partition %s of %llu MiB %s%s", describe(c, info), id,
             (unsigned long long)(p->sectors * info->sector_bytes >> 20), what,
             c->is_polled && c == storage.chosen ? " (without an interrupt: slower)" : "");
}

static void look_at(struct controller *c, unsigned unit, uint8_t *table)
{
    const struct block_device_info *info = c->driver->info(c->state, unit);
    const struct probe probe = {c->driver, c->state, &c->platform, &storage.buffers, table};
    struct gpt_result result;

    if (!info)
        return;
    switch (probe_unit(&probe, unit, &result)) {
    case GPT_NONE:
        leat_log("%s: no GPT; it is left alone", describe(c, info));
        return;
    case GPT_REFUSED:
        leat_log("%s: left alone, since its partition table is not sound: %s", describe(c, info),
                 result.why);
        return;
    default:
        break;
    }
    if (result.note)
        leat_log("%s: %s; repair it (sgdisk -e, gdisk)", describe(c, info), result.note);
    if (!result.count)
        leat_log("%s: no partition of Leat's; it is left alone", describe(c, info));
    for (unsigned i = 0; i < result.count; i++)
        choose(c, unit, info, &result.found[i]);
}

static struct controller_dma take_dma(void)
{
    const struct leat_start_entry *entry = leat_start_find("dma", NULL);
    int64_t hpa = entry ? leat_mem_phys(entry->handle, 0) : LEAT_ENOENT;
    struct controller_dma dma;

    if (hpa < 0)
        leat_fatal("no memory that a controller can reach (error %d)", (int)hpa);
    dma = (struct controller_dma){(uint8_t *)entry->va, (uint64_t)hpa, entry->size};
    /* At most half of it, so that the drivers have theirs. */
    storage.buffers = (struct server_buffers){
        dma.va, dma.hpa, dma.size / 2 < BUFFER_BYTES ? dma.size / 2 : BUFFER_BYTES};
    dma.va += storage.buffers.size;
    dma.hpa += storage.buffers.size;
    dma.size -= storage.buffers.size;
    return dma;
}

static void look_for_partition(void)
{
    struct controller_dma dma = take_dma();
    uint8_t *table = malloc(GPT_BUFFER_BYTES);
    char text[WANTED_TEXT_BYTES + 1];

    if (!table)
        leat_fatal("no memory for a partition table");
    if (leat_start_arg("partition", text, sizeof text)) {
        storage.has_wanted = wanted_parse(&storage.wanted, text);
        if (!storage.has_wanted)
            leat_fatal("partition=%s names no partition", text);
    }
    /* First all are started, which resets them: one may still work on commands of a process that served
       before this one and died, with data in the very memory that is used here. */
    for (unsigned i = 0; i < CONTROLLERS_MOST; i++) {
        struct controller *c = &storage.controllers[i];
        if (controller_find(c, i) && !controller_start(c, &dma))
            controller_stop(c);
    }
    for (unsigned i = 0; i < CONTROLLERS_MOST; i++) {
        struct controller *c = &storage.controllers[i];
        for (unsigned unit = 0; c->is_started && unit < c->driver->unit_count(c->state); unit++)
            look_at(c, unit, table);
        if (c != storage.chosen)
            controller_stop(c);
    }
    free(table);
}

/* -- serving it -- */

static void signal_client(void *context)
{
    leat_signal_peer(context);
}

static void woken(void *context)
{
    (void)context;
}

static void attach(const struct leat_start_entry *entry)
{
    const struct controller *c = storage.chosen;
    const struct block_device_info *info = c->driver->info(c->state, storage.guard.unit);

    if (storage.server || !info || entry->size < sizeof(struct leat_blk_channel)) {
        leat_log("a client is not served: %s", storage.server ? "there is one already"
                                               : info         ? "its channel is too small"
                                                              : "the disk is gone");
        return;
    }
    storage.server = malloc(sizeof *storage.server);
    if (!storage.server || leat_loop_on(&storage.loop, entry->my_bits, woken, NULL) != LEAT_OK)
        leat_fatal("no memory for a client");
    storage.client = *entry;
    server_begin(storage.server, &storage.guard, info, (struct leat_blk_channel *)entry->va,
                 &storage.buffers, signal_client, &storage.client);
}

static void on_ctl(const struct leat_ctl *message)
{
    switch (message->op) {
    case LEAT_CTL_ATTACH:
        if (!strncmp(message->entry.role, "disk", sizeof message->entry.role))
            attach(&message->entry);
        break;
    case LEAT_CTL_STOP:
        controller_stop(storage.chosen);
        exit(0);
    default:
        break;
    }
}

static void on_irq(void *context)
{
    (void)context;
    storage.irq_came = true;
}

static void take_interrupt(struct controller *c)
{
    bool is_due = c->is_polled && storage.server && server_is_busy(storage.server);

    if (!storage.irq_came && !is_due)
        return;
    storage.strays = c->driver->interrupt(c->state) || !storage.irq_came ? 0 : storage.strays + 1;
    /* Its causes were taken before the lines are opened, so what comes after that fires again. A line that
       never falls, as QEMU's NVMe leaves it when it is reset with an interrupt pending, would take
       all of a CPU's time: it stays closed. */
    if (storage.strays > STRAYS_MOST && !c->is_polled) {
        c->is_polled = true;
        leat_log("%s: its interrupt never ends: it is looked at without one (slower)", c->name);
    }
    if (storage.irq_came && storage.strays <= STRAYS_MOST)
        controller_ack(c);
    storage.irq_came = false;
}

static bool pump(void *context)
{
    struct controller *c = storage.chosen;
    struct server *s = storage.server;
    uint64_t deadline_ns, poll_ns;
    unsigned under_way = 0;
    bool may_sleep = true;

    (void)context;
    take_interrupt(c);
    if (s) {
        server_serve(s);
        under_way = s->under_way;
    }
    /* After the last submit, so that its time limit counts; 0 would switch the timer off. */
    deadline_ns = c->driver->tick(c->state) | 1;
    if (s) {
        bool has_ended = s->under_way != under_way; /* there are buffers for what waits */
        server_flush(s);
        may_sleep = !has_ended && server_may_sleep(s);
        poll_ns = leat_clock_ns() + POLL_NS;
        if (c->is_polled && server_is_busy(s) && poll_ns < deadline_ns)
            deadline_ns = poll_ns;
    }
    leat_loop_timer_set(&storage.loop, &storage.timer, deadline_ns == UINT64_MAX ? 0 : deadline_ns);
    return !may_sleep;
}

int main(void)
{
    uint64_t bytes = 0;

    leat_loop_init(&storage.loop, leat_start_notif());
    leat_loop_timer(&storage.loop, &storage.timer, woken, NULL);
    if (leat_ctl_init(&storage.loop, on_ctl) != LEAT_OK)
        leat_fatal("storage was given no control channel");
    look_for_partition();
    if (storage.chosen) {
        const struct controller *c = storage.chosen;
        const struct block_device_info *info = c->driver->info(c->state, storage.guard.unit);
        bytes = info ? storage.guard.sectors * info->sector_bytes : 0;
    }
    leat_ctl_send(LEAT_CTL_STATUS, bytes ? storage.name : "", bytes, 0);
    if (!bytes) {
        if (storage.chosen)
            controller_stop(storage.chosen);
        return 0;
    }
    for (unsigned i = 0; i < storage.chosen->irq_count; i++)
        leat_loop_on(&storage.loop, storage.chosen->irqs[i].bits, on_irq, NULL);
    storage.irq_came = true; /* while it looked: take what came, and open the lines */
    leat_loop_idle(&storage.loop, pump, NULL);
    leat_loop_run(&storage.loop);
}
