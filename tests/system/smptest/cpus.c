// SPDX-License-Identifier: BSD-2-Clause
/* Every CPU runs what is put on it, and nothing else does. */
#include "tests/system/smptest/smptest.h"

#define ROUNDS 200

static uint32_t own_apic_id(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ebx >> 24;
}

/* value[]: a bit for each APIC id under which it has found itself. */
static void look_around(struct job *job)
{
    while (!job->stop) {
        uint32_t id = own_apic_id();
        __atomic_fetch_or(&job->value[id / 64], 1ull << id % 64, __ATOMIC_SEQ_CST);
        job->count++;
    }
    job_exit(job);
}

static bool is_seen(const struct job *job, unsigned cpu)
{
    uint32_t id = cpu_info[cpu].apic_id & 0xff;
    return job->value[id / 64] >> id % 64 & 1;
}

static void forget(struct job *job)
{
    for (unsigned i = 0; i < 4; i++)
        __atomic_store_n(&job->value[i], 0, __ATOMIC_SEQ_CST);
}

/* The job's thread, which may run on that CPU only, comes there and stays. */
static void check_place(struct job *job, unsigned cpu)
{
    unsigned seen = 0;
    forget(job);
    check(SOON(is_seen(job, cpu)), "a thread does not come to CPU %u", cpu);
    forget(job);
    uint64_t before = job->count;
    check(SOON(job->count > before + ROUNDS), "a thread on CPU %u does not go on", cpu);
    for (unsigned i = 0; i < 4; i++)
        seen += (unsigned)__builtin_popcountll(job->value[i]);
    check(seen == 1 && is_seen(job, cpu), "a thread of CPU %u has seen %u CPUs", cpu, seen);
}

static void check_pinned(void)
{
    struct child children[MOST_CPUS];
    for (unsigned i = 0; i < cpus; i++) {
        if (!child_make(&children[i], LEAT_PRIO_GUEST, 1ull << i))
            return;
        child_run(&children[i], look_around, i, LEAT_PRIO_GUEST);
    }
    for (unsigned turn = 0; turn < 3; turn++)
        for (unsigned i = 0; i < cpus; i++) {
            unsigned cpu = (i + turn) % cpus;
            child_share(&children[i], LEAT_SCHED_WEIGHT, 0, 1ull << cpu);
            check_place(&SHARED->jobs[i], cpu);
        }
    for (unsigned i = 0; i < cpus; i++)
        child_end(&children[i]);
}

/* Threads that may run anywhere use all CPUs. */
static void check_spread(void)
{
    struct child child;
    if (!child_make(&child, LEAT_PRIO_GUEST, 0))
        return;
    for (unsigned i = 0; i <= cpus; i++)
        child_run(&child, look_around, i, LEAT_PRIO_GUEST);
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        bool is_used = SOON(({
            bool any = false;
            for (unsigned i = 0; i <= cpus; i++)
                any |= is_seen(&SHARED->jobs[i], cpu);
            any;
        }));
        check(is_used, "CPU %u is not used", cpu);
    }
    child_end(&child);
}

static void check_refused(void)
{
    static const struct leat_domain_sched bad[] = {
        {.weight = 0},
        {.weight = 10001},
        {.weight = 1, .cap_permille = 64001},
        {.weight = 1, .flags = 2},
        {.weight = 1, .cpus = 1ull << 63},
    };
    struct child child;
    if (!child_make(&child, LEAT_PRIO_GUEST, 0))
        return;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check(leat_info()->cpus == 64 || leat_domain_sched(child.domain, &bad[i]) == LEAT_EINVAL,
              "bad share %u is taken", i);
    if (leat_info()->cpus < 64) {
        struct leat_domain_sched none = {.weight = 1, .cpus = UINT64_MAX << leat_info()->cpus};
        check(leat_domain_sched(child.domain, &none) == LEAT_EINVAL, "a mask without a CPU");
    }
    child_end(&child);
}

void test_cpus(void)
{
    int64_t told = leat_cpus_info(machine, cpu_info, 64);
    check(told == leat_info()->cpus, "cpus_info tells of %d CPUs, the info page of %u", (int)told,
          (unsigned)leat_info()->cpus);
    for (unsigned i = 0; i < (unsigned)told; i++)
        for (unsigned j = 0; j < i; j++)
            check(cpu_info[i].apic_id != cpu_info[j].apic_id, "CPUs %u and %u have one APIC id", j,
                  i);
    check_refused();
    check_pinned();
    check_spread();
}
