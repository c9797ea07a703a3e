// SPDX-License-Identifier: BSD-2-Clause
/*
 * The only process of a Linux guest that shows how its clock goes: /init of an initrd of its own. Each second it
 * prints "CLOCK tsc nanoseconds window": CLOCK_MONOTONIC, the TSC in the middle of reading it, and how many ticks the
 * reading took. Meanwhile the guest is busy: one child for each CPU computes, one sleeps a millisecond at a time.
 * After `leat_seconds` (a word of the kernel's command line, handed on as environment) it switches off.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 16
#define SECOND 1000000000ll

static uint64_t now(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static int64_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

/* The quickest of a few: an interrupt, or another VM, may come in between. */
static void say_clock(void)
{
    uint64_t best = UINT64_MAX, middle = 0;
    int64_t ns = 0;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t before = now();
        int64_t read = monotonic();
        uint64_t window = now() - before;
        if (window < best) {
            best = window;
            middle = before + window / 2;
            ns = read;
        }
    }
    printf("CLOCK %llu %lld %llu\n", (unsigned long long)middle, (long long)ns,
           (unsigned long long)best);
}

static void say_source(void)
{
    char name[64] = "unknown";
    mkdir("/sys", 0755);
    mount("none", "/sys", "sysfs", 0, "");
    int file = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                    O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, name, sizeof(name) - 1);
    if (length > 0)
        name[strcspn(name, "\n")] = 0;
    close(file);
    printf("CLOCKSOURCE %s cpus %ld\n", name, sysconf(_SC_NPROCESSORS_ONLN));
}

static void compute(void)
{
    for (volatile uint64_t sum = 1;; sum = sum * 6364136223846793005u + 1)
        ;
}

static void nap(void)
{
    const struct timespec millisecond = {.tv_nsec = 1000000};
    for (;;)
        nanosleep(&millisecond, NULL);
}

static void child(void (*work)(void))
{
    if (fork() == 0)
        work();
}

int main(void)
{
    const char *wanted = getenv("leat_seconds");
    long seconds = wanted ? strtol(wanted, NULL, 10) : 10;
    setvbuf(stdout, NULL, _IOLBF, 0);
    say_source();
    child(nap);
    for (long i = sysconf(_SC_NPROCESSORS_ONLN); i > 0; i--)
        child(compute);
    int64_t next = monotonic();
    for (long i = 0; i <= seconds; i++, next += SECOND) {
        const struct timespec until = {.tv_sec = next / SECOND, .tv_nsec = next % SECOND};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        say_clock();
    }
    say_source();
    printf("CLOCK done\n");
    reboot(RB_POWER_OFF);
    return 1;
}
