// SPDX-License-Identifier: BSD-2-Clause
#ifndef ARCH_SERIAL_H
#define ARCH_SERIAL_H

#include <stdbool.h>

bool serial_is_bochs(void); /* its debug port is there */
void serial_init(void);     /* finds out what is there; arch_early_console is silent before */

#endif
