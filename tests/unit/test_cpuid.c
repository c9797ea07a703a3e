// SPDX-License-Identifier: BSD-2-Clause
/* What a guest must and must not see, whatever the host says. */
#include "vmm/cpu/cpuid.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct cpuid_regs all_ones(uint32_t leaf, uint32_t subleaf)
{
    if (leaf == 0)
        return (struct cpuid_regs){0x1f, 0x756e6547, 0x6c65746e, 0x49656e69};
    if (leaf == 0x80000000)
        return (struct cpuid_regs){0x80000021, 0, 0, 0};
    if (leaf == 4)
        return subleaf < 4 ? (struct cpuid_regs){0x21 | (subleaf / 2 + 1) << 5, 1, 1, 1}
                           : (struct cpuid_regs){0};
    if (leaf == 0xd && subleaf >= 2)
        return (struct cpuid_regs){256, 576 + (subleaf - 2) * 256, 0, 0};
    return (struct cpuid_regs){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
}

static struct leat_cpuid_entry entries[CPUID_MAX_ENTRIES];
static unsigned count;

static const struct leat_cpuid_entry *find(uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < count; i++)
        if (entries[i].leaf == leaf && (!entries[i].has_subleaf || entries[i].subleaf == subleaf))
            return &entries[i];
    fail_msg("leaf %x.%x is missing", leaf, subleaf);
    return NULL;
}

static void build(uint64_t xcr0, unsigned cpus)
{
    const struct cpuid_host host = {all_ones, xcr0, 2500000000ull, cpus};
    count = cpuid_build(&host, entries);
    assert_true(count < CPUID_MAX_ENTRIES);
}

static void hides_and_forces(void **state)
{
    (void)state;
    build(0x2e7, 1);
    const struct leat_cpuid_entry *e = find(1, 0);
    assert_false(e->ecx & (1u << 3 | 1u << 5 | 1u << 15)); /* MONITOR, VMX, PDCM */
    assert_true((e->ecx & (1u << 21 | 1u << 24 | 1u << 31)) == (1u << 21 | 1u << 24 | 1u << 31));
    assert_true(e->edx & 1u << 16); /* PAT */
    assert_false(e->edx & 1u << 28);
    assert_int_equal(e->ebx >> 24, 0);
    e = find(7, 0);
    assert_false(e->ebx & (1u << 2 | 1u << 25 | 1u << 4)); /* SGX, PT, HLE */
    assert_false(e->edx & (1u << 26 | 1u << 29));          /* SPEC_CTRL, ARCH_CAPABILITIES */
    assert_true(e->ebx & 1u << 1);
    for (unsigned i = 0; i < count; i++)
        assert_int_not_equal(entries[i].leaf, 0xa); /* no performance counters */
    assert_true(find(6, 0)->eax & 4);
    assert_true(find(0x80000007, 0)->edx & 1u << 8);
    assert_false(find(0x80000001, 0)->ecx & 4); /* SVM */
    e = find(0x40000000, 0);
    assert_memory_equal(&e->ebx, "KVMKVMKVM\0\0\0", 12);
    assert_int_equal(find(0x40000001, 0)->eax, 0);
}

static void tells_the_tsc(void **state)
{
    (void)state;
    build(7, 1);
    const struct leat_cpuid_entry *e = find(0x15, 0);
    assert_int_equal((uint64_t)e->ecx * e->ebx / e->eax, 2500000000ull);
    const struct cpuid_host fast = {all_ones, 7, 5000000000ull, 1};
    count = cpuid_build(&fast, entries);
    e = find(0x15, 0);
    assert_int_equal((uint64_t)e->ecx * e->ebx / e->eax, 5000000000ull);
}

static void xsave_is_consistent(void **state)
{
    (void)state;
    build(0x2e7, 1);
    assert_int_equal(find(0xd, 0)->eax, 0xe7);
    assert_int_equal(find(0xd, 0)->ebx, 576 + 6 * 256);
    assert_int_equal(find(0xd, 1)->eax, 7); /* no XSAVES */
    assert_int_equal(find(0xd, 1)->ebx, 576 + 4 * 256);
    build(3, 1);
    assert_false(find(1, 0)->ecx & 1u << 28);
    assert_true(find(1, 0)->ecx & 1u << 26);
    assert_false(find(7, 0)->ebx & (1u << 5 | 1u << 16));
    build(0, 1);
    assert_false(find(1, 0)->ecx & (1u << 26 | 1u << 28));
}

static void topology(void **state)
{
    (void)state;
    build(7, 3);
    assert_int_equal(find(1, 0)->ebx >> 16 & 0xff, 3);
    assert_true(find(1, 0)->edx & 1u << 28);
    assert_int_equal(find(0xb, 1)->eax, 2);
    assert_int_equal(find(0xb, 1)->ebx, 3);
    assert_int_equal(find(4, 0)->eax >> 26, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hides_and_forces),
        cmocka_unit_test(tells_the_tsc),
        cmocka_unit_test(xsave_is_consistent),
        cmocka_unit_test(topology),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
