// SPDX-License-Identifier: BSD-2-Clause
/* Time without a system call, from the info page and the TSC. Any thread. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <leat/syscall.h>

/* The kernel's info page, mapped readable in every domain. */
static inline const volatile struct leat_info *leat_info(void)
{
    return (const volatile struct leat_info *)LEAT_INFO_VA;
}

static inline uint64_t leat_rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return ((uint64_t)high << 32) | low;
}

/* Nanoseconds since the kernel started; what deadlines of notif_wait are measured in. */
static inline uint64_t leat_clock_ns(void)
{
    const volatile struct leat_info *info = leat_info();

    return (uint64_t)(((unsigned __int128)(leat_rdtsc() - info->tsc_base) * info->tsc_mult) >> 32);
}

/* A stretch of time in TSC ticks, rounded down; saturates. */
static inline uint64_t leat_ns_to_tsc(uint64_t ns_delta)
{
    unsigned __int128 ticks = (unsigned __int128)ns_delta * leat_info()->tsc_hz / 1000000000u;

    return ticks > UINT64_MAX ? UINT64_MAX : (uint64_t)ticks;
}

/* UTC seconds since 1970; counts from 0 where the firmware knew no time. */
static inline int64_t leat_wall_clock_s(void)
{
    return leat_info()->wall_clock_base_s + (int64_t)(leat_clock_ns() / 1000000000u);
}

#endif
