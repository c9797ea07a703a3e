// SPDX-License-Identifier: BSD-2-Clause
/* The AHCI driver as block.h wants it: start and stop, interrupts, errors, time limits. */
#include "drivers/block/ahci_private.h"

#include <string.h>

/* ---- errors ---- */

/* Which slots failed by a task file error, and whether repeating them is of no use. After a queued command's error the
   device takes nothing else until its log was read, or it was reset (ACS A.6, Serial ATA 3.0, 13.6.3.4). */
static uint32_t failed_slots(struct ahci_port *port, uint32_t tfd, bool *is_final)
{
    uint8_t status = (uint8_t)tfd, error = (uint8_t)(tfd >> 8);
    uint32_t slots = port->issued;

    if (port->is_queued) {
        int tag = ahci_port_failed_tag(port, &status, &error);
        bool is_known = tag >= 0 && (port->issued >> tag & 1);
        if (!is_known)
            (void)ahci_port_restart(port, true);
        if (!is_known && !port->is_alone)
            return slots; /* each counts a try */
        if (is_known)
            slots = 1u << tag;
    }
    *is_final = (status & ATA_STATUS_DF) || !(error & ATA_ERROR_ICRC);
    return slots;
}

static void recover(struct ahci_port *port, uint32_t causes)
{
    uint32_t tfd = ahci_port_get(port, AHCI_PXTFD);
    uint32_t failed = port->issued;
    bool is_final = false;
    bool is_hard = (causes & AHCI_IS_LINK) || !(causes & AHCI_IS_TASK_FILE);

    if (ahci_port_restart(port, is_hard) && port->issued)
        failed = failed_slots(port, tfd, &is_final);
    if (is_final)
        port->silences = 0;
    ahci_requeue(port, failed, is_final);
    if (!port->is_there)
        ahci_fail_all(port);
}

/* ---- interrupts ---- */

static bool is_link_lost(const struct ahci_port *port)
{
    return (ahci_port_get(port, AHCI_PXSSTS) & AHCI_DET_MASK) != AHCI_DET_READY;
}

static void lose(struct ahci_port *port, const char *why)
{
    block_log(&port->ahci->platform, "ahci", port->number, why);
    port->is_there = false;
    ahci_port_stop(port);
    ahci_fail_all(port);
}

/* What has ended well, or *causes tells more. A command that ran alone is judged by the error first: a transfer has its
   count of bytes, but a flush or a discard would be done by PxCI's bit alone. */
static uint32_t good_slots(struct ahci_port *port, uint32_t *causes)
{
    uint32_t finished = ahci_finished(port);

    if (*causes & AHCI_IS_LINK) /* nobody knows which disk has ended them */
        return 0;
    if (!finished || !port->is_alone)
        return finished;
    if (ahci_port_get(port, AHCI_PXTFD) & (ATA_STATUS_ERR | ATA_STATUS_DF))
        *causes |= AHCI_IS_TASK_FILE;
    return *causes & AHCI_IS_ERRORS ? 0 : finished;
}

static void serve_port(struct ahci_port *port)
{
    uint32_t causes = ahci_port_get(port, AHCI_PXIS);

    ahci_port_put(port, AHCI_PXIS, causes);
    if (!port->is_there)
        return;
    if (causes & AHCI_IS_LINK) {
        ahci_port_put(port, AHCI_PXSERR, UINT32_MAX);
        if (is_link_lost(port)) {
            lose(port, "pulled out");
            return;
        }
        ahci_note_loss(port);
    }
    ahci_complete(port, good_slots(port, &causes));
    if (port->is_there && (causes & (AHCI_IS_ERRORS | AHCI_IS_LINK)))
        recover(port, causes);
    ahci_issue(port);
}

static bool interrupt(void *state)
{
    struct ahci *ahci = state;

    if (!ahci->is_started)
        return false;
    uint32_t ports = ahci_get(ahci, AHCI_IS);
    if (ports == UINT32_MAX && ahci_get(ahci, AHCI_CAP) == UINT32_MAX) {
        for (unsigned i = 0; i < ahci->port_count; i++) {
            if (ahci->ports[i].is_there)
                lose(&ahci->ports[i], "the controller is gone");
        }
        return true;
    }
    if (!ports)
        return false;
    ahci->counters.interrupts++;
    for (unsigned i = 0; i < ahci->port_count; i++) {
        if (ports & ahci->port_bits & 1u << i)
            serve_port(&ahci->ports[i]);
    }
    /* AHCI 10.7.2.1: after the ports'. Bits of ports that there are not go, too: else the line would never fall. */
    ahci_put(ahci, AHCI_IS, ports);
    return true;
}

/* ---- time ---- */

static uint32_t late_slots(const struct ahci_port *port, uint64_t now)
{
    uint32_t late = 0;

    for (unsigned i = 0; i < AHCI_MAX_SLOTS; i++) {
        if ((port->issued >> i & 1) && now >= port->slots[i]->deadline_ns)
            late |= 1u << i;
    }
    return late;
}

static void check_port(struct ahci_port *port, uint64_t now)
{
    ahci_end_idle(port);
    if (port->issued && (now >= port->check_ns || late_slots(port, now))) {
        if (ahci_finished(port) || (ahci_port_get(port, AHCI_PXIS) & AHCI_IS_ERRORS)) {
            port->ahci->counters.lost_interrupts++;
            serve_port(port);
        }
        port->check_ns = now + BLOCK_CHECK_MS * BLOCK_NS_PER_MS;
    }
    uint32_t late = late_slots(port, now);
    if (!late)
        return;
    port->ahci->counters.timeouts++;
    if (++port->silences == BLOCK_TRIES) {
        lose(port, "no answer, again and again");
        return;
    }
    block_log(&port->ahci->platform, "ahci", port->number, "no answer; reset");
    (void)ahci_port_restart(port, true);
    ahci_requeue(port, late, false);
    if (!port->is_there)
        ahci_fail_all(port);
    ahci_issue(port);
}

static uint64_t tick(void *state)
{
    struct ahci *ahci = state;
    uint64_t next = BLOCK_NEVER;

    for (unsigned i = 0; ahci->is_started && i < ahci->port_count; i++) {
        struct ahci_port *port = &ahci->ports[i];
        check_port(port, block_now(&ahci->platform));
        if (port->idle.first)
            next = 0;
        else if (port->issued && port->check_ns < next)
            next = port->check_ns;
    }
    return next;
}

/* ---- life ---- */

static int start(void *state, const struct block_platform *platform, const struct block_dma *dma)
{
    struct ahci *ahci = state;

    memset(ahci, 0, sizeof(*ahci));
    ahci->platform = *platform;
    if (!block_dma_is_good(dma, AHCI_DMA_BYTES) ||
        platform->region_bytes(platform->context, AHCI_REGION) < AHCI_PORTS + AHCI_PORT_BYTES)
        return LEAT_EINVAL;
    int error = ahci_take(ahci);
    if (error != LEAT_OK)
        return error;
    ahci_find_disks(ahci, dma);
    ahci_put(ahci, AHCI_IS, UINT32_MAX);
    ahci_put(ahci, AHCI_GHC, AHCI_GHC_ENABLE | AHCI_GHC_INTERRUPTS);
    ahci->is_started = true;
    return LEAT_OK;
}

static void stop(void *state)
{
    struct ahci *ahci = state;

    if (!ahci->is_started)
        return;
    ahci->is_started = false;
    ahci_put(ahci, AHCI_GHC, AHCI_GHC_ENABLE);
    for (unsigned i = 0; i < ahci->port_count; i++) {
        if (ahci->port_bits >> i & 1)
            ahci_port_stop(&ahci->ports[i]);
    }
    /* A port whose engine does not stop would go on writing: the reset ends it. */
    (void)ahci_reset(ahci);
}

static unsigned unit_count(const void *state)
{
    return ((const struct ahci *)state)->port_count;
}

static const struct block_device_info *info(const void *state, unsigned unit)
{
    const struct ahci *ahci = state;

    if (!ahci->is_started || unit >= ahci->port_count || !ahci->ports[unit].is_there)
        return NULL;
    return &ahci->ports[unit].identity.info;
}

static int submit(void *state, unsigned unit, struct block_command *command)
{
    struct ahci *ahci = state;
    int error = block_accept(info(ahci, unit), command, unit);

    if (error != LEAT_OK)
        return error;
    block_queue_push(&ahci->ports[unit].waiting, command);
    ahci_issue(&ahci->ports[unit]);
    return LEAT_OK;
}

static const struct block_counters *counters(const void *state)
{
    return &((const struct ahci *)state)->counters;
}

const struct block_driver block_driver_ahci = {
    .name = "ahci",
    .state_bytes = sizeof(struct ahci),
    .dma_bytes = AHCI_DMA_BYTES,
    .start = start,
    .unit_count = unit_count,
    .info = info,
    .submit = submit,
    .interrupt = interrupt,
    .tick = tick,
    .stop = stop,
    .counters = counters,
};
