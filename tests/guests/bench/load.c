/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that goes on for ever and says how it fares; a test reads two lines of it and what lies between.
 *
 *     do=work every=MS cpus=N    counts rounds of arithmetic on N CPUs: "WORK tsc rounds"; first, what a
 *                                round takes when nothing comes in between: "BENCH round_ticks N"
 *     do=ticks every=MS          a timer interrupt each millisecond, asleep in between:
 *                                "TICKS tsc latest longest-gap count" of the ticks since the last line
 *     do=reads rounds=N pause=MS 4 KiB of the disk, then a pause, N times: "READS tsc ..." (report_spread)
 *
 * All times that are said are TSC ticks; "BENCH ticks_per_ms N" comes first.
 */
#include "tests/guests/bench/disk.h"

#define ROUND 1000ull /* steps of five instructions in one round of work */
#define TICK_MS 1u
#define QUIET_MS 20u /* after a line: the console is busy with it */

static struct {
    _Alignas(64) volatile uint64_t rounds;
} done[CPUS_MAX];
static uint64_t millisecond;

/* Five instructions to a jump, as in ordinary code: Bochs with several CPUs lets each in turn run up to its next
   jump. */
static inline void work(unsigned cpu)
{
    uint64_t left = ROUND, sum = 0;
    __asm__ volatile("1: add %0, %1\n\trol $1, %1\n\tadd $1, %1\n\tdec %0\n\tjnz 1b"
                     : "+r"(left), "+r"(sum));
    done[cpu].rounds++;
}

static void work_for_ever(unsigned cpu)
{
    for (;;)
        work(cpu);
}

/* The middle one of some short stretches: an interrupt, or another VM, comes into few of them. */
static uint64_t round_ticks(void)
{
    enum { STRETCHES = 64, ROUNDS_EACH = 2 };
    for (unsigned i = 0; i < STRETCHES; i++) {
        uint64_t start = now();
        for (unsigned j = 0; j < ROUNDS_EACH; j++)
            work(0);
        ticks[i] = now() - start;
    }
    return middle(STRETCHES) / ROUNDS_EACH;
}

static _Noreturn void run_work(void)
{
    say("BENCH round_ticks %u", round_ticks());
    unsigned count = (unsigned)option_number("cpus", 1);
    uint64_t every = option_number("every", 500) * millisecond;
    if (!cpus_start(count, work_for_ever))
        count = 1;
    for (uint64_t next = now() + every;;) {
        work(0);
        uint64_t at = now();
        if (at < next)
            continue;
        uint64_t sum = 0;
        for (unsigned i = 0; i < count; i++)
            sum += done[i].rounds;
        say("WORK %u %u", at, sum);
        next = at + every;
    }
}

static void watch_ticks(uint64_t until)
{
    uint64_t period = TICK_MS * millisecond, latest = 0, longest = 0, count = 0;
    uint64_t last = now(), deadline = last + period, at;
    do {
        uint32_t before = interrupt_count;
        timer_arm(deadline);
        halt_until(before);
        at = now();
        if (at - deadline > latest)
            latest = at - deadline;
        if (at - last > longest)
            longest = at - last;
        last = at;
        deadline = deadline + period > at ? deadline + period : at + period;
        count++;
    } while (at < until);
    say("TICKS %u %u %u %u", at, latest, longest, count);
}

static _Noreturn void run_ticks(void)
{
    uint64_t every = option_number("every", 1000) * millisecond;
    for (;;) {
        timer_sleep(QUIET_MS * millisecond);
        watch_ticks(now() + every);
    }
}

static _Noreturn void run_reads(void)
{
    static _Alignas(4096) uint8_t block[4096];
    static struct disk disk;
    uint64_t pause = option_number("pause", 2) * millisecond;
    unsigned rounds = (unsigned)option_number("rounds", 100);
    bool is_there = disk_start(&disk);
    for (;;) {
        timer_sleep(QUIET_MS * millisecond);
        for (unsigned i = 0; is_there && i < rounds; i++) {
            if (pause)
                timer_sleep(pause);
            uint64_t start = now();
            uint32_t before = interrupt_count;
            disk_offer(0, DISK_READ, 0, block, sizeof(block));
            disk_ring(&disk);
            halt_until(before);
            ticks[i] = now() - start;
            if (disk_status(0))
                say("BENCH failed: the disk answers %u", (uint64_t)disk_status(0));
        }
        report_spread("READS", rounds);
    }
}

_Noreturn void load_run(const char *name)
{
    millisecond = ticks_per_ms();
    say("BENCH ticks_per_ms %u", millisecond);
    if (behind(name, "work"))
        run_work();
    if (behind(name, "ticks"))
        run_ticks();
    if (behind(name, "reads"))
        run_reads();
    say("BENCH failed: do=%s is not known", name);
    for (;;)
        __asm__ volatile("hlt");
}
