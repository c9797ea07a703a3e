// SPDX-License-Identifier: BSD-2-Clause
/* Inside vmm/load only: the kernel file of a multiboot guest, checked and put into its memory. */
#ifndef VMM_LOAD_MULTIBOOT_IMAGE_H
#define VMM_LOAD_MULTIBOOT_IMAGE_H

#include "vmm/load/multiboot.h"

struct multiboot_image {
    uint32_t entry;
    uint64_t low, end; /* the guest-physical addresses that the kernel takes: [low, end) */
};

/* As multiboot_load. */
int multiboot_load_image(const struct guest_memory *memory, const struct multiboot_boot *boot,
                         struct multiboot_image *image, const char **why);

#endif
