/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID: SDM vol. 2, CPUID; AMD APM vol. 3, appendix E. */
#include "tests/guests/kernels/runtime/kernel.h"

#define BIT(n) (1u << (n))
#define CR4_OSXSAVE BIT(18)
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_ENABLE BIT(11)

static void vendor(void)
{
    struct cpuid low = cpuid(0, 0), high = cpuid(0x80000000, 0);
    CHECK(low.eax >= 0xd, "the highest leaf is 0x%x", (uint64_t)low.eax);
    CHECK(high.eax >= 0x80000008, "the highest extended leaf is 0x%x", (uint64_t)high.eax);
    if (is_amd())
        CHECK(low.ebx == high.ebx && low.ecx == high.ecx && low.edx == high.edx,
              "leaves 0 and 0x80000000 name different vendors");
    struct cpuid a = cpuid(1, 0), b = cpuid(0x80000001, 0);
    CHECK(a.edx & BIT(0) && a.edx & BIT(4) && a.edx & BIT(5) && a.edx & BIT(6) && a.edx & BIT(26),
          "FPU, TSC, MSR, PAE or SSE2 is missing: EDX 0x%x", (uint64_t)a.edx);
    CHECK(b.edx & BIT(29) && b.edx & BIT(11) && b.edx & BIT(20), "LM, SYSCALL or NX is missing");
    struct cpuid widths = cpuid(0x80000008, 0);
    CHECK((widths.eax & 0xff) >= 36 && (widths.eax & 0xff) <= 52, "physical addresses have %u bits",
          (uint64_t)(widths.eax & 0xff));
    uint32_t linear = widths.eax >> 8 & 0xff;
    CHECK(linear == (cpuid(7, 0).ecx & BIT(16) ? 57 : 48), "linear addresses have %u bits",
          (uint64_t)linear);
}

/* What needs what: SDM vol. 1, 13 to 15. */
static void dependencies(void)
{
    uint32_t ecx = cpuid(1, 0).ecx, ebx7 = cpuid(7, 0).ebx;
    bool has_xsave = ecx & BIT(26), has_avx = ecx & BIT(28);
    uint32_t states = has_xsave ? cpuid(0xd, 0).eax : 0;
    CHECK(!has_xsave || (states & 3) == 3, "XSAVE without x87 and SSE: 0x%x", (uint64_t)states);
    CHECK(!has_avx || states & BIT(2), "AVX without its state: 0x%x", (uint64_t)states);
    CHECK(has_avx || !(ecx & (BIT(12) | BIT(29))), "FMA or F16C without AVX");
    CHECK(has_avx || !(ebx7 & BIT(5)), "AVX2 without AVX");
    CHECK(!(ebx7 & BIT(16)) || (states & 0xe0) == 0xe0, "AVX-512 without its state: 0x%x",
          (uint64_t)states);
    CHECK(ebx7 & BIT(16) || !(ebx7 & (BIT(17) | BIT(28) | BIT(30) | BIT(31))),
          "parts of AVX-512 without AVX-512F: 0x%x", (uint64_t)ebx7);
    CHECK(!(ecx & BIT(25)) || ecx & BIT(9), "AES without SSSE3");
}

static void osxsave(void)
{
    if (!(cpuid(1, 0).ecx & BIT(26))) {
        skip("CPUID has no XSAVE");
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        cr4_write(i & 1 ? cr4_read() | CR4_OSXSAVE : cr4_read() & ~(uint64_t)CR4_OSXSAVE);
        CHECK_EQ("OSXSAVE of leaf 1", cpuid(1, 0).ecx >> 27 & 1, i & 1);
    }
    cr4_write(cr4_read() & ~(uint64_t)CR4_OSXSAVE);
}

static void apic_bit(void)
{
    if (is_leat()) {
        skip("Leat shows the APIC's bit while the guest has it switched off, too");
        return;
    }
    uint64_t base = rdmsr(MSR_APIC_BASE);
    CHECK(cpuid(1, 0).edx & BIT(9), "no APIC in leaf 1");
    wrmsr(MSR_APIC_BASE, base & ~(uint64_t)APIC_BASE_ENABLE);
    bool is_gone = !(cpuid(1, 0).edx & BIT(9));
    wrmsr(MSR_APIC_BASE, base);
    apic_init();
    CHECK(is_gone, "an APIC that is switched off is still in leaf 1");
}

struct ids {
    uint32_t leaf1, leafb, apic;
};

static void read_ids(void *argument)
{
    struct ids *ids = argument;
    ids->leaf1 = cpuid(1, 0).ebx >> 24;
    ids->leafb = has_leaf(0xb) && cpuid(0xb, 0).ebx ? cpuid(0xb, 0).edx : ids->leaf1;
    ids->apic = apic_id();
}

static void apic_ids(void)
{
    struct ids ids[MAX_CPUS];
    for (unsigned i = 0; i < cpus(); i++) {
        cpu_call(i, read_ids, &ids[i]);
        CHECK_EQ("leaf 1's APIC id", ids[i].leaf1, ids[i].apic);
        CHECK_EQ("leaf 0xb's APIC id", ids[i].leafb, ids[i].apic);
        for (unsigned j = 0; j < i; j++)
            CHECK(ids[j].apic != ids[i].apic, "two CPUs have the APIC id 0x%x",
                  (uint64_t)ids[i].apic);
    }
}

/* SDM vol. 2: shifts grow, the last level that counts covers all CPUs. */
static void topology(void)
{
    if (!has_leaf(0xb) || !cpuid(0xb, 0).ebx) {
        skip("no leaf 0xb");
        return;
    }
    uint32_t shift = 0, count = 0, highest = 0;
    for (uint32_t i = 0; i < 4; i++) {
        struct cpuid r = cpuid(0xb, i);
        if (!(r.ecx >> 8 & 0xff))
            break;
        CHECK_EQ("the level's number", r.ecx & 0xff, i);
        CHECK((r.eax & 31) >= shift && (r.ebx & 0xffff) >= count,
              "level %u is smaller than the last", (uint64_t)i);
        shift = r.eax & 31;
        count = r.ebx & 0xffff;
    }
    for (unsigned i = 0; i < cpus(); i++)
        highest = cpu_apic_id(i) > highest ? cpu_apic_id(i) : highest;
    CHECK(highest >> shift == 0, "APIC id 0x%x does not fit into %u bits", (uint64_t)highest,
          (uint64_t)shift);
    CHECK(count >= cpus(), "%u CPUs, says leaf 0xb; %u are there", (uint64_t)count,
          (uint64_t)cpus());
}

CODE(64, cpuid_64, "", "cpuid", "");
CODE(32, cpuid_32, "", "cpuid", "");

/* The same answer in every ring and mode. */
static void everywhere(void)
{
    static const uint32_t leaves[] = {0, 4, 7, 0xd, 0x80000001, 0x80000002, 0x80000008};
    for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
        struct cpuid wanted = cpuid(leaves[i], 0);
        for (enum mode mode = RING0; mode <= RING3_32; mode++) {
            bool is_32 = mode == RING0_32 || mode == RING3_32;
            run_in.rax = leaves[i];
            CHECK_RUNS((is_32 ? cpuid_32 : cpuid_64), mode);
            /* AMD shows SYSCALL in every mode; Intel in 64-bit mode only: SDM vol. 2 */
            uint64_t mask = leaves[i] == 0x80000001 ? ~(uint64_t)BIT(11) : ~0ull;
            CHECK(trapped.rax == wanted.eax && trapped.rbx == wanted.ebx &&
                      trapped.rcx == wanted.ecx && (trapped.rdx & mask) == (wanted.edx & mask),
                  "leaf 0x%x differs in mode %u", (uint64_t)leaves[i], (uint64_t)mode);
        }
    }
}

/* Leat's policy: what a guest must not see. */
static void hidden(void)
{
    if (!is_leat()) {
        skip("not a guest of Leat");
        return;
    }
    struct cpuid a = cpuid(1, 0), seven = cpuid(7, 0), b = cpuid(0x80000001, 0);
    CHECK(a.ecx & BIT(31), "no hypervisor bit");
    CHECK(a.ecx & BIT(21) && a.ecx & BIT(24), "no x2APIC or TSC-deadline timer");
    CHECK(!(a.ecx & (BIT(2) | BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(10) | BIT(15))),
          "DTES64, MONITOR, VMX, SMX, EIST, TM2, CNXT-ID or PDCM shows: ECX 0x%x", (uint64_t)a.ecx);
    CHECK(!(a.edx & (BIT(21) | BIT(22) | BIT(29))), "DS, ACPI or TM shows: EDX 0x%x",
          (uint64_t)a.edx);
    CHECK(!(b.ecx & (BIT(2) | BIT(10) | BIT(12) | BIT(13) | BIT(23) | BIT(24) | BIT(29))),
          "SVM, IBS, SKINIT, WDT, performance counters or MWAITX shows: ECX 0x%x", (uint64_t)b.ecx);
    CHECK(!(seven.ebx & (BIT(2) | BIT(4) | BIT(11) | BIT(12) | BIT(14) | BIT(15) | BIT(25))),
          "SGX, HLE, RTM, PQM, MPX, PQE or PT shows: EBX 0x%x", (uint64_t)seven.ebx);
    static const uint32_t empty[] = {5,    0xa,        0xf,        0x10,      0x12,
                                     0x14, 0x8000000a, 0x8000001b, 0x8000001f};
    for (unsigned i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        struct cpuid r = cpuid(empty[i], 0);
        CHECK(!(r.eax | r.ebx | r.ecx | r.edx), "leaf 0x%x is not empty", (uint64_t)empty[i]);
    }
}

KERNEL("cpuid", {"vendor", vendor}, {"dependencies", dependencies}, {"osxsave", osxsave},
       {"apic_bit", apic_bit}, {"apic_ids", apic_ids}, {"topology", topology},
       {"everywhere", everywhere}, {"hidden", hidden});
