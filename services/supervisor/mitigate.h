// SPDX-License-Identifier: BSD-2-Clause
/*
 * Side channels between tenants: which of the kernel's barriers (leat/mitigate.h) a CPU needs, which it has, and
 * what stays open. docs/security.md explains each. mitigate_plan.c is host-testable.
 */
#ifndef SUPERVISOR_MITIGATE_H
#define SUPERVISOR_MITIGATE_H

#include <leat/types.h>
#include "lib/config/config.h"

/* What the CPU says of itself; 0 where it has no such leaf or register. */
struct mitigate_words {
    bool is_amd;       /* or Hygon */
    bool has_siblings; /* two CPUs in use are threads of one core */
    bool is_parted;    /* own_core keeps VMs off each other's cores */
    uint32_t family;
    uint32_t leaf7_edx, leaf7_2_edx;         /* SDM vol. 2, CPUID */
    uint32_t ext8_ebx, ext21_eax, ext21_ecx; /* AMD APM vol. 3, E.4.7 and E.4.19 */
    uint64_t capabilities;                   /* SDM vol. 4, table 2-2, IA32_ARCH_CAPABILITIES */
};

enum mitigate_open {
    MITIGATE_OPEN_TARGETS = 1u << 0,  /* no IBPB: one tenant trains the next one's branches */
    MITIGATE_OPEN_RETURNS = 1u << 1,  /* Retbleed, Inception: a guest leads ring 0's returns */
    MITIGATE_OPEN_BUFFERS = 1u << 2,  /* MDS and its kin, and no VERW that clears */
    MITIGATE_OPEN_L1TF = 1u << 3,     /* and no L1D flush */
    MITIGATE_OPEN_MELTDOWN = 1u << 4, /* a process of ring 3 reads all memory */
    MITIGATE_OPEN_SIBLINGS = 1u << 5, /* a tenant on a core's other thread sees buffers or L1D */
    MITIGATE_OPEN_SERVICES = 1u << 6, /* the same, but only when a service runs beside a tenant */
};

struct mitigate_plan {
    uint32_t bits; /* LEAT_MITIGATE_* */
    uint32_t spec; /* LEAT_SPEC_* */
    uint32_t open; /* enum mitigate_open */
};

struct mitigate_plan mitigate_decide(const struct mitigate_words *words,
                                     enum leat_config_mitigations mode);

/* One line for the log. */
#define MITIGATE_TEXT 360
const char *mitigate_text(const struct mitigate_plan *plan, char text[MITIGATE_TEXT]);

/* Looks at the CPU, tells the kernel, says so in the log. Once, before the first VM. */
void mitigate_start(const struct leat_config *config);

#endif
