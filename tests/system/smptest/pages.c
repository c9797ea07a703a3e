// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is unmapped is out of every CPU's reach when mem_unmap returns. Readers on all CPUs, in one domain, keep
 * the page in their TLBs. A page that is taken away gets other contents at once, which nobody may see.
 */
#include "tests/system/smptest/smptest.h"

#define SWAPS 60
#define GAPS 12
#define READS 50

static leat_handle_t mems[2];
static volatile uint64_t *windows[2]; /* where main sees them */

/* Keeps off the page while pause is set, and says so; value[0] is the last pause that it has seen. */
static void read_generation(struct job *job)
{
    volatile uint64_t *page = (volatile uint64_t *)PROBE_VA;
    while (!job->stop) {
        uint64_t pause = SHARED->pause;
        if (pause) {
            job->value[0] = pause;
            continue;
        }
        if (*page != SHARED->generation)
            job->bad++;
        job->count++;
    }
    job_exit(job);
}

static void read_on(struct job *job)
{
    volatile uint64_t *page = (volatile uint64_t *)PROBE_VA;
    while (!job->stop) {
        job->value[0] = *page;
        job->count++;
    }
    job_exit(job);
}

/* The second one is a large page if is_large. */
static bool make_mems(bool is_large)
{
    for (unsigned i = 0; i < 2; i++) {
        bool large = i == 1 && is_large;
        uint64_t size = large ? LEAT_LARGE_PAGE_SIZE : LEAT_PAGE_SIZE;
        uint64_t va = WINDOW_VA + i * LEAT_LARGE_PAGE_SIZE;
        mems[i] = (leat_handle_t)leat_mem_create(size, large ? LEAT_MEM_LARGE : 0);
        windows[i] = (volatile uint64_t *)va;
        if (!check(leat_mem_map(LEAT_SELF, mems[i], va, 0, size, READ_WRITE) == LEAT_OK, "memory"))
            return false;
    }
    return true;
}

static uint64_t size_of(unsigned i, bool is_large)
{
    return i == 1 && is_large ? LEAT_LARGE_PAGE_SIZE : LEAT_PAGE_SIZE;
}

static void drop_mems(bool is_large)
{
    for (unsigned i = 0; i < 2; i++) {
        leat_mem_unmap(LEAT_SELF, (uint64_t)windows[i], size_of(i, is_large));
        leat_handle_close(mems[i]);
    }
}

static bool start_readers(struct child *child, void (*fn)(struct job *), leat_handle_t mem,
                          uint64_t size)
{
    bool is_good =
        child_make(child, LEAT_PRIO_GUEST, 0) &&
        check(leat_mem_map(child->domain, mem, PROBE_VA, 0, size, LEAT_PROT_READ) == LEAT_OK,
              "mapping the page");
    for (unsigned i = 0; i < cpus && is_good; i++)
        is_good = child_run(child, fn, i, LEAT_PRIO_GUEST);
    return is_good;
}

static void wait_for_reads(void)
{
    uint64_t before[MOST_CPUS];
    for (unsigned i = 0; i < cpus; i++)
        before[i] = SHARED->jobs[i].count;
    for (unsigned i = 0; i < cpus; i++)
        check(SOON(SHARED->jobs[i].count > before[i] + READS), "reader %u stands still", i);
}

/* Another page in its place, while the readers, without a switch, look away. */
static void check_swaps(bool is_large)
{
    struct child child;
    if (!make_mems(is_large))
        return;
    SHARED->pause = 0;
    SHARED->generation = *windows[0] = 1;
    if (!start_readers(&child, read_generation, mems[0], LEAT_PAGE_SIZE))
        return;
    for (uint64_t round = 1; round <= SWAPS; round++) {
        unsigned last = (round - 1) % 2, next = round % 2;
        wait_for_reads();
        SHARED->pause = round;
        for (unsigned i = 0; i < cpus; i++)
            check(SOON(SHARED->jobs[i].value[0] == round), "reader %u does not pause", i);
        check(leat_mem_unmap(child.domain, PROBE_VA, size_of(last, is_large)) == LEAT_OK &&
                  leat_mem_map(child.domain, mems[next], PROBE_VA, 0, size_of(next, is_large),
                               LEAT_PROT_READ) == LEAT_OK,
              "exchange of pages");
        *windows[last] = POISON;
        SHARED->generation = *windows[next] = round + 1;
        SHARED->pause = 0;
    }
    wait_for_reads();
    for (unsigned i = 0; i < cpus; i++)
        check(!SHARED->jobs[i].bad, "reader %u has seen a page %u times that was unmapped", i,
              (unsigned)SHARED->jobs[i].bad);
    child_end(&child);
    drop_mems(is_large);
}

/* The page goes away under the readers: the first one to touch it ends them all. */
static void check_gap(unsigned which, bool is_large)
{
    struct leat_domain_status status = {0};
    struct child child;
    *windows[which] = 1;
    if (!start_readers(&child, read_on, mems[which], size_of(which, is_large)))
        return;
    wait_for_reads();
    leat_mem_unmap(child.domain, PROBE_VA, size_of(which, is_large));
    *windows[which] = POISON;
    if (check(child_is_told_dead(&child), "readers of an unmapped page live on"))
        leat_notif_signal(child.death, 1); /* as child_end wants it */
    leat_domain_status(child.domain, &status);
    check(!status.alive && status.fault_vector == 14 && status.fault_address == PROBE_VA,
          "end by exception %d at %llx", (int)status.fault_vector,
          (unsigned long long)status.fault_address);
    for (unsigned i = 0; i < cpus; i++)
        check(SHARED->jobs[i].value[0] == 1, "reader %u has seen what came after its page", i);
    child_end(&child);
}

/* One thread, its own address space: the CPU that unmaps forgets too. */
static void check_own(void)
{
    for (uint64_t round = 0; round < 2 * READS; round++) {
        leat_mem_map(LEAT_SELF, mems[round % 2], PROBE_VA, 0, LEAT_PAGE_SIZE, READ_WRITE);
        *windows[round % 2] = round;
        check(*(volatile uint64_t *)PROBE_VA == round, "an old page of the own space");
        leat_mem_unmap(LEAT_SELF, PROBE_VA, LEAT_PAGE_SIZE);
    }
}

void test_pages(void)
{
    check_swaps(false);
    check_swaps(true);
    for (unsigned is_large = 0; is_large < 2; is_large++) {
        if (!make_mems(is_large))
            return;
        for (unsigned i = 0; i < GAPS; i++)
            check_gap(i % 2, is_large);
        check_own();
        drop_mems(is_large);
    }
}
