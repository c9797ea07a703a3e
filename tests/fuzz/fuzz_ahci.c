// SPDX-License-Identifier: BSD-2-Clause
/* The AHCI driver with a hostile controller: block_hostile.h. */
#include <stdlib.h>
#include <string.h>

#include "drivers/block/ahci_private.h"
#include "tests/fuzz/block_hostile.h"
#include "tests/unit/ahci_model.h"

#define DISKS 2u
#define PORT_MEMORY(port) ((port) * (uint32_t)AHCI_PORT_MEMORY)

static struct ahci_model model;
static struct block_user user;
static uint8_t first_disk[HOSTILE_SECTORS * 512]; /* once another is in its place */
static bool is_swapped;
static bool has_queue; /* NCQ: bytes moved are not counted then */

static bool irq(struct block_user *u)
{
    (void)u;
    return ahci_model_irq(&model);
}

static const struct block_model as_seen = {.irq = irq};

/* Words of what a disk says of itself. */
static bool change_words(struct fuzz_input *in)
{
    unsigned changes = (unsigned)fuzz_take(in, 1) % 8;

    for (unsigned i = 0; i < changes; i++) {
        static const uint8_t words[] = {0,  49, 53, 60,  61,  63,  75,  76,  82, 83,
                                        84, 85, 88, 100, 102, 103, 106, 117, 118};
        unsigned which = (unsigned)fuzz_take(in, 1);
        unsigned at = which < 128 ? words[which % sizeof(words)] : which;
        model.ports[0].words[at] = (uint16_t)fuzz_take(in, 2);
    }
    return changes;
}

/* The disks' ports only, for speed. */
static void step(struct block_world *world)
{
    (void)world;
    for (unsigned i = 0; i < DISKS; i++)
        ahci_model_run_one(&model, i);
}

static bool make(struct fuzz_input *in)
{
    uint8_t kind = (uint8_t)fuzz_take(in, 1);
    unsigned depth = kind & 1 ? 1u + (kind >> 3) : 0;

    user_init(&user, &block_driver_ahci, &as_seen);
    ahci_model_init(&model, &user.world);
    user.world.step = step;
    model.pi = 7; /* the third has no disk */
    model.takes_first = true;
    for (unsigned i = 0; i < DISKS; i++) {
        ahci_model_add_disk(&model, i, HOSTILE_SECTORS, depth);
        hostile_fill(model.ports[i].disk.now);
        disk_flush(&model.ports[i].disk);
    }
    model.cap =
        (kind & 2 ? 0 : AHCI_CAP_NCQ) | (fuzz_take(in, 1) & 0x1fu) << AHCI_CAP_SLOTS_SHIFT | 5;
    is_swapped = false;
    has_queue = depth > 1 && !(kind & 2);
    return kind & 4 ? change_words(in) : false;
}

static int start(void)
{
    const struct block_platform platform = ahci_model_platform(&model);

    return user_start(&user, &platform);
}

static void free_all(void)
{
    ahci_model_free(&model);
    user_free(&user);
}

static const uint8_t *content(unsigned unit)
{
    if (unit == 0 && is_swapped)
        return first_disk;
    return unit < DISKS ? model.ports[unit].disk.now : NULL;
}

static const uint8_t *durable(unsigned unit)
{
    if (unit == 0 && is_swapped)
        return first_disk;
    return unit < DISKS ? model.ports[unit].disk.durable : NULL;
}

/* Pulled, and another one plugged in at once. */
static void swap(void)
{
    if (!is_swapped)
        hostile_swap(model.ports[0].disk.now, first_disk);
    is_swapped = true;
    model.ports[0].words[ATA_ID_SERIAL] = 0x3132;
    ahci_model_plug(&model, 0, true);
}

static void fault(struct fuzz_input *in)
{
    uint8_t what = (uint8_t)fuzz_take(in, 1);
    struct ahci_model_port *port = &model.ports[what >> 4 & 1];
    unsigned count = 1u + (what >> 5);

    switch (what % 16) {
    case 0:
        port->fail_status = what & 0x20 ? ATA_STATUS_DF : ATA_STATUS_ERR;
        port->fail_error = (uint8_t)fuzz_take(in, 1);
        port->fail_count = count;
        break;
    case 1:
        port->hang_count = count % 4;
        break;
    case 2:
        port->bad_sector = fuzz_take(in, 2) % HOSTILE_SECTORS;
        break;
    case 3:
        port->is_short = !has_queue;
        break;
    case 4:
        port->interface_errors = count;
        break;
    case 5:
        port->ends_failed = what & 0x20;
        port->hides_failures = what & 0x40;
        break;
    case 6:
        port->log_is_missing = what & 0x20;
        port->log_is_wrong = what & 0x40;
        break;
    case 7:
        ahci_model_cut_power(&model, what >> 4 & 1);
        break;
    case 8:
        ahci_model_plug(&model, what >> 4 & 1, what & 0x20);
        break;
    case 9:
        model.loses_interrupts = what & 0x20;
        break;
    case 10:
        port->link_waits = count;
        break;
    case 11:
        port->engine_sticks = true;
        break;
    case 12:
        port->stays_busy = what & 0x20;
        break;
    case 13:
        model.is_gone = (what & 0xe0) == 0xe0;
        break;
    case 14:
        if ((what & 0xe0) == 0xe0)
            swap();
        break;
    default:
        for (unsigned i = 0; i < count; i++)
            ahci_model_run_one(&model, what >> 4 & 1);
    }
}

static void forge(struct fuzz_input *in)
{
    uint8_t what = (uint8_t)fuzz_take(in, 1);
    struct ahci_model_port *port = &model.ports[what >> 4 & 1];
    uint32_t value = (uint32_t)fuzz_take(in, 2), slot = value % 32;
    uint8_t *memory = user.world.dma + PORT_MEMORY(what >> 4 & 1u);

    port->is_mad = true;
    switch (what % 8) {
    case 0:
        port->ci &= ~(1u << slot);
        port->is |= AHCI_IS_REGISTERS;
        break;
    case 1:
        port->ci &= ~(1u << slot);
        port->sact &= ~(1u << slot);
        port->is |= AHCI_IS_DEVICE_BITS;
        break;
    case 2:
        port->tfd = value;
        break;
    case 3:
        port->is |= 1u << slot;
        break;
    case 4:
        memcpy(memory + AHCI_AT_LIST + slot * AHCI_HEADER_BYTES + 4, &value, sizeof(value));
        break;
    case 5: /* what its log says */
        port->failed_tag = (uint8_t)value;
        port->tfd_failed = value >> 8;
        port->log_is_of_another = value >> 15;
        port->needs_log = true;
        break;
    case 6:
        model.is |= 1u << slot;
        break;
    default:
        port->ci = port->sact = 0;
        port->is |= value;
    }
}

static void dead(void)
{
    for (unsigned i = 0; i < DISKS; i++)
        model.ports[i].hang_count = 1000000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hostile_device device = {
        .user = &user,
        .units = DISKS + 1,
        .places = AHCI_MAX_PORTS,
        .make = make,
        .start = start,
        .free = free_all,
        .content = content,
        .durable = durable,
        .fault = fault,
        .forge = forge,
        .kill = dead,
        .areas = {{AHCI_AT_RECEIVED, 256},
                  {AHCI_AT_DATA, 512},
                  {PORT_MEMORY(1) + AHCI_AT_DATA, 512}},
    };

    hostile_run(&device, data, size);
    return 0;
}
