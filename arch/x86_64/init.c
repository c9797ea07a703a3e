// SPDX-License-Identifier: BSD-2-Clause
/* The arch's part of start-up. */
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/serial.h"
#include "arch/x86_64/time.h"
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
    acpi_init(hpa(info->rsdp_hpa));
    pic_mask_all();
    apic_init_cpu();
    ioapic_init();
    out->tsc_hz = time_calibrate();
    /* ns = ticks * mult >> 32 */
    uint64_t ns = 1000000000;
    out->tsc_mult = (ns << 32) / out->tsc_hz;
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
