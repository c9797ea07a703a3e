// SPDX-License-Identifier: BSD-2-Clause
/* The paravirtual clock: what a guest computes from its page is the host's clock, to the ns, also after ten
 * minutes, also after it has moved its TSC. */
#include "vmm_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/cpu/kvmclock.h"

#define PAGE 0x2000
#define WALL 0x3004

static struct vmm_fake f;

struct page { /* pvclock_vcpu_time_info */
    uint32_t version, pad;
    uint64_t tsc_timestamp, system_time;
    uint32_t mul;
    int8_t shift;
    uint8_t flags;
};

static void start(unsigned cpus)
{
    vmm_fake_init(&f, cpus);
    f.now_ns = 5700000000;
    f.wall_s = 1000;
    kvmclock_start(&f.vm);
}

static bool wrmsr(unsigned cpu, uint32_t index, uint64_t value)
{
    struct leat_vcpu *p = &f.pages[cpu];
    p->event = 0;
    p->detail.msr = (struct leat_exit_msr){.index = index, .value = value};
    vcpu_handle_exit(&f.cpus[cpu], LEAT_EXIT_MSR_WRITE);
    return !p->event;
}

/* As Linux does it. */
static uint64_t guest_ns(unsigned cpu, uint64_t at)
{
    struct page p;
    memcpy(&p, f.ram + at, sizeof(p));
    assert_int_equal(p.version & 1, 0);
    uint64_t delta = vm_now_tsc(&f.vm) + f.platform.lapics[cpu].tsc_offset - p.tsc_timestamp;
    delta = p.shift < 0 ? delta >> -p.shift : delta << p.shift;
    return p.system_time + (uint64_t)((unsigned __int128)delta * p.mul >> 32);
}

static void follows_the_host(void **state)
{
    (void)state;
    start(2);
    assert_true(wrmsr(0, MSR_KVM_SYSTEM_TIME, PAGE | 1));
    assert_true(wrmsr(1, MSR_KVM_SYSTEM_TIME, (PAGE + 64) | 1));
    assert_int_equal(guest_ns(0, PAGE), 0);
    f.now_ns += 600000000000 + 12345;
    assert_int_equal(guest_ns(0, PAGE), 600000012345);
    assert_int_equal(guest_ns(1, PAGE + 64), 600000012345);
    assert_int_equal(f.ram[PAGE + 29], 1); /* stable */
    vmm_fake_free(&f);
}

/* At other rates than the host's: behind it by less than a tick of the guest's, after ten years too. */
static void follows_the_host_scaled(void **state)
{
    static const unsigned mhz[] = {10, 333, 1500, 3333, 7000};
    (void)state;
    for (unsigned i = 0; i < sizeof(mhz) / sizeof(mhz[0]); i++) {
        vmm_fake_init(&f, 2);
        vmm_fake_tsc(&f, mhz[i]);
        f.now_ns = 5700000000;
        kvmclock_start(&f.vm);
        const uint64_t tick_ns = 1000 / mhz[i] + 1, start_ns = f.now_ns;
        assert_true(wrmsr(0, MSR_KVM_SYSTEM_TIME, PAGE | 1));
        assert_true(wrmsr(1, MSR_KVM_SYSTEM_TIME, (PAGE + 64) | 1));
        for (uint64_t ns = 1000; ns < 315576000ull * 1000000000; ns = ns * 7 + 5) {
            f.now_ns = start_ns + ns;
            uint64_t is = guest_ns(0, PAGE),
                     allowed = tick_ns + ns / (mhz[i] < 1000 ? 1000000000000 : 10000000000000);
            assert_true(is <= ns + allowed && is + allowed >= ns);
            assert_int_equal(guest_ns(1, PAGE + 64), is);
        }
        vmm_fake_free(&f);
    }
}

static void follows_a_moved_tsc(void **state)
{
    (void)state;
    start(2);
    assert_true(wrmsr(0, MSR_KVM_SYSTEM_TIME, PAGE | 1));
    assert_true(wrmsr(1, MSR_KVM_SYSTEM_TIME, (PAGE + 64) | 1));
    f.now_ns += 1000;
    assert_true(wrmsr(1, 0x10, 123456789));
    assert_int_equal(guest_ns(1, PAGE + 64), 1000);
    assert_int_equal(f.ram[PAGE + 29], 0); /* one page does not serve for both any more */
    assert_int_equal(f.ram[PAGE + 64 + 29], 0);
    assert_true(wrmsr(1, 0x3b, 0)); /* TSC_ADJUST: as at the start */
    assert_int_equal(guest_ns(1, PAGE + 64), 1000);
    assert_int_equal(f.ram[PAGE + 29], 1);
    vmm_fake_free(&f);
}

static void tells_the_wall_clock(void **state)
{
    uint32_t wall[3];
    (void)state;
    start(1);
    assert_true(wrmsr(0, MSR_KVM_WALL_CLOCK, WALL));
    memcpy(wall, f.ram + WALL, sizeof(wall));
    assert_int_equal(wall[0] & 1, 0);
    assert_int_equal(wall[1], 1005); /* the host's 1000 s and the clock's 5.7 s */
    assert_int_equal(wall[2], 700000000);
    vmm_fake_free(&f);
}

static void refuses_what_is_not_memory(void **state)
{
    (void)state;
    start(1);
    assert_false(wrmsr(0, MSR_KVM_SYSTEM_TIME, FAKE_RAM | 1));
    assert_false(wrmsr(0, MSR_KVM_SYSTEM_TIME, (FAKE_RAM - 8) | 1));
    assert_false(wrmsr(0, MSR_KVM_SYSTEM_TIME, UINT64_MAX));
    assert_false(wrmsr(0, MSR_KVM_SYSTEM_TIME, PAGE | 3));
    assert_true(wrmsr(0, MSR_KVM_SYSTEM_TIME, 0));
    assert_false(wrmsr(0, MSR_KVM_WALL_CLOCK, FAKE_RAM));
    assert_false(wrmsr(0, MSR_KVM_WALL_CLOCK, WALL + 1));
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_host),           cmocka_unit_test(follows_the_host_scaled),
        cmocka_unit_test(follows_a_moved_tsc),        cmocka_unit_test(tells_the_wall_clock),
        cmocka_unit_test(refuses_what_is_not_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
