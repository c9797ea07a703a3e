// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/arch.h"
#include "kernel/assert.h"
#include "kernel/frame.h"
#include "kernel/info.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/smp.h"
#include "kernel/supervisor.h"
#include "kernel/virt.h"

/* Ring 3 sees the whole page: its own section keeps everything else out of it. */
__attribute__((section(".bss.info_page"))) struct leat_info kernel_info;

_Alignas(LEAT_PAGE_SIZE) static union {
    struct leat_boot_info info;
    uint8_t pages[LEAT_BOOT_INFO_PAGES * LEAT_PAGE_SIZE];
} boot_copy;
const struct leat_boot_info *const boot_info = &boot_copy.info;

_Noreturn void kernel_main(const struct leat_boot_info *given, uint64_t tsc);

static void check_boot_info(const struct leat_boot_info *info)
{
    if (info->magic != LEAT_BOOT_MAGIC || info->version != LEAT_BOOT_VERSION)
        panic("boot information: bad magic or version; leat.efi and kernel do not belong together");
    if (info->range_count > LEAT_BOOT_MAX_RANGES || info->module_count > LEAT_BOOT_MAX_MODULES)
        panic("boot information: too many ranges (%u) or modules (%u)", info->range_count,
              info->module_count);
    if (info->interrupts.cpu_count > LEAT_BOOT_MAX_CPUS || info->tsc_hz < 1000000 ||
        info->interrupts.ioapic_count > LEAT_BOOT_MAX_IOAPICS ||
        info->interrupts.override_count > LEAT_BOOT_MAX_OVERRIDES ||
        info->supervisor.count > LEAT_BOOT_MAX_SEGMENTS)
        panic("boot information: a count of CPUs, IO-APICs, overrides, segments, or TSC ticks");
    uint64_t end = 0;
    for (uint32_t i = 0; i < info->range_count; i++) {
        const struct leat_memory_range *r = &info->ranges[i];
        if (((r->base_hpa | r->size) & (LEAT_PAGE_SIZE - 1)) || r->base_hpa < end ||
            r->size > UINT64_MAX - r->base_hpa)
            panic("boot information: memory range %u is not aligned or sorted", i);
        end = r->base_hpa + r->size;
    }
}

/* Entered on the boot CPU's own stack with boot's page tables, which still map the boot information. */
_Noreturn void kernel_main(const struct leat_boot_info *given, uint64_t tsc)
{
    boot_copy.info = *given;
    kernel_info.magic = LEAT_INFO_MAGIC;
    kernel_info.tsc_base = tsc;
    kernel_info.wall_clock_base_s = boot_info->wall_clock_s;
    kernel_info.cpus = 1;
    arch_early_init();
    kernel_lock();
    klog("Leat starts, booted from %s", boot_info->boot_device);
    check_boot_info(boot_info);
    arch_init_tables(boot_info);
    sched_init_cpu(this_cpu());
    arch_init_devices(boot_info, &kernel_info);
    sched_init_slices();
    virt_probe(&kernel_info);
    arch_start_cpus();
    kernel_info.cpus = cpu_count;
    klog("%lu MiB of memory, %lu MiB free; TSC at %lu kHz", frames.total_frames / 256,
         frames.free_frames / 256, kernel_info.tsc_hz / 1000);
    supervisor_start();
    sched_idle();
}
