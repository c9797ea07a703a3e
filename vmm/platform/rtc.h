// SPDX-License-Identifier: BSD-2-Clause
/*
 * The MC146818 clock and its CMOS memory. Time follows the host's wall clock; what the guest sets
 * is kept as a difference until the VM ends. IRQ 8: alarm, update-ended and periodic. With the VM's
 * lock held.
 */
#ifndef VMM_PLATFORM_RTC_H
#define VMM_PLATFORM_RTC_H

#include <leat/types.h>
#include "vmm/timer.h"

struct vm;

struct rtc {
    struct vm *vm;
    uint8_t index;
    uint8_t cmos[128];
    int64_t shift_s;        /* guest's time - host's */
    int64_t held_s;         /* time while the guest has stopped updates (register B, SET) */
    struct vm_timer second; /* alarm and update-ended */
    struct vm_timer period;
};

int rtc_init(struct rtc *rtc, struct vm *vm);
void rtc_reset(void *rtc);

/* Tells firmware-like fields of the CMOS how much RAM there is. */
void rtc_set_memory(struct rtc *rtc, uint64_t low_bytes, uint64_t high_bytes);

/* bus callbacks: ports 0x70, 0x71 */
uint64_t rtc_read(void *rtc, uint64_t offset, unsigned width);
void rtc_write(void *rtc, uint64_t offset, unsigned width, uint64_t value);

/* UTC seconds since 1970 to fields and back; years 1970 to 2999. */
struct rtc_date {
    int year, month, day, weekday, hour, minute,
        second; /* month, day, weekday from 1; Sunday is 1 */
};
struct rtc_date rtc_to_date(int64_t seconds);
int64_t rtc_from_date(const struct rtc_date *date);

#endif
