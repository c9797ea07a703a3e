// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/cpu/cpuid.h"

#include <string.h>

#include "vmm/cpu/cpuid_policy.h"

#define BIT(n) (1u << (n))
#define HIGHEST_INTEL 0x1fu
#define HIGHEST_AMD 0xdu
#define HIGHEST_EXTENDED_INTEL 0x80000008u
#define HIGHEST_EXTENDED_AMD 0x80000021u
#define INVARIANT_TSC BIT(8)
#define INVARIANT_TSC_HZ 1000000000ull /* cpuid_policy.c says why */
#define LEAF1_ECX_XSAVE BIT(26)

/* x87, SSE, AVX, AVX-512 in its three parts; no MPX, no protection keys, no AMX */
#define XSTATES 0xe7ull
#define XSTATE_SSE 3ull
#define XSTATE_AVX BIT(2)
#define XSTATE_AVX512 0xe0u
#define XSAVE_LEGACY_BYTES 576u /* legacy area and header: SDM vol. 1, 13.4 */

static bool has_subleaves(uint32_t leaf)
{
    return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x1f ||
           leaf == 0x8000001d;
}

struct leat_cpuid_entry *cpuid_entry(struct cpuid_table *t, uint32_t leaf, uint32_t subleaf)
{
    for (unsigned i = 0; i < t->count; i++)
        if (t->entries[i].leaf == leaf && t->entries[i].subleaf == subleaf)
            return &t->entries[i];
    if (t->count == CPUID_MAX_ENTRIES) /* the policy is smaller */
        return &t->entries[CPUID_MAX_ENTRIES - 1];
    struct leat_cpuid_entry *e = &t->entries[t->count++];
    *e = (struct leat_cpuid_entry){
        .leaf = leaf, .subleaf = subleaf, .has_subleaf = has_subleaves(leaf)};
    return e;
}

void cpuid_set(struct cpuid_table *t, uint32_t leaf, uint32_t subleaf, struct cpuid_regs regs)
{
    struct leat_cpuid_entry *e = cpuid_entry(t, leaf, subleaf);
    e->eax = regs.eax;
    e->ebx = regs.ebx;
    e->ecx = regs.ecx;
    e->edx = regs.edx;
}

struct cpuid_regs cpuid_host_leaf(const struct cpuid_table *t, uint32_t leaf, uint32_t subleaf)
{
    uint32_t highest = t->host->cpuid(leaf & 0x80000000, 0).eax;
    return leaf > highest ? (struct cpuid_regs){0} : t->host->cpuid(leaf, subleaf);
}

bool cpuid_is_amd(const struct cpuid_host *host)
{
    struct cpuid_regs r = host->cpuid(0, 0);
    char maker[12];
    memcpy(maker, &r.ebx, 4);
    memcpy(maker + 4, &r.edx, 4);
    memcpy(maker + 8, &r.ecx, 4);
    return !memcmp(maker, "AuthenticAMD", 12) || !memcmp(maker, "HygonGenuine", 12);
}

static uint64_t xstates(const struct cpuid_table *t)
{
    uint64_t x = t->host->xcr0 & XSTATES;
    if (!(cpuid_host_leaf(t, 1, 0).ecx & LEAF1_ECX_XSAVE) || (x & XSTATE_SSE) != XSTATE_SSE)
        return 0;
    if (!(x & XSTATE_AVX) || (x & XSTATE_AVX512) != XSTATE_AVX512)
        x &= ~(uint64_t)XSTATE_AVX512;
    return x;
}

static bool is_met(enum cpuid_need need, uint64_t x)
{
    switch (need) {
    case CPUID_NEEDS_XSAVE:
        return x;
    case CPUID_NEEDS_AVX:
        return x & XSTATE_AVX;
    case CPUID_NEEDS_AVX512:
        return x & XSTATE_AVX512;
    default:
        return true;
    }
}

static void apply(struct cpuid_table *t, const struct cpuid_row *row, uint64_t x)
{
    struct leat_cpuid_entry *e = cpuid_entry(t, row->leaf, row->subleaf);
    const struct cpuid_regs all = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    struct cpuid_regs from =
        row->rule == CPUID_ON ? all : cpuid_host_leaf(t, row->leaf, row->subleaf);
    if (!is_met(row->need, x))
        return;
    e->eax |= from.eax & cpuid_row_mask(row, CPUID_EAX);
    e->ebx |= from.ebx & cpuid_row_mask(row, CPUID_EBX);
    e->ecx |= from.ecx & cpuid_row_mask(row, CPUID_ECX);
    e->edx |= from.edx & cpuid_row_mask(row, CPUID_EDX);
}

static void apply_policy(struct cpuid_table *t, uint64_t x)
{
    const enum cpuid_vendor other = t->is_amd ? CPUID_INTEL : CPUID_AMD;
    for (unsigned i = 0; i < cpuid_row_count; i++) {
        const struct cpuid_row *row = &cpuid_rows[i];
        if (row->vendor != other && (row->rule == CPUID_HOST || row->rule == CPUID_ON))
            apply(t, row, x);
    }
}

/* SDM vol. 1, 13.2: sizes as they are when a guest has switched on all that it is offered. */
static void add_xsave(struct cpuid_table *t, uint64_t x)
{
    if (!x)
        return;
    uint32_t end = XSAVE_LEGACY_BYTES, compact = XSAVE_LEGACY_BYTES;
    struct cpuid_regs parts[8] = {0};
    for (uint32_t i = 2; i < 8; i++) {
        if (!(x >> i & 1))
            continue;
        struct cpuid_regs p = parts[i] = cpuid_host_leaf(t, 0xd, i);
        if (p.ebx + p.eax > end)
            end = p.ebx + p.eax;
        if (p.ecx & 2)
            compact = (compact + 63) & ~63u;
        compact += p.eax;
    }
    cpuid_set(t, 0xd, 0, (struct cpuid_regs){(uint32_t)x, end, end, 0});
    uint32_t instructions = cpuid_host_leaf(t, 0xd, 1).eax & 7; /* XSAVEOPT, XSAVEC, XGETBV 1 */
    cpuid_set(t, 0xd, 1, (struct cpuid_regs){instructions, compact, 0, 0});
    for (uint32_t i = 2; i < 8; i++)
        if (x >> i & 1)
            cpuid_set(t, 0xd, i, parts[i]);
}

static void add_rates(struct cpuid_table *t)
{
    const uint64_t hz = t->host->tsc_hz;
    const uint32_t khz = (uint32_t)(hz / 1000), mhz = (uint32_t)(hz / 1000000);
    cpuid_set(t, 0x40000010, 0, (struct cpuid_regs){khz, khz, 0, 0});
    uint32_t invariant = cpuid_host_leaf(t, 0x80000007, 0).edx & INVARIANT_TSC;
    cpuid_entry(t, 0x80000007, 0)->edx = hz >= INVARIANT_TSC_HZ ? invariant : 0;
    if (t->is_amd)
        return;
    /* TSC = crystal * EBX / EAX. The field has 32 bits of Hz: above that the crystal is half or
     * less. */
    uint32_t ratio = (uint32_t)(hz >> 32) + 1;
    cpuid_set(t, 0x15, 0, (struct cpuid_regs){1, ratio, (uint32_t)(hz / ratio), 0});
    cpuid_set(t, 0x16, 0, (struct cpuid_regs){mhz, mhz, 100, 0});
}

static void add_limits(struct cpuid_table *t)
{
    cpuid_set(t, 0x40000000, 0, /* "KVMKVMKVM" */
              (struct cpuid_regs){0x40000010, 0x4b4d564b, 0x564b4d56, 0x0000004d});
    uint32_t highest = t->host->cpuid(0x80000000, 0).eax;
    uint32_t most = t->is_amd ? HIGHEST_EXTENDED_AMD : HIGHEST_EXTENDED_INTEL;
    struct leat_cpuid_entry *e = cpuid_entry(t, 0x80000000, 0);
    e->eax = highest < most ? highest : most;
    if (t->is_amd) { /* repeats the maker; zero on Intel */
        struct cpuid_regs maker = t->host->cpuid(0, 0);
        e->ebx = maker.ebx;
        e->ecx = maker.ecx;
        e->edx = maker.edx;
    }
    cpuid_entry(t, 0, 0)->eax = t->is_amd ? HIGHEST_AMD : HIGHEST_INTEL;
    cpuid_entry(t, 7, 0)->eax = cpuid_host_leaf(t, 7, 0).eax ? 1 : 0;
}

unsigned cpuid_build(const struct cpuid_host *host, struct leat_cpuid_entry *entries)
{
    struct cpuid_table t = {host, entries, 0, cpuid_is_amd(host)};
    uint64_t x = xstates(&t);
    apply_policy(&t, x);
    add_xsave(&t, x);
    add_rates(&t);
    cpuid_add_topology(&t);
    add_limits(&t);
    return t.count;
}
