// SPDX-License-Identifier: BSD-2-Clause
/* Switching the machine off, and starting it anew. */
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "kernel/arch.h"
#include "kernel/log.h"

/* ACPI 6.5, 4.8.3.2: PM1 control */
#define PM1_SCI_ENABLE 1u
#define PM1_SLEEP_TYPE_SHIFT 10
#define PM1_SLEEP_TYPE_MASK (7u << PM1_SLEEP_TYPE_SHIFT)
#define PM1_SLEEP_ENABLE (1u << 13)
#define SPINS 10000000u

static void pause_for(uint32_t spins)
{
    while (spins--)
        cpu_relax();
}

static void sleep_by(uint16_t port, uint8_t type)
{
    if (!port)
        return;
    uint32_t value = port_in(port, 2) & ~(PM1_SLEEP_TYPE_MASK | PM1_SLEEP_ENABLE);
    value |= (uint32_t)(type & 7) << PM1_SLEEP_TYPE_SHIFT;
    port_out(port, 2, value);
    port_out(port, 2, value | PM1_SLEEP_ENABLE);
}

static void power_off_by_acpi(void)
{
    const struct acpi_fadt *f = &acpi.fadt;
    if (!acpi.has_fadt || !acpi.has_s5)
        return;
    if (f->smi_command && f->acpi_enable && !(port_in(f->pm1a_control, 2) & PM1_SCI_ENABLE)) {
        port_out(f->smi_command, 1, f->acpi_enable);
        for (uint32_t i = 0; i < SPINS && !(port_in(f->pm1a_control, 2) & PM1_SCI_ENABLE); i++)
            cpu_relax();
    }
    sleep_by(f->pm1a_control, acpi.s5_types[0]);
    sleep_by(f->pm1b_control, acpi.s5_types[1]);
    pause_for(SPINS);
}

static void power_off_by_bochs(void)
{
    for (const char *s = "Shutdown"; *s; s++)
        port_out(0x8900, 1, (uint8_t)*s);
}

static void reset_by_acpi(void)
{
    const struct acpi_fadt *f = &acpi.fadt;
    if (!acpi.has_fadt || !f->can_reset)
        return;
    if (f->reset_space == 1 && f->reset_address <= 0xffff) {
        port_out((uint16_t)f->reset_address, 1, f->reset_value);
    } else if (f->reset_space == 0) {
        volatile uint8_t *at = arch_map_mmio(hpa(f->reset_address), 1);
        if (at)
            *at = f->reset_value;
    }
    pause_for(SPINS);
}

_Noreturn static void reset(void)
{
    reset_by_acpi();
    port_out(0xcf9, 1, 0x02); /* the chipset's reset control: first the kind, then go */
    port_out(0xcf9, 1, 0x06);
    pause_for(SPINS);
    port_out(0x64, 1, 0xfe); /* the keyboard controller's reset line */
    pause_for(SPINS);
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};
    __asm__ volatile("lidt %0; int3" ::"m"(none)); /* a triple fault */
    arch_halt();
}

bool machine_has_stopped;

_Noreturn void arch_halt(void)
{
    if (!machine_has_stopped) {
        machine_has_stopped = true;
        apic_stop_others();
    }
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void arch_stop(enum leat_stop how)
{
    if (how == LEAT_STOP_RESET)
        reset();
    if (how == LEAT_STOP_POWER_OFF) {
        power_off_by_acpi();
        power_off_by_bochs();
        klog("the machine did not switch itself off: it can be switched off now");
    }
    arch_halt();
}
