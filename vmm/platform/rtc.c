// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/platform/rtc.h"

#include <string.h>

#include "vmm/irq.h"
#include "vmm/vm.h"

#define RTC_IRQ 8
#define NS 1000000000ull

enum { /* MC146818A data sheet, "address map" */
       SECOND = 0,
       SECOND_ALARM = 1,
       MINUTE = 2,
       MINUTE_ALARM = 3,
       HOUR = 4,
       HOUR_ALARM = 5,
       WEEKDAY = 6,
       DAY = 7,
       MONTH = 8,
       YEAR = 9,
       REG_A = 10,
       REG_B = 11,
       REG_C = 12,
       REG_D = 13,
       CENTURY = 0x32,
};

#define B_SET 0x80
#define B_PERIODIC 0x40
#define B_ALARM 0x20
#define B_UPDATE 0x10
#define B_BINARY 0x04
#define B_24H 0x02
#define C_IRQ 0x80
#define D_VALID 0x80 /* the battery is good */

static bool is_set(const struct rtc *rtc, uint8_t bits)
{
    return rtc->cmos[REG_B] & bits;
}

static int64_t time_now(const struct rtc *rtc)
{
    return is_set(rtc, B_SET) ? rtc->held_s : vm_wall_clock_s(rtc->vm) + rtc->shift_s;
}

static uint8_t encode(const struct rtc *rtc, int v)
{
    return (uint8_t)(is_set(rtc, B_BINARY) ? v : v / 10 << 4 | v % 10);
}

static int decode(const struct rtc *rtc, uint8_t v)
{
    return is_set(rtc, B_BINARY) ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t encode_hour(const struct rtc *rtc, int hour)
{
    if (is_set(rtc, B_24H))
        return encode(rtc, hour);
    int twelve = hour % 12 ? hour % 12 : 12;
    return encode(rtc, twelve) | (hour >= 12 ? 0x80 : 0);
}

static int decode_hour(const struct rtc *rtc, uint8_t v)
{
    if (is_set(rtc, B_24H))
        return decode(rtc, v);
    return decode(rtc, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

static uint8_t time_field(const struct rtc *rtc, unsigned field)
{
    struct rtc_date d = rtc_to_date(time_now(rtc));
    switch (field) {
    case SECOND:
        return encode(rtc, d.second);
    case MINUTE:
        return encode(rtc, d.minute);
    case HOUR:
        return encode_hour(rtc, d.hour);
    case WEEKDAY:
        return encode(rtc, d.weekday);
    case DAY:
        return encode(rtc, d.day);
    case MONTH:
        return encode(rtc, d.month);
    case YEAR:
        return encode(rtc, d.year % 100);
    default:
        return encode(rtc, d.year / 100);
    }
}

static bool is_time_field(unsigned i)
{
    return i == SECOND || i == MINUTE || i == HOUR || (i >= WEEKDAY && i <= YEAR) || i == CENTURY;
}

static int within(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

static void set_time_field(struct rtc *rtc, unsigned field, uint8_t value)
{
    int64_t before = time_now(rtc);
    struct rtc_date d = rtc_to_date(before);
    int v = decode(rtc, value);
    if (field == SECOND)
        d.second = within(v, 0, 59);
    else if (field == MINUTE)
        d.minute = within(v, 0, 59);
    else if (field == HOUR)
        d.hour = within(decode_hour(rtc, value), 0, 23);
    else if (field == DAY)
        d.day = within(v, 1, 31);
    else if (field == MONTH)
        d.month = within(v, 1, 12);
    else if (field == YEAR)
        d.year = d.year / 100 * 100 + within(v, 0, 99);
    else if (field == CENTURY)
        d.year = within(v, 19, 29) * 100 + d.year % 100;
    if (d.year < 1970)
        d.year = 1970;
    int64_t after = rtc_from_date(&d);
    if (is_set(rtc, B_SET))
        rtc->held_s = after;
    else
        rtc->shift_s += after - before;
}

static void raise(struct rtc *rtc, uint8_t flags)
{
    rtc->cmos[REG_C] |= flags;
    if (rtc->cmos[REG_C] & rtc->cmos[REG_B] & (B_PERIODIC | B_ALARM | B_UPDATE)) {
        rtc->cmos[REG_C] |= C_IRQ;
        irq_set_line(rtc->vm, RTC_IRQ, true);
    }
}

static bool alarm_matches(const struct rtc *rtc)
{
    static const uint8_t fields[3][2] = {
        {SECOND, SECOND_ALARM}, {MINUTE, MINUTE_ALARM}, {HOUR, HOUR_ALARM}};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t alarm = rtc->cmos[fields[i][1]];
        if ((alarm & 0xc0) != 0xc0 && alarm != time_field(rtc, fields[i][0]))
            return false; /* 0xc0 and up: any value */
    }
    return true;
}

static uint64_t period_ns(const struct rtc *rtc)
{
    unsigned rate = rtc->cmos[REG_A] & 15;
    if (!rate)
        return 0;
    if (rate < 3)
        rate += 7;
    return NS * (1u << (rate - 1)) / 32768;
}

static void arm(struct rtc *rtc)
{
    uint64_t now = vm_now_ns(rtc->vm);
    bool is_second = is_set(rtc, B_ALARM | B_UPDATE) && !is_set(rtc, B_SET);
    if (!is_second)
        vm_timer_set(&rtc->vm->timers, &rtc->second, 0);
    else if (!rtc->second.deadline_ns)
        vm_timer_set(&rtc->vm->timers, &rtc->second, now + NS - now % NS);
    uint64_t period = is_set(rtc, B_PERIODIC) ? period_ns(rtc) : 0;
    if (!period)
        vm_timer_set(&rtc->vm->timers, &rtc->period, 0);
    else if (!rtc->period.deadline_ns)
        vm_timer_set(&rtc->vm->timers, &rtc->period, now + period);
}

static void on_second(void *context)
{
    struct rtc *rtc = context;
    raise(rtc, B_UPDATE | (alarm_matches(rtc) ? B_ALARM : 0));
    arm(rtc);
}

static void on_period(void *context)
{
    struct rtc *rtc = context;
    raise(rtc, B_PERIODIC);
    arm(rtc);
}

int rtc_init(struct rtc *rtc, struct vm *vm)
{
    memset(rtc, 0, sizeof(*rtc));
    rtc->vm = vm;
    rtc->cmos[REG_D] = D_VALID;
    int error = vm_timer_add(&vm->timers, &rtc->second, on_second, rtc);
    if (error == LEAT_OK)
        error = vm_timer_add(&vm->timers, &rtc->period, on_period, rtc);
    rtc_reset(rtc);
    return error;
}

void rtc_reset(void *device)
{
    struct rtc *rtc = device;
    if (is_set(rtc, B_SET)) /* the battery keeps time and memory; a stopped clock runs again */
        rtc->shift_s = rtc->held_s - vm_wall_clock_s(rtc->vm);
    rtc->cmos[REG_A] = 0x26; /* 32.768 kHz, 1024 Hz */
    rtc->cmos[REG_B] = B_24H;
    rtc->cmos[REG_C] = 0;
    irq_set_line(rtc->vm, RTC_IRQ, false);
    arm(rtc);
}

void rtc_set_memory(struct rtc *rtc, uint64_t low_bytes, uint64_t high_bytes)
{
    uint64_t above_1m = low_bytes > 0x100000 ? (low_bytes - 0x100000) >> 10 : 0;
    uint64_t above_16m = low_bytes > 0x1000000 ? (low_bytes - 0x1000000) >> 16 : 0;
    uint64_t above_4g = high_bytes >> 16;
    if (above_1m > 0xffff)
        above_1m = 0xffff;
    rtc->cmos[0x15] = 640 & 0xff;
    rtc->cmos[0x16] = 640 >> 8;
    rtc->cmos[0x17] = rtc->cmos[0x30] = (uint8_t)above_1m;
    rtc->cmos[0x18] = rtc->cmos[0x31] = (uint8_t)(above_1m >> 8);
    rtc->cmos[0x34] = (uint8_t)above_16m;
    rtc->cmos[0x35] = (uint8_t)(above_16m >> 8);
    for (unsigned i = 0; i < 3; i++)
        rtc->cmos[0x5b + i] = (uint8_t)(above_4g >> i * 8);
}

uint64_t rtc_read(void *device, uint64_t offset, unsigned width)
{
    struct rtc *rtc = device;
    (void)width;
    if (offset == 0)
        return 0xff; /* the index port is write-only */
    if (is_time_field(rtc->index))
        return time_field(rtc, rtc->index);
    uint8_t value = rtc->cmos[rtc->index];
    if (rtc->index == REG_C) {
        rtc->cmos[REG_C] = 0;
        irq_set_line(rtc->vm, RTC_IRQ, false);
    }
    return value;
}

static void write_b(struct rtc *rtc, uint8_t value)
{
    bool was_set = is_set(rtc, B_SET);
    int64_t now = time_now(rtc);
    rtc->cmos[REG_B] = value;
    if (!was_set && (value & B_SET))
        rtc->held_s = now;
    if (was_set && !(value & B_SET))
        rtc->shift_s = now - vm_wall_clock_s(rtc->vm);
    arm(rtc);
}

void rtc_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct rtc *rtc = device;
    uint8_t byte = (uint8_t)value;
    (void)width;
    if (offset == 0) {
        rtc->index = byte & 0x7f;
    } else if (is_time_field(rtc->index)) {
        set_time_field(rtc, rtc->index, byte);
    } else if (rtc->index == REG_A) {
        rtc->cmos[REG_A] = byte & 0x7f;
        vm_timer_set(&rtc->vm->timers, &rtc->period, 0);
        arm(rtc);
    } else if (rtc->index == REG_B) {
        write_b(rtc, byte);
    } else if (rtc->index != REG_C && rtc->index != REG_D) {
        rtc->cmos[rtc->index] = byte;
    }
}
