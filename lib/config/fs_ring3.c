// SPDX-License-Identifier: BSD-2-Clause
#include "lib/config/glibc_shim.h"

#include <leat/syscall.h>

const char *leat_config_init(void)
{
    const struct leat_info *info = (const struct leat_info *)LEAT_INFO_VA;
    return info->magic == LEAT_INFO_MAGIC ? NULL
                                          : "the kernel's information page is not of this version";
}
