// SPDX-License-Identifier: BSD-2-Clause
#include "tests/fuzz/block_hostile.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull
#define SLACK_MS 200u
#define STEPS 400u
#define END_MS 400000u /* of the last command, once the input is used up */
#define REGION (WORLD_DATA_BYTES / HOSTILE_COMMANDS)
#define UNTOUCHED 0xdd

static const struct hostile_device *device;
static struct block_user *user;
static struct fuzz_input input;
static struct order {
    struct world_command wc;
    unsigned unit;
    uint32_t offset, bytes;
    bool is_under_way;
    bool is_written;  /* its last command was a write, which went well */
    uint32_t flushes; /* of a flush: a bit for each order whose write it covers */
} orders[HOSTILE_COMMANDS];
static struct block_device_info said[32];
static bool has_lied;
static uint32_t lie_in,
    spoil_in;           /* register reads, and touches of memory, until the next; 0: none */
static unsigned writes; /* so far, and the fill of the disks: each writes other bytes */
static jmp_buf broken;

__attribute__((noreturn)) static void found(const char *what)
{
    fprintf(stderr, "the driver broke a promise: %s\n", what);
    abort();
}

/* A lie can make the driver do what the true device would not have it do: there is no going on then, and nothing
   wrong, unless it lets the device reach what is not its. */
void world_require(bool truth, const char *what)
{
    if (truth)
        return;
    if (!has_lied || strstr(what, "DMA"))
        found(what);
    longjmp(broken, 1);
}

/* ---- lies ---- */

static uint64_t lie(uint64_t value, unsigned bytes)
{
    if (!lie_in || --lie_in)
        return value;
    lie_in = (uint32_t)fuzz_take(&input, 1);
    has_lied = true;
    switch (fuzz_take(&input, 1) % 5) {
    case 0:
        return value ^ 1ull << fuzz_take(&input, 1) % (8 * bytes);
    case 1:
        return ~0ull >> (64 - 8 * bytes);
    case 2:
        return 0;
    case 3:
        return value ^ fuzz_take(&input, bytes);
    default:
        return fuzz_take(&input, bytes);
    }
}

static void spoil(void)
{
    unsigned area = (unsigned)fuzz_take(&input, 1) % 3;
    uint32_t bytes = device->areas[area].bytes;

    if (!bytes)
        return;
    has_lied = true;
    user->world.dma[device->areas[area].at + fuzz_take(&input, 2) % bytes] =
        (uint8_t)fuzz_take(&input, 1);
}

/* The device is about to reach that memory. */
void world_touched(struct block_world *world, uint64_t hpa, uint64_t bytes)
{
    if (spoil_in && !--spoil_in) {
        spoil_in = (uint32_t)fuzz_take(&input, 1);
        spoil();
    }
    if (has_lied || hpa - WORLD_DMA_HPA < world->dma_bytes) /* it may go on after it said "done" */
        return;
    for (unsigned i = 0; i < HOSTILE_COMMANDS; i++) {
        const struct order *o = &orders[i];
        uint64_t begin = WORLD_DATA_HPA + o->offset;
        if (o->is_under_way && hpa >= begin && bytes <= o->bytes && hpa - begin <= o->bytes - bytes)
            return;
    }
    found("DMA to memory of no command that is under way");
}

/* ---- what the driver says ---- */

static bool is_name(const char *name, size_t size)
{
    size_t length = strnlen(name, size);

    for (size_t i = 0; i < length; i++)
        if (name[i] < ' ' || name[i] > '~')
            return false;
    return length < size && (!length || (name[0] != ' ' && name[length - 1] != ' '));
}

static bool is_possible(const struct block_device_info *info)
{
    uint32_t bytes = info->sector_bytes;

    return (bytes == 512 || bytes == 1024 || bytes == 2048 || bytes == 4096) &&
           info->physical_bytes && info->physical_bytes % bytes == 0 && info->sectors &&
           info->sectors <= INT64_MAX / bytes && info->max_sectors >= 65536 / bytes &&
           info->queue_depth && is_name(info->model, sizeof(info->model)) &&
           is_name(info->serial, sizeof(info->serial)) &&
           is_name(info->firmware, sizeof(info->firmware));
}

static void check_info(void)
{
    for (unsigned i = 0; i < device->units; i++) {
        const struct block_device_info *info = user_info(user, i);
        if (!info)
            continue;
        if (!is_possible(info))
            found("a disk that block.h excludes");
        if (said[i].sectors && memcmp(&said[i], info, sizeof(*info)) != 0)
            found("what it said of a disk has changed");
        said[i] = *info;
    }
}

static void require_in_time(uint64_t begin_ns, uint64_t limit_ms, const char *what)
{
    if (user->world.now_ns - begin_ns > (limit_ms + SLACK_MS) * MS)
        found(what);
}

/* ---- commands ---- */

static bool is_untouched(const uint8_t *bytes, size_t count)
{
    static uint8_t untouched[REGION];

    if (!untouched[0])
        memset(untouched, UNTOUCHED, sizeof(untouched));
    return memcmp(bytes, untouched, count) == 0;
}

/* Its memory but for the buffer. */
static void require_untouched(const struct order *o)
{
    uint32_t begin = (uint32_t)(o - orders) * REGION, end = o->offset + o->bytes;
    const uint8_t *data = user->world.data;

    if (!is_untouched(data + begin, o->offset - begin) ||
        !is_untouched(data + end, begin + REGION - end))
        found("a byte beside a command's buffer has changed");
}

static bool is_same(const uint8_t *disk, const struct order *o)
{
    return !disk ||
           memcmp(disk + o->wc.command.lba * 512, user->world.data + o->offset, o->bytes) == 0;
}

static void check_flush(const struct order *flush)
{
    for (unsigned i = 0; i < HOSTILE_COMMANDS; i++) {
        struct order *o = &orders[i];
        if (o->unit != flush->unit || !o->is_written)
            continue;
        if (!flush->wc.was_ok) /* the user has been told */
            o->is_written = false;
        else if ((flush->flushes >> i & 1) && !is_same(device->durable(o->unit), o))
            found("a flush went well, and data are not durable");
    }
}

static void check_end(struct order *o)
{
    const struct block_command *command = &o->wc.command;

    o->is_under_way = false;
    if (!has_lied || (device->is_by_cpu && device->is_by_cpu()))
        require_untouched(o);
    if (has_lied)
        return;
    if (command->op == BLOCK_FLUSH && device->durable)
        check_flush(o);
    if (!o->wc.was_ok || !o->bytes)
        return;
    if (!is_same(device->content(o->unit), o))
        found("a read or write went well, and has not happened");
    o->is_written = command->op == BLOCK_WRITE;
    if (command->fua && device->durable && !is_same(device->durable(o->unit), o))
        found("a write with FUA went well, and is not durable");
}

static void check_ends(void)
{
    for (unsigned i = 0; i < HOSTILE_COMMANDS; i++) {
        if (orders[i].wc.ends > 1)
            found("done() was called twice");
        if (orders[i].is_under_way && orders[i].wc.ends)
            check_end(&orders[i]);
    }
}

static uint32_t written_of(unsigned unit)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < HOSTILE_COMMANDS; i++)
        if (orders[i].is_written && orders[i].unit == unit && !orders[i].is_under_way)
            bits |= 1u << i;
    return bits;
}

static void submit(unsigned number)
{
    struct order *o = &orders[number];
    uint8_t kind = (uint8_t)fuzz_take(&input, 1), op = kind % 4;
    uint32_t sectors = 1 + (uint32_t)fuzz_take(&input, 1) % HOSTILE_SECTORS_EACH;
    const struct block_device_info *info;

    if (o->is_under_way)
        return;
    o->unit = (kind >> 2) % device->units;
    info = user_info(user, o->unit);
    uint32_t sector_bytes = info ? info->sector_bytes : 512;
    if (sectors * sector_bytes > HOSTILE_SECTORS_EACH * 512)
        sectors = HOSTILE_SECTORS_EACH * 512 / sector_bytes;
    o->offset = number * REGION + ((kind >> 4) % 8) * 516;
    o->bytes = op == BLOCK_READ || op == BLOCK_WRITE ? sectors * sector_bytes : 0;
    o->flushes = op == BLOCK_FLUSH ? written_of(o->unit) : 0;
    o->is_written = false;
    memset(user->world.data + number * REGION, UNTOUCHED, REGION);
    if (op == BLOCK_WRITE)
        world_fill(user->world.data + o->offset, o->bytes, ++writes);
    world_command(&user->world, &o->wc, op, op == BLOCK_FLUSH ? 0 : number * HOSTILE_SECTORS_EACH,
                  op == BLOCK_FLUSH ? 0 : sectors, o->offset);
    o->wc.command.fua = op == BLOCK_WRITE && (kind & 0x80);
    o->wc.command.tries = o->wc.command.phase = 0xff; /* the driver's: it sets them itself */
    o->is_under_way = true;
    if (user->driver->submit(user->state, o->unit, &o->wc.command) != LEAT_OK) {
        o->is_under_way = false;
        if (o->wc.ends)
            found("a command that was not taken has ended");
    } else if (!info) {
        found("a command was taken for a disk that is not there");
    }
}

/* ---- time ---- */

static void serve(bool is_late)
{
    static unsigned calls; /* the line of a device that lies may never fall */
    uint64_t begin = user->world.now_ns;

    if (user->model->irq(user)) {
        user->driver->interrupt(user->state);
        require_in_time(begin, BLOCK_RESET_LIMIT_MS * device->places, "interrupt() takes too long");
        check_ends();
    }
    begin = user->world.now_ns;
    uint64_t next = user->driver->tick(user->state);
    require_in_time(begin, BLOCK_RESET_LIMIT_MS * device->places, "tick() takes too long");
    check_ends();
    user->world.now_ns += 1000;
    user->world.step(&user->world);
    if (is_late && next != UINT64_MAX && next > user->world.now_ns &&
        (!user->model->irq(user) || ++calls % 16 == 0))
        user->world.now_ns = next;
}

static void act(void)
{
    uint8_t what = (uint8_t)fuzz_take(&input, 1);

    switch (what % 8) {
    case 0:
        device->fault(&input);
        break;
    case 1:
        has_lied = true;
        device->forge(&input);
        break;
    case 2:
        lie_in = what >> 3 ? what >> 3 : (uint32_t)fuzz_take(&input, 1);
        break;
    case 3:
        spoil_in = 1u + (what >> 3);
        break;
    case 4:
        user->driver->interrupt(user->state);
        check_ends();
        break;
    case 5:
        serve(what & 8);
        break;
    default:
        submit((what >> 3) % HOSTILE_COMMANDS);
    }
}

static void drain(void)
{
    uint64_t begin = user->world.now_ns;

    for (unsigned i = 0; i < HOSTILE_COMMANDS; i++) {
        while (orders[i].is_under_way) {
            serve(true);
            require_in_time(begin, END_MS, "a command does not end");
        }
    }
}

static void run(bool is_dead)
{
    uint64_t begin = user->world.now_ns;
    int error = device->start();

    require_in_time(begin, BLOCK_START_LIMIT_MS, "start() takes too long");
    if (error == LEAT_OK)
        check_info();
    for (unsigned step = 0; step < STEPS && error == LEAT_OK && input.size; step++) {
        act();
        check_info();
    }
    input.size = 0;
    lie_in = spoil_in = 0;
    if (is_dead)
        device->kill();
    if (error == LEAT_OK)
        drain();
    check_info();
    begin = user->world.now_ns;
    user->driver->stop(user->state);
    require_in_time(begin, BLOCK_RESET_LIMIT_MS * device->places, "stop() takes too long");
    check_ends();
}

void hostile_fill(uint8_t *disk)
{
    static uint8_t bytes[HOSTILE_SECTORS * 512];

    if (!bytes[1])
        world_fill(bytes, sizeof(bytes), 1);
    memcpy(disk, bytes, sizeof(bytes));
}

void hostile_swap(uint8_t *disk, uint8_t *expected)
{
    memcpy(expected, disk, HOSTILE_SECTORS * 512);
    for (uint32_t i = 0; i < HOSTILE_SECTORS * 512; i += 512)
        disk[i] ^= 0xff;
}

void hostile_run(const struct hostile_device *d, const uint8_t *data, size_t size)
{
    device = d;
    user = d->user;
    input = (struct fuzz_input){data, size};
    memset(orders, 0, sizeof(orders));
    memset(said, 0, sizeof(said));
    writes = 1;
    uint8_t first = (uint8_t)fuzz_take(&input, 1);
    has_lied = device->make(&input);
    user->lie = lie;
    lie_in = first & 2 ? (uint32_t)fuzz_take(&input, 1) : 0;
    spoil_in = first & 4 ? (uint32_t)fuzz_take(&input, 1) : 0;
    if (setjmp(broken) == 0)
        run(first & 1);
    device->free();
}
