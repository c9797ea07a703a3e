// SPDX-License-Identifier: BSD-2-Clause
/* The info page, as the kernel writes it; ring 3 reads it at LEAT_INFO_VA in every domain. */
#ifndef KERNEL_INFO_H
#define KERNEL_INFO_H

#include <leat/bootinfo.h>
#include <leat/syscall.h>

extern struct leat_info kernel_info;                 /* page-aligned, alone in its page */
extern const struct leat_boot_info *const boot_info; /* the kernel's own copy, page-aligned */

#endif
