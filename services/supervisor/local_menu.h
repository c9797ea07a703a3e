// SPDX-License-Identifier: BSD-2-Clause
/* The boot menu of a machine without a server: leat.conf's VMs with autostart = no ([console] menu). */
#ifndef SUPERVISOR_LOCAL_MENU_H
#define SUPERVISOR_LOCAL_MENU_H

#include "lib/config/config.h"

/* After vm_init; nothing if leat.conf has no menu. The configuration stays. */
void local_menu_show(const struct leat_config *config);

#endif
