// SPDX-License-Identifier: BSD-2-Clause
/* What a guest must and must not see, whatever the host says. */
#include "vmm/cpu/cpuid.h"
#include "vmm/cpu/cpuid_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    const uint32_t spec = 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29 | 1u << 31;
    assert_int_equal(e->edx & spec, spec); /* mitigate.c of the kernel has the MSRs */
    assert_true(e->ebx & 1u << 1);
    for (unsigned i = 0; i < count; i++)
        assert_int_not_equal(entries[i].leaf, 0xa); /* no performance counters */
    assert_true(find(6, 0)->eax & 4);
    assert_true(find(0x80000007, 0)->edx & 1u << 8);
    assert_false(find(0x80000001, 0)->ecx & 4); /* SVM */
    e = find(0x40000000, 0);
    assert_memory_equal(&e->ebx, "KVMKVMKVM\0\0\0", 12);
    assert_int_equal(find(0x40000001, 0)->eax, 1u << 1 | 1u << 3 | 1u << 24); /* kvmclock */
}

/* Row by row, with a host that says yes to all: what is in no row, or off, or the other maker's, is hidden. */
static void says_what_the_table_says(void **state)
{
    (void)state;
    build(0x2e7, 4);
    for (unsigned i = 0; i < count; i++) {
        uint32_t may[4] = {0};
        bool is_known = entries[i].leaf == 4 || entries[i].leaf == 0xd || entries[i].leaf == 0xb ||
                        entries[i].leaf == 0x1f || entries[i].leaf == 0x15 ||
                        entries[i].leaf == 0x16 || entries[i].leaf >> 28 == 4;
        for (unsigned r = 0; r < cpuid_row_count; r++) {
            const struct cpuid_row *row = &cpuid_rows[r];
            if (row->leaf != entries[i].leaf || row->subleaf != entries[i].subleaf)
                continue;
            for (unsigned reg = 0; reg < 4; reg++)
                if (row->rule != CPUID_OFF && row->vendor != CPUID_AMD)
                    may[reg] |= cpuid_row_mask(row, reg);
        }
        if (is_known) /* computed as a whole, told by its first register */
            continue;
        assert_int_equal(entries[i].eax & ~may[0], 0);
        assert_int_equal(entries[i].ebx & ~may[1], 0);
        assert_int_equal(entries[i].ecx & ~may[2], 0);
        assert_int_equal(entries[i].edx & ~may[3], 0);
    }
    for (unsigned r = 0; r < cpuid_row_count; r++) {
        const struct cpuid_row *row = &cpuid_rows[r];
        if ((row->rule != CPUID_HOST && row->rule != CPUID_ON) || row->vendor == CPUID_AMD)
            continue;
        const struct leat_cpuid_entry *e = find(row->leaf, row->subleaf);
        const uint32_t regs[4] = {e->eax, e->ebx, e->ecx, e->edx};
        if (row->leaf != 0 && row->leaf != 4)
            assert_int_equal(regs[row->reg] & cpuid_row_mask(row, row->reg),
                             cpuid_row_mask(row, row->reg));
    }
}

static struct cpuid_regs amd(uint32_t leaf, uint32_t subleaf)
{
    if (leaf == 0)
        return (struct cpuid_regs){0x10, 0x68747541, 0x444d4163, 0x69746e65};
    if (leaf == 0x8000001d)
        return all_ones(4, subleaf);
    return all_ones(leaf, subleaf);
}

static void amd_topology(void **state)
{
    (void)state;
    const struct cpuid_host host = {amd, 7, 2500000000ull, 3};
    assert_true(cpuid_is_amd(&host));
    count = cpuid_build(&host, entries);
    assert_int_equal(find(0, 0)->eax, 0xd);
    assert_int_equal(find(0x80000000, 0)->eax, 0x80000021);
    assert_int_equal(find(0x80000000, 0)->ebx, 0x68747541);
    assert_int_equal(find(0x80000008, 0)->ecx, 2u << 12 | 2); /* three cores, ids of two bits */
    assert_true(find(0x80000001, 0)->ecx & 1u << 1);
    assert_true(find(0x80000001, 0)->ecx & 1u << 22);
    assert_int_equal(find(0x8000001e, 0)->ebx, 0);
    assert_int_equal(find(0x8000001d, 3)->eax >> 14 & 0xfff, 3); /* third level: shared by all */
    assert_int_equal(find(0x8000001d, 0)->eax >> 14 & 0xfff, 0);
    assert_true(find(0x80000021, 0)->eax & 4);
    assert_false(find(0x80000001, 0)->ecx & 4); /* SVM */
    for (unsigned i = 0; i < count; i++)
        assert_true(entries[i].leaf != 4 && entries[i].leaf != 0x15 &&
                    entries[i].leaf != 0x8000000a);
}

static void slow_tsc_is_not_invariant(void **state)
{
    (void)state;
    const struct cpuid_host host = {all_ones, 7, 30000000, 1};
    count = cpuid_build(&host, entries);
    assert_int_equal(find(0x80000007, 0)->edx, 0);
    assert_int_equal(find(0x40000010, 0)->eax, 30000);
}

/* docs/cpuid.md has a line for each row, and no other lines of a table with leaves. */
static void doc_line(const struct cpuid_row *row, char *line, size_t size)
{
    static const char *const regs[] = {"EAX", "EBX", "ECX", "EDX"};
    static const char *const rules[] = {"host's", "given", "made", "hidden"};
    static const char *const makers[] = {"both", "Intel", "AMD"};
    static const char *const needs[] = {"", ", with XSAVE", ", with AVX state",
                                        ", with AVX-512 state"};
    char where[40], subleaf[16] = "";
    if (row->subleaf)
        snprintf(subleaf, sizeof(subleaf), ".%u", row->subleaf);
    if (row->count > 32)
        snprintf(where, sizeof(where), "%s-EDX", regs[row->reg]);
    else if (row->count == 1)
        snprintf(where, sizeof(where), "%s %u", regs[row->reg], row->first);
    else
        snprintf(where, sizeof(where), "%s %u:%u", regs[row->reg], row->first + row->count - 1,
                 row->first);
    snprintf(line, size, "| 0x%x%s %s | %s | %s%s | %s | %s |", row->leaf, subleaf, where,
             row->name, rules[row->rule], needs[row->need], makers[row->vendor], row->why);
}

static void docs_agree(void **state)
{
    static char text[100000];
    char line[400];
    unsigned lines = 0;
    (void)state;
    FILE *file = fopen(CPUID_DOC, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = 0;
    for (const char *at = text; (at = strstr(at, "\n| 0x")) != NULL; at++)
        lines++;
    for (unsigned i = 0; i < cpuid_row_count; i++) {
        doc_line(&cpuid_rows[i], line, sizeof(line));
        if (!strstr(text, line))
            fail_msg("%s lacks the line: %s (test_cpuid --table prints all)", CPUID_DOC, line);
    }
    assert_int_equal(lines, cpuid_row_count);
}

static int print_table(void)
{
    char line[400];
    for (unsigned i = 0; i < cpuid_row_count; i++) {
        doc_line(&cpuid_rows[i], line, sizeof(line));
        puts(line);
    }
    return 0;
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
    assert_int_equal(find(4, 0)->eax >> 26, 3); /* ids, not CPUs: a power of two */
    assert_int_equal(find(0x1f, 1)->ebx, 3);
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--table"))
        return print_table();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hides_and_forces),    cmocka_unit_test(says_what_the_table_says),
        cmocka_unit_test(amd_topology),        cmocka_unit_test(slow_tsc_is_not_invariant),
        cmocka_unit_test(docs_agree),          cmocka_unit_test(tells_the_tsc),
        cmocka_unit_test(xsave_is_consistent), cmocka_unit_test(topology),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
