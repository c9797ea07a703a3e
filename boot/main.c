// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat.efi: loads what it carries and what leat.conf names, hands the machine to the kernel.
 */
#include "boot/boot.h"

#include <efilib.h>

#define BOOT_STACK_BYTES (16u << 10)

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    static struct boot state; /* large; and gnu-efi's library has its own globals already */
    struct boot *boot = &state;
    uint64_t tsc = boot_rdtsc();
    InitializeLib(image, system);
    boot->image = image;
    boot->system = system;
    boot->services = system->BootServices;
    say_start(boot);
    say(boot, "Leat " LEAT_VERSION);
    bundle_check(boot);

    boot->info = boot_allocate(boot, LEAT_BOOT_INFO_PAGES * LEAT_PAGE_SIZE, LEAT_PAGE_SIZE,
                               LEAT_MEMORY_BOOT, "the boot information");
    boot->info->magic = LEAT_BOOT_MAGIC;
    boot->info->version = LEAT_BOOT_VERSION;
    boot->info->tsc_at_start = tsc;

    uint64_t kernel_size;
    const uint8_t *kernel = bundle_kernel(&kernel_size);
    program_load_kernel(boot, kernel, kernel_size);
    bundle_load(boot);
    files_load(boot);
    machine_describe(boot);
    uint8_t *stack =
        boot_allocate(boot, BOOT_STACK_BYTES, LEAT_PAGE_SIZE, LEAT_MEMORY_BOOT, "a stack");
    boot->stack_top = (uintptr_t)stack + BOOT_STACK_BYTES;
    paging_build(boot);
    cpus_prepare(boot);
    memmap_require_free(boot);
    memmap_exit(boot);
    machine_hand_over();
    cpus_park(boot);
    enter_kernel(boot->page_root, boot->stack_top, boot->kernel.entry_va, (uintptr_t)boot->info);
}
