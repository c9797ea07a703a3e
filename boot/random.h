// SPDX-License-Identifier: BSD-2-Clause
/* The CPU's random numbers. Portable, tested on the host as far as its CPU has them. */
#ifndef BOOT_RANDOM_H
#define BOOT_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills from RDSEED, else RDRAND (SDM vol. 1, 7.3.17). False: the CPU has neither, or they do not work. */
bool random_from_cpu(uint8_t *out, size_t size);

/* Could these values have come from a source that works? Some CPUs' say the same for ever, or all ones after a sleep. */
bool random_is_plausible(const uint64_t *values, size_t count);

#endif
