// SPDX-License-Identifier: BSD-2-Clause
/* The machine object: whoever holds it may reach devices, the log and the power switch. There is
 * one. */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include "kernel/object.h"

struct thread;

extern struct object machine;

/* LEAT_OK if the handle is the machine's with these rights: LEAT_RIGHT_READ for the log,
 * LEAT_RIGHT_CONTROL for everything else. */
int machine_check(struct thread *self, uint64_t handle, uint32_t rights);

#endif
