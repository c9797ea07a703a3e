// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/cpu/cpuid.h"

#include <string.h>

#define BIT(n) (1u << (n))

/*
 * The policy: for each leaf, which of the host's bits a guest sees, and which it sees in any case.
 * SDM vol. 2, CPUID; AMD APM vol. 3, appendix E. What is not named is hidden.
 */
struct cpuid_policy {
    uint32_t leaf, subleaf;
    bool has_subleaf;
    struct cpuid_regs keep, force;
};

#define ALL UINT32_MAX

/* leaf 1 ECX: SSE3 PCLMUL SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND
 */
#define LEAF1_ECX                                                                                  \
    (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(17) | BIT(19) | BIT(20) | BIT(22) |        \
     BIT(23) | BIT(25) | BIT(26) | BIT(28) | BIT(29) | BIT(30))
/* x2APIC, TSC-deadline timer, hypervisor */
#define LEAF1_ECX_FORCE (BIT(21) | BIT(24) | BIT(31))
/* leaf 1 EDX: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX
   FXSR SSE SSE2 SS */
#define LEAF1_EDX 0x0f8bfbffu
/* leaf 7 EBX: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS INVPCID AVX512F AVX512DQ RDSEED ADX SMAP IFMA
   CLFLUSHOPT CLWB AVX512CD SHA AVX512BW AVX512VL; forced: TSC_ADJUST, which the VMM has */
#define LEAF7_EBX                                                                                  \
    (BIT(0) | BIT(3) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(10) | BIT(16) | BIT(17) | BIT(18) | \
     BIT(19) | BIT(20) | BIT(21) | BIT(23) | BIT(24) | BIT(28) | BIT(29) | BIT(30) | BIT(31))
#define LEAF7_EBX_FORCE BIT(1)
/* leaf 7 ECX: VBMI UMIP VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ RDPID */
#define LEAF7_ECX                                                                                  \
    (BIT(1) | BIT(2) | BIT(6) | BIT(8) | BIT(9) | BIT(10) | BIT(11) | BIT(12) | BIT(14) | BIT(22))
#define LEAF7_EDX BIT(4) /* fast short REP MOV */
/* 0x80000001 ECX: LAHF, LZCNT, SSE4A, misaligned SSE, PREFETCHW; EDX: SYSCALL NX 1-GiB pages RDTSCP
   LM, and on AMD the copies of leaf 1 */
#define LEAF81_ECX (BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
#define LEAF81_EDX (0x0183f3ffu | BIT(11) | BIT(20) | BIT(22) | BIT(26) | BIT(27) | BIT(29))

static const struct cpuid_policy policies[] = {
    {1, 0, false, {ALL, 0x0000ff00, LEAF1_ECX, LEAF1_EDX}, {0, 0, LEAF1_ECX_FORCE, 0}},
    {2, 0, false, {ALL, ALL, ALL, ALL}, {0}},       /* cache descriptors */
    {6, 0, false, {0, 0, 0, 0}, {BIT(2), 0, 0, 0}}, /* the APIC timer never stops */
    {7, 0, true, {0, LEAF7_EBX, LEAF7_ECX, LEAF7_EDX}, {0, LEAF7_EBX_FORCE, 0, 0}},
    {0x80000001, 0, false, {ALL, 0, LEAF81_ECX, LEAF81_EDX}, {0}},
    {0x80000002, 0, false, {ALL, ALL, ALL, ALL}, {0}}, /* brand string */
    {0x80000003, 0, false, {ALL, ALL, ALL, ALL}, {0}},
    {0x80000004, 0, false, {ALL, ALL, ALL, ALL}, {0}},
    {0x80000005, 0, false, {ALL, ALL, ALL, ALL}, {0}}, /* caches */
    {0x80000006, 0, false, {ALL, ALL, ALL, ALL}, {0}},
    {0x80000007, 0, false, {0, 0, 0, BIT(8)}, {0}},     /* invariant TSC */
    {0x80000008, 0, false, {0x0000ffff, 0, 0, 0}, {0}}, /* address widths */
};

/* x87, SSE, AVX, AVX-512 in its three parts; no MPX, no protection keys, no AMX */
#define XSTATES 0xe7ull
#define XSTATE_SSE 3ull
#define XSTATE_AVX BIT(2)
#define XSTATE_AVX512 0xe0u
#define XSAVE_LEGACY_BYTES 576u /* legacy area and header: SDM vol. 1, 13.4 */
#define LEAF1_ECX_XSAVE (BIT(26) | BIT(28) | BIT(12) | BIT(29)) /* with AVX, FMA, F16C */
#define LEAF1_ECX_AVX (BIT(28) | BIT(12) | BIT(29))
#define LEAF7_EBX_AVX512 (BIT(16) | BIT(17) | BIT(21) | BIT(28) | BIT(30) | BIT(31))
#define LEAF7_ECX_AVX512 (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define LEAF7_ECX_VEX (BIT(9) | BIT(10))

struct table {
    const struct cpuid_host *host;
    struct leat_cpuid_entry *entries;
    unsigned count;
};

static struct leat_cpuid_entry *add(struct table *t, uint32_t leaf, uint32_t subleaf,
                                    bool has_subleaf, struct cpuid_regs r)
{
    if (t->count == CPUID_MAX_ENTRIES)
        return &t->entries[CPUID_MAX_ENTRIES - 1]; /* the policy is far smaller */
    struct leat_cpuid_entry *e = &t->entries[t->count++];
    *e = (struct leat_cpuid_entry){.leaf = leaf,
                                   .subleaf = subleaf,
                                   .has_subleaf = has_subleaf,
                                   .eax = r.eax,
                                   .ebx = r.ebx,
                                   .ecx = r.ecx,
                                   .edx = r.edx};
    return e;
}

static struct cpuid_regs host_leaf(const struct table *t, uint32_t leaf, uint32_t subleaf)
{
    uint32_t max = t->host->cpuid(leaf & 0x80000000, 0).eax;
    return leaf > max ? (struct cpuid_regs){0} : t->host->cpuid(leaf, subleaf);
}

static uint64_t xstates(const struct table *t)
{
    uint64_t x = t->host->xcr0 & XSTATES;
    if (!(host_leaf(t, 1, 0).ecx & BIT(26)) || (x & XSTATE_SSE) != XSTATE_SSE)
        return 0;
    if (!(x & XSTATE_AVX) || (x & XSTATE_AVX512) != XSTATE_AVX512)
        x &= ~(uint64_t)XSTATE_AVX512;
    return x;
}

/* Features need their register state. */
static void drop_stateless(struct leat_cpuid_entry *e, uint64_t x)
{
    if (e->leaf == 1) {
        if (!x)
            e->ecx &= ~LEAF1_ECX_XSAVE;
        else if (!(x & XSTATE_AVX))
            e->ecx &= ~LEAF1_ECX_AVX;
    }
    if (e->leaf == 7) {
        if (!(x & XSTATE_AVX)) {
            e->ebx &= ~BIT(5);
            e->ecx &= ~LEAF7_ECX_VEX;
        }
        if (!(x & XSTATE_AVX512)) {
            e->ebx &= ~LEAF7_EBX_AVX512;
            e->ecx &= ~LEAF7_ECX_AVX512;
        }
    }
}

static void add_policies(struct table *t, uint64_t x)
{
    for (unsigned i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        const struct cpuid_policy *p = &policies[i];
        struct cpuid_regs h = host_leaf(t, p->leaf, p->subleaf);
        struct leat_cpuid_entry *e = add(t, p->leaf, p->subleaf, p->has_subleaf,
                                         (struct cpuid_regs){(h.eax & p->keep.eax) | p->force.eax,
                                                             (h.ebx & p->keep.ebx) | p->force.ebx,
                                                             (h.ecx & p->keep.ecx) | p->force.ecx,
                                                             (h.edx & p->keep.edx) | p->force.edx});
        drop_stateless(e, x);
        if (p->leaf == 1 && t->host->cpus > 1) {
            e->ebx |= t->host->cpus << 16;
            e->edx |= BIT(28); /* the count of logical CPUs is valid */
        }
    }
}

/* Caches: first level and second of each core its own, the rest of all. */
static void add_caches(struct table *t)
{
    for (uint32_t i = 0; i < 8; i++) {
        struct cpuid_regs h = host_leaf(t, 4, i);
        if (!(h.eax & 0x1f))
            return;
        uint32_t level = h.eax >> 5 & 7;
        uint32_t sharing = level > 2 ? t->host->cpus - 1 : 0;
        h.eax = (h.eax & 0x3ff) | sharing << 14 | (t->host->cpus - 1) << 26;
        add(t, 4, i, true, h);
    }
}

/* One thread a core, all cores in one package. */
static void add_topology(struct table *t)
{
    uint32_t shift = 0;
    while (1u << shift < t->host->cpus)
        shift++;
    add(t, 0xb, 0, true, (struct cpuid_regs){0, 1, 0x100, 0});
    add(t, 0xb, 1, true, (struct cpuid_regs){shift, t->host->cpus, 0x201, 0});
    add(t, 0xb, 2, true, (struct cpuid_regs){0, 0, 2, 0});
}

/* SDM vol. 1, 13.2: sizes as they are when a guest has switched on all that it is offered. */
static void add_xsave(struct table *t, uint64_t x)
{
    if (!x)
        return;
    uint32_t end = XSAVE_LEGACY_BYTES, compact = XSAVE_LEGACY_BYTES;
    struct cpuid_regs parts[8] = {0};
    for (uint32_t i = 2; i < 8; i++) {
        if (!(x >> i & 1))
            continue;
        struct cpuid_regs p = parts[i] = host_leaf(t, 0xd, i);
        if (p.ebx + p.eax > end)
            end = p.ebx + p.eax;
        if (p.ecx & 2)
            compact = (compact + 63) & ~63u;
        compact += p.eax;
    }
    add(t, 0xd, 0, true, (struct cpuid_regs){(uint32_t)x, end, end, 0});
    uint32_t instructions = host_leaf(t, 0xd, 1).eax & 7; /* XSAVEOPT, XSAVEC, XGETBV 1 */
    add(t, 0xd, 1, true, (struct cpuid_regs){instructions, compact, 0, 0});
    for (uint32_t i = 2; i < 8; i++)
        if (x >> i & 1)
            add(t, 0xd, i, true, parts[i]);
}

unsigned cpuid_build(const struct cpuid_host *host, struct leat_cpuid_entry *entries)
{
    static const uint32_t kvm[3] = {0x4b4d564b, 0x564b4d56, 0x0000004d}; /* "KVMKVMKVM" */
    struct table t = {host, entries, 0};
    uint64_t x = xstates(&t);
    struct cpuid_regs vendor = host->cpuid(0, 0);
    uint32_t hz = (uint32_t)host->tsc_hz;

    vendor.eax = 0x16;
    add(&t, 0, 0, false, vendor);
    add_policies(&t, x);
    add_caches(&t);
    add_topology(&t);
    add_xsave(&t, x);
    /* TSC = crystal * EBX / EAX. The field has 32 bits of Hz: above that the crystal is half or
     * less. */
    uint32_t ratio = (uint32_t)(host->tsc_hz >> 32) + 1;
    if (ratio > 1)
        hz = (uint32_t)(host->tsc_hz / ratio);
    add(&t, 0x15, 0, false, (struct cpuid_regs){1, ratio, hz, 0});
    uint32_t mhz = (uint32_t)(host->tsc_hz / 1000000);
    add(&t, 0x16, 0, false, (struct cpuid_regs){mhz, mhz, 100, 0});
    /* the signature by which Linux knows that x2APIC needs no interrupt remapping; no features */
    add(&t, 0x40000000, 0, false, (struct cpuid_regs){0x40000001, kvm[0], kvm[1], kvm[2]});
    add(&t, 0x40000001, 0, false, (struct cpuid_regs){0});
    uint32_t max = host->cpuid(0x80000000, 0).eax;
    add(&t, 0x80000000, 0, false,
        (struct cpuid_regs){max < 0x80000008 ? max : 0x80000008, vendor.ebx, vendor.ecx,
                            vendor.edx});
    return t.count;
}
