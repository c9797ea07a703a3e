// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "tests/system/smptest/smptest.h"

#define CHILD_PAGES 800u /* its quota: with as many threads as a domain may have */

extern uint8_t __executable_start[], edata[];

static leat_handle_t image, shared_mem;

bool child_prepare(void)
{
    /* Large pages: a child is made hundreds of times. */
    image = (leat_handle_t)leat_mem_create(LEAT_LARGE_PAGE_SIZE, LEAT_MEM_LARGE);
    shared_mem = (leat_handle_t)leat_mem_create(LEAT_LARGE_PAGE_SIZE, LEAT_MEM_LARGE);
    uint64_t size = (uint64_t)edata - (uint64_t)__executable_start;
    if ((uint64_t)__executable_start % LEAT_LARGE_PAGE_SIZE || size > LEAT_LARGE_PAGE_SIZE ||
        leat_mem_map(LEAT_SELF, image, WINDOW_VA, 0, LEAT_LARGE_PAGE_SIZE, READ_WRITE) != LEAT_OK ||
        leat_mem_map(LEAT_SELF, shared_mem, (uint64_t)SHARED, 0, LEAT_LARGE_PAGE_SIZE,
                     READ_WRITE) != LEAT_OK)
        return false;
    memcpy((void *)WINDOW_VA, __executable_start, size);
    return leat_mem_unmap(LEAT_SELF, WINDOW_VA, LEAT_LARGE_PAGE_SIZE) == LEAT_OK;
}

bool child_make(struct child *child, enum leat_prio highest, uint64_t on_cpus)
{
    static const char name[32] = "child";
    int64_t domain = leat_domain_create(CHILD_PAGES, name, highest), death = leat_notif_create();
    *child = (struct child){(leat_handle_t)domain, (leat_handle_t)death};
    return check(domain > 0 && death > 0 &&
                     leat_mem_map(child->domain, image, (uint64_t)__executable_start, 0,
                                  LEAT_LARGE_PAGE_SIZE,
                                  LEAT_PROT_READ | LEAT_PROT_EXEC) == LEAT_OK &&
                     leat_mem_map(child->domain, shared_mem, (uint64_t)SHARED, 0,
                                  LEAT_LARGE_PAGE_SIZE, READ_WRITE) == LEAT_OK &&
                     leat_domain_watch(child->domain, child->death, 1) == LEAT_OK &&
                     child_share(child, LEAT_SCHED_WEIGHT, 0, on_cpus),
                 "making a domain: %d", (int)domain);
}

bool child_share(struct child *child, uint32_t weight, uint32_t cap_permille, uint64_t on_cpus)
{
    struct leat_domain_sched sched = {
        .weight = weight, .cap_permille = cap_permille, .cpus = on_cpus};
    return check(leat_domain_sched(child->domain, &sched) == LEAT_OK, "domain_sched");
}

bool child_run(struct child *child, void (*fn)(struct job *job), unsigned job, enum leat_prio prio)
{
    struct job *j = &SHARED->jobs[job];
    j->stop = j->count = j->bad = 0;
    j->result = 0;
    memset((void *)j->value, 0, sizeof(j->value));
    /* As behind a CALL: 8 below a multiple of 16. */
    uint64_t stack = (uint64_t)SHARED->stacks[job] + STACK_BYTES - 8;
    int64_t error = leat_thread_create(child->domain, (uint64_t)fn, stack, (uint64_t)j, prio);
    return check(error == LEAT_OK, "thread_create: %d", (int)error);
}

leat_handle_t child_give(struct child *child, leat_handle_t handle, uint32_t rights)
{
    int64_t given = leat_handle_grant(child->domain, handle, rights);
    check(given > 0, "handle_grant: %d", (int)given);
    return given > 0 ? (leat_handle_t)given : 0;
}

bool child_is_told_dead(struct child *child)
{
    return leat_notif_wait(child->death, 1, leat_clock_ns() + PATIENCE_NS) == 1;
}

bool child_end(struct child *child)
{
    leat_domain_kill(child->domain, 1);
    bool is_told = check(child_is_told_dead(child), "no word of a domain's death");
    leat_handle_close(child->domain);
    leat_handle_close(child->death);
    return is_told;
}

void job_exit(struct job *job)
{
    (void)job;
    for (;;)
        leat_thread_exit();
}

void job_spin(struct job *job)
{
    while (!job->stop)
        job->count++;
    job_exit(job);
}

void job_hold(struct job *job)
{
    hold_registers(&SHARED->holds[job - SHARED->jobs]);
    job_exit(job);
}

bool has_avx(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if ((ecx >> 27 & 3) != 3) /* OSXSAVE, AVX: SDM vol. 1, 14.3 */
        return false;
    __asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return (eax & 6) == 6;
}

void hold_fill(struct hold *hold, uint64_t seed)
{
    uint64_t *words = &hold->vectors[0][0];
    memset(hold, 0, sizeof(*hold));
    for (unsigned i = 0; i < 64; i++)
        words[i] = (seed << 32 | i) * 0x9e3779b97f4a7c15ull;
    memcpy(hold->scratch, hold->vectors, sizeof(hold->scratch));
    for (unsigned i = 0; i < 9; i++)
        hold->gprs[i] = words[i] ^ UINT64_MAX;
    for (unsigned i = 0; i < 4; i++)
        hold->drs[i] = (seed << 20 | i << 12) & 0x7fffffff;
    for (unsigned i = 0; i < 3; i++)
        hold->msrs[i] = 0xffff800000000000ull | seed << 16 | i << 4;
    hold->real = 0x3ff0000000000000ull + (seed << 20); /* a double a little above 1 */
    hold->mxcsr = 0x1f80 | (uint32_t)(seed % 4) << 13; /* its rounding */
    hold->has_avx = has_avx();
}
