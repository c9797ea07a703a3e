// SPDX-License-Identifier: BSD-2-Clause
#ifndef ARCH_TIME_H
#define ARCH_TIME_H

#include <stdint.h>

/* TSC ticks in a second; sets up the APIC timer. Takes about 75 ms. Once, on the boot CPU. */
uint64_t time_calibrate(void);

#endif
