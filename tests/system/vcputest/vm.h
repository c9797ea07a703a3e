// SPDX-License-Identifier: BSD-2-Clause
/* One virtual machine of the vCPU test: the smallest vmm that the first guest needs. */
#ifndef TESTS_SYSTEM_VCPUTEST_VM_H
#define TESTS_SYSTEM_VCPUTEST_VM_H

#include <leat/vcpu.h>

#define VM_REPORTS 96

struct vm {
    leat_handle_t guest, vcpu, ram_mem, bell, done;
    struct leat_vcpu *page;
    uint8_t *ram;
    uint32_t order;               /* ORDER_* that a deadline or kick belongs to */
    volatile uint32_t irq_wanted; /* by the device thread */
    volatile bool is_finished;
    uint64_t bells;
    uint64_t failures; /* of the vmm's own checks */
    char what[80];     /* the first of them */
    bool reported[VM_REPORTS];
    uint64_t reports[VM_REPORTS];
};

/* Creates the VM with the first guest in it, not yet running. va: where its memory may be mapped.
 * false: why is in what. */
bool vm_make(struct vm *vm, uint64_t va);

/* Starts its two threads; bit 0 of `done` is signalled when the guest has ended. */
bool vm_start(struct vm *vm, leat_handle_t done);

void vm_destroy(struct vm *vm);

/* Puts the vCPU back to where vm_make had it. */
void vm_reset(struct vm *vm);

/* Bochs 3.0 as an AMD CPU: interrupts of the host do not end a guest that was entered without IF, nor does
   anything else. */
bool vm_must_keep_if(void);

/* rights.c: what the kernel must refuse. NULL: it does; else what it does not. */
const char *check_machine_rights(leat_handle_t machine);
const char *check_priorities(void);

#endif
