// SPDX-License-Identifier: BSD-2-Clause
/* The machine object: whoever holds it may reach devices, the log and the power switch. There is
 * one. */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include "kernel/object.h"

struct thread;

extern struct object machine;

/* LEAT_OK if the handle is the machine's with LEAT_RIGHT_CONTROL. */
int machine_check(struct thread *self, uint64_t handle);

#endif
