// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSRs. Those that the VMCS switches, and KERNEL_GS_BASE, are the guest's own. The kernel keeps
 * STAR, LSTAR and SFMASK (the guest reads them freely; writes exit, so that they never have to be
 * read back), CSTAR and TSC_AUX. All others are the vmm's business.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/checks.h"
#include "arch/x86_64/vmx/vmx.h"

void *vmx_msr_bitmap, *vmx_io_bitmap_a, *vmx_io_bitmap_b;

/* SDM vol. 3, 25.6.9: four bitmaps of 1 KiB; reads low, reads high, writes low, writes high */
static void pass(uint32_t msr, bool is_write)
{
    uint8_t *bitmap = vmx_msr_bitmap;
    uint32_t bit = msr & 0x1fff;
    bitmap[(is_write ? 2048 : 0) + (msr >= 0xc0000000 ? 1024 : 0) + bit / 8] &=
        (uint8_t) ~(1u << bit % 8);
}

void vmx_msr_bitmap_init(void)
{
    static const uint32_t own[] = {MSR_SYSENTER_CS, MSR_SYSENTER_ESP,  MSR_SYSENTER_EIP,
                                   MSR_PAT,         MSR_EFER,          MSR_FS_BASE,
                                   MSR_GS_BASE,     MSR_KERNEL_GS_BASE};
    static const uint32_t readable[] = {MSR_TSC, MSR_STAR, MSR_LSTAR, MSR_SFMASK};
    __builtin_memset(vmx_msr_bitmap, 0xff, LEAT_PAGE_SIZE);
    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        pass(own[i], false);
        pass(own[i], true);
    }
    for (unsigned i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
        pass(readable[i], false);
}

void vmx_load_msrs(struct vmx_vcpu *v)
{
    struct percpu *cpu = this_cpu();
    wrmsr(MSR_STAR, v->base.star);
    wrmsr(MSR_LSTAR, v->base.lstar);
    wrmsr(MSR_SFMASK, v->base.sfmask);
    wrmsr(MSR_KERNEL_GS_BASE, v->base.kernel_gs_base);
    if (vmx_capability.has_rdtscp && cpu->virt->tsc_aux != v->tsc_aux) {
        cpu->virt->tsc_aux = v->tsc_aux;
        wrmsr(MSR_TSC_AUX, v->tsc_aux);
    }
    cpu->virt->msrs_of = v;
    cpu->work |= CPU_WORK_MSRS;
}

static int to_vmm(struct vmx_vcpu *v, int exit)
{
    if (exit == EXIT_RESUME) {
        vmx_skip(v);
        return exit;
    }
    v->next_rip = v->rip + vmcs_read32(VMCS_EXIT_INSN_LENGTH);
    v->base.page->next_rip = v->next_rip;
    return exit;
}

int vmx_exit_rdmsr(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)qualification;
    uint32_t msr = exits_index(&v->base);
    uint64_t value;
    if (msr == MSR_CSTAR)
        value = v->base.cstar;
    else if (msr == MSR_TSC_AUX && vmx_capability.has_rdtscp)
        value = v->tsc_aux;
    else
        return to_vmm(v, exits_rdmsr(&v->base));
    exits_give(&v->base, value);
    vmx_skip(v);
    return EXIT_RESUME;
}

int vmx_exit_wrmsr(struct vmx_vcpu *v, uint64_t qualification)
{
    (void)qualification;
    uint32_t msr = exits_index(&v->base);
    uint64_t value = exits_operand(&v->base);
    bool is_good = true;
    switch (msr) {
    case MSR_STAR:
        v->base.star = value;
        break;
    case MSR_LSTAR:
        is_good = cpu_is_canonical(value);
        v->base.lstar = is_good ? value : v->base.lstar;
        break;
    case MSR_SFMASK:
        is_good = !(value >> 32);
        v->base.sfmask = is_good ? value : v->base.sfmask;
        break;
    case MSR_CSTAR:
        is_good = cpu_is_canonical(value);
        v->base.cstar = is_good ? value : v->base.cstar;
        break;
    case MSR_TSC_AUX:
        if (vmx_capability.has_rdtscp) {
            is_good = !(value >> 32);
            v->tsc_aux = is_good ? value : v->tsc_aux;
            break;
        }
        /* fall through */
    default:
        return to_vmm(v, exits_wrmsr(&v->base));
    }
    if (!is_good) {
        vmx_raise(v, VECTOR_GP, true);
        return EXIT_RESUME;
    }
    v->base.kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE); /* the guest's own is the one loaded */
    vmx_load_msrs(v);
    vmx_skip(v);
    return EXIT_RESUME;
}
