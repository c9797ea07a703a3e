// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/checks.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/log.h"

enum { MSR_VMX_CR0_FIXED0 = 0x486, MSR_VMX_CR0_FIXED1 = 0x487, MSR_VMX_CR4_FIXED0 = 0x488 };

static struct virt_cpu virt_cpus[MAX_CPUS];

const struct virt_ops vmx_ops = {
    .name = "VT-x",
    .probe = vmx_probe,
    .enable_cpu = vmx_enable_cpu,
    .nested_create = vmx_nested_create,
    .nested_destroy = nested_destroy,
    .nested_map = nested_map,
    .nested_unmap = nested_unmap,
    .nested_flush = vmx_nested_flush,
    .vcpu_bytes = sizeof(struct vmx_vcpu),
    .vcpu_init = vmx_vcpu_init,
    .vcpu_destroy = vmx_vcpu_destroy,
    .vcpu_load = vmx_load,
    .vcpu_store = vmx_store,
    .vcpu_attach = vmx_attach,
    .vcpu_leave = vmx_leave,
    .vcpu_detach = vmx_detach,
    .vcpu_run = vmx_run,
    .vcpu_is_ready = vmx_is_ready,
    .vcpu_notify = vmx_apic_notify,
};

void vmx_operation_failed(const char *instruction)
{
    panic("VT-x: %s failed on CPU %u", instruction, this_cpu()->index);
}

void vmcs_access_failed(enum vmcs_field field, bool is_write)
{
    panic("VT-x: %s of VMCS field %x failed", is_write ? "VMWRITE" : "VMREAD", field);
}

void vmx_operation_init(void *vmxon_region)
{
    struct percpu *cpu = this_cpu();
    cpu->virt = &virt_cpus[cpu->index];

    /* SDM vol. 3, A.7, A.8: bits that VMX operation needs. CR0_FIXED1 has all bits that exist. */
    write_cr0((read_cr0() | rdmsr(MSR_VMX_CR0_FIXED0)) & rdmsr(MSR_VMX_CR0_FIXED1));
    write_cr4(read_cr4() | rdmsr(MSR_VMX_CR4_FIXED0) | CR4_VMXE_BIT);

    *(uint32_t *)vmxon_region = vmx_capability.revision;
    uint64_t at = ptr_to_phys(vmxon_region).raw;
    bool is_failed;
    __asm__ volatile("vmxon %[at]" : "=@ccbe"(is_failed) : [at] "m"(at) : "memory");
    if (is_failed)
        vmx_operation_failed("VMXON");
}
