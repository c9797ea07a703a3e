// SPDX-License-Identifier: BSD-2-Clause
/* The CPU's random number generator, where it has one. */
#ifndef VDISK_TLS_CPU_RANDOM_H
#define VDISK_TLS_CPU_RANDOM_H

#include "vdisk/tls/random.h"

/* Asks CPUID; what the CPU does not have stays NULL. */
void cpu_random_find(struct tls_random_source *source);

#endif
