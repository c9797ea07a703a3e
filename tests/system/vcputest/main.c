// SPDX-License-Identifier: BSD-2-Clause
/*
 * The vCPU test, in the supervisor's place: runs the first guest alone (and prints what exits
 * cost), two of them at once, and a vCPU whose page is filled with rubbish. Prints PASS or FAIL
 * lines, ends with "vcputest: PASS" or "vcputest: FAIL", and powers the machine off.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/start.h"
#include "lib/sys.h"
#include "services/supervisor/power.h"
#include "tests/guests/first/first.h"
#include "tests/system/vcputest/vm.h"

#define CHECKS 29
#define RUBBISH_RUNS 3000
#define RUBBISH_TICKS 20000

static unsigned failures;
static struct vm vms[2];

static void result(bool is_good, const char *what, const char *why)
{
    failures += !is_good;
    leat_log("%s: %s%s%s", is_good ? "PASS" : "FAIL", what, why[0] ? ": " : "", why);
}

static void check_vm(const struct vm *vm, const char *what)
{
    char text[64];
    unsigned bad = 0, missing = 0, first = 0;
    for (unsigned i = CHECKS; i-- > 0;) {
        missing += !vm->reported[REPORT_CHECK + i];
        bad += vm->reported[REPORT_CHECK + i] && vm->reports[REPORT_CHECK + i] != 1;
        if (vm->reports[REPORT_CHECK + i] != 1)
            first = i;
    }
    text[0] = 0;
    if (bad + missing)
        leat_log("check %u of the guest is the first that failed; %u wrong, %u not reached", first,
                 bad, missing);
    result(!(bad + missing), what, text);
    result(!vm->failures, "what the vmm saw", vm->what);
    result(vm->bells >= FIRST_ROUNDS, "doorbells", "");
    result(vm->page->counts[LEAT_COUNT_HOST_IRQ] > 0, "interrupts of the host", "");
}

static void print_times(const struct vm *vm)
{
    static const struct {
        const char *what;
        unsigned which, limit; /* ticks; on Bochs' skylake_x a tick is an instruction */
    } times[] = {
        {"CPUID, in the kernel", REPORT_CPUID, 480},
        {"OUT to the vmm and back", REPORT_OUT, 1500},
        {"MMIO write to the vmm and back", REPORT_MMIO_WRITE, 2700},
        {"MMIO read to the vmm and back", REPORT_MMIO_READ, 2700},
        {"VMCALL to the vmm and back", REPORT_VMCALL, 1500},
        {"RDMSR to the vmm and back", REPORT_MSR, 1500},
        {"doorbell that wakes a thread, thread run", REPORT_DOORBELL, 3000},
        {"doorbell, thread, kick, interrupt, HLT wake-up", REPORT_WAKE, 7000},
    };
    unsigned base = (unsigned)vm->reports[REPORT_BASE];
    for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        leat_log("TIME: %s: %u ticks (limit %u)", times[i].what,
                 ((unsigned)vm->reports[times[i].which] - base) / FIRST_ROUNDS, times[i].limit);
    leat_log("TIME: HLT until a deadline 100000 ticks away: %u ticks",
             (unsigned)vm->reports[REPORT_DEADLINE_WAKE]);
}

static void print_counts(const struct vm *vm)
{
    const uint64_t *n = vm->page->counts;
    leat_log("exits: %u, to the vmm %u; host irq %u, window %u, cpuid %u, hlt %u, io %u, doorbell "
             "%u, mmio %u",
             (unsigned)n[LEAT_COUNT_TOTAL], (unsigned)n[LEAT_COUNT_TO_VMM],
             (unsigned)n[LEAT_COUNT_HOST_IRQ], (unsigned)n[LEAT_COUNT_IRQ_WINDOW],
             (unsigned)n[LEAT_COUNT_CPUID], (unsigned)n[LEAT_COUNT_HLT], (unsigned)n[LEAT_COUNT_IO],
             (unsigned)n[LEAT_COUNT_DOORBELL], (unsigned)n[LEAT_COUNT_MMIO]);
}

static bool run(unsigned count, leat_handle_t done)
{
    for (unsigned i = 0; i < count; i++)
        if (!vm_make(&vms[i], 0x100000000ull * (i + 1))) {
            result(false, "making a guest", vms[i].what);
            return false;
        }
    for (unsigned i = 0; i < count; i++)
        if (!vm_start(&vms[i], done)) {
            result(false, "starting a guest", vms[i].what);
            return false;
        }
    for (;;) {
        bool is_finished = true;
        for (unsigned i = 0; i < count; i++)
            is_finished = is_finished && vms[i].is_finished;
        if (is_finished)
            return true;
        int64_t bits = leat_notif_wait(done, 1, leat_clock_ns() + 20000000000ull);
        if (bits < 0) {
            leat_log("the guest hangs at %llx, last exit %u", (unsigned long long)vms[0].page->rip,
                     (unsigned)vms[0].page->exit);
            result(false, "guests end in time", "");
            return false;
        }
    }
}

/* Whatever a vmm writes into the page, vcpu_run comes back and the machine lives. */
static void run_rubbish(struct vm *vm)
{
    struct leat_vcpu *p = vm->page;
    unsigned ran = 0;
    srand(7);
    for (unsigned i = 0; i < RUBBISH_RUNS; i++) {
        vm_reset(vm);
        uint8_t *bytes = (uint8_t *)p;
        if (i % 3 == 0) {
            for (unsigned j = 0; j < sizeof(*p); j++)
                bytes[j] = (uint8_t)(rand() >> 4);
        } else {
            for (unsigned j = 0; j < i % 7 + 1; j++)
                bytes[(unsigned)rand() % sizeof(*p)] = (uint8_t)(rand() >> 4);
        }
        if (leat_info()->virt == LEAT_VIRT_SVM)
            p->rflags |= 0x200; /* IF: see ORDER_DEADLINE in first.S */
        p->dirty = i % 5 ? LEAT_VCPU_ALL : (unsigned)rand();
        p->deadline_tsc = leat_rdtsc() + RUBBISH_TICKS;
        int64_t exit = leat_vcpu_run(vm->vcpu);
        if (exit < 0 || exit >= LEAT_EXIT_COUNT) {
            result(false, "a vCPU page of rubbish", "strange result of vcpu_run");
            return;
        }
        ran += exit != LEAT_EXIT_INVALID;
        leat_vcpu_sync(vm->vcpu, LEAT_VCPU_ALL);
    }
    leat_log("of %u pages with rubbish %u let the guest run", RUBBISH_RUNS, ran);
    result(ran > 0 && ran < RUBBISH_RUNS, "vCPU pages of rubbish", "");
}

/* A process that only calls vcpu_run, killed while its guest runs, or halts: the kernel gets
 * everything back. */
static void kill_vmm(const char *what, uint8_t insn0, uint8_t insn1)
{
    /* mov esi, edi (the handle); 1: mov eax, VCPU_RUN; mov edi, esi; syscall; jmp 1b */
    uint8_t code[] = {0x89, 0xfe, 0xb8, LEAT_SYS_VCPU_RUN, 0, 0, 0, 0x89, 0xf7, 0x0f,
                      0x05, 0xeb, 0xf5};
    const uint64_t va = 0x400000, scratch = 0x700000000ull;
    char name[32] = "victim";
    if (!vm_make(&vms[0], 0x100000000ull)) {
        result(false, what, vms[0].what);
        return;
    }
    vms[0].ram[FIRST_BASE] = insn0;
    vms[0].ram[FIRST_BASE + 1] = insn1;
    if (vm_must_keep_if())
        vms[0].page->rflags |= 0x200;
    leat_handle_t mem = (leat_handle_t)leat_mem_create(LEAT_PAGE_SIZE, 0);
    leat_handle_t notif = (leat_handle_t)leat_notif_create();
    leat_mem_map(LEAT_SELF, mem, scratch, 0, LEAT_PAGE_SIZE, LEAT_PROT_READ | LEAT_PROT_WRITE);
    memcpy((void *)scratch, code, sizeof(code));
    leat_mem_unmap(LEAT_SELF, scratch, LEAT_PAGE_SIZE);
    leat_handle_t domain = (leat_handle_t)leat_domain_create(64, name, LEAT_PRIO_GUEST);
    leat_mem_map(domain, mem, va, 0, LEAT_PAGE_SIZE, LEAT_PROT_READ | LEAT_PROT_EXEC);
    int64_t vcpu = leat_handle_grant(domain, vms[0].vcpu, LEAT_RIGHT_CONTROL);
    leat_domain_watch(domain, notif, 1);
    bool is_good = vcpu > 0 && leat_thread_create(domain, va, va + LEAT_PAGE_SIZE, (uint64_t)vcpu,
                                                  LEAT_PRIO_GUEST) == LEAT_OK;
    is_good = leat_notif_wait(notif, 1, leat_clock_ns() + 5000000) == LEAT_ETIMEDOUT && is_good;
    int64_t exit = 0;
    for (unsigned i = 0; i < 100 && exit != LEAT_EBUSY; i++) { /* the victim may not be in it yet */
        vms[0].page->deadline_tsc = leat_rdtsc() + 100000;
        exit = leat_vcpu_run(vms[0].vcpu);
        vms[0].page->deadline_tsc = 0;
        leat_notif_wait(notif, 1, leat_clock_ns() + 5000000);
    }
    is_good = exit == LEAT_EBUSY && is_good;
    vm_destroy(&vms[0]); /* the victim's handle is the last one now */
    leat_domain_kill(domain, 3);
    is_good = leat_notif_wait(notif, 1, leat_clock_ns() + 1000000000) == 1 && is_good;
    leat_handle_close(domain);
    leat_handle_close(notif);
    leat_handle_close(mem);
    result(is_good, what, "");
}

static void make_and_destroy(leat_handle_t machine)
{
    struct leat_frames_info before, after;
    bool is_good = vm_make(&vms[0], 0x100000000ull);
    vm_destroy(&vms[0]); /* once, to have tables and slabs where they will be */
    leat_frames_info(machine, &before);
    for (unsigned i = 0; i < 20 && is_good; i++) {
        is_good = vm_make(&vms[0], 0x100000000ull);
        vm_destroy(&vms[0]);
    }
    leat_frames_info(machine, &after);
    leat_log("free memory: %u KiB before, %u KiB after", (unsigned)(before.free_bytes / 1024),
             (unsigned)(after.free_bytes / 1024));
    result(is_good && before.free_bytes <= after.free_bytes, "20 guests leave no memory behind",
           vms[0].what);
}

static void check_rights(leat_handle_t machine)
{
    const char *why = check_machine_rights(machine);
    result(!why, "rights of the machine handle", why ? why : "");
    why = check_priorities();
    result(!why, "priorities of a domain", why ? why : "");
}

static void test(leat_handle_t machine)
{
    check_rights(machine);
    leat_handle_t done = (leat_handle_t)leat_notif_create();
    if (!run(1, done))
        return;
    check_vm(&vms[0], "one guest");
    print_times(&vms[0]);
    print_counts(&vms[0]);
    vm_destroy(&vms[0]);
    if (!run(2, done))
        return;
    check_vm(&vms[0], "first of two guests");
    check_vm(&vms[1], "second of two guests");
    vm_destroy(&vms[1]);
    if (!vm_must_keep_if())
        run_rubbish(&vms[0]);
    vm_destroy(&vms[0]);
    kill_vmm("a vmm killed while its guest loops", 0xeb, 0xfe);
    kill_vmm("a vmm killed while its guest halts", 0xf4, 0xf4);
    make_and_destroy(machine);
}

int main(void)
{
    leat_handle_t machine = leat_start_find("machine", NULL)->handle;
    const struct leat_boot_info *info = (void *)leat_start_find("bootinfo", NULL)->va;
    test(machine);
    leat_log("vcputest: %s", failures ? "FAIL" : "PASS");
    power_stop(machine, &info->power, POWER_OFF);
}
