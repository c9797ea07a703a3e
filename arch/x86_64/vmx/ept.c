// SPDX-License-Identifier: BSD-2-Clause
/* Nested page tables as this CPU wants them. */
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/smp.h"

/* EPT pointer, SDM vol. 3, table 25-9: write-back, page walks of four levels; no accessed bits */
#define EPTP_FLAGS (6ull | 3ull << 3)
#define INVEPT_ONE_CONTEXT 1ull

int vmx_nested_create(struct quota *payer, struct nested **made)
{
    return nested_make(&nested_ept, vmx_capability.ept_max_level, payer, made);
}

uint64_t vmx_eptp(const struct nested *nested)
{
    return nested->root_hpa | EPTP_FLAGS;
}

static void flush_here(void *arg)
{
    const struct nested *nested = arg;
    struct {
        uint64_t eptp, reserved;
    } descriptor = {vmx_eptp(nested), 0};
    bool is_failed;
    __asm__ volatile("invept %[descriptor], %[type]"
                     : "=@ccbe"(is_failed)
                     : [descriptor] "m"(descriptor), [type] "r"(INVEPT_ONE_CONTEXT)
                     : "memory");
    if (is_failed)
        vmx_operation_failed("INVEPT");
}

void vmx_nested_flush(struct nested *nested)
{
    smp_call(nested->cpus, flush_here, nested);
}
