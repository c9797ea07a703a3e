/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command line: do=WHAT and options.
 *
 *     do=exits bytes=N    (default) what exits cost; then N bytes of the disk in a row; powers off
 *     do=trace            the same round trips once each, between marks
 *     do=work, ticks, reads                             for ever: load.c
 *     do=attack-NAME                                    for ever: attack.c
 */
#include "tests/guests/bench/bench.h"

#define ZERO_PAGE_CMDLINE 0x228 /* boot.rst: cmd_line_ptr */
#define POWER_PORT 0x604        /* PM1a control of the vmm's ACPI tables: vmm/layout.h */
#define POWER_S5 (1u << 13 | 5u << 10)

static const char *command_line;
_Noreturn void bench_exception(void);
void bench_main(const uint8_t *boot_params, uint64_t first_tsc);

static _Noreturn void power_off(void)
{
    out16(POWER_PORT, POWER_S5);
    for (;;)
        __asm__ volatile("cli; hlt");
}

_Noreturn void bench_exception(void)
{
    say("BENCH failed: an exception");
    power_off();
}

const char *behind(const char *text, const char *with)
{
    while (*with)
        if (*text++ != *with++)
            return NULL;
    return text;
}

const char *option(const char *key)
{
    for (const char *at = command_line; *at; at++) {
        const char *end = at == command_line || at[-1] == ' ' ? behind(at, key) : NULL;
        if (end && *end == '=')
            return end + 1;
    }
    return NULL;
}

uint64_t option_number(const char *key, uint64_t otherwise)
{
    const char *at = option(key);
    uint64_t value = 0;
    for (; at && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return at ? value : otherwise;
}

void bench_main(const uint8_t *boot_params, uint64_t first_tsc)
{
    command_line = (const char *)(uintptr_t)(*(const uint32_t *)(const void *)(boot_params +
                                                                               ZERO_PAGE_CMDLINE));
    const char *what = option("do");
    say("BENCH first_tsc %u", first_tsc);
    interrupts_init();
    if (what && behind(what, "attack-"))
        attack_run(behind(what, "attack-"));
    bool is_trace = what && behind(what, "trace");
    if (what && !is_trace && !behind(what, "exits"))
        load_run(what);
    measure_init();
    exits_bench(is_trace);
    disk_bench(is_trace);
    say("BENCH done");
    power_off();
}
