// SPDX-License-Identifier: BSD-2-Clause
/* Switching the machine off, and starting it anew. */
#ifndef SUPERVISOR_POWER_H
#define SUPERVISOR_POWER_H

#include <leat/bootinfo.h>

enum power {
    POWER_OFF = 1, /* by ACPI S5; on emulators by their debug port too */
    POWER_RESET,   /* by ACPI's reset register, the chipset, the keyboard controller */
};

/* Tries what there is, a moment each. If nothing helps, the kernel halts all CPUs. */
_Noreturn void power_stop(leat_handle_t machine, const struct leat_boot_power *how,
                          enum power wanted);

#endif
