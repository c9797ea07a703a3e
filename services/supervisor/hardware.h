// SPDX-License-Identifier: BSD-2-Clause
/* The devices that services work: handed over as start entries. */
#ifndef SUPERVISOR_HARDWARE_H
#define SUPERVISOR_HARDWARE_H

#include "services/supervisor/process.h"

/* COM1, the framebuffer, the font, the kernel's log (whose news come as kernel_log_bit). Logs what the
   machine refuses. */
void hardware_give_console(struct process *console, uint64_t kernel_log_bit);

/* Scans PCI for a network card that drivers/net knows. False after one line that says which there
   are. */
bool hardware_find_nic(void);

/* Gives net the card that was found, with bus mastering on. LEAT_OK, or an error that is logged. */
int hardware_give_nic(struct process *net);

#endif
