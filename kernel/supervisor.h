// SPDX-License-Identifier: BSD-2-Clause
/* The first process of ring 3. */
#ifndef KERNEL_SUPERVISOR_H
#define KERNEL_SUPERVISOR_H

/* Puts the program that boot has loaded into a domain with the whole memory quota, and makes its thread
   ready. Panics if that cannot be done. */
void supervisor_start(void);

#endif
