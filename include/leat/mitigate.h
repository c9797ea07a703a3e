// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the kernel can do so that tenants learn nothing of each other through the CPU's predictors, buffers and
 * caches. Which of it a machine needs is decided in the supervisor (services/supervisor/mitigate.h) and told to
 * the kernel by LEAT_SYS_MACHINE_MITIGATE. Read by assembly too.
 */
#ifndef LEAT_MITIGATE_H
#define LEAT_MITIGATE_H

#define LEAT_MITIGATE_REFILL 0x01       /* the return stack: after guest exits and between tenants */
#define LEAT_MITIGATE_VERW 0x02         /* buffers: before guest entries and returns to ring 3 */
#define LEAT_MITIGATE_IBPB_ON_EXIT 0x04 /* branch predictors: after each guest exit */
#define LEAT_MITIGATE_IBPB 0x08         /* the same, between tenants */
#define LEAT_MITIGATE_L1D 0x10          /* flushed before a guest runs after another domain */
#define LEAT_MITIGATE_IBRS_ON_EXIT 0x20 /* SPEC_CTRL.IBRS is written at each guest exit; off in ring 3 */
#define LEAT_MITIGATE_AUTO_IBRS 0x40    /* EFER.AIBRSE */

/* SPEC_CTRL: SDM vol. 4, table 2-2, MSR 48H; AMD APM vol. 2, 3.2.9 */
#define LEAT_SPEC_IBRS 0x001
#define LEAT_SPEC_STIBP 0x002
#define LEAT_SPEC_SSBD 0x004
#define LEAT_SPEC_RRSBA_DIS_S 0x040
#define LEAT_SPEC_BHI_DIS_S 0x400

#endif
