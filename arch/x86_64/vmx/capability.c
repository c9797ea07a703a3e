// SPDX-License-Identifier: BSD-2-Clause
/* What VT-x offers here, and the controls that we choose. SDM vol. 3, appendix A. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/checks.h"
#include "arch/x86_64/vmx/vmx.h"
#include "kernel/frame.h"
#include "kernel/log.h"

#define MSR_FEATURE_CONTROL 0x3a /* SDM vol. 4, table 2-2 */
#define FEATURE_LOCKED (1u << 0)
#define FEATURE_VMX (1u << 2) /* outside SMX operation */

#define MSR_VMX_BASIC 0x480
#define VMX_BASIC_TRUE_CONTROLS (1ull << 55)
enum { MSR_VMX_MISC = 0x485, MSR_VMX_CR4_FIXED1 = 0x489, MSR_VMX_EPT_VPID = 0x48c };
enum { MSR_VMX_TRUE_EXIT = 0x48f, MSR_VMX_TRUE_ENTRY = 0x490 };

#define EPT_CAN_4_LEVELS (1ull << 6)
#define EPT_CAN_WRITE_BACK (1ull << 14)
#define EPT_CAN_2M (1ull << 16)
#define EPT_CAN_1G (1ull << 17)
#define EPT_CAN_INVEPT_CONTEXT (1ull << 20 | 1ull << 25)
#define VPID_CAN_INVVPID_CONTEXT (1ull << 32 | 1ull << 41)

/*
 * A guest leaves at least so often, by the preemption timer, for the host to look for interrupts.
 * They end guest mode by themselves; but Bochs (2.7, 3.0) holds them back while a guest that was
 * entered with IF clear keeps it clear, and a guest must not stop the host's time by CLI and an
 * endless loop.
 */
#define LONGEST_STRETCH_NS 1000000u

struct vmx_capability vmx_capability;

/* One control word: low half of the MSR must be 1, high half may be. false: `must` is not all there. */
static bool choose(uint32_t msr, uint32_t must, uint32_t want, uint32_t *controls)
{
    uint64_t allowed = rdmsr(msr);
    uint32_t forced = (uint32_t)allowed, possible = (uint32_t)(allowed >> 32);
    *controls = ((must | want) & possible) | forced;
    return (must & ~possible) == 0;
}

#define CPU2_WANTED (CPU2_RDTSCP | CPU2_INVPCID | CPU2_WBINVD | CPU2_PAUSE_LOOP)

static const char *choose_all(struct vmx_capability *c)
{
    const uint32_t cpu_must = CPU_IRQ_WINDOW | CPU_TSC_OFFSET | CPU_HLT | CPU_MWAIT | CPU_RDPMC |
                              CPU_CR8_LOAD | CPU_CR8_STORE | CPU_NMI_WINDOW | CPU_MOV_DR |
                              CPU_IO_BITMAPS | CPU_MSR_BITMAPS | CPU_MONITOR | CPU_SECONDARY;
    if (!(rdmsr(MSR_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS))
        return "the controls of CPUs since 2010 (TRUE control MSRs)";
    if (!choose(MSR_VMX_TRUE_CPU, cpu_must, 0, &c->cpu))
        return "processor-based controls";
    if (!choose(MSR_VMX_CPU2, CPU2_EPT, CPU2_WANTED, &c->cpu2))
        return "EPT";
    if (!choose(MSR_VMX_CPU2, CPU2_EPT | CPU2_UNRESTRICTED, CPU2_WANTED, &c->cpu2))
        return "unrestricted guest";
    if (!choose(MSR_VMX_CPU2, CPU2_EPT | CPU2_UNRESTRICTED | CPU2_VPID, CPU2_WANTED, &c->cpu2))
        return "VPID";
    if (!choose(MSR_VMX_TRUE_PIN, PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI,
                PIN_PREEMPTION_TIMER, &c->pin))
        return "virtual NMIs";
    if (!choose(MSR_VMX_TRUE_EXIT,
                EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_ACK_INTERRUPT | EXIT_SAVE_PAT |
                    EXIT_LOAD_PAT | EXIT_SAVE_EFER | EXIT_LOAD_EFER,
                0, &c->exit))
        return "loading of PAT and EFER";
    if (!choose(MSR_VMX_TRUE_ENTRY,
                ENTRY_LOAD_DEBUG | ENTRY_GUEST_64 | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER, 0, &c->entry))
        return "64-bit guests";
    c->cpu &= ~CPU_IRQ_WINDOW & ~CPU_NMI_WINDOW; /* only when something waits */
    c->entry &= ~ENTRY_GUEST_64;
    /* Our page tables of the guest work by nested paging alone: CR3 must not exit. */
    if (c->cpu & (CPU_CR3_LOAD | CPU_CR3_STORE))
        return "CR3 access without exits";
    return NULL;
}

static const char *read_capability(struct vmx_capability *c)
{
    const char *lacking = choose_all(c);
    if (lacking)
        return lacking;
    uint64_t ept = rdmsr(MSR_VMX_EPT_VPID);
    if (!(ept & EPT_CAN_4_LEVELS) || !(ept & EPT_CAN_WRITE_BACK))
        return "four-level write-back EPT";
    if ((ept & EPT_CAN_INVEPT_CONTEXT) != EPT_CAN_INVEPT_CONTEXT)
        return "INVEPT of one context";
    if ((ept & VPID_CAN_INVVPID_CONTEXT) != VPID_CAN_INVVPID_CONTEXT)
        return "INVVPID of one context";
    c->ept_max_level = !(ept & EPT_CAN_2M) ? 1 : !(ept & EPT_CAN_1G) ? 2 : 3;
    c->revision = (uint32_t)rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
    c->has_timer = c->pin & PIN_PREEMPTION_TIMER;
    c->timer_shift = rdmsr(MSR_VMX_MISC) & 31;
    c->timer_most = (uint32_t)(clock_ticks(LONGEST_STRETCH_NS) >> c->timer_shift) + 1;
    c->has_rdtscp = c->cpu2 & CPU2_RDTSCP;
    c->cr4_guest = cr4_guest_bits(rdmsr(MSR_VMX_CR4_FIXED1));
    if (!fpu_xcr0())
        c->cr4_guest &= ~CR4_OSXSAVE_BIT;
    return NULL;
}

static bool is_locked_off(void)
{
    uint64_t control = rdmsr(MSR_FEATURE_CONTROL);
    if (!(control & FEATURE_LOCKED))
        wrmsr(MSR_FEATURE_CONTROL, control | FEATURE_LOCKED | FEATURE_VMX);
    return !(rdmsr(MSR_FEATURE_CONTROL) & FEATURE_VMX);
}

const char *vmx_enable_cpu(void)
{
    void *vmxon = page_alloc();
    if (is_locked_off())
        return "VT-x";
    if (!vmxon)
        return "memory for VT-x";
    vmx_operation_init(vmxon);
    return NULL;
}

enum leat_virt vmx_probe(struct leat_info *info)
{
    if (!(cpuid(1, 0).ecx & (1u << 5))) /* SDM vol. 2, CPUID: VMX */
        return LEAT_VIRT_NONE;
    if (is_locked_off())
        return LEAT_VIRT_LOCKED_OFF;
    const char *lacking = read_capability(&vmx_capability);
    if (lacking) {
        format(info->virt_lacks, sizeof(info->virt_lacks), "VT-x lacks: %s", lacking);
        return LEAT_VIRT_LACKING;
    }
    if (rdmsr(MSR_VMX_CPU2) >> 32 & CPU2_TSC_SCALING)
        info->tsc_fraction_bits = LEAT_TSC_FRACTION_BITS;
    void *vmxon = page_alloc();
    vmx_msr_bitmap = page_alloc();
    vmx_io_bitmap_a = page_alloc();
    vmx_io_bitmap_b = page_alloc();
    if (!vmxon || !vmx_msr_bitmap || !vmx_io_bitmap_a || !vmx_io_bitmap_b)
        panic("no memory for VT-x: 16 KiB are needed");
    vmx_msr_bitmap_init();
    vmx_apic_probe();
    __builtin_memset(vmx_io_bitmap_a, 0xff, LEAT_PAGE_SIZE); /* no port is the guest's own */
    __builtin_memset(vmx_io_bitmap_b, 0xff, LEAT_PAGE_SIZE);
    vmx_operation_init(vmxon);
    return LEAT_VIRT_VMX;
}
