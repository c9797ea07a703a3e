// SPDX-License-Identifier: BSD-2-Clause
/* Domains killed at any moment, by main or by another child on any CPU: nothing stays behind, and the word comes. */
#include "lib/log.h"
#include "tests/guests/first/first.h"
#include "tests/system/smptest/smptest.h"
#include "tests/system/vcputest/vm.h"

#define MAY_BE_KEPT (64u << 10)
#define KILLS 500
#define LEAST_KILLS 100 /* on slow machines */
#define WARM_UP 30
#define LATEST_NS 400000u /* of a kill, after the start */
#define VM_VA 0x800000000ull
#define OWN_VA 0x900000000ull
#define KILLER (JOBS - 1)

static struct vm vm;
static bool has_vm;
static leat_handle_t go, stay; /* starts the killer; keeps waiters waiting */

static void do_wait(struct job *job)
{
    for (;;) {
        leat_notif_wait(job->handle[0], 1, leat_clock_ns() + 20000);
        leat_notif_signal(job->handle[0], 1);
        job->count++;
    }
}

static void do_map(struct job *job)
{
    for (;;) {
        leat_handle_t mem = (leat_handle_t)leat_mem_create(16 * LEAT_PAGE_SIZE, 0);
        leat_mem_map(LEAT_SELF, mem, OWN_VA, 0, 16 * LEAT_PAGE_SIZE, READ_WRITE);
        *(volatile uint64_t *)OWN_VA = ++job->count;
        leat_mem_unmap(LEAT_SELF, OWN_VA, 16 * LEAT_PAGE_SIZE);
        leat_handle_close(mem);
    }
}

/* Its end as soon as it starts; needs no stack. */
static void do_nothing(struct job *job)
{
    job_exit(job);
}

static void do_spawn(struct job *job)
{
    uint64_t stack = (uint64_t)job->peer; /* of nobody else's job */
    for (;; job->count++) {
        leat_thread_create(LEAT_SELF, (uint64_t)do_nothing, stack, (uint64_t)job, LEAT_PRIO_GUEST);
        leat_handle_close((leat_handle_t)leat_notif_create());
        leat_thread_yield();
    }
}

static void do_run_guest(struct job *job)
{
    for (;; job->count++)
        leat_vcpu_run(job->handle[0]);
}

/* Kills the domain of handle[1] each time it is told to. */
static void kill_when_told(struct job *job)
{
    while (!job->stop) {
        if (leat_notif_wait(job->handle[0], 1, LEAT_FOREVER) != 1)
            continue;
        leat_domain_kill(job->handle[1], 9);
        leat_handle_close(job->handle[1]);
        job->count++;
    }
    job_exit(job);
}

static bool start_victim(struct child *victim)
{
    static void (*const fns[])(struct job *) = {job_spin, do_wait, do_map, do_spawn, do_run_guest};
    struct job *jobs = SHARED->jobs;
    if (!child_make(victim, LEAT_PRIO_DEVICE, 0))
        return false;
    jobs[1].handle[0] = child_give(victim, stay, LEAT_RIGHT_WAIT | LEAT_RIGHT_SIGNAL);
    jobs[3].peer = (struct job *)((uint64_t)SHARED->stacks[5] + STACK_BYTES - 8);
    if (has_vm)
        jobs[4].handle[0] = child_give(victim, vm.vcpu, LEAT_RIGHT_CONTROL);
    for (unsigned i = 0; i < (has_vm ? 5u : 4u); i++)
        if (!child_run(victim, fns[i], i, i % 2 ? LEAT_PRIO_DEVICE : LEAT_PRIO_GUEST))
            return false;
    return true;
}

static bool kill_one(struct child *killer, unsigned round)
{
    struct child victim;
    if (!start_victim(&victim))
        return false;
    uint64_t when = leat_clock_ns() + any_number() % LATEST_NS;
    while (leat_clock_ns() < when)
        if (round & 2)
            nap(when - leat_clock_ns());
    if (round & 1) {
        child_share(killer, LEAT_SCHED_WEIGHT, 0, 1ull << round / 2 % cpus);
        uint64_t before = SHARED->jobs[KILLER].count;
        SHARED->jobs[KILLER].handle[1] = child_give(killer, victim.domain, LEAT_RIGHT_CONTROL);
        leat_notif_signal(go, 1);
        if (!check(SOON(SHARED->jobs[KILLER].count > before), "the killer stands still"))
            return false;
    }
    return child_end(&victim);
}

/* As many threads at once as there will be, so that stacks and slabs are made. */
static void warm_up(struct child *killer)
{
    struct child child;
    if (!child_make(&child, LEAT_PRIO_GUEST, 0))
        return;
    for (unsigned i = 0; i < JOBS - 1; i++)
        child_run(&child, job_spin, i, LEAT_PRIO_GUEST);
    child_end(&child);
    for (unsigned i = 0; i < WARM_UP; i++)
        kill_one(killer, i);
    nap(20 * MS); /* the dead threads' stacks are freed by those who run next */
}

static bool make_vm(void)
{
    if (leat_info()->virt != LEAT_VIRT_VMX && leat_info()->virt != LEAT_VIRT_SVM)
        return false;
    if (!check(vm_make(&vm, VM_VA), "making a guest: %s", vm.what))
        return false;
    vm.ram[FIRST_BASE] = 0xeb; /* an endless loop */
    vm.ram[FIRST_BASE + 1] = 0xfe;
    return true;
}

void test_kills(void)
{
    struct leat_frames_info before, after;
    struct child killer;
    unsigned done = 0;
    go = (leat_handle_t)leat_notif_create();
    stay = (leat_handle_t)leat_notif_create();
    has_vm = make_vm();
    if (!child_make(&killer, LEAT_PRIO_SERVICE, 0))
        return;
    SHARED->jobs[KILLER].handle[0] = child_give(&killer, go, LEAT_RIGHT_WAIT);
    child_run(&killer, kill_when_told, KILLER, LEAT_PRIO_SERVICE);
    warm_up(&killer);
    leat_frames_info(machine, &before);
    uint64_t end = leat_clock_ns() + PART_NS;
    while (done < KILLS && (done < LEAST_KILLS || leat_clock_ns() < end) && kill_one(&killer, done))
        done++;
    nap(20 * MS);
    leat_frames_info(machine, &after);
    leat_log("%u domains killed; free memory %u KiB before, %u KiB after", done,
             (unsigned)(before.free_bytes / 1024), (unsigned)(after.free_bytes / 1024));
    check(done >= LEAST_KILLS, "%u domains were killed", done);
    /* A kernel stack stays mapped for the next thread; a page lost at each kill would be far more. */
    check(after.free_bytes + MAY_BE_KEPT >= before.free_bytes, "memory is lost");
    child_end(&killer);
    if (has_vm)
        vm_destroy(&vm);
    leat_handle_close(go);
    leat_handle_close(stay);
}
