// SPDX-License-Identifier: BSD-2-Clause
/* CPU time and sets of host CPUs in words. Portable. */
#ifndef SUPERVISOR_CPU_TEXT_H
#define SUPERVISOR_CPU_TEXT_H

#include <leat/types.h>

#define CPU_SET_TEXT 200u /* no set of 64 needs more */

/* "0,2-3"; of no CPU at all "none". What does not fit is cut off. Returns text. */
char *cpu_set_text(uint64_t set, char *text, size_t size);

/* The CPUs that a machine with `count` of them has; at most 64. */
uint64_t cpu_set_first(uint32_t count);

/* part / whole in tenths of a percent, rounded; 0 when the whole is 0. */
unsigned cpu_permille(uint64_t part_ns, uint64_t whole_ns);

#endif
