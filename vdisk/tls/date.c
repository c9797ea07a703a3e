// SPDX-License-Identifier: BSD-2-Clause
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>

/* mbedTLS's own picks a function that is not in newlib. */
struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *time, struct tm *to)
{
    return gmtime_r(time, to);
}
