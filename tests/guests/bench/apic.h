/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC's registers as MSRs: SDM vol. 3, table 11-6. */
#ifndef TESTS_GUESTS_BENCH_APIC_H
#define TESTS_GUESTS_BENCH_APIC_H

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC 0xc00
#define MSR_SPURIOUS 0x80f
#define SPURIOUS_ENABLED 0x1ff
#define MSR_ICR 0x830
#define ICR_INIT 0x4500u
#define ICR_STARTUP 0x4600u
#define ICR_FIXED 0x4000u
#define ICR_DESTINATION(id) ((uint64_t)(id) << 32)
#define MSR_SELF_IPI 0x83f
#define MSR_LVT_TIMER 0x832
#define LVT_TSC_DEADLINE (2u << 17)
#define MSR_TSC_DEADLINE 0x6e0

#endif
