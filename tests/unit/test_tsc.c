// SPDX-License-Identifier: BSD-2-Clause
/* A VM's TSC at another rate than the host's: conversions both ways, and a clock that ten years do not move from the
 * host's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/tsc.h"

#define YEAR_S 31557600ull
#define INTEL 48
#define AMD 32

static struct tsc_host host_of(uint64_t hz, unsigned fraction_bits)
{
    return (struct tsc_host){hz, (1000000000ull << 32) / hz, fraction_bits};
}

static void takes_the_hosts_rate(void **state)
{
    (void)state;
    const struct tsc_host host = host_of(2994400123, 0);
    struct tsc_rate rate;
    assert_int_equal(tsc_host_mhz(&host), 2994);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(tsc_rate_choose(&host, i ? 2994 : 0, &rate), LEAT_OK);
        assert_true(rate.ratio == LEAT_TSC_ONE && rate.hz == host.hz && rate.mult == host.mult);
        assert_true(tsc_from_host(&rate, UINT64_MAX) == UINT64_MAX);
        assert_true(tsc_to_host(&rate, UINT64_MAX) == UINT64_MAX);
        assert_int_equal(tsc_to_host(&rate, 12345), 12345);
    }
}

static void refuses_what_the_cpu_cannot(void **state)
{
    (void)state;
    struct tsc_host host = host_of(3000000000, 0);
    struct tsc_rate rate;
    assert_int_equal(tsc_rate_choose(&host, 2999, &rate), LEAT_ENOSYS);
    assert_true(rate.ratio == LEAT_TSC_ONE && rate.hz == 3000000000);
    host = host_of(30000000, INTEL);
    assert_int_equal(tsc_rate_choose(&host, 7679, &rate), LEAT_OK);
    assert_int_equal(tsc_rate_choose(&host, 7681, &rate), LEAT_EINVAL); /* 256 times the host's */
    assert_true(rate.ratio == LEAT_TSC_ONE);
}

static const uint64_t hosts[] = {30000000,   1000000000, 1999999999, 2100000000,
                                 2994400123, 3600000000, 5000000000};
static const unsigned guests[] = {10, 100, 999, 1000, 1500, 2000, 2500, 3333, 4200, 7000};

/* All pairs that fit. */
static void each(unsigned bits,
                 void (*fn)(const struct tsc_host *host, const struct tsc_rate *rate))
{
    unsigned count = 0;
    for (unsigned i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
        for (unsigned j = 0; j < sizeof(guests) / sizeof(guests[0]); j++) {
            const struct tsc_host host = host_of(hosts[i], bits);
            struct tsc_rate rate;
            assert_int_equal(tsc_rate_choose(&host, guests[j], &rate), LEAT_OK);
            assert_int_equal(rate.ratio % (1ull << (48 - bits)), 0);
            assert_true(rate.ratio < LEAT_TSC_RATIO_END);
            if (rate.ratio != LEAT_TSC_ONE) {
                fn(&host, &rate);
                count++;
            }
        }
    assert_true(count > 60);
}

static void both_ways(const struct tsc_host *host, const struct tsc_rate *rate)
{
    (void)host;
    for (uint64_t t = 1; t < 10 * YEAR_S * rate->hz; t = t * 3 + 1) {
        uint64_t at = tsc_to_host(rate, t);
        assert_true(tsc_from_host(rate, at) >= t);
        assert_true(tsc_from_host(rate, at - 1) < t);
    }
    assert_int_equal(tsc_to_host(rate, 0), 0);
    uint64_t last = tsc_to_host(rate, UINT64_MAX); /* a guest may ask for it */
    unsigned __int128 there = (unsigned __int128)last * rate->ratio >> LEAT_TSC_FRACTION_BITS;
    assert_true(last == UINT64_MAX || there >= UINT64_MAX);
}

static void converts_both_ways(void **state)
{
    (void)state;
    each(INTEL, both_ways);
    each(AMD, both_ways);
}

static uint64_t scale(uint64_t ticks, uint64_t mult)
{
    return (uint64_t)((unsigned __int128)ticks * mult >> 32);
}

/* How far the guest's paravirtual clock is from leat_clock after ten years, and the TSC from its told rate. */
static uint64_t drift(const struct tsc_host *host, const struct tsc_rate *rate)
{
    const uint64_t ticks = 10 * YEAR_S * host->hz;
    assert_true(rate->mult >> __builtin_ctzll(rate->mult) <= UINT32_MAX);
    uint64_t ours = scale(ticks, host->mult),
             theirs = scale(tsc_from_host(rate, ticks), rate->mult);
    uint64_t told = (uint64_t)((unsigned __int128)ours * rate->hz / 1000000000);
    uint64_t counted = tsc_from_host(rate, ticks),
             off = told > counted ? told - counted : counted - told;
    assert_true(off < counted / 10000000); /* 0.1 ppm, at the coarsest: 10 MHz of 5 GHz on AMD */
    return ours > theirs ? ours - theirs : theirs - ours;
}

static void intel_drift(const struct tsc_host *host, const struct tsc_rate *rate)
{
    assert_true(drift(host, rate) < 1000000); /* 1 ms, of 10 MHz; 10 us from a GHz on */
    assert_true(rate->hz < 1000000000 || drift(host, rate) < 10000);
}

static void amd_drift(const struct tsc_host *host, const struct tsc_rate *rate)
{
    /* 2 ns a second: the ratio has 32 bits, and the clock's multiplier, for 7 GHz, 30 */
    assert_true(drift(host, rate) < 10 * YEAR_S * 2);
}

static void does_not_drift(void **state)
{
    (void)state;
    each(INTEL, intel_drift);
    each(AMD, amd_drift);
}

/* Linux has whole kHz of the clock's numbers: (10^6 << 32) / mult. */
static void linux_khz(const struct tsc_host *host, const struct tsc_rate *rate)
{
    (void)host;
    assert_int_equal((unsigned __int128)1000000000 * 4294967296 / rate->mult / 1000,
                     rate->hz / 1000);
}

static void tells_whole_khz(void **state)
{
    (void)state;
    each(INTEL, linux_khz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_hosts_rate), cmocka_unit_test(refuses_what_the_cpu_cannot),
        cmocka_unit_test(converts_both_ways),   cmocka_unit_test(does_not_drift),
        cmocka_unit_test(tells_whole_khz),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
