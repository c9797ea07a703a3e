// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest with two vCPUs, each in a domain of its own that is moved from CPU to CPU. Both read one page over and
 * over and look at all their registers (hold.S). When guest_unmap has returned, nobody may see what is written to
 * the page then: the next read must exit.
 */
#include <string.h>

#include "lib/log.h"
#include "tests/guests/first/first.h"
#include "tests/system/smptest/smptest.h"
#include "tests/system/vcputest/vm.h"

#define ROUNDS 60
#define LEAST_ROUNDS 12 /* on slow machines */
#define VCPUS 2
#define LOOKS 3 /* of a guest, that show that it runs */
#define VM_VA 0x800000000ull
#define SECOND_PAGE_VA (VM_VA + 0x1800000ull)
#define PROBE_GPA 0x300000ull
#define HOLD_GPA(vcpu) (0x100000ull + 0x1000ull * (vcpu))
#define CR0_LONG 0x80000031ull /* PG, NE, ET, PE */
#define CR4_LONG 0x6a0ull      /* OSXMMEXCPT, OSFXSR, PGE, PAE */
#define CR4_OSXSAVE (1ull << 18)
#define EFER_LONG 0xd01ull /* NXE, LMA, LME, SCE */

static struct vm vm;
static struct runner { /* one vCPU */
    struct child child;
    leat_handle_t vcpu, go;
    struct leat_vcpu *page;
    struct hold *hold;
    struct job *job;
} runners[VCPUS];

/* Runs the vCPU; waits for the word to go on after each exit. */
static void run_vcpu(struct job *job)
{
    while (!job->stop) {
        job->result = leat_vcpu_run(job->handle[0]);
        job->count++;
        leat_notif_wait(job->handle[1], 1, LEAT_FOREVER);
    }
    job_exit(job);
}

/* Long mode with the first guest's page tables, at hold_registers. */
static void set_state(unsigned i)
{
    struct leat_vcpu *p = runners[i].page;
    p->cr0 = CR0_LONG;
    p->cr3 = FIRST_PML4;
    p->cr4 = CR4_LONG | (has_avx() ? CR4_OSXSAVE : 0);
    p->efer = EFER_LONG;
    p->xcr0 = has_avx() ? 7 : 1;
    for (unsigned s = LEAT_ES; s <= LEAT_GS; s++)
        p->seg[s] = (struct leat_segment){.selector = 0x10, .access = 0xc093, .limit = UINT32_MAX};
    p->seg[LEAT_CS] = (struct leat_segment){.selector = 8, .access = 0xa09b, .limit = UINT32_MAX};
    p->rip = FIRST_BASE;
    p->gpr[LEAT_RDI] = HOLD_GPA(i);
    p->gpr[LEAT_RSP] = FIRST_STACK - 0x1000 * i;
    p->dirty = LEAT_VCPU_ALL;
}

static bool make_runner(unsigned i)
{
    struct runner *r = &runners[i];
    struct job *job = r->job = &SHARED->jobs[i];
    r->hold = (struct hold *)(vm.ram + HOLD_GPA(i));
    hold_fill(r->hold, i + 1);
    r->hold->is_guest = 1;
    r->hold->probe = PROBE_GPA;
    set_state(i);
    job->count = 0;
    r->go = (leat_handle_t)leat_notif_create();
    if (!child_make(&r->child, LEAT_PRIO_GUEST, 1ull << i % cpus))
        return false;
    job->handle[0] = child_give(&r->child, r->vcpu, LEAT_RIGHT_CONTROL);
    job->handle[1] = child_give(&r->child, r->go, LEAT_RIGHT_WAIT);
    return true;
}

static bool make(void)
{
    if (!check(vm_make(&vm, VM_VA), "making a guest: %s", vm.what))
        return false;
    leat_handle_t page = (leat_handle_t)leat_mem_create(LEAT_PAGE_SIZE, 0);
    leat_mem_map(LEAT_SELF, page, SECOND_PAGE_VA, 0, LEAT_PAGE_SIZE, READ_WRITE);
    runners[0].vcpu = vm.vcpu;
    runners[0].page = vm.page;
    runners[1].page = (struct leat_vcpu *)SECOND_PAGE_VA;
    memcpy(runners[1].page, vm.page, sizeof(*vm.page));
    runners[1].vcpu = (leat_handle_t)leat_vcpu_create(vm.guest, 1, page, LEAT_TSC_ONE);
    leat_handle_close(page);
    memcpy(vm.ram + FIRST_BASE, (const void *)hold_registers,
           (size_t)(hold_registers_end - (const uint8_t *)hold_registers));
    return make_runner(0) && make_runner(1);
}

static void unmake(void)
{
    for (unsigned i = 0; i < VCPUS; i++) {
        child_end(&runners[i].child);
        leat_handle_close(runners[i].go);
    }
    leat_handle_close(runners[1].vcpu);
    leat_mem_unmap(LEAT_SELF, SECOND_PAGE_VA, LEAT_PAGE_SIZE);
    vm_destroy(&vm);
}

static void place(unsigned i, unsigned cpu)
{
    child_share(&runners[i].child, LEAT_SCHED_WEIGHT, 0, 1ull << cpu % cpus);
}

static bool runs(const struct runner *r)
{
    uint64_t before = r->hold->count;
    return SOON(r->hold->count > before + LOOKS);
}

/* After a round: what the vCPU's exit says, and what is in its page. */
static void check_exit(const struct runner *r, unsigned round, unsigned i, uint64_t exits)
{
    const struct leat_vcpu *p = r->page;
    if (!check(SOON(r->job->count > exits), "round %u: vCPU %u does not exit", round, i))
        return;
    check(r->job->result == LEAT_EXIT_MMIO && p->detail.mmio.gpa == PROBE_GPA &&
              !p->detail.mmio.is_write,
          "round %u: vCPU %u: exit %d at %llx, %llx", round, i, (int)r->job->result,
          (unsigned long long)p->rip, (unsigned long long)p->detail.raw[0]);
    if (round % 2)
        return;
    check(leat_vcpu_sync(r->vcpu, LEAT_VCPU_ALL) == LEAT_OK &&
              p->kernel_gs_base == r->hold->msrs[0] && p->lstar == r->hold->msrs[1] &&
              p->star == r->hold->msrs[2] && p->gpr[LEAT_R8] == r->hold->gprs[0] &&
              p->gpr[LEAT_RBX] == HOLD_GPA(i) && p->cr3 == FIRST_PML4,
          "round %u: vCPU %u's page is not what the guest has", round, i);
}

static void play(unsigned round)
{
    volatile uint64_t *word = (volatile uint64_t *)(vm.ram + PROBE_GPA);
    uint64_t exits[VCPUS];
    *word = round + 1;
    if (round)
        check(leat_guest_map(vm.guest, vm.ram_mem, PROBE_GPA, PROBE_GPA, LEAT_PAGE_SIZE,
                             READ_WRITE) == LEAT_OK,
              "guest_map");
    for (unsigned i = 0; i < VCPUS; i++) {
        place(i, round + i);
        exits[i] = runners[i].job->count;
        if (round)
            leat_notif_signal(runners[i].go, 1);
        else
            child_run(&runners[i].child, run_vcpu, i, LEAT_PRIO_GUEST);
    }
    for (unsigned i = 0; i < VCPUS; i++) {
        check(SOON(runners[i].hold->seen == round + 1), "round %u: vCPU %u does not read", round,
              i);
        if (round % 3 == 0) { /* on the way, without an exit to its domain */
            place(i, round + i + 1);
            check(runs(&runners[i]), "round %u: vCPU %u stands still, moved", round, i);
        }
        check(runners[i].job->count == exits[i], "round %u: vCPU %u exits by itself: %d", round, i,
              (int)runners[i].job->result);
    }
    check(leat_guest_unmap(vm.guest, PROBE_GPA, LEAT_PAGE_SIZE) == LEAT_OK, "guest_unmap");
    *word = POISON;
    for (unsigned i = 0; i < VCPUS; i++)
        check_exit(&runners[i], round, i, exits[i]);
    for (unsigned i = 0; i < VCPUS; i++) {
        check(runners[i].hold->seen == round + 1, "round %u: vCPU %u sees what came after: %llx",
              round, i, (unsigned long long)runners[i].hold->seen);
        check(!runners[i].hold->bad, "round %u: vCPU %u has lost registers", round, i);
    }
}

void test_guest(void)
{
    if (!make())
        return;
    uint64_t end = leat_clock_ns() + PART_NS;
    unsigned round = 0;
    for (; round < ROUNDS && (round < LEAST_ROUNDS || leat_clock_ns() < end); round++) {
        uint64_t before = leat_clock_ns();
        play(round);
        if (leat_clock_ns() - before >
            PATIENCE_NS) /* something hangs: each round would take as long */
            break;
    }
    leat_log("%u rounds with two vCPUs", round);
    unmake();
}
