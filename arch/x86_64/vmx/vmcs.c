// SPDX-License-Identifier: BSD-2-Clause
/* The life of a VMCS: made, current on this CPU, and what has to be in the CPU while its guest may
 * run. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/mitigate.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frame.h"
#include "kernel/kmem.h"
#include <leat/syscall.h>

#define MAX_VPIDS 1024u /* 0 is the host's */
/* PAUSEs less than so many ticks apart are one loop, which may take so many: SDM vol. 3, 26.6.13. A lock's holder
   needs far less. */
#define PAUSE_GAP 128u
#define PAUSE_WINDOW 16384u
#define INVVPID_ONE_CONTEXT 1ull
#define EXCEPTIONS_TAKEN (1u << 1 | 1u << 17 | 1u << 18) /* #DB, #AC, #MC: see exit.c */
#define DR6_INIT 0xffff0ff0ull                           /* SDM vol. 3, table 10-1 */

static uint64_t vpids_in_use[MAX_VPIDS / 64] = {1};

static uint16_t vpid_alloc(void)
{
    for (unsigned i = 0; i < MAX_VPIDS / 64; i++)
        if (~vpids_in_use[i]) {
            unsigned bit = (unsigned)__builtin_ctzll(~vpids_in_use[i]);
            vpids_in_use[i] |= 1ull << bit;
            return (uint16_t)(i * 64 + bit);
        }
    return 0;
}

static void vpid_free(uint16_t vpid)
{
    vpids_in_use[vpid / 64] &= ~(1ull << vpid % 64);
}

void vmx_flush_vpid(const struct vmx_vcpu *v)
{
    struct {
        uint64_t vpid, linear;
    } descriptor = {v->vpid, 0};
    bool is_failed;
    __asm__ volatile("invvpid %[descriptor], %[type]"
                     : "=@ccbe"(is_failed)
                     : [descriptor] "m"(descriptor), [type] "r"(INVVPID_ONE_CONTEXT)
                     : "memory");
    if (is_failed)
        vmx_operation_failed("INVVPID");
}

static void vmclear(const struct vmx_vcpu *v)
{
    uint64_t at = ptr_to_phys(v->vmcs).raw;
    bool is_failed;
    __asm__ volatile("vmclear %[at]" : "=@ccbe"(is_failed) : [at] "m"(at) : "memory");
    if (is_failed)
        vmx_operation_failed("VMCLEAR");
}

/* What a VM exit loads, constant on one CPU but for CR3. */
static void write_host(struct vmx_vcpu *v)
{
    struct cpu_tables tables = cpu_tables();
    v->host = this_cpu();
    v->host_cr3 = read_cr3();
    vmcs_write(VMCS_HOST_CR0, read_cr0());
    vmcs_write(VMCS_HOST_CR3, v->host_cr3);
    vmcs_write(VMCS_HOST_CR4, read_cr4());
    vmcs_write(VMCS_HOST_ES, 0);
    vmcs_write(VMCS_HOST_CS, SEL_KERNEL_CODE);
    vmcs_write(VMCS_HOST_SS, SEL_KERNEL_DATA);
    vmcs_write(VMCS_HOST_DS, 0);
    vmcs_write(VMCS_HOST_FS, 0);
    vmcs_write(VMCS_HOST_GS, 0);
    vmcs_write(VMCS_HOST_TR, SEL_TSS);
    vmcs_write(VMCS_HOST_FS_BASE, LEAT_INFO_VA); /* a constant in ring 3: see LEAT_INFO_VA */
    vmcs_write(VMCS_HOST_GS_BASE, (uint64_t)v->host);
    vmcs_write(VMCS_HOST_TR_BASE, tables.tss_base);
    vmcs_write(VMCS_HOST_GDTR_BASE, tables.gdt_base);
    vmcs_write(VMCS_HOST_IDTR_BASE, tables.idt_base);
    vmcs_write(VMCS_HOST_SYSENTER_CS, 0);
    vmcs_write(VMCS_HOST_SYSENTER_ESP, 0);
    vmcs_write(VMCS_HOST_SYSENTER_EIP, 0);
    vmcs_write(VMCS_HOST_PAT, HOST_PAT);
    vmcs_write(VMCS_HOST_EFER, rdmsr(MSR_EFER));
    vmcs_write(VMCS_HOST_RSP, (uint64_t)&v->base.page->gpr[16]);
    vmcs_write(VMCS_HOST_RIP, (uint64_t)vmx_exit);
}

void vmx_make_current_slow(struct vmx_vcpu *v)
{
    struct virt_cpu *cpu = this_cpu()->virt;
    if (cpu->current)
        vmx_debug_unload(cpu->current);
    uint64_t at = ptr_to_phys(v->vmcs).raw;
    bool is_failed;
    __asm__ volatile("vmptrld %[at]" : "=@ccbe"(is_failed) : [at] "m"(at) : "memory");
    if (is_failed)
        vmx_operation_failed("VMPTRLD");
    cpu->current = v;
    if (v->host != this_cpu()) {
        write_host(v);
        vmx_flush_vpid(
            v); /* this CPU may remember what it has seen of the vCPU, or of another one, long ago */
    }
    if (v->debug_eager)
        vmx_debug_load(v);
}

void vmx_leave(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    struct virt_cpu *cpu = this_cpu()->virt;
    if (cpu->current == v) {
        vmx_debug_unload(v);
        cpu->current = NULL;
    }
    if (cpu->msrs_of == v)
        cpu->msrs_of = NULL;
    vmclear(v); /* so that another CPU can load it */
    v->is_launched = false;
}

void vmx_set_cpu_controls(struct vmx_vcpu *v, uint32_t controls)
{
    if (v->cpu_controls == controls)
        return;
    v->cpu_controls = controls;
    vmcs_write(VMCS_CPU_CONTROLS, controls);
}

void vmx_clear_launch(struct vmx_vcpu *v)
{
    vmclear(v);
    v->is_launched = false;
    this_cpu()->virt->current = NULL;
    vmx_make_current(v);
}

static void write_controls(struct vmx_vcpu *v)
{
    const struct vmx_capability *c = &vmx_capability;
    vmcs_write(VMCS_PIN_CONTROLS, c->pin);
    vmx_set_cpu_controls(v, c->cpu);
    bool is_scaled = v->base.tsc_ratio != LEAT_TSC_ONE;
    vmcs_write(VMCS_CPU_CONTROLS_2, c->cpu2 | (is_scaled ? CPU2_TSC_SCALING : 0));
    if (is_scaled) /* 16.48 bits: SDM vol. 3, 25.6.5 */
        vmcs_write(VMCS_TSC_MULTIPLIER, v->base.tsc_ratio);
    if (c->cpu2 & CPU2_PAUSE_LOOP) {
        vmcs_write(VMCS_PLE_GAP, PAUSE_GAP);
        vmcs_write(VMCS_PLE_WINDOW, PAUSE_WINDOW);
    }
    vmcs_write(VMCS_EXIT_CONTROLS, c->exit);
    vmcs_write(VMCS_ENTRY_CONTROLS, c->entry);
    vmcs_write(VMCS_EXCEPTIONS, exits_take_all() ? UINT32_MAX : EXCEPTIONS_TAKEN);
    vmcs_write(VMCS_PF_MASK, 0);
    vmcs_write(VMCS_PF_MATCH, 0);
    vmcs_write(VMCS_CR3_TARGETS, 0);
    vmcs_write(VMCS_EXIT_MSR_STORES, 0);
    vmcs_write(VMCS_EXIT_MSR_LOADS, 0);
    vmcs_write(VMCS_ENTRY_MSR_LOADS, 0);
    vmcs_write(VMCS_ENTRY_EVENT, 0);
    vmcs_write(VMCS_VPID, v->vpid);
    vmcs_write(VMCS_EPTP, vmx_eptp(v->base.guest->nested));
    vmcs_write(VMCS_MSR_BITMAP, ptr_to_phys(vmx_msr_bitmap).raw);
    vmcs_write(VMCS_IO_BITMAP_A, ptr_to_phys(vmx_io_bitmap_a).raw);
    vmcs_write(VMCS_IO_BITMAP_B, ptr_to_phys(vmx_io_bitmap_b).raw);
    vmx_apic_init(v);
    v->timer = c->timer_most;
    if (c->has_timer)
        vmcs_write(VMCS_PREEMPTION_TIMER, v->timer);
}

/* The host's timer interrupt has ended guest mode: vmx_run looks at the clock itself. */
static void deadline_expired(struct timer *timer)
{
    (void)timer;
}

int vmx_vcpu_init(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    v->vmcs = page_alloc();
    if (!v->vmcs)
        return LEAT_ENOMEM;
    v->vpid = vpid_alloc();
    if (!v->vpid) {
        page_free(v->vmcs);
        return LEAT_ENOMEM;
    }
    timer_init(&v->deadline, deadline_expired);
    v->dr6 = DR6_INIT;
    *(uint32_t *)v->vmcs = vmx_capability.revision;
    vmclear(v);
    vmx_make_current(v);
    write_controls(v);
    vmcs_write(VMCS_LINK_POINTER, UINT64_MAX);
    vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
    vmcs_write(VMCS_ACTIVITY, 0);
    vmcs_write(VMCS_PENDING_DEBUG, 0);
    return LEAT_OK;
}

void vmx_vcpu_destroy(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    vmx_leave(vcpu);
    vpid_free(v->vpid);
    page_free(v->vmcs);
}

void vmx_attach(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    struct percpu *cpu = this_cpu();
    vmx_make_current(v);
    vcpu->guest->nested->cpus |= 1ull << cpu->index;
    if (v->host_cr3 != cpu->loaded_root) {
        v->host_cr3 = cpu->loaded_root;
        vmcs_write(VMCS_HOST_CR3, v->host_cr3);
    }
    if (cpu->virt->msrs_of != v || !(cpu->work & CPU_WORK_MSRS))
        vmx_load_msrs(v);
    fpu_load(&vcpu->fpu);
    if (vcpu->xcr0)
        xcr0_set(vcpu->xcr0);
    write_cr2(vcpu->cr2);
    mitigate_switch(true);
    if (vcpu->deadline_tsc && !vmx_capability.has_timer)
        timer_start(&v->deadline, vcpu->deadline_tsc);
}

void vmx_detach(struct vcpu *vcpu)
{
    vcpu->cr2 = read_cr2();
    vcpu->kernel_gs_base = rdmsr(MSR_KERNEL_GS_BASE); /* SWAPGS changes it without an exit */
    if (!vmx_capability.has_timer)
        timer_cancel(&vmx_of(vcpu)->deadline);
}
