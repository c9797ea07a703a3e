// SPDX-License-Identifier: BSD-2-Clause
/* Its registers, and the disks at the start. */
#include "ahci_model.h"

#include <string.h>

static void step(struct block_world *world)
{
    ahci_model_run(world->model);
}

static void update_causes(struct ahci_model *model)
{
    for (unsigned i = 0; i < 32; i++) {
        struct ahci_model_port *port = &model->ports[i];
        if (port->has_link_change)
            port->is |= AHCI_IS_PHY_READY;
        if (port->is & port->ie)
            model->is |= 1u << i;
    }
}

bool ahci_model_irq(const struct ahci_model *model)
{
    update_causes((struct ahci_model *)model);
    return !model->loses_interrupts && model->is && (model->ghc & AHCI_GHC_INTERRUPTS);
}

/* ---- a port ---- */

static uint32_t link_of(struct ahci_model_port *port)
{
    if (!port->is_there || (port->sctl & AHCI_DET_MASK) == AHCI_SCTL_DET_RESET)
        return AHCI_DET_NONE;
    if (port->link_waits) {
        port->link_waits--;
        return AHCI_DET_PRESENT;
    }
    return AHCI_DET_READY | 1u << 8;
}

static uint32_t port_read(struct ahci_model_port *port, uint32_t reg)
{
    switch (reg) {
    case AHCI_PXIS:
        return port->is;
    case AHCI_PXIE:
        return port->ie;
    case AHCI_PXCMD:
        return port->cmd | (port->cmd & AHCI_CMD_RECEIVE ? AHCI_CMD_RECEIVE_RUNS : 0u) |
               ((port->cmd & AHCI_CMD_START) || port->engine_sticks ? AHCI_CMD_LIST_RUNS : 0u);
    case AHCI_PXTFD:
        return !port->is_there ? 0x7f : port->stays_busy ? ATA_STATUS_BSY : port->tfd;
    case AHCI_PXSIG:
        return port->is_packet ? 0xeb140101 : AHCI_SIG_DISK;
    case AHCI_PXSSTS:
        return link_of(port);
    case AHCI_PXSCTL:
        return port->sctl;
    case AHCI_PXSERR:
        return port->serr;
    case AHCI_PXSACT:
        return port->sact;
    case AHCI_PXCI:
        return port->ci;
    default:
        return 0;
    }
}

static void write_cmd(struct ahci_model_port *port, uint32_t value)
{
    bool starts = (value & AHCI_CMD_START) && !(port->cmd & AHCI_CMD_START);

    if (starts) {
        world_require(value & AHCI_CMD_RECEIVE, "started without receiving");
        world_require(!(port->tfd & (ATA_STATUS_BSY | ATA_STATUS_DRQ)), "started while busy");
        world_require(!port->engine_sticks, "started before it has stopped");
    }
    if (!(value & AHCI_CMD_START)) { /* AHCI 3.3.13, 3.3.14 */
        port->ci = port->sact = port->running = 0;
        port->is_in_error = false;
    }
    port->cmd = value & ~(uint32_t)(AHCI_CMD_LIST_RUNS | AHCI_CMD_RECEIVE_RUNS);
}

static void write_sctl(struct ahci_model_port *port, uint32_t value)
{
    bool resets = (value & AHCI_DET_MASK) == AHCI_SCTL_DET_RESET;

    world_require(!resets || !(port->cmd & AHCI_CMD_START), "link reset while the engine runs");
    if (resets) {
        port->link_resets++;
        port->tfd = ATA_STATUS_DRDY;
        port->engine_sticks = false;
        port->is_in_error = port->needs_log = false;
        if (port->hang_count)
            port->hang_count--;
    }
    port->sctl = value;
}

static void port_write(struct ahci_model_port *port, uint32_t reg, uint32_t value)
{
    switch (reg) {
    case AHCI_PXCLB:
        port->clb = value;
        break;
    case AHCI_PXFB:
        world_require(value % 256 == 0, "the place of received FISes");
        port->fb = value;
        break;
    case AHCI_PXIS:
        port->is &= ~value;
        break;
    case AHCI_PXIE:
        port->ie = value;
        break;
    case AHCI_PXCMD:
        write_cmd(port, value);
        break;
    case AHCI_PXSCTL:
        write_sctl(port, value);
        break;
    case AHCI_PXSERR:
        port->has_link_change = false;
        port->is &= ~(uint32_t)AHCI_IS_LINK;
        break;
    case AHCI_PXSACT:
        world_require(port->cmd & AHCI_CMD_START, "PxSACT while stopped");
        port->sact |= value;
        break;
    case AHCI_PXCI:
        world_require(port->cmd & AHCI_CMD_START, "PxCI while stopped");
        world_require(port->is_mad || !((port->ci | port->running) & value),
                      "a slot that is in use");
        port->ci |= value;
        break;
    }
}

/* ---- all ---- */

static uint32_t read32(struct ahci_model *model, uint32_t offset)
{
    if (offset >= AHCI_PORTS)
        return port_read(&model->ports[(offset - AHCI_PORTS) / AHCI_PORT_BYTES],
                         offset % AHCI_PORT_BYTES);
    switch (offset) {
    case AHCI_CAP:
        return model->cap;
    case AHCI_GHC:
        return model->ghc;
    case AHCI_IS:
        update_causes(model);
        return model->is;
    case AHCI_PI:
        return model->pi;
    case AHCI_CAP2:
        return AHCI_CAP2_HANDOFF;
    case AHCI_BOHC:
        return model->bohc;
    default:
        return 0;
    }
}

static uint64_t model_read(void *context, unsigned region, uint32_t offset, unsigned bytes)
{
    struct ahci_model *model = ((struct block_world *)context)->model;

    world_require(region == 5 && bytes == 4 && offset % 4 == 0 && offset < model->region_bytes,
                  "a register");
    return model->is_gone ? UINT32_MAX : read32(model, offset);
}

static void write_ghc(struct ahci_model *model, uint32_t value)
{
    world_require(value & AHCI_GHC_ENABLE, "AHCI is off");
    model->ghc = value;
    if (!(value & AHCI_GHC_RESET) || model->reset_hangs)
        return;
    model->ghc = AHCI_GHC_ENABLE;
    model->is = 0;
    for (unsigned i = 0; i < 32; i++) {
        struct ahci_model_port *port = &model->ports[i];
        port->ci = port->sact = port->running = port->ie = port->is = port->cmd = 0;
        port->is_in_error = false;
        port->tfd = ATA_STATUS_DRDY;
    }
}

static void model_write(void *context, unsigned region, uint32_t offset, unsigned bytes,
                        uint64_t wide)
{
    struct ahci_model *model = ((struct block_world *)context)->model;
    uint32_t value = (uint32_t)wide;

    world_require(region == 5 && bytes == 4 && offset % 4 == 0 && offset < model->region_bytes,
                  "a register");
    if (model->is_gone)
        return;
    if (offset >= AHCI_PORTS)
        port_write(&model->ports[(offset - AHCI_PORTS) / AHCI_PORT_BYTES], offset % AHCI_PORT_BYTES,
                   value);
    else if (offset == AHCI_GHC)
        write_ghc(model, value);
    else if (offset == AHCI_IS)
        model->is &= ~value;
    else if (offset == AHCI_BOHC)
        model->bohc = (value & AHCI_BOHC_SYSTEM) && !model->firmware_clings
                          ? AHCI_BOHC_SYSTEM
                          : AHCI_BOHC_SYSTEM | AHCI_BOHC_FIRMWARE;
}

static uint32_t region_bytes(void *context, unsigned region)
{
    const struct ahci_model *model = ((struct block_world *)context)->model;

    return region == 5 ? model->region_bytes : 0;
}

static uint32_t config_read(void *context, uint32_t offset)
{
    (void)context;
    (void)offset;
    return UINT32_MAX;
}

struct block_platform ahci_model_platform(struct ahci_model *model)
{
    return (struct block_platform){model->world, model_read,  model_write, region_bytes,
                                   config_read,  world_delay, world_now,   world_log};
}

void ahci_model_plug(struct ahci_model *model, unsigned number, bool is_in)
{
    model->ports[number].is_there = is_in;
    model->ports[number].has_link_change = true;
}

void ahci_model_cut_power(struct ahci_model *model, unsigned number)
{
    disk_cut_power(&model->ports[number].disk);
    model->ports[number].has_link_change = true;
}

void ahci_model_add_disk(struct ahci_model *model, unsigned number, uint64_t sectors,
                         unsigned ncq_depth)
{
    struct ahci_model_port *port = &model->ports[number];

    port->is_there = true;
    disk_init(&port->disk, sectors, 512);
    world_ata_words(port->words, sectors, true);
    if (ncq_depth) {
        port->words[ATA_ID_SERIAL_ATA] = 0x100;
        port->words[ATA_ID_QUEUE_DEPTH] = (uint16_t)(ncq_depth - 1);
    }
}

void ahci_model_init(struct ahci_model *model, struct block_world *world)
{
    memset(model, 0, sizeof(*model));
    model->world = world;
    model->cap = AHCI_CAP_NCQ | 31u << AHCI_CAP_SLOTS_SHIFT | 5;
    model->pi = 0x3f;
    model->bohc = AHCI_BOHC_FIRMWARE;
    model->region_bytes = 0x1100;
    world->model = model;
    world->step = step;
}

void ahci_model_free(struct ahci_model *model)
{
    for (unsigned i = 0; i < 32; i++)
        disk_free(&model->ports[i].disk);
}
