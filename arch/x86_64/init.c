// SPDX-License-Identifier: BSD-2-Clause
/* The arch's part of start-up. */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/trap.h"
#include "kernel/arch.h"
#include "kernel/percpu.h"
#include "kernel/smp.h"

void arch_early_init(void)
{
    serial_init();
    cpu_tables_init(&cpus[0], NULL);
}

void arch_init_devices(const struct leat_boot_info *info, struct leat_info *out)
{
    fpu_enable();
    apic_init_cpu();
    ioapic_init();
    apic_timer_calibrate(info->tsc_hz);
    out->tsc_hz = info->tsc_hz;
    out->tsc_mult = (1000000000ull << 32) / info->tsc_hz; /* ns = ticks * mult >> 32 */
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

void arch_idle(void)
{
    struct percpu *cpu = this_cpu();
    cpu->is_idling = true;
    kernel_unlock();
    /* STI takes effect after HLT: an interrupt cannot come in between. */
    __asm__ volatile("sti; hlt; cli" ::: "memory");
    kernel_lock();
    cpu->is_idling = false;
}
