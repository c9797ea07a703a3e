// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/mitigate.h"
#include "kernel/domain.h"
#include "kernel/smp.h"
#include "kernel/thread.h"

#define MSR_ARCH_CAPABILITIES 0x10a /* SDM vol. 4, table 2-2 */
#define MSR_FLUSH_CMD 0x10b
#define EFER_AIBRSE (1ull << 21) /* AMD APM vol. 2, 3.1.7 */
#define COMMAND 1ull             /* the only bit of PRED_CMD and FLUSH_CMD */
#define HAS_CAPABILITIES (1u << 29)
/* Of ARCH_CAPABILITIES: what the CPU is immune to, or clears; no bit that stands for a further MSR. */
#define GUEST_CAPABILITIES 0x1d1ae13full

struct mitigate mitigate;
static uint32_t can, can_spec; /* the bits that this CPU has */

static void apply(void *unused)
{
    (void)unused;
    if (mitigate.bits & LEAT_MITIGATE_AUTO_IBRS)
        wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_AIBRSE);
    if (this_cpu()->spec_ctrl != mitigate.spec)
        mitigate_load_spec(mitigate.spec);
}

int64_t arch_mitigate(uint64_t bits, uint64_t spec)
{
    /* CPUID 7.0 and 7.2 EDX: SDM vol. 2. 0x80000008 EBX, 0x80000021 EAX: AMD APM vol. 3, E.4.7, E.4.19 */
    uint32_t edx = cpu_features.leaf7_edx, ebx = cpu_features.ext8_ebx;
    uint32_t edx2 = edx && cpuid(7, 0).eax >= 2 ? cpuid(7, 2).edx : 0;
    bool ibpb = (edx >> 26 | ebx >> 12) & 1, ibrs = (edx >> 26 | ebx >> 14) & 1;
    bool stibp = (edx >> 27 | ebx >> 15) & 1, ssbd = (edx >> 31 | ebx >> 24) & 1;
    can = LEAT_MITIGATE_REFILL | LEAT_MITIGATE_VERW | (edx >> 28 & 1) * LEAT_MITIGATE_L1D |
          ibpb * (LEAT_MITIGATE_IBPB | LEAT_MITIGATE_IBPB_ON_EXIT) |
          ibrs * LEAT_MITIGATE_IBRS_ON_EXIT |
          (cpu_features.ext21_eax >> 8 & 1) * LEAT_MITIGATE_AUTO_IBRS;
    can_spec = ibrs * LEAT_SPEC_IBRS | stibp * LEAT_SPEC_STIBP | ssbd * LEAT_SPEC_SSBD |
               (edx2 >> 2 & 1) * LEAT_SPEC_RRSBA_DIS_S | (edx2 >> 4 & 1) * LEAT_SPEC_BHI_DIS_S;
    if (bits & ~(uint64_t)can || spec & ~(uint64_t)can_spec)
        return LEAT_EINVAL;
    mitigate = (struct mitigate){(uint32_t)bits, (uint32_t)spec};
    smp_call(~0ull >> (MAX_CPUS - cpu_count), apply, NULL);
    return edx & HAS_CAPABILITIES ? (int64_t)(rdmsr(MSR_ARCH_CAPABILITIES) & INT64_MAX) : 0;
}

/* Tenants may have trained the predictors for whoever comes next. Services have not, but hold tenants' data:
   so from a tenant to anybody else there is a barrier, and from a service back to the same tenant none. */
void mitigate_switch(bool is_guest)
{
    struct percpu *cpu = this_cpu();
    const struct domain *domain = cpu->current->domain;
    if (!is_guest)
        cpu->work &= ~(uint32_t)CPU_WORK_BARRIER;
    else if (mitigate.bits & LEAT_MITIGATE_IBRS_ON_EXIT)
        cpu->work |= CPU_WORK_BARRIER; /* ring 3 wants it off */
    if (cpu->trained_by && cpu->trained_by != domain->id) {
        if (mitigate.bits & LEAT_MITIGATE_IBPB)
            wrmsr(MSR_PRED_CMD, COMMAND);
        mitigate_refill();
        cpu->trained_by = 0;
    }
    if (domain->highest_prio <= LEAT_PRIO_DEVICE)
        cpu->trained_by = domain->id;
    if (cpu->l1d_of != domain->id) {
        if (is_guest && (mitigate.bits & LEAT_MITIGATE_L1D))
            wrmsr(MSR_FLUSH_CMD, COMMAND);
        cpu->l1d_of = is_guest ? domain->id : 0;
    }
    if (!is_guest && cpu->spec_ctrl != mitigate.spec)
        mitigate_load_spec(mitigate.spec);
}

bool mitigate_rdmsr(const struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
    bool is_known = msr == MSR_ARCH_CAPABILITIES && (cpu_features.leaf7_edx & HAS_CAPABILITIES);
    *value = is_known ? rdmsr(msr) & GUEST_CAPABILITIES : vcpu->spec_ctrl;
    return is_known || (msr == MSR_SPEC_CTRL && can_spec);
}

bool mitigate_wrmsr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
    uint64_t mask = can_spec & (LEAT_SPEC_IBRS | LEAT_SPEC_STIBP | LEAT_SPEC_SSBD);
    bool is_command = (msr == MSR_PRED_CMD && (can & LEAT_MITIGATE_IBPB)) ||
                      (msr == MSR_FLUSH_CMD && (can & LEAT_MITIGATE_L1D));
    if (is_command && value <= COMMAND)
        wrmsr(msr, value);
    else if (msr == MSR_SPEC_CTRL && mask && !(value & ~mask))
        vcpu->spec_ctrl = (uint32_t)value;
    else
        return false;
    return true;
}
