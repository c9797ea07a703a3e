// SPDX-License-Identifier: BSD-2-Clause
/* The devices that services work: handed over as start entries. */
#ifndef SUPERVISOR_HARDWARE_H
#define SUPERVISOR_HARDWARE_H

#include "services/supervisor/process.h"

/* COM1, the keyboard controller, the framebuffer, the font, the kernel's log (whose news come as kernel_log_bit). Logs what the
   machine refuses. */
void hardware_give_console(struct process *console, uint64_t kernel_log_bit);

/* Scans PCI for a network card that drivers/net knows. False after one line that says which there
   are. */
bool hardware_find_nic(void);

/* Gives net the card that was found, with bus mastering on. LEAT_OK, or an error that is logged. */
int hardware_give_nic(struct process *net);

/* net is dead: its card reaches no memory any more. */
void hardware_nic_off(void);

/* Contiguous memory for devices. The supervisor keeps it when the process that it was given to dies: a
   device may go on writing there until somebody has reset it. */
struct hardware_dma {
    int64_t mem; /* 0: not made yet */
    uint64_t size;
};

/* Gives it `dma`, which is made at the first time: of `most` bytes, or of half, a quarter ..., but more
   than `least`. The entry "dma". LEAT_OK, or an error that is logged. */
int hardware_give_dma(struct process *process, struct hardware_dma *dma, uint64_t most,
                      uint64_t least);

/* The handle as the process has it now; 0: it cannot have one more. */
uint32_t hardware_grant(struct process *process, int64_t handle, uint32_t rights);

#endif
