// SPDX-License-Identifier: BSD-2-Clause
/*
 * RDMSR and WRMSR: the policy is the table below. The local APIC's registers and its deadline
 * timer, which are most of all exits of a busy guest, come before the table.
 */
#include <string.h>

#include "vmm/cpu/vcpu.h"

#define MSR_TSC 0x10
#define MSR_APIC_BASE 0x1b
#define MSR_TSC_ADJUST 0x3b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800
#define MSR_X2APIC_LAST 0x8ff
#define MSR_MTRR_PHYS 0x200
#define MSR_MTRR_FIX64 0x250
#define MSR_MTRR_FIX16 0x258
#define MSR_MTRR_FIX4 0x268
#define MSR_PAT 0x277
#define MSR_MTRR_DEFAULT 0x2ff

#define MTRR_WB 6ull
#define MTRR_ENABLED (3ull << 10)
#define MTRR_VALID (1ull << 11)

typedef bool (*msr_read_fn)(struct vcpu *cpu, uint32_t index, uint64_t *value);
typedef bool (*msr_write_fn)(struct vcpu *cpu, uint32_t index, uint64_t value);

static uint64_t guest_tsc(struct vcpu *cpu)
{
    return vm_now_tsc(cpu->vm) + cpu->lapic->tsc_offset;
}

static bool move_tsc(struct vcpu *cpu, uint64_t by)
{
    if (!vcpu_sync(cpu, LEAT_VCPU_MISC))
        return false;
    cpu->page->tsc_offset += by;
    cpu->page->dirty |= LEAT_VCPU_MISC;
    lapic_set_tsc_offset(cpu->lapic, cpu->page->tsc_offset);
    return true;
}

static bool tsc_read(struct vcpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = guest_tsc(cpu);
    return true;
}

/* SDM vol. 3, 18.17.3: a write of the TSC moves TSC_ADJUST as well, and the other way round */
static bool tsc_write(struct vcpu *cpu, uint32_t index, uint64_t value)
{
    uint64_t by = value - guest_tsc(cpu);
    (void)index;
    cpu->msrs.tsc_adjust += by;
    return move_tsc(cpu, by);
}

static bool tsc_adjust_read(struct vcpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->msrs.tsc_adjust;
    return true;
}

static bool tsc_adjust_write(struct vcpu *cpu, uint32_t index, uint64_t value)
{
    uint64_t by = value - cpu->msrs.tsc_adjust;
    (void)index;
    cpu->msrs.tsc_adjust = value;
    return move_tsc(cpu, by);
}

static bool apic_base_read(struct vcpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = cpu->lapic->base;
    return true;
}

static bool apic_base_write(struct vcpu *cpu, uint32_t index, uint64_t value)
{
    (void)index;
    return lapic_set_base(cpu->lapic, value);
}

static bool pat_read(struct vcpu *cpu, uint32_t index, uint64_t *value)
{
    (void)index;
    if (!vcpu_sync(cpu, LEAT_VCPU_MISC))
        return false;
    *value = cpu->page->pat;
    return true;
}

static bool pat_write(struct vcpu *cpu, uint32_t index, uint64_t value)
{
    (void)index;
    for (unsigned i = 0; i < 64; i += 8) { /* memory types 0, 1, 4, 5, 6, 7 */
        uint64_t type = value >> i & 0xff;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    if (!vcpu_sync(cpu, LEAT_VCPU_MISC))
        return false;
    cpu->page->pat = value;
    cpu->page->dirty |= LEAT_VCPU_MISC;
    return true;
}

/* MTRRs are kept and mean nothing: all of a guest's RAM is write-back by EPT. */
static uint64_t *mtrr_slot(struct msr_state *s, uint32_t index)
{
    if (index == MSR_MTRR_DEFAULT)
        return &s->mtrr_default;
    if (index >= MSR_MTRR_PHYS && index < MSR_MTRR_PHYS + 2 * MSR_MTRR_VARIABLE)
        return &s->mtrr_variable[index - MSR_MTRR_PHYS];
    if (index == MSR_MTRR_FIX64)
        return &s->mtrr_fixed[0];
    if (index == MSR_MTRR_FIX16 || index == MSR_MTRR_FIX16 + 1)
        return &s->mtrr_fixed[1 + index - MSR_MTRR_FIX16];
    if (index >= MSR_MTRR_FIX4 && index < MSR_MTRR_FIX4 + 8)
        return &s->mtrr_fixed[3 + index - MSR_MTRR_FIX4];
    return NULL;
}

static bool mtrr_read(struct vcpu *cpu, uint32_t index, uint64_t *value)
{
    const uint64_t *slot = mtrr_slot(&cpu->msrs, index);
    if (!slot)
        return false;
    *value = *slot;
    return true;
}

static bool mtrr_write(struct vcpu *cpu, uint32_t index, uint64_t value)
{
    uint64_t *slot = mtrr_slot(&cpu->msrs, index);
    if (!slot)
        return false;
    *slot = value;
    return true;
}

/* One range of MSRs. Without functions: reads give value, writes are dropped. */
struct msr_policy {
    uint32_t first, last;
    uint64_t value;
    msr_read_fn read;
    msr_write_fn write;
};

static const struct msr_policy policies[] = {
    {MSR_TSC, MSR_TSC, 0, tsc_read, tsc_write},
    {0x17, 0x17, 0, NULL, NULL}, /* PLATFORM_ID */
    {MSR_APIC_BASE, MSR_APIC_BASE, 0, apic_base_read, apic_base_write},
    {0x2a, 0x2a, 0, NULL, NULL}, /* EBL_CR_POWERON */
    {0x3a, 0x3a, 1, NULL, NULL}, /* FEATURE_CONTROL: locked, no VMX */
    {MSR_TSC_ADJUST, MSR_TSC_ADJUST, 0, tsc_adjust_read, tsc_adjust_write},
    {0x79, 0x79, 0, NULL, NULL},                         /* BIOS_UPDT_TRIG */
    {0x8b, 0x8b, 1ull << 32, NULL, NULL},                /* BIOS_SIGN_ID: microcode revision 1 */
    {0xce, 0xce, 0, NULL, NULL},                         /* PLATFORM_INFO */
    {0x34, 0x34, 0, NULL, NULL},                         /* SMI_COUNT */
    {0x140, 0x140, 0, NULL, NULL},                       /* MISC_FEATURES_ENABLES */
    {0xfe, 0xfe, 0x500 | MSR_MTRR_VARIABLE, NULL, NULL}, /* MTRRCAP: fixed ranges, WC */
    {0x179, 0x179, 0, NULL, NULL},                       /* MCG_CAP: no banks */
    {0x17a, 0x17a, 0, NULL, NULL},                       /* MCG_STATUS */
    {0x198, 0x199, 0, NULL, NULL},                       /* PERF_STATUS, PERF_CTL */
    {0x19b, 0x19c, 0, NULL, NULL},                       /* THERM_INTERRUPT, THERM_STATUS */
    {0x1a0, 0x1a0, 0x1801, NULL, NULL}, /* MISC_ENABLE: fast strings; no BTS, no PEBS */
    {0x1d9, 0x1d9, 0, NULL, NULL},      /* DEBUGCTL */
    {MSR_MTRR_PHYS, MSR_MTRR_PHYS + 2 * MSR_MTRR_VARIABLE - 1, 0, mtrr_read, mtrr_write},
    {MSR_MTRR_FIX64, MSR_MTRR_FIX4 + 7, 0, mtrr_read, mtrr_write},
    {MSR_PAT, MSR_PAT, 0, pat_read, pat_write},
    {MSR_MTRR_DEFAULT, MSR_MTRR_DEFAULT, 0, mtrr_read, mtrr_write},
    {0xc0010010, 0xc0010010, 0, NULL, NULL}, /* AMD SYSCFG */
    {0xc0010015, 0xc0010015, 0, NULL, NULL}, /* AMD HWCR */
    {0xc001001f, 0xc001001f, 0, NULL, NULL}, /* AMD NB_CFG */
    {0xc0010055, 0xc0010055, 0, NULL, NULL}, /* AMD interrupt pending message */
    {0xc0011029, 0xc0011029, 2, NULL, NULL}, /* AMD DE_CFG: LFENCE serializes */
};

void msr_reset(struct msr_state *state)
{
    memset(state->mtrr_variable, 0, sizeof(state->mtrr_variable));
    for (unsigned i = 0; i < MSR_MTRR_FIXED; i++)
        state->mtrr_fixed[i] = 0x0606060606060606;
    state->mtrr_default = MTRR_ENABLED | MTRR_WB;
    /* what firmware would have done: the hole of PCI and the APICs, 3 to 4 GiB, is uncacheable */
    state->mtrr_variable[0] = LAYOUT_PCI_MMIO;
    state->mtrr_variable[1] = 0xfc0000000 | MTRR_VALID;
    state->tsc_adjust = 0;
}

static const struct msr_policy *find(uint32_t index)
{
    for (unsigned i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (index >= policies[i].first && index <= policies[i].last)
            return &policies[i];
    return NULL;
}

/* Guests probe for MSRs and expect the #GP; once each is enough for the log. */
static void refuse(struct vcpu *cpu, const char *what, uint32_t index)
{
    struct msr_state *s = &cpu->msrs;
    vcpu_inject_gp(cpu);
    for (unsigned i = 0; i < s->unknown_count; i++)
        if (s->unknown[i] == index)
            return;
    if (s->unknown_count == MSR_REMEMBERED)
        return;
    s->unknown[s->unknown_count++] = index;
    vm_log(cpu->vm, "vCPU %u: %s of MSR 0x%x at RIP 0x%llx is refused with #GP", cpu->index, what,
           index, (unsigned long long)cpu->page->rip);
}

static bool read_msr(struct vcpu *cpu, uint32_t index, uint64_t *value)
{
    if (index >= MSR_X2APIC && index <= MSR_X2APIC_LAST)
        return lapic_msr_read(cpu->lapic, index - MSR_X2APIC, value);
    if (index == MSR_TSC_DEADLINE) {
        *value = lapic_tsc_deadline(cpu->lapic);
        return true;
    }
    const struct msr_policy *p = find(index);
    if (!p)
        return false;
    if (p->read)
        return p->read(cpu, index, value);
    *value = p->value;
    return true;
}

void exit_msr_read(struct vcpu *cpu)
{
    struct leat_vcpu *page = cpu->page;
    uint32_t index = page->detail.msr.index;
    uint64_t value = 0;
    if (!read_msr(cpu, index, &value)) {
        refuse(cpu, "a read", index);
        return;
    }
    page->gpr[LEAT_RAX] = (uint32_t)value;
    page->gpr[LEAT_RDX] = value >> 32;
    page->dirty |= LEAT_VCPU_GPR;
    vcpu_skip(cpu, page->next_rip);
}

static bool write_msr(struct vcpu *cpu, uint32_t index, uint64_t value)
{
    if (index == MSR_TSC_DEADLINE) {
        lapic_set_tsc_deadline(cpu->lapic, value);
        return true;
    }
    if (index >= MSR_X2APIC && index <= MSR_X2APIC_LAST)
        return lapic_msr_write(cpu->lapic, index - MSR_X2APIC, value);
    const struct msr_policy *p = find(index);
    if (!p)
        return false;
    return p->write ? p->write(cpu, index, value) : true;
}

void exit_msr_write(struct vcpu *cpu)
{
    struct leat_vcpu *page = cpu->page;
    const struct leat_exit_msr msr = page->detail.msr;
    if (write_msr(cpu, msr.index, msr.value))
        vcpu_skip(cpu, page->next_rip);
    else
        refuse(cpu, "a write", msr.index);
}
