// SPDX-License-Identifier: BSD-2-Clause
/* The IDE driver with a hostile controller: block_hostile.h. */
#include <stdlib.h>
#include <string.h>

#include "drivers/block/ata_private.h"
#include "tests/fuzz/block_hostile.h"
#include "tests/unit/ata_model.h"

#define DISKS 2u
#define SLACK_SECTORS 512u /* a lie may make the model go on where a transfer ends */

static struct ata_model model;
static struct block_user user;

static bool irq(struct block_user *u)
{
    (void)u;
    return ata_model_irq(&model);
}

static const struct block_model as_seen = {.irq = irq};

static struct ata_model_disk *disk_at(unsigned unit)
{
    return &model.channels[unit / 2].disks[unit % 2];
}

static bool change_words(struct fuzz_input *in)
{
    unsigned changes = (unsigned)fuzz_take(in, 1) % 8;

    for (unsigned i = 0; i < changes; i++) {
        static const uint8_t words[] = {0,  49, 53, 60,  61,  63,  82,  83,
                                        84, 85, 88, 100, 102, 103, 106, 117};
        unsigned which = (unsigned)fuzz_take(in, 1);
        unsigned at = which < 128 ? words[which % sizeof(words)] : which;
        disk_at(0)->words[at] = (uint16_t)fuzz_take(in, 2);
    }
    return changes;
}

static bool make(struct fuzz_input *in)
{
    uint8_t kind = (uint8_t)fuzz_take(in, 1);

    user_init(&user, &block_driver_ata, &as_seen);
    ata_model_init(&model, &user.world);
    for (unsigned i = 0; i < DISKS; i++) {
        ata_model_add_disk(&model, i, HOSTILE_SECTORS + SLACK_SECTORS, kind & 1);
        struct ata_model_disk *d = disk_at(i);
        d->disk.sectors = HOSTILE_SECTORS;
        memset(d->words, 0, sizeof(d->words));
        world_ata_words(d->words, HOSTILE_SECTORS, kind & 1);
        hostile_fill(d->disk.now);
        disk_flush(&d->disk);
    }
    model.has_bus_mastering = kind & 2;
    return kind & 4 ? change_words(in) : false;
}

static int start(void)
{
    const struct block_platform platform = ata_model_platform(&model);

    return user_start(&user, &platform);
}

static void free_all(void)
{
    ata_model_free(&model);
    user_free(&user);
}

static const uint8_t *content(unsigned unit)
{
    return unit < DISKS ? disk_at(unit)->disk.now : NULL;
}

static const uint8_t *durable(unsigned unit)
{
    return unit < DISKS ? disk_at(unit)->disk.durable : NULL;
}

static bool is_by_cpu(void)
{
    return !model.has_bus_mastering;
}

static void fault(struct fuzz_input *in)
{
    uint8_t what = (uint8_t)fuzz_take(in, 1);
    struct ata_model_disk *disk = disk_at(what >> 4 & 1);
    struct ata_model_channel *channel = &model.channels[0];
    unsigned count = 1u + (what >> 5);

    switch (what % 16) {
    case 0:
        disk->fail_status = what & 0x20 ? ATA_STATUS_DF : ATA_STATUS_ERR;
        disk->fail_error = (uint8_t)fuzz_take(in, 1);
        disk->fail_count = count;
        break;
    case 1:
        disk->hang_count = count % 4;
        break;
    case 2:
        channel->lose_edges = count;
        break;
    case 3:
        channel->is_short = true;
        break;
    case 4:
        channel->has_bm_error = true;
        break;
    case 5:
        channel->asks_for_ever = what & 0x20;
        break;
    case 6:
        channel->ends_at_look = channel->running;
        break;
    case 7:
        disk->hangs_in_reset = what & 0x20;
        break;
    case 8:
        model.is_gone = (what & 0xe0) == 0xe0;
        break;
    default:
        ata_model_run(&model);
    }
}

static void forge(struct fuzz_input *in)
{
    uint8_t what = (uint8_t)fuzz_take(in, 1), value = (uint8_t)fuzz_take(in, 1);
    struct ata_model_channel *channel = &model.channels[0];

    switch (what % 8) {
    case 0:
        channel->status = value;
        break;
    case 1:
        channel->error = value;
        break;
    case 2:
        channel->bm_status = value;
        break;
    case 3:
        channel->edge = true;
        channel->bm_status |= ATA_BM_INTERRUPT;
        break;
    case 4:
        channel->status = ATA_STATUS_DRDY;
        channel->running = 0;
        channel->edge = true;
        channel->bm_status = ATA_BM_INTERRUPT;
        break;
    case 5:
        channel->status = ATA_STATUS_DRDY | ATA_STATUS_DRQ;
        break;
    case 6:
        channel->is_never_idle = value & 1;
        break;
    default:
        disk_at(what >> 4 & 1)->words[value] = (uint16_t)fuzz_take(in, 2);
    }
}

static void dead(void)
{
    for (unsigned i = 0; i < DISKS; i++)
        disk_at(i)->hang_count = 1000000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct hostile_device device = {
        .user = &user,
        .units = DISKS + 1,
        .places = ATA_UNITS,
        .make = make,
        .start = start,
        .free = free_all,
        .content = content,
        .durable = durable,
        .is_by_cpu = is_by_cpu,
        .fault = fault,
        .forge = forge,
        .kill = dead,
    };

    hostile_run(&device, data, size);
    return 0;
}
