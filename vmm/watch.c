// SPDX-License-Identifier: BSD-2-Clause
/*
 * The watchdog: a vCPU that neither sleeps nor needs its VMM for a long time may be in an endless
 * loop. It is only told to the log, once for each such time, with a word on each of the others: they
 * may be what it waits for.
 */
#include "lib/clock.h"
#include "vmm/host.h"

#define INTERVAL_NS 20000000000ull
/* Exit reasons of HLT: SDM vol. 3, appendix C; AMD APM vol. 2, appendix C */
#define VMX_HLT 12
#define SVM_HLT 0x78

static struct {
    struct leat_loop_timer timer;
    uint64_t seen[VM_MAX_CPUS];
    bool is_told[VM_MAX_CPUS];
} watch;

static bool is_idle(const struct leat_vcpu *page)
{
    uint32_t reason = page->trace[(page->trace_next - 1) & 15].reason & 0xffff;
    return page->halted || reason == VMX_HLT || reason == SVM_HLT;
}

static bool is_stuck(const struct vcpu *cpu)
{
    uint64_t count = cpu->page->counts[LEAT_COUNT_TO_VMM];
    bool is_still = count == watch.seen[cpu->index];
    watch.seen[cpu->index] = count;
    return is_still && !cpu->lapic->wait_for_sipi && !is_idle(cpu->page);
}

static void look(void *context)
{
    struct vm *vm = context;
    bool stuck[VM_MAX_CPUS] = {false}, is_news = false;
    vm_lock(vm);
    for (unsigned i = 0; i < vm->cpu_count && vm->end == VM_END_NONE; i++) {
        stuck[i] = is_stuck(vm->cpus[i]);
        is_news |= stuck[i] && !watch.is_told[i];
        watch.is_told[i] = stuck[i];
    }
    for (unsigned i = 0; is_news && i < vm->cpu_count; i++) {
        if (stuck[i])
            vcpu_report(vm->cpus[i], "has run without a sign of life for 20 s");
        else
            vcpu_report_brief(vm->cpus[i], "meanwhile");
    }
    vm_unlock(vm);
    leat_loop_timer_set(&vm->host->loop, &watch.timer, leat_clock_ns() + INTERVAL_NS);
}

int host_watch(struct vm *vm)
{
    leat_loop_timer(&vm->host->loop, &watch.timer, look, vm);
    leat_loop_timer_set(&vm->host->loop, &watch.timer, leat_clock_ns() + INTERVAL_NS);
    return LEAT_OK;
}
