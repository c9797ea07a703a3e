// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/guest.h"

#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/start.h"
#include "lib/sys.h"
#include "vmm/console.h"
#include "vmm/cpu/cpuid.h"
#include "vmm/cpu/kvmclock.h"
#include "vmm/load/linux.h"
#include "vmm/load/multiboot.h"
#include "vmm/pci/pci.h"
#include "vmm/platform/acpi_tables.h"
#include "vmm/platform/platform.h"

#define CMDLINE_BYTES 2048
#define CPUID1_ECX_OSXSAVE (1u << 27)

static struct {
    struct platform platform;
    struct vcpu cpus[VM_MAX_CPUS];
    char cmdline[CMDLINE_BYTES];
    uint64_t low_ram, high_ram;
} guest;

static struct cpuid_regs host_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
    return r;
}

/* XCR0, if the kernel has switched XSAVE on. */
static uint64_t host_xcr0(void)
{
    uint32_t low, high;
    if (!(host_cpuid(1, 0).ecx & CPUID1_ECX_OSXSAVE))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void set_cpuid(struct vm *vm)
{
    struct leat_cpuid_entry entries[CPUID_MAX_ENTRIES];
    const struct cpuid_host host = {host_cpuid, host_xcr0(), vm->tsc.hz, vm->cpu_count};
    unsigned count = cpuid_build(&host, entries);
    vm->is_amd = cpuid_is_amd(&host);
    int64_t error = leat_guest_cpuid(vm->host->guest, entries, count);
    if (error < 0)
        leat_fatal("VM '%s': the kernel refused the CPUID table (error %d)", vm->name, (int)error);
}

/* One piece of RAM, in the nested page tables and in the VMM's own map. */
static void map(struct vm *vm, const struct leat_start_entry *ram, uint64_t at, uint64_t offset,
                uint64_t size)
{
    if (!size)
        return;
    int64_t error = leat_guest_map(vm->host->guest, ram->handle, at, offset, size,
                                   LEAT_PROT_READ | LEAT_PROT_WRITE | LEAT_PROT_EXEC);
    if (error == LEAT_OK)
        error =
            guest_memory_add(&vm->memory, gpa(at), size, (uint8_t *)(uintptr_t)ram->va + offset);
    if (error != LEAT_OK)
        leat_fatal("VM '%s': its memory at 0x%llx cannot be mapped (error %d)", vm->name,
                   (unsigned long long)at, (int)error);
}

static void map_memory(struct vm *vm)
{
    const struct leat_start_entry *ram = leat_start_find("guest-memory", NULL);
    if (!ram || !ram->handle || !ram->va || ram->size < 2 * LEAT_LARGE_PAGE_SIZE)
        leat_fatal("VM '%s': it was given no memory (role guest-memory)", vm->name);
    uint64_t size = ram->size & ~(LEAT_PAGE_SIZE - 1);
    guest.low_ram = size < LAYOUT_LOW_RAM_END ? size : LAYOUT_LOW_RAM_END;
    guest.high_ram = size - guest.low_ram;
    map(vm, ram, 0, 0, LAYOUT_VGA_HOLE);
    map(vm, ram, LAYOUT_VGA_HOLE_END, LAYOUT_VGA_HOLE_END, guest.low_ram - LAYOUT_VGA_HOLE_END);
    map(vm, ram, LAYOUT_HIGH_RAM, LAYOUT_LOW_RAM_END, guest.high_ram);
}

static unsigned cpu_count(struct vm *vm)
{
    char text[16];
    if (!leat_start_arg("cpus", text, sizeof(text)))
        return 1;
    unsigned long n = strtoul(text, NULL, 10);
    if (n < 1 || n > VM_MAX_CPUS)
        leat_fatal("VM '%s': cpus=%s is out of range (1 to %d)", vm->name, text, VM_MAX_CPUS);
    return (unsigned)n;
}

/* The supervisor has seen before that the CPU can do it. */
static void choose_tsc(struct vm *vm)
{
    const volatile struct leat_info *info = leat_info();
    const struct tsc_host host = {info->tsc_hz, info->tsc_mult, (unsigned)info->tsc_fraction_bits};
    char text[16] = "";
    leat_start_arg("tsc_mhz", text, sizeof(text));
    int error = tsc_rate_choose(&host, (unsigned)strtoul(text, NULL, 10), &vm->tsc);
    if (error != LEAT_OK)
        leat_fatal("VM '%s': this CPU cannot scale its TSC to %s MHz (error %d)", vm->name, text,
                   error);
    if (vm->tsc.ratio != LEAT_TSC_ONE)
        vm_log(vm, "VM '%s': its TSC has %s MHz: one of the machine's ticks is %llu / 2^48 of its",
               vm->name, text, (unsigned long long)vm->tsc.ratio);
}

/* How far the CPU may work the local APICs, if it can. */
static enum leat_apic_on apic_mode(void)
{
    static const enum leat_apic_on modes[] = {LEAT_APIC_ON, LEAT_APIC_OFF, LEAT_APIC_ALL};
    char text[16]; /* enum leat_config_apic */
    if (!leat_start_arg("apic", text, sizeof(text)) || text[0] < '0' || text[0] > '2')
        return LEAT_APIC_ON;
    return modes[text[0] - '0'];
}

static void must(struct vm *vm, int error, const char *what)
{
    if (error != LEAT_OK)
        leat_fatal("VM '%s': %s could not be made (error %d)", vm->name, what, error);
}

void guest_create(struct vm *vm)
{
    int64_t handle = leat_guest_create();
    if (handle < 0)
        leat_fatal("VM '%s': the kernel makes no guest (error %d): this CPU has no usable VT-x or "
                   "AMD-V, or it is switched off in the firmware's setup",
                   vm->name, (int)handle);
    vm->host->guest = (leat_handle_t)handle;
    vm->cpu_count = cpu_count(vm);
    if (!leat_start_arg("cmdline", guest.cmdline, sizeof(guest.cmdline)))
        guest.cmdline[0] = 0;
    map_memory(vm);
    choose_tsc(vm);
    set_cpuid(vm);
    must(vm, platform_init(&guest.platform, vm), "its platform devices");
    rtc_set_memory(&guest.platform.rtc, guest.low_ram, guest.high_ram);
    must(vm, pci_host_init(vm), "its PCI bus");
    must(vm, console_attach(vm), "its console");
    enum leat_apic_on mode = apic_mode();
    for (unsigned i = 0; i < vm->cpu_count; i++) {
        struct leat_vcpu *page = host_vcpu_create(vm, i);
        must(vm, page ? LEAT_OK : LEAT_ENOMEM, "a vCPU");
        vcpu_init(&guest.cpus[i], vm, i, page);
        vm->cpus[i] = &guest.cpus[i];
        if (mode && (page->apic_can & LEAT_APIC_VIRTUAL))
            lapic_share(guest.cpus[i].lapic, (struct leat_apic *)((uint8_t *)page + LEAT_PAGE_SIZE),
                        mode);
    }
    uint32_t can = mode ? vm->cpus[0]->page->apic_can : 0;
    vm_log(vm, "VM '%s': local APICs by %s%s%s", vm->name, can ? "the CPU" : "the VMM",
           can & LEAT_APIC_READS ? ", reads too" : "",
           can & LEAT_APIC_POSTED ? ", posted interrupts" : "");
}

static const void *file_bytes(const struct leat_start_entry *entry)
{
    return entry ? (const void *)(uintptr_t)entry->va : NULL;
}

static int load_multiboot(struct vm *vm, const struct leat_start_entry *kernel,
                          const struct leat_start_entry *initrd, const char **why)
{
    struct multiboot_boot boot = {
        .kernel = (const void *)(uintptr_t)kernel->va,
        .kernel_size = kernel->size,
        .cmdline = guest.cmdline,
        .low_ram = guest.low_ram,
        .high_ram = guest.high_ram,
    };
    const struct leat_start_entry *module = NULL;
    if (initrd)
        boot.modules[boot.module_count++] =
            (struct multiboot_module){file_bytes(initrd), initrd->size, "initrd"};
    while (boot.module_count < MULTIBOOT_MAX_MODULES &&
           (module = leat_start_next("module", module)) != NULL)
        boot.modules[boot.module_count++] =
            (struct multiboot_module){file_bytes(module), module->size, module->name};
    return multiboot_load(&vm->memory, &boot, vm->cpus[0]->page, why);
}

static int load_linux(struct vm *vm, const struct leat_start_entry *kernel,
                      const struct leat_start_entry *initrd, const char **why)
{
    const struct linux_boot boot = {
        .kernel = (const void *)(uintptr_t)kernel->va,
        .kernel_size = kernel->size,
        .initrd = file_bytes(initrd),
        .initrd_size = initrd ? initrd->size : 0,
        .cmdline = guest.cmdline,
        .low_ram = guest.low_ram,
        .high_ram = guest.high_ram,
        .rsdp = gpa(LAYOUT_BIOS),
    };
    return linux_load(&vm->memory, &boot, vm->cpus[0]->page, why);
}

static int load_kernel(struct vm *vm)
{
    const struct leat_start_entry *kernel = leat_start_find("file", "kernel");
    const struct leat_start_entry *initrd = leat_start_find("file", "initrd");
    const char *why = "no kernel file was given (kernel= in leat.conf)";
    char protocol[16] = "linux";
    int error = LEAT_ENOENT;
    leat_start_arg("boot", protocol, sizeof(protocol));
    if (kernel && kernel->va)
        error = (strcmp(protocol, "multiboot") == 0 ? load_multiboot : load_linux)(vm, kernel,
                                                                                   initrd, &why);
    if (error != LEAT_OK)
        vm_log(vm, "VM '%s' cannot start: %s", vm->name, why);
    return error;
}

int guest_start(struct vm *vm, bool is_first)
{
    if (!is_first) { /* the memory that the supervisor gives is zero */
        for (unsigned i = 0; i < vm->memory.count; i++)
            memset(vm->memory.regions[i].host, 0, vm->memory.regions[i].size);
        vm_reset_devices(vm);
    }
    uint64_t start = leat_rdtsc(); /* there the guest's TSC is 0 */
    uint64_t tsc_offset = -tsc_from_host(&vm->tsc, start);
    for (unsigned i = 0; i < vm->cpu_count; i++) {
        vm->platform->lapics[i].tsc_offset = tsc_offset;
        vcpu_reset(vm->cpus[i]);
    }
    kvmclock_start(vm);
    uint8_t *bios = guest_memory_at(&vm->memory, gpa(LAYOUT_BIOS), ACPI_TABLES_BYTES);
    if (bios)
        acpi_tables_build(bios, gpa(LAYOUT_BIOS), vm->cpu_count);
    /* virtual wire mode, as firmware leaves it: the 8259's interrupts reach the first CPU */
    struct lapic *first = &vm->platform->lapics[0];
    lapic_mmio_write(first, LAPIC_SVR << 4, 4, 0x1ff);
    lapic_mmio_write(first, LAPIC_LVT_LINT0 << 4, 4, LAPIC_EXTINT << 8);
    lapic_mmio_write(first, LAPIC_LVT_LINT1 << 4, 4, LAPIC_NMI << 8);
    int error = load_kernel(vm);
    if (error == LEAT_OK)
        vm_log(vm, "VM '%s': its TSC counts from the machine's %llu on; its kernel begins at %llu",
               vm->name, (unsigned long long)start,
               (unsigned long long)(vm_now_tsc(vm) + tsc_offset));
    return error;
}
