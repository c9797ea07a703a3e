/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/kernels/runtime/kernel.h"

#define MSR_APIC_BASE 0x1b
#define BASE_ENABLE (1u << 11)
#define BASE_X2 (1u << 10)
#define MSR_X2 0x800
#define MMIO 0xfee00000u
#define SVR_ENABLE 0x100
#define ICR_PENDING (1u << 12)
#define LEAF1_ECX_X2 (1u << 21)

bool apic_is_x2(void)
{
    return rdmsr(MSR_APIC_BASE) & BASE_X2;
}

uint32_t apic_read(unsigned reg)
{
    if (apic_is_x2())
        return (uint32_t)rdmsr(MSR_X2 + reg);
    return *(volatile uint32_t *)(uintptr_t)(MMIO + (reg << 4));
}

void apic_write(unsigned reg, uint32_t value)
{
    if (apic_is_x2())
        wrmsr(MSR_X2 + reg, value);
    else
        *(volatile uint32_t *)(uintptr_t)(MMIO + (reg << 4)) = value;
}

void apic_ipi(uint32_t destination, uint32_t command)
{
    if (apic_is_x2()) {
        wrmsr(MSR_X2 + APIC_ICR, (uint64_t)destination << 32 | command);
        return;
    }
    apic_write(APIC_ICR_HIGH, destination << 24);
    apic_write(APIC_ICR, command);
    while (apic_read(APIC_ICR) & ICR_PENDING)
        pause();
}

uint32_t apic_id(void)
{
    uint32_t id = apic_read(APIC_ID);
    return apic_is_x2() ? id : id >> 24;
}

void apic_init(void)
{
    apic_write(APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TPR, 0);
}

bool apic_x2_enable(void)
{
    if (!(cpuid(1, 0).ecx & LEAF1_ECX_X2))
        return false;
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | BASE_X2);
    apic_init();
    return true;
}

void apic_x2_disable(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) & ~(uint64_t)(BASE_ENABLE | BASE_X2);
    wrmsr(MSR_APIC_BASE, base);
    wrmsr(MSR_APIC_BASE, base | BASE_ENABLE);
    apic_init();
}
