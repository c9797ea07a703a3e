// SPDX-License-Identifier: BSD-2-Clause
/*
 * Boots a kernel by the Multiboot specification, version 0.6.96: a 32-bit ELF file, or a flat file
 * whose header has address fields. The image, its modules and the boot information go into guest
 * memory, and the first vCPU's page gets the state to start with. Portable. The image is not
 * trusted.
 */
#ifndef VMM_LOAD_MULTIBOOT_H
#define VMM_LOAD_MULTIBOOT_H

#include <leat/vcpu.h>
#include "vmm/memory.h"

#define MULTIBOOT_MAX_MODULES 17u /* initrd= and 16 of modules= */

struct multiboot_module {
    const void *bytes;
    uint64_t size;
    const char *name; /* becomes its string */
};

struct multiboot_boot {
    const void *kernel;
    uint64_t kernel_size;
    unsigned module_count; /* at most MULTIBOOT_MAX_MODULES */
    struct multiboot_module modules[MULTIBOOT_MAX_MODULES];
    const char *cmdline;
    uint64_t low_ram;  /* bytes of RAM from 0 up, holes included */
    uint64_t high_ram; /* bytes of RAM from 4 GiB up */
};

/* LEAT_OK, or LEAT_EINVAL (the image is none that can be booted) or LEAT_ENOMEM (the guest's memory
   is too small); *why then says it for people, in one line. page gets all register groups, dirty.
 */
int multiboot_load(const struct guest_memory *memory, const struct multiboot_boot *boot,
                   struct leat_vcpu *page, const char **why);

#endif
