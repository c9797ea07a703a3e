// SPDX-License-Identifier: BSD-2-Clause
/*
 * Measures round trips from inside a Debian guest, as root, in TSC ticks: on Bochs' corei7_skylake_x with one CPU the
 * TSC advances by one at each instruction of the machine, so that a difference counts everything that runs for the
 * guest: guest, ring 0 and ring 3. Prints "BENCH name minimum median mean count" lines; an empty pair of RDTSCs is
 * taken off. The median of many is the figure; time slices and other VMs show in the mean.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS 2000
#define DELAY_PORT 0x80 /* the POST code port: a plain OUT to the VMM */

static uint64_t ticks[ROUNDS];
static uint64_t overhead;

static inline uint64_t now(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void report(const char *name)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        ticks[i] -= ticks[i] < overhead ? ticks[i] : overhead;
        sum += ticks[i];
    }
    qsort(ticks, ROUNDS, sizeof ticks[0], ascending);
    printf("BENCH %s %llu %llu %llu %u\n", name, (unsigned long long)ticks[0],
           (unsigned long long)ticks[ROUNDS / 2], (unsigned long long)(sum / ROUNDS), ROUNDS);
}

#define MEASURE(name, statement)                                                                   \
    do {                                                                                           \
        for (unsigned i = 0; i < ROUNDS; i++) {                                                    \
            uint64_t start = now();                                                                \
            statement;                                                                             \
            ticks[i] = now() - start;                                                              \
        }                                                                                          \
        report(name);                                                                              \
    } while (0)

static void measure_cpuid(void)
{
    unsigned a, b, c, d;
    MEASURE("cpuid", __cpuid_count(1, 0, a, b, c, d));
}

/* The MSI-X table of the first virtio device, BAR 2 in Leat: the one BAR that its driver lets others map. An access is an
   MMIO exit to the VMM; behind the table's few entries nothing is there to be changed. */
#define BEHIND_TABLE (0x400 / 4)

static void measure_mmio(void)
{
    glob_t found;
    volatile uint32_t *registers = MAP_FAILED;
    if (glob("/sys/bus/pci/drivers/virtio-pci/0000:*/resource2", 0, NULL, &found) == 0) {
        int fd = open(found.gl_pathv[0], O_RDWR | O_SYNC);
        registers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    if (registers == MAP_FAILED) {
        printf("BENCH mmio none\n");
        return;
    }
    MEASURE("mmio_read", (void)registers[0]);
    MEASURE("mmio_write", registers[BEHIND_TABLE] = 0);
}

static void measure_read(const char *disk)
{
    int fd = open(disk, O_RDONLY | O_DIRECT);
    void *buffer;
    if (fd < 0 || posix_memalign(&buffer, 4096, 4096)) {
        printf("BENCH read_4k none\n");
        return;
    }
    MEASURE("read_4k_cached", if (pread(fd, buffer, 4096, 1 << 20) != 4096) abort());
    close(fd);
}

int main(int argc, char **argv)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t start = now();
        ticks[i] = now() - start;
    }
    qsort(ticks, ROUNDS, sizeof ticks[0], ascending);
    overhead = ticks[ROUNDS / 2];
    printf("BENCH tsc_now %llu\n", (unsigned long long)now());
    measure_cpuid();
    if (iopl(3) == 0) {
        MEASURE("out_vmm", outb(0, DELAY_PORT));
        MEASURE("in_vmm", (void)inb(0x71));
    }
    measure_mmio();
    measure_read(argc > 1 ? argv[1] : "/dev/vda");
    return 0;
}
