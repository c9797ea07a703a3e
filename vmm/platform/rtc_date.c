// SPDX-License-Identifier: BSD-2-Clause
/* Days and dates of the Gregorian calendar, counted in years that begin in March. */
#include "vmm/platform/rtc.h"

#define DAYS_PER_400_YEARS 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

int64_t rtc_from_date(const struct rtc_date *d)
{
    int64_t year = d->month > 2 ? d->year : d->year - 1;
    int64_t month = (d->month + 9) % 12; /* March is 0 */
    int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 +
                   d->day - 1 - DAYS_TO_1970;
    return ((days * 24 + d->hour) * 60 + d->minute) * 60 + d->second;
}

struct rtc_date rtc_to_date(int64_t seconds)
{
    if (seconds < 0)
        seconds = 0;
    int64_t days = seconds / 86400, rest = seconds % 86400;
    struct rtc_date d = {.hour = (int)(rest / 3600),
                         .minute = (int)(rest / 60 % 60),
                         .second = (int)(rest % 60),
                         .weekday = (int)((days + 4) % 7) + 1};
    days += DAYS_TO_1970;
    int64_t era = days / DAYS_PER_400_YEARS, in_era = days % DAYS_PER_400_YEARS;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (year * 365 + year / 4 - year / 100);
    int64_t month = (in_year * 5 + 2) / 153;
    d.day = (int)(in_year - (month * 153 + 2) / 5) + 1;
    d.month = (int)(month < 10 ? month + 3 : month - 9);
    d.year = (int)(era * 400 + year + (d.month <= 2));
    return d;
}
