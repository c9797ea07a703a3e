/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads, writes, flushes and discards on each disk that is marked as scratch, with each driver that finds one. */
#include "tests/system/blocktest/blocktest.h"

#include "tests/guests/common/format.h"

#define SLOTS 32u /* commands at the same time */
#define SLOT_BYTES (256u << 10)
#define LARGE_BYTES (1u << 20)
#define LINE_CONTROL 3
#define EIGHT_BITS 3
#define LIMIT_NS 60000000000ull

static const struct block_driver *const drivers[] = {&block_driver_ata, &block_driver_ahci,
                                                     &block_driver_nvme, &block_driver_virtio_blk};

struct disk {
    struct controller *controller;
    unsigned unit;
    const struct block_device_info *info;
    uint64_t granules, per_sector; /* granules */
};
static struct controller controllers[MAX_CONTROLLERS];
static unsigned controller_count;
static struct disk disks[32];
static unsigned disk_count;
static uint8_t *slots; /* SLOTS * SLOT_BYTES, and LARGE_BYTES behind */

/* -- commands -- */

struct flight {
    struct block_command command;
    bool is_busy, is_ok;
    unsigned generation;
};
static struct flight flights[SLOTS];
static unsigned busy, failed;

static void on_done(struct block_command *command, bool is_ok)
{
    struct flight *flight = command->owner;
    if (!flight->is_busy)
        die("a command was done twice");
    flight->is_busy = false;
    flight->is_ok = is_ok;
    busy--;
    failed += !is_ok;
}

/* Until at most `most` commands are under way. */
static bool wait(struct disk *disk, unsigned most)
{
    const struct block_driver *driver = disk->controller->driver;
    uint64_t end = now_ns(NULL) + LIMIT_NS;
    while (busy > most) {
        driver->interrupt(disk->controller->state);
        driver->tick(disk->controller->state);
        if (now_ns(NULL) > end)
            die("%s disk %u: no end of a command within a minute", driver->name,
                (uint64_t)disk->unit);
    }
    return failed == 0;
}

/* Data at a place that is aligned to no more than the drivers ask for. */
static uint8_t *data_of(unsigned slot)
{
    return slots + (uint64_t)slot * SLOT_BYTES + 4 * slot;
}

static bool start(struct disk *disk, unsigned slot, uint8_t op, uint64_t lba, uint32_t sectors,
                  bool fua)
{
    struct flight *flight = &flights[slot];
    uint8_t *data = data_of(slot);
    flight->command = (struct block_command){.op = op,
                                             .fua = fua,
                                             .lba = lba,
                                             .sectors = sectors,
                                             .done = on_done,
                                             .owner = flight,
                                             .data = data,
                                             .data_hpa = (uint64_t)data};
    flight->is_busy = true;
    busy++;
    int error =
        disk->controller->driver->submit(disk->controller->state, disk->unit, &flight->command);
    if (error != LEAT_OK) {
        busy--;
        flight->is_busy = false;
    }
    return check_that(error == LEAT_OK, "disk %u: not taken: %d", (uint64_t)disk->unit,
                      (uint64_t)error);
}

static bool run_one(struct disk *disk, uint8_t op, uint64_t lba, uint32_t sectors, bool fua)
{
    return start(disk, 0, op, lba, sectors, fua) &&
           CHECK(wait(disk, 0), "disk %u: command %u at %u failed", (uint64_t)disk->unit,
                 (uint64_t)op, lba);
}

static unsigned free_slot(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (!flights[i].is_busy)
            return i;
    die("no free slot");
}

/* Sizes that change from command to command, in sectors. */
static uint32_t size_at(const struct disk *disk, unsigned n, uint64_t left)
{
    static const uint16_t sizes[] = {1, 8, 127, 3, 128, 16, 2, 129, 64, 5, 255, 8};
    uint32_t most = (SLOT_BYTES - 512) / disk->info->sector_bytes;
    uint32_t size = sizes[n % (sizeof(sizes) / sizeof(sizes[0]))];
    if (most > disk->info->max_sectors)
        most = disk->info->max_sectors;
    if (size > most)
        size = most;
    return size > left ? (uint32_t)left : size;
}

static bool verify_slot(struct disk *disk, const struct flight *flight)
{
    const struct block_command *c = &flight->command;
    uint64_t wrong = pattern_find_wrong(c->data, c->lba * disk->per_sector,
                                        c->sectors * disk->per_sector, flight->generation);
    return CHECK(wrong == UINT64_MAX, "disk %u: wrong data at granule %u", (uint64_t)disk->unit,
                 wrong);
}

/* Reads and compares, or writes, [first, end), many commands at a time. */
static bool transfer(struct disk *disk, uint8_t op, uint64_t first, uint64_t end,
                     unsigned generation)
{
    bool is_good = true;
    for (unsigned n = 0; first < end && is_good; n++) {
        wait(disk, SLOTS - 1);
        unsigned slot = free_slot();
        if (op == BLOCK_READ && flights[slot].generation)
            is_good = verify_slot(disk, &flights[slot]);
        uint32_t sectors = size_at(disk, n, end - first);
        flights[slot].generation = generation;
        if (op == BLOCK_WRITE)
            pattern_fill(data_of(slot), first * disk->per_sector, sectors * disk->per_sector,
                         generation);
        is_good &= start(disk, slot, op, first, sectors, false);
        first += sectors;
    }
    is_good &= CHECK(wait(disk, 0), "disk %u: commands failed", (uint64_t)disk->unit);
    for (unsigned i = 0; i < SLOTS; i++) {
        if (op == BLOCK_READ && flights[i].generation && is_good)
            is_good = verify_slot(disk, &flights[i]);
        flights[i].generation = 0;
    }
    return is_good;
}

/* -- tests -- */

static void find_disks(struct controller *controller)
{
    const struct block_driver *driver = controller->driver;
    for (unsigned unit = 0; unit < driver->unit_count(controller->state); unit++) {
        const struct block_device_info *info = driver->info(controller->state, unit);
        struct disk *disk = &disks[disk_count];
        if (!info)
            continue;
        say("DISK %s.%u \"%s\" serial \"%s\" sectors %u of %u/%u max %u discard %u depth %u%s%s%s",
            driver->name, (uint64_t)unit, info->model, info->serial, info->sectors,
            (uint64_t)info->sector_bytes, (uint64_t)info->physical_bytes,
            (uint64_t)info->max_sectors, (uint64_t)info->max_discard_sectors,
            (uint64_t)info->queue_depth, info->has_write_cache ? " cache" : "",
            info->has_fua ? " fua" : "", info->is_read_only ? " read-only" : "");
        *disk =
            (struct disk){controller, unit, info, info->sectors * (info->sector_bytes / GRANULE),
                          info->sector_bytes / GRANULE};
        if (run_one(disk, BLOCK_READ, 0, 1, false) && is_scratch_disk(data_of(0)))
            disk_count++;
    }
}

static void test_find(void)
{
    out8(COM1 + LINE_CONTROL, EIGHT_BITS); /* Bochs' BIOS leaves five */
    slots = take_memory(SLOTS * SLOT_BYTES + LARGE_BYTES);
    controller_count = find_controllers(controllers, MAX_CONTROLLERS, drivers,
                                        sizeof(drivers) / sizeof(drivers[0]));
    for (unsigned i = 0; i < controller_count; i++) {
        struct controller *c = &controllers[i];
        struct block_platform platform = platform_of(c);
        c->state = take_memory(c->driver->state_bytes);
        uint8_t *area = take_memory(c->driver->dma_bytes);
        struct block_dma dma = {area, (uint64_t)area, c->driver->dma_bytes};
        int error = c->driver->start(c->state, &platform, &dma);
        if (CHECK(error == LEAT_OK, "%s does not start: %d", c->driver->name, (uint64_t)error))
            find_disks(c);
    }
    CHECK(disk_count > 0, "there is no scratch disk");
}

/* All that the host has written; the first sector has the marker. */
static void test_read(void)
{
    for (unsigned i = 0; i < disk_count; i++)
        transfer(&disks[i], BLOCK_READ, 1, disks[i].info->sectors, 1);
}

static void test_write(void)
{
    for (unsigned i = 0; i < disk_count; i++) {
        struct disk *disk = &disks[i];
        uint64_t first = disk->info->sectors / 4, end = disk->info->sectors / 2;
        if (transfer(disk, BLOCK_WRITE, first, end, 2) && run_one(disk, BLOCK_FLUSH, 0, 0, false))
            transfer(disk, BLOCK_READ, first, end, 2);
    }
}

static void test_large(void)
{
    for (unsigned i = 0; i < disk_count; i++) {
        struct disk *disk = &disks[i];
        uint32_t sectors = LARGE_BYTES / disk->info->sector_bytes;
        if (sectors > disk->info->max_sectors)
            sectors = disk->info->max_sectors;
        uint64_t lba = disk->info->sectors / 4 + 1;
        if (!run_one(disk, BLOCK_READ, lba, sectors, false))
            continue;
        uint64_t wrong =
            pattern_find_wrong(data_of(0), lba * disk->per_sector, sectors * disk->per_sector, 2);
        CHECK(wrong == UINT64_MAX, "disk %u: wrong data at granule %u", (uint64_t)disk->unit,
              wrong);
    }
}

/* The last sector, durable by itself. */
static void test_fua(void)
{
    for (unsigned i = 0; i < disk_count; i++) {
        struct disk *disk = &disks[i];
        uint64_t last = disk->info->sectors - 1;
        pattern_fill(data_of(0), last * disk->per_sector, disk->per_sector, 3);
        run_one(disk, BLOCK_WRITE, last, 1, true);
    }
}

/* The third quarter; its second half is written again, so that a discard that takes too much is seen. */
static void test_discard(void)
{
    bool has_any = false;
    for (unsigned i = 0; i < disk_count; i++) {
        struct disk *disk = &disks[i];
        uint64_t first = disk->info->sectors / 2, count = disk->info->sectors / 4;
        if (disk->info->max_discard_sectors < count)
            continue;
        has_any = true;
        if (run_one(disk, BLOCK_DISCARD, first, (uint32_t)count, false))
            transfer(disk, BLOCK_WRITE, first + count / 2, first + count, 4);
        run_one(disk, BLOCK_FLUSH, 0, 0, false);
    }
    if (!has_any)
        skip("no disk discards");
}

static void test_errors(void)
{
    for (unsigned i = 0; i < disk_count; i++) {
        struct disk *disk = &disks[i];
        struct block_command *c = &flights[0].command;
        c->op = BLOCK_READ;
        c->fua = false;
        c->sectors = 2;
        c->lba = disk->info->sectors - 1;
        int error = disk->controller->driver->submit(disk->controller->state, disk->unit, c);
        CHECK_EQ("the error beyond the end", (uint64_t)-error, (uint64_t)-LEAT_ERANGE);
    }
}

static void say_counters(const struct controller *c)
{
    const struct block_counters *n = c->driver->counters(c->state);
    say("COUNTERS %s commands %u interrupts %u lost %u repeated %u resets %u errors %u",
        c->driver->name, n->commands, n->interrupts, n->lost_interrupts, n->repeated, n->resets,
        n->errors);
}

/* Commands of eight sectors, many at a time, of which the one with sector 1000 must fail, and no other. The emulator has been
   told to fail what touches that sector. */
#define BAD_SECTOR 1000u
static void try_bad_sector(struct disk *disk, uint8_t op)
{
    const unsigned first = BAD_SECTOR - 100;
    failed = 0;
    for (unsigned i = 0; i < SLOTS; i++) {
        pattern_fill(data_of(i), first + 8 * i, 8, 1);
        if (!start(disk, i, op, first + 8 * i, 8, false))
            return;
    }
    wait(disk, 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        bool is_bad = i == (BAD_SECTOR - first) / 8;
        CHECK(flights[i].is_ok == !is_bad, "disk %u: %s of sector %u %s", (uint64_t)disk->unit,
              op == BLOCK_READ ? "read" : "write", (uint64_t)(first + 8 * i),
              is_bad ? "did not fail" : "failed");
    }
    failed = 0;
}

static void test_bad(void)
{
    if (!has_word("only=bad")) {
        skip("no sector is bad");
        return;
    }
    test_find();
    for (unsigned i = 0; i < disk_count; i++) {
        try_bad_sector(&disks[i], BLOCK_READ);
        try_bad_sector(&disks[i], BLOCK_WRITE);
        run_one(&disks[i], BLOCK_FLUSH, 0, 0, false);
        say_counters(disks[i].controller);
    }
}

/* Nothing went wrong on the way, and there is silence afterwards. */
static void test_end(void)
{
    for (unsigned i = 0; i < controller_count; i++) {
        struct controller *c = &controllers[i];
        const struct block_counters *n = c->driver->counters(c->state);
        say_counters(c);
        CHECK_EQ("errors", n->errors, 0);
        CHECK_EQ("resets", n->resets, 0);
        CHECK_EQ("timeouts", n->timeouts, 0);
        CHECK_EQ("refused", n->refused, 0);
        c->driver->stop(c->state);
        CHECK(!c->driver->info(c->state, 0), "%s still has a disk", c->driver->name);
    }
}

KERNEL("blocktest", {"find", test_find}, {"read", test_read}, {"write", test_write},
       {"large", test_large}, {"fua", test_fua}, {"discard", test_discard}, {"errors", test_errors},
       {"bad", test_bad}, {"end", test_end});
