// SPDX-License-Identifier: BSD-2-Clause
/*
 * The test of several CPUs, in the supervisor's place. Prints a PASS, FAIL or SKIP line for each part, ends with
 * "smptest: PASS on N CPUs" or "smptest: FAIL", and powers the machine off.
 */
#include <stdarg.h>
#include <stdio.h>

#include "lib/log.h"
#include "lib/start.h"
#include "services/supervisor/power.h"
#include "tests/system/smptest/smptest.h"

#define FAILURES_SHOWN 8

leat_handle_t machine;
unsigned cpus;
struct leat_cpu_info cpu_info[64];

static leat_handle_t nobody; /* signals this */
static unsigned failures;    /* of the part that runs */

bool check(bool is_good, const char *format, ...)
{
    char text[160];
    va_list arguments;
    if (is_good || failures++ >= FAILURES_SHOWN)
        return is_good;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    leat_log("wrong: %s", text);
    return false;
}

void nap(uint64_t ns)
{
    leat_notif_wait(nobody, 1, leat_clock_ns() + ns);
}

uint32_t any_number(void)
{
    static uint32_t state = 2463534242u; /* Marsaglia's xorshift */
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static const struct part {
    const char *name;
    void (*run)(void);
    bool needs_guests;
} parts[] = {
    {"CPUs and masks", test_cpus, false},
    {"notifications", test_notifications, false},
    {"pages unmapped while others read them", test_pages, false},
    {"guest pages unmapped, vCPUs moved", test_guest, true},
    {"registers of threads that move", test_registers, false},
    {"domains killed", test_kills, false},
    {"weights, caps, priorities", test_shares, false},
    {"storms of threads and grants", test_storms, false},
};

static bool has_guests(void)
{
    return leat_info()->virt == LEAT_VIRT_VMX || leat_info()->virt == LEAT_VIRT_SVM;
}

static bool run(const struct part *part)
{
    uint64_t before = leat_clock_ns();
    if (part->needs_guests && !has_guests()) {
        leat_log("SKIP: %s: the kernel has no virtualization here (%u)", part->name,
                 (unsigned)leat_info()->virt);
        return true;
    }
    failures = 0;
    part->run();
    leat_log("%s: %s, %u ms", failures ? "FAIL" : "PASS", part->name,
             (unsigned)((leat_clock_ns() - before) / MS));
    return !failures;
}

static bool run_all(void)
{
    bool is_good = true;
    int64_t there = leat_cpus_info(machine, cpu_info, 64);
    nobody = (leat_handle_t)leat_notif_create();
    cpus = there < (int64_t)MOST_CPUS ? (unsigned)there : MOST_CPUS;
    if (there < 1 || !child_prepare()) {
        leat_log("FAIL: preparations");
        return false;
    }
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        is_good = run(&parts[i]) && is_good;
    return is_good;
}

int main(void)
{
    const struct leat_boot_info *boot =
        (const struct leat_boot_info *)leat_start_find("bootinfo", NULL)->va;
    machine = leat_start_find("machine", NULL)->handle;
    if (run_all())
        leat_log("smptest: PASS on %u CPUs", (unsigned)leat_info()->cpus);
    else
        leat_log("smptest: FAIL");
    power_stop(machine, &boot->power, POWER_OFF);
}
