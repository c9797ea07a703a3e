// SPDX-License-Identifier: BSD-2-Clause
/*
 * Debian's libinih.a is compiled for glibc with a stack protector. glibc_shim.c stands in for the
 * three glibc symbols that newlib (and boot) lack. The stack protector's canary is read at %fs:0x28
 * (glibc's thread block on x86-64): in ring 3 that is a word of the info page (leat/syscall.h),
 * boot sets FS.base itself.
 */
#ifndef LIB_CONFIG_GLIBC_SHIM_H
#define LIB_CONFIG_GLIBC_SHIM_H

/* Ring 3: call before leat_config_parse. NULL when libinih can run here, else the reason in one line. */
const char *leat_config_init(void);

#endif
