// SPDX-License-Identifier: BSD-2-Clause
/*
 * Boots a Linux kernel directly, by its 64-bit protocol or, if it has no 64-bit entry, by the 32-bit
 * one (Documentation/arch/x86/boot.rst): the image, initial RAM disk, command line, boot parameters,
 * page tables and GDT go into guest memory, and the first vCPU's page gets the state to start with.
 * Portable. The image is not trusted.
 */
#ifndef VMM_LOAD_LINUX_H
#define VMM_LOAD_LINUX_H

#include <leat/vcpu.h>
#include "vmm/memory.h"

struct linux_boot {
    const void *kernel; /* a bzImage */
    uint64_t kernel_size;
    const void *initrd; /* NULL: none */
    uint64_t initrd_size;
    const char *cmdline;
    uint64_t low_ram;  /* bytes of RAM from 0 up, holes included */
    uint64_t high_ram; /* bytes of RAM from 4 GiB up */
    gpa_t rsdp;
};

/* LEAT_OK, or LEAT_EINVAL (the image is none that can be booted) or LEAT_ENOMEM (the guest's memory
   is too small); *why then says it for people, in one line. page gets all register groups, dirty.
 */
int linux_load(const struct guest_memory *memory, const struct linux_boot *boot,
               struct leat_vcpu *page, const char **why);

#endif
