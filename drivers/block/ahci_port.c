// SPDX-License-Identifier: BSD-2-Clause
/* A port: its engine, its link, what the device says of itself. */
#include "drivers/block/ahci_private.h"

#include <string.h>

#define POLL_US 100u
#define ENGINE_LIMIT_MS 500u /* AHCI 10.1.2: for CR and FR to become 0 */
#define LINK_RESET_US 2000u  /* AHCI 10.4.2: DET stays 1 for 1 ms at least */
#define LINK_LIMIT_MS 300u
#define IDENTIFY_LIMIT_MS 1000u
#define FEATURE_LIMIT_MS 500u
#define LOG_LIMIT_MS 500u
#define READY_LIMIT_MS 1500u
#define RESET_TRIES 2u
_Static_assert(RESET_TRIES *(LINK_LIMIT_MS + READY_LIMIT_MS + IDENTIFY_LIMIT_MS + FEATURE_LIMIT_MS +
                             ENGINE_LIMIT_MS) +
                       3 * ENGINE_LIMIT_MS + LOG_LIMIT_MS <=
                   BLOCK_RESET_LIMIT_MS,
               "block.h");
#define BUSY (ATA_STATUS_BSY | ATA_STATUS_DRQ)

bool ahci_wait_clear(const struct ahci *ahci, uint32_t reg, uint32_t bits, uint32_t limit_ms)
{
    for (uint32_t us = 0; us < limit_ms * 1000u; us += POLL_US) {
        if (!(ahci_get(ahci, reg) & bits))
            return true;
        block_delay(&ahci->platform, POLL_US);
    }
    return false;
}

static bool port_wait_clear(const struct ahci_port *port, uint32_t reg, uint32_t bits,
                            uint32_t limit_ms)
{
    return ahci_wait_clear(port->ahci, AHCI_PORTS + AHCI_PORT_BYTES * port->number + reg, bits,
                           limit_ms);
}

static uint32_t link_of(const struct ahci_port *port)
{
    return ahci_port_get(port, AHCI_PXSSTS) & AHCI_DET_MASK;
}

static bool stop_engine(struct ahci_port *port)
{
    uint32_t cmd = ahci_port_get(port, AHCI_PXCMD) & ~(uint32_t)AHCI_CMD_START;

    ahci_port_put(port, AHCI_PXCMD, cmd);
    return port_wait_clear(port, AHCI_PXCMD, AHCI_CMD_LIST_RUNS, ENGINE_LIMIT_MS);
}

static void start_engine(struct ahci_port *port)
{
    ahci_port_put(port, AHCI_PXCMD, ahci_port_get(port, AHCI_PXCMD) | AHCI_CMD_START);
}

static void clear_errors(struct ahci_port *port)
{
    ahci_port_put(port, AHCI_PXSERR, UINT32_MAX);
    ahci_port_put(port, AHCI_PXIS, UINT32_MAX);
}

void ahci_port_stop(struct ahci_port *port)
{
    ahci_port_put(port, AHCI_PXIE, 0);
    (void)stop_engine(port);
    ahci_port_put(port, AHCI_PXCMD, ahci_port_get(port, AHCI_PXCMD) & ~(uint32_t)AHCI_CMD_RECEIVE);
    (void)port_wait_clear(port, AHCI_PXCMD, AHCI_CMD_RECEIVE_RUNS, ENGINE_LIMIT_MS);
}

void ahci_port_prepare(struct ahci_port *port)
{
    ahci_port_stop(port);
    memset(port->memory, 0, AHCI_PORT_MEMORY);
    ahci_port_put(port, AHCI_PXCLB, port->memory_hpa + AHCI_AT_LIST);
    ahci_port_put(port, AHCI_PXCLBU, 0);
    ahci_port_put(port, AHCI_PXFB, port->memory_hpa + AHCI_AT_RECEIVED);
    ahci_port_put(port, AHCI_PXFBU, 0);
    clear_errors(port);
    ahci_port_put(port, AHCI_PXSCTL, AHCI_SCTL_NO_SLEEP);
    uint32_t on = AHCI_CMD_RECEIVE | AHCI_CMD_SPIN_UP | AHCI_CMD_POWER | AHCI_CMD_ACTIVE;
    ahci_port_put(port, AHCI_PXCMD, ahci_port_get(port, AHCI_PXCMD) | on);
}

/* ---- commands that are waited for; the engine runs, and no other command is under way ---- */

static bool run(struct ahci_port *port, const struct ata_taskfile *tf, uint32_t bytes,
                uint32_t limit_ms)
{
    ahci_fill(port, 0, tf, port->memory_hpa + AHCI_AT_DATA, bytes);
    ahci_port_put(port, AHCI_PXIS, UINT32_MAX);
    ahci_port_put(port, AHCI_PXCI, 1);
    for (uint32_t us = 0; us < limit_ms * 1000u; us += POLL_US) {
        if (ahci_port_get(port, AHCI_PXIS) & AHCI_IS_ERRORS)
            return false;
        if (!(ahci_port_get(port, AHCI_PXCI) & 1))
            return !(ahci_port_get(port, AHCI_PXTFD) & (BUSY | ATA_STATUS_ERR | ATA_STATUS_DF));
        block_delay(&port->ahci->platform, POLL_US);
    }
    return false;
}

static const char *set_cache(struct ahci_port *port, struct ata_identity *id)
{
    bool wants_cache = id->has_flush || id->has_flush_ext;
    const struct ata_taskfile tf = {
        .command = ATA_SET_FEATURES,
        .feature = wants_cache ? ATA_FEATURE_WRITE_CACHE_ON : ATA_FEATURE_WRITE_CACHE_OFF,
    };

    if (id->has_switchable_cache && id->has_cache_on != wants_cache &&
        !run(port, &tf, 0, FEATURE_LIMIT_MS))
        return "its write cache does not let itself be set";
    id->info.has_write_cache = wants_cache;
    return NULL;
}

static const char *identify(struct ahci_port *port, struct ata_identity *id)
{
    const struct ata_taskfile tf = {.command = ATA_IDENTIFY_DEVICE, .has_data = true};
    uint8_t data[2 * ATA_IDENTIFY_WORDS];

    if (!run(port, &tf, sizeof(data), IDENTIFY_LIMIT_MS))
        return "it does not say what it is";
    memcpy(data, port->memory + AHCI_AT_DATA, sizeof(data));
    const char *why = ata_identify(id, data);
    if (!why && !id->has_dma)
        why = "it has no DMA";
    return why ? why : set_cache(port, id);
}

int ahci_port_failed_tag(struct ahci_port *port, uint8_t *status, uint8_t *error)
{
    const struct ata_taskfile tf = {.command = ATA_READ_LOG_EXT,
                                    .count = 1,
                                    .lba = AHCI_LOG_QUEUED_ERROR,
                                    .is_48_bit = true,
                                    .has_data = true};
    uint8_t log[ATA_SECTOR], sum = 0;

    if (!run(port, &tf, sizeof(log), LOG_LIMIT_MS))
        return -1;
    memcpy(log, port->memory + AHCI_AT_DATA, sizeof(log));
    for (unsigned i = 0; i < sizeof(log); i++)
        sum = (uint8_t)(sum + log[i]);
    if (sum != 0 || (log[0] & AHCI_LOG_NOT_QUEUED))
        return -1;
    *status = log[AHCI_LOG_STATUS];
    *error = log[AHCI_LOG_ERROR];
    return log[0] & 0x1f;
}

/* ---- finding, and finding again ---- */

static void limit(struct ahci_port *port)
{
    struct block_device_info *info = &port->identity.info;
    uint32_t most = AHCI_MAX_BYTES / info->sector_bytes;

    if (info->max_sectors > most)
        info->max_sectors = most;
    port->depth = port->ahci->has_ncq ? port->identity.queue_depth : 0;
    if (port->depth > port->ahci->slot_count)
        port->depth = port->ahci->slot_count;
    if (port->depth == 0)
        port->depth = 1;
    info->queue_depth = port->depth;
}

void ahci_port_wait_link(const struct ahci_port *port, uint64_t end_ns)
{
    const struct block_platform *platform = &port->ahci->platform;

    while (link_of(port) == AHCI_DET_PRESENT && block_now(platform) < end_ns)
        block_delay(platform, POLL_US);
}

/* With a link: NULL: a disk is ready and the engine runs; "": nothing that the driver uses. */
static const char *look(struct ahci_port *port, struct ata_identity *id, uint32_t limit_ms)
{
    if (link_of(port) != AHCI_DET_READY)
        return "";
    if (!port_wait_clear(port, AHCI_PXTFD, BUSY, limit_ms))
        return "it stays busy after a reset";
    if (ahci_port_get(port, AHCI_PXCMD) &
        AHCI_CMD_LIST_RUNS) /* AHCI 10.3.1: then START may not be set */
        return "its port does not stop";
    if (ahci_port_get(port, AHCI_PXSIG) != AHCI_SIG_DISK)
        return "";
    clear_errors(port);
    start_engine(port);
    return identify(port, id);
}

void ahci_port_find(struct ahci_port *port, uint32_t limit_ms)
{
    const char *why = look(port, &port->identity, limit_ms);

    port->is_there = !why;
    if (port->is_there) {
        limit(port);
        ahci_port_put(port, AHCI_PXIS, UINT32_MAX);
        ahci_port_put(port, AHCI_PXIE, AHCI_IS_WANTED);
        return;
    }
    (void)stop_engine(port);
    if (*why)
        block_log(&port->ahci->platform, "ahci", port->number, why);
}

static void reset_link(struct ahci_port *port)
{
    ahci_port_put(port, AHCI_PXSCTL, AHCI_SCTL_NO_SLEEP | AHCI_SCTL_DET_RESET);
    block_delay(&port->ahci->platform, LINK_RESET_US);
    ahci_port_put(port, AHCI_PXSCTL, AHCI_SCTL_NO_SLEEP);
    for (uint32_t us = 0; us < LINK_LIMIT_MS * 1000u; us += POLL_US) {
        if (link_of(port) == AHCI_DET_READY)
            break;
        block_delay(&port->ahci->platform, POLL_US);
    }
    clear_errors(port);
}

/* NULL: the same disk is there again. */
static const char *find_again(struct ahci_port *port)
{
    struct ata_identity now;
    const char *why = NULL;

    for (unsigned i = 0; i < RESET_TRIES; i++) {
        reset_link(port);
        why = look(port, &now, READY_LIMIT_MS);
        if (!why)
            return ata_is_same(&port->identity, &now) ? NULL : "another disk is in its place";
        (void)stop_engine(port);
    }
    return *why ? why : "it is gone";
}

bool ahci_port_restart(struct ahci_port *port, bool is_hard)
{
    is_hard |= !stop_engine(port);
    if (ahci_port_get(port, AHCI_PXIS) & AHCI_IS_LINK) { /* the reset would hide it */
        ahci_note_loss(port);
        is_hard = true;
    }
    is_hard |= (ahci_port_get(port, AHCI_PXTFD) & BUSY) != 0;
    if (!is_hard) {
        clear_errors(port);
        start_engine(port);
        return true;
    }
    port->ahci->counters.resets++;
    const char *why = find_again(port);
    if (why) {
        port->is_there = false;
        ahci_port_stop(port);
        block_log(&port->ahci->platform, "ahci", port->number, why);
    }
    ahci_port_put(port, AHCI_PXIS, UINT32_MAX);
    return false;
}
