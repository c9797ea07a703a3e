// SPDX-License-Identifier: BSD-2-Clause
/* Joins the guest's UART with the console channel. */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include "vmm/vm.h"

/* After platform_init. Without a console entry what the guest writes is dropped. Errors as
 * vm_on_signal. */
int console_attach(struct vm *vm);

/* Makes the console see all that was written so far. With the lock held. */
void console_flush(struct vm *vm);

#endif
