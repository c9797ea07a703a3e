// SPDX-License-Identifier: BSD-2-Clause
/* The machine object: whoever holds it with LEAT_RIGHT_READ may read the log, with LEAT_RIGHT_CONTROL reach devices and
   halt the machine. There is one. */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include "kernel/object.h"

extern struct object machine;

#endif
