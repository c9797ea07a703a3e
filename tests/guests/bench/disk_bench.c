/* SPDX-License-Identifier: BSD-2-Clause */
/* Round trips through the disk: registers, doorbells, requests; then a stretch of it in a row, twice. */
#include "tests/guests/bench/disk.h"

#define SECTOR 512u
#define BLOCK 4096u
#define ID_BYTES 20u
#define BLOCK_AT (1u << 20) /* where the cached block lies on the disk */
#define PIECE (256u << 10)  /* of the sequential read; four under way */
#define PIECES_UNDER_WAY 4u
#define DEFAULT_BYTES (16u << 20)

static _Alignas(4096) uint8_t buffers[DISK_REQUESTS][PIECE];
static struct disk disk;

static void check(unsigned slot)
{
    if (disk_status(slot))
        say("BENCH failed: the disk answers %u", (uint64_t)disk_status(slot));
}

/* One request and sleep until its interrupt has been ended. Interrupts are off: HLT finds it pending, or
   sleeps for it. */
static inline void round_trip(uint32_t type, uint32_t bytes)
{
    uint32_t before = interrupt_count;
    disk_offer(0, type, BLOCK_AT / SECTOR, buffers[0], bytes);
    disk_ring(&disk);
    halt_until(before);
}

static void measure_requests(void)
{
    volatile uint32_t *registers = (volatile uint32_t *)disk.common;
    MEASURE("mmio_read", (void)registers[0]);
    MEASURE("mmio_write", registers[0] = 0);     /* device_feature_select: harmless */
    MEASURE("doorbell_wakes", disk_ring(&disk)); /* nothing is in the queue */
    MEASURE("doorbell_to_eoi", round_trip(DISK_GET_ID, ID_BYTES));
    round_trip(DISK_READ, BLOCK);
    check(0);
    MEASURE("read_4k_cached", round_trip(DISK_READ, BLOCK));
    MEASURE("read_512_cached", round_trip(DISK_READ, SECTOR));
    check(0);
}

static __attribute__((noinline)) void read_register(void)
{
    (void)*(volatile uint32_t *)disk.common;
}

static void trace_requests(void)
{
    volatile uint32_t *registers = (volatile uint32_t *)disk.common;
    TRACE("mmio_read", read_register());
    TRACE("mmio_read_new", (void)registers[0]); /* the traced one is an instruction of its own */
    TRACE("doorbell_to_eoi", round_trip(DISK_GET_ID, ID_BYTES));
    TRACE("read_4k_cached", round_trip(DISK_READ, BLOCK));
    check(0);
}

/* Ticks to read `bytes` from the beginning on, in pieces, several under way. */
static uint64_t read_in_a_row(uint64_t bytes)
{
    uint64_t start = now(), next = 0;
    uint16_t seen = disk_finished();
    unsigned under_way = 0, idle[PIECES_UNDER_WAY], idle_count = 0;
    for (unsigned i = 0; i < PIECES_UNDER_WAY; i++)
        idle[idle_count++] = i;
    while (next < bytes || under_way) {
        for (; next < bytes && idle_count; next += PIECE, under_way++) {
            unsigned slot = idle[--idle_count];
            disk_offer(slot, DISK_READ, next / SECTOR, buffers[slot], PIECE);
        }
        uint32_t before = interrupt_count;
        disk_ring(&disk);
        if (disk_finished() == seen)
            halt_until(before);
        for (; seen != disk_finished(); seen++, under_way--) {
            idle[idle_count] = disk_finished_slot(seen);
            check(idle[idle_count++]);
        }
    }
    return now() - start;
}

void disk_bench(bool is_trace)
{
    uint64_t bytes = option_number("bytes", DEFAULT_BYTES) / PIECE * PIECE;
    if (!disk_start(&disk))
        return;
    if (is_trace) {
        trace_requests();
        return;
    }
    measure_requests();
    if (bytes > disk.sectors * SECTOR)
        bytes = disk.sectors * SECTOR / PIECE * PIECE;
    uint64_t streamed = read_in_a_row(bytes);
    say("BENCH read_streamed %u %u", bytes, streamed);
    say("BENCH read_in_cache %u %u", bytes, read_in_a_row(bytes));
}
