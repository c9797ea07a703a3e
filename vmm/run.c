// SPDX-License-Identifier: BSD-2-Clause
/* The vCPU threads. */
#include "lib/map.h"
#include "lib/sys.h"
#include "lib/thread.h"
#include "vmm/host.h"

#define STACK_BYTES (64u << 10) /* Zydis and the report's formatting are what needs most */

bool vcpu_sync(struct vcpu *cpu, uint32_t groups)
{
    struct leat_vcpu *page = cpu->page;
    /* what the VMM has changed is newer than what the kernel has */
    groups &= ~(page->valid | page->dirty);
    return !groups || leat_vcpu_sync(cpu->vm->host->vcpus[cpu->index], groups) == LEAT_OK;
}

struct leat_vcpu *host_vcpu_create(struct vm *vm, unsigned index)
{
    leat_handle_t mem;
    struct leat_vcpu *page = leat_map_pages(LEAT_PAGE_SIZE + sizeof(struct leat_apic), 0, &mem);
    if (!page)
        return NULL;
    int64_t handle = leat_vcpu_create(vm->host->guest, index, mem, vm->tsc.ratio);
    if (handle < 0)
        return NULL;
    vm->host->vcpus[index] = (leat_handle_t)handle;
    return page;
}

/* Called with the lock held; returns with it held when the VM goes on. */
static void park(struct vcpu *cpu)
{
    struct vm_host *host = cpu->vm->host;
    if (++host->parked_count == cpu->vm->cpu_count)
        leat_notif_signal(host->notif, host->parked_bit);
    vm_unlock(cpu->vm);
    leat_notif_wait(host->park, 1ull << cpu->index, LEAT_FOREVER);
    vm_lock(cpu->vm);
}

/* In the guest and out, until something concerns more than this vCPU: the lock is let go meanwhile. */
static void run_guest(struct vcpu *cpu)
{
    struct vm *vm = cpu->vm;
    leat_handle_t handle = vm->host->vcpus[cpu->index];
    vcpu_prepare(cpu);
    vm_unlock(vm);
    for (;;) {
        int64_t exit = leat_vcpu_run(handle);
        if (!vcpu_handle_alone(cpu, exit)) {
            vm_lock(vm);
            vcpu_handle_exit(cpu, exit);
            return;
        }
        if (!vcpu_prepare_alone(cpu)) {
            vm_lock(vm);
            return;
        }
    }
}

static void run(void *argument)
{
    struct vcpu *cpu = argument;
    struct vm *vm = cpu->vm;
    vm_lock(vm);
    for (;;) {
        while (vm->end == VM_END_NONE)
            run_guest(cpu);
        park(cpu);
    }
}

int host_run(struct vm *vm, vm_fn all_parked)
{
    int error = vm_on_signal(vm, vm->host->parked_bit, all_parked, vm);
    for (unsigned i = 0; error == LEAT_OK && i < vm->cpu_count; i++)
        error = leat_thread_start(run, vm->cpus[i], LEAT_PRIO_GUEST, STACK_BYTES);
    return error;
}

void host_unpark(struct vm *vm)
{
    vm->host->parked_count = 0;
    leat_notif_signal(vm->host->park, (1ull << vm->cpu_count) - 1);
}
