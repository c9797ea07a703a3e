// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a guest's RDMSR and WRMSR find: the policy is the table below. SDM vol. 4; AMD APM vol. 2,
 * appendix A, and the processors' BIOS and kernel developer's guides. What is not in it is #GP.
 */
#include "vmm/cpu/msr.h"

#include "vmm/cpu/kvmclock.h"
#include "vmm/cpu/vcpu.h"

typedef bool (*msr_read_fn)(struct vcpu *cpu, uint64_t *value);
typedef bool (*msr_write_fn)(struct vcpu *cpu, uint64_t value);

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
    kvmclock_update(cpu->vm);
    return true;
}

static bool tsc_read(struct vcpu *cpu, uint64_t *value)
{
    *value = guest_tsc(cpu);
    return true;
}

/* SDM vol. 3, 18.17.3: a write of the TSC moves TSC_ADJUST as well, and the other way round */
static bool tsc_write(struct vcpu *cpu, uint64_t value)
{
    uint64_t by = value - guest_tsc(cpu);
    cpu->msrs.tsc_adjust += by;
    return move_tsc(cpu, by);
}

static bool tsc_adjust_read(struct vcpu *cpu, uint64_t *value)
{
    *value = cpu->msrs.tsc_adjust;
    return true;
}

static bool tsc_adjust_write(struct vcpu *cpu, uint64_t value)
{
    uint64_t by = value - cpu->msrs.tsc_adjust;
    cpu->msrs.tsc_adjust = value;
    return move_tsc(cpu, by);
}

static bool apic_base_read(struct vcpu *cpu, uint64_t *value)
{
    *value = cpu->lapic->base;
    return true;
}

static bool apic_base_write(struct vcpu *cpu, uint64_t value)
{
    return lapic_set_base(cpu->lapic, value);
}

static bool deadline_read(struct vcpu *cpu, uint64_t *value)
{
    *value = lapic_tsc_deadline(cpu->lapic);
    return true;
}

static bool deadline_write(struct vcpu *cpu, uint64_t value)
{
    lapic_set_tsc_deadline(cpu->lapic, value);
    return true;
}

/* Microcode revision: the upper half on Intel, the lower on AMD. */
static bool microcode_read(struct vcpu *cpu, uint64_t *value)
{
    *value = cpu->vm->is_amd ? 1 : 1ull << 32;
    return true;
}

static bool clock_page_read(struct vcpu *cpu, uint64_t *value)
{
    *value = cpu->clock_msr;
    return true;
}

static bool clock_wall_read(struct vcpu *cpu, uint64_t *value)
{
    *value = cpu->vm->clock_wall_msr;
    return true;
}

static uint64_t ram_end(struct vcpu *cpu, uint64_t from, uint64_t below)
{
    const struct guest_memory *memory = &cpu->vm->memory;
    uint64_t end = from;
    for (unsigned i = 0; i < memory->count; i++) {
        uint64_t e = memory->regions[i].base.raw + memory->regions[i].size;
        if (e > end && e <= below)
            end = e;
    }
    return end;
}

static bool top_mem_read(struct vcpu *cpu, uint64_t *value)
{
    *value = ram_end(cpu, 0, LAYOUT_HIGH_RAM);
    return true;
}

static bool top_mem2_read(struct vcpu *cpu, uint64_t *value)
{
    *value = ram_end(cpu, LAYOUT_HIGH_RAM, UINT64_MAX);
    return true;
}

enum vendor { ANY, INTEL, AMD };

/* One range of MSRs. Without functions: reads give value, writes are dropped. */
struct msr_policy {
    uint32_t first, last;
    enum vendor vendor;
    uint64_t value;
    msr_read_fn read;
    msr_write_fn write;
};

#define CONSTANT(index, vendor, value)                                                             \
    {                                                                                              \
        index, index, vendor, value, NULL, NULL                                                    \
    }
#define DONE_BY(index, read, write)                                                                \
    {                                                                                              \
        index, index, ANY, 0, read, write                                                          \
    }

static const struct msr_policy policies[] = {
    DONE_BY(0x10, tsc_read, tsc_write),
    CONSTANT(0x17, INTEL, 0), /* PLATFORM_ID */
    DONE_BY(0x1b, apic_base_read, apic_base_write),
    CONSTANT(0x2a, INTEL, 0), /* EBL_CR_POWERON */
    CONSTANT(0x34, INTEL, 0), /* SMI_COUNT */
    CONSTANT(0x3a, INTEL, 1), /* FEATURE_CONTROL: locked, no VMX */
    DONE_BY(0x3b, tsc_adjust_read, tsc_adjust_write),
    CONSTANT(0x79, INTEL, 0), /* BIOS_UPDT_TRIG */
    DONE_BY(0x8b, microcode_read, NULL),
    CONSTANT(0xce, INTEL, 0),                       /* PLATFORM_INFO */
    CONSTANT(0xfe, ANY, 0x500 | MSR_MTRR_VARIABLE), /* MTRRCAP: fixed ranges, WC */
    CONSTANT(0x140, INTEL, 0),                      /* MISC_FEATURES_ENABLES */
    CONSTANT(0x179, ANY, 0),                        /* MCG_CAP: no banks, no MCG_CTL */
    CONSTANT(0x17a, ANY, 0),                        /* MCG_STATUS */
    CONSTANT(0x198, INTEL, 0),                      /* PERF_STATUS */
    CONSTANT(0x199, INTEL, 0),                      /* PERF_CTL */
    CONSTANT(0x19b, INTEL, 0),                      /* THERM_INTERRUPT */
    CONSTANT(0x19c, INTEL, 0),                      /* THERM_STATUS */
    CONSTANT(0x1a0, INTEL, 0x1801), /* MISC_ENABLE: fast strings; no BTS, no PEBS, no MONITOR */
    CONSTANT(0x1d9, ANY, 0),        /* DEBUGCTL: no branch records */
    DONE_BY(MSR_TSC_DEADLINE, deadline_read, deadline_write),
    DONE_BY(MSR_KVM_WALL_CLOCK, clock_wall_read, kvmclock_set_wall),
    DONE_BY(MSR_KVM_SYSTEM_TIME, clock_page_read, kvmclock_set_page),
    CONSTANT(0xc0010010, AMD, 0),        /* SYSCFG: fixed MTRRs without RdMem, WrMem; no TOM2 */
    CONSTANT(0xc0010015, AMD, 1u << 24), /* HWCR: the TSC counts at the rate of P-state 0 */
    {0xc0010016, 0xc0010019, AMD, 0, NULL, NULL}, /* IORR base and mask */
    {0xc001001a, 0xc001001a, AMD, 0, top_mem_read, NULL},
    {0xc001001d, 0xc001001d, AMD, 0, top_mem2_read, NULL},
    CONSTANT(0xc001001f, AMD, 0),                 /* NB_CFG1 */
    CONSTANT(0xc0010020, AMD, 0),                 /* PATCH_LOADER: new microcode goes nowhere */
    CONSTANT(0xc0010055, AMD, 0),                 /* interrupt pending message */
    CONSTANT(0xc0010058, AMD, 0),                 /* MMIO configuration base: ACPI's MCFG says it */
    CONSTANT(0xc0010112, AMD, 0),                 /* SMM_ADDR */
    CONSTANT(0xc0010113, AMD, 0),                 /* SMM_MASK */
    CONSTANT(0xc0010114, AMD, 0x18),              /* VM_CR: SVM is switched off and locked */
    CONSTANT(0xc0010117, AMD, 0),                 /* VM_HSAVE_PA */
    CONSTANT(0xc0010140, AMD, 0),                 /* OSVW_ID_LENGTH: no errata are listed */
    CONSTANT(0xc0010141, AMD, 0),                 /* OSVW_STATUS */
    CONSTANT(0xc0011029, AMD, 2),                 /* DE_CFG: LFENCE serializes */
    {0xc0011020, 0xc001102d, AMD, 0, NULL, NULL}, /* LS, IC, DC, FP, BU configuration */
};

void msr_reset(struct msr_state *state)
{
    msr_mtrr_reset(state);
    state->tsc_adjust = 0;
}

static const struct msr_policy *find(const struct vcpu *cpu, uint32_t index)
{
    const enum vendor other = cpu->vm->is_amd ? INTEL : AMD;
    for (unsigned i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (index >= policies[i].first && index <= policies[i].last && policies[i].vendor != other)
            return &policies[i];
    return NULL;
}

bool msr_read(struct vcpu *cpu, uint32_t index, uint64_t *value)
{
    if (index >= MSR_X2APIC && index <= MSR_X2APIC_LAST)
        return lapic_msr_read(cpu->lapic, index - MSR_X2APIC, value);
    if (index >= MSR_MTRR_FIRST && index <= MSR_MTRR_LAST)
        return msr_mtrr_read(cpu, index, value);
    const struct msr_policy *p = find(cpu, index);
    if (!p)
        return false;
    if (p->read)
        return p->read(cpu, value);
    *value = p->value;
    return true;
}

bool msr_write(struct vcpu *cpu, uint32_t index, uint64_t value)
{
    if (index >= MSR_X2APIC && index <= MSR_X2APIC_LAST)
        return lapic_msr_write(cpu->lapic, index - MSR_X2APIC, value);
    if (index >= MSR_MTRR_FIRST && index <= MSR_MTRR_LAST)
        return msr_mtrr_write(cpu, index, value);
    const struct msr_policy *p = find(cpu, index);
    if (!p)
        return false;
    return p->write ? p->write(cpu, value) : true;
}
