// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/vm.h"

#include <string.h>

int vm_on_reset(struct vm *vm, vm_fn fn, void *context)
{
    if (vm->reset_count == VM_MAX_RESETS)
        return LEAT_ENOMEM;
    vm->resets[vm->reset_count].fn = fn;
    vm->resets[vm->reset_count++].context = context;
    return LEAT_OK;
}

void vm_reset_devices(struct vm *vm)
{
    for (unsigned i = 0; i < vm->reset_count; i++)
        vm->resets[i].fn(vm->resets[i].context);
}

void vm_stop(struct vm *vm, enum vm_end end, const char *why)
{
    if (vm->end != VM_END_NONE)
        return;
    strncpy(vm->end_why, why, sizeof(vm->end_why) - 1);
    vm->end_why[sizeof(vm->end_why) - 1] = 0;
    __atomic_store_n(&vm->end, end,
                     __ATOMIC_RELEASE); /* read without the lock by vCPUs on their way in */
    for (unsigned i = 0; i < vm->cpu_count; i++)
        vm_kick(vm, i);
}
