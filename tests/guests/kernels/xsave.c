/* SPDX-License-Identifier: BSD-2-Clause */
/* XSAVE and the state that it manages, kept over exits and switches: SDM vol. 1, chapter 13. */
#include "tests/guests/kernels/runtime/kernel.h"

#define CR4_OSXSAVE (1ull << 18)
#define X87 1ull
#define SSE 2ull
#define AVX 4ull
#define AVX512 0xe0ull
#define GP 13
#define UD 6
#define NM 7

static uint64_t offered(void)
{
    return (uint64_t)cpuid(0xd, 0).edx << 32 | cpuid(0xd, 0).eax;
}

static bool begin(void)
{
    if (!(cpuid(1, 0).ecx & 1u << 26)) {
        skip("CPUID has no XSAVE");
        return false;
    }
    cr4_write(cr4_read() | CR4_OSXSAVE);
    return true;
}

CODE(64, do_xsetbv, "", "xsetbv", "");
CODE(64, do_xgetbv, "", "xgetbv", "");
static bool xcr0_faults(uint32_t index, uint64_t value)
{
    run_in.rcx = index;
    run_in.rax = (uint32_t)value;
    run_in.rdx = value >> 32;
    return run(do_xsetbv, RING0) != VECTOR_DONE;
}

static void xcr0(void)
{
    if (!begin())
        return;
    uint64_t all = offered();
    CHECK_EQ("the bits of leaf 0xd that Leat may offer", all & ~0xe7ull,
             is_leat() ? 0 : all & ~0xe7ull);
    for (uint64_t value = 0; value < 0x400; value++) {
        bool is_legal =
            (value & ~all) == 0 && value & X87 && (!(value & AVX) || value & SSE) &&
            (!(value & AVX512) || (value & (AVX512 | AVX | SSE)) == (AVX512 | AVX | SSE)) &&
            !((value & 0x18) && (value & 0x18) != 0x18);
        uint64_t old = xgetbv(0);
        bool faults = xcr0_faults(0, value);
        if (!CHECK(faults == !is_legal, "XCR0 = 0x%x %s", value,
                   is_legal ? "is refused" : "is taken"))
            return;
        if (faults)
            CHECK(trapped.vector == GP && trapped.error == 0, "exception %u, not #GP(0)",
                  trapped.vector);
        CHECK_EQ("XCR0", xgetbv(0), faults ? old : value);
    }
    CHECK(xcr0_faults(0, 1ull << 63 | 3), "bit 63 of XCR0 is taken");
    CHECK(xcr0_faults(0, 1ull << 32 | 3), "bit 32 of XCR0 is taken");
    CHECK(xcr0_faults(1, 0), "XCR1 can be written");
    run_in.rcx = 0;
    run_in.rax = 3;
    CHECK_FAULT(do_xsetbv, RING3, GP, 0);
    xsetbv(0, 3);
    CHECK_RUNS(do_xgetbv, RING3);
    CHECK_EQ("XGETBV in ring 3", trapped.rax, 3);
    run_in.rcx = 77;
    CHECK(run(do_xgetbv, RING0) == GP, "XGETBV of register 77 gave exception %u", trapped.vector);
}

static void without(void)
{
    if (!begin())
        return;
    cr4_write(cr4_read() & ~CR4_OSXSAVE);
    CHECK_FAULT(do_xgetbv, RING0, UD, 0);
    run_in.rax = 3;
    CHECK_FAULT(do_xsetbv, RING0, UD, 0);
    cr4_write(cr4_read() | CR4_OSXSAVE);
    CHECK_RUNS(do_xgetbv, RING0);
    CHECK_EQ("XCR0 after OSXSAVE was off", trapped.rax & 1, 1);
}

/* Leaf 0xd: EBX follows XCR0, ECX does not; the parts lie behind each other. */
static void sizes(void)
{
    if (!begin())
        return;
    uint64_t all = offered();
    uint32_t end = 576;
    xsetbv(0, 1);
    CHECK_EQ("the size for x87 only", cpuid(0xd, 0).ebx, 576);
    xsetbv(0, all & (X87 | SSE | AVX | AVX512));
    for (unsigned i = 2; i < 8; i++) {
        struct cpuid part = cpuid(0xd, i);
        if (all >> i & 1) {
            CHECK(part.ebx >= 576 && part.eax, "part %u: %u bytes at %u", (uint64_t)i,
                  (uint64_t)part.eax, (uint64_t)part.ebx);
            if (part.ebx + part.eax > end)
                end = part.ebx + part.eax;
        } else {
            CHECK(!(part.eax | part.ebx | part.ecx | part.edx),
                  "part %u, which is not offered, has %u bytes", (uint64_t)i, (uint64_t)part.eax);
        }
    }
    if ((all & ~0xe7ull) == 0)
        CHECK_EQ("the size of all", cpuid(0xd, 0).ecx, end);
    if (all & AVX) {
        uint32_t with = cpuid(0xd, 0).ebx;
        xsetbv(0, 3);
        uint32_t sse = cpuid(0xd, 0).ebx;
        CHECK(sse == 576, "the size for SSE is %u", (uint64_t)sse);
        CHECK(with > sse, "the size does not follow XCR0: %u with all", (uint64_t)with);
    }
    xsetbv(0, 3);
}

/* -- the state itself -- */

static _Alignas(64) uint8_t pattern[32 * 64 + 64], found[32 * 64 + 64];
static _Alignas(64) uint8_t area[4096], other_area[4096];

__asm__(".text\n"
        "load_sse: \n.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nmovdqu \\n*64(%rdi), "
        "%xmm\\n\n.endr\nret\n"
        "store_sse: \n.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nmovdqu %xmm\\n, "
        "\\n*64(%rdi)\n.endr\nret\n"
        "load_avx: \n.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nvmovdqu \\n*64(%rdi), "
        "%ymm\\n\n.endr\nret\n"
        "store_avx: \n.irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\nvmovdqu %ymm\\n, "
        "\\n*64(%rdi)\n.endr\nret\n"
        "load_avx512: \n.irp "
        "n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "vmovdqu64 \\n*64(%rdi), %zmm\\n\n.endr\n.irp n,0,1,2,3,4,5,6,7\nkmovw 32*64+\\n*8(%rdi), "
        "%k\\n\n.endr\nret\n"
        "store_avx512: \n.irp "
        "n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
        "vmovdqu64 %zmm\\n, \\n*64(%rdi)\n.endr\n.irp n,0,1,2,3,4,5,6,7\nkmovw %k\\n, "
        "32*64+\\n*8(%rdi)\n.endr\nret\n");
void load_sse(const void *), store_sse(void *), load_avx(const void *), store_avx(void *),
    load_avx512(const void *), store_avx512(void *);

static const struct kind {
    const char *name;
    uint64_t xcr0;
    unsigned registers, bytes;
    void (*load)(const void *), (*store)(void *);
} kinds[] = {
    {"SSE", X87 | SSE, 16, 16, load_sse, store_sse},
    {"AVX", X87 | SSE | AVX, 16, 32, load_avx, store_avx},
    {"AVX-512", X87 | SSE | AVX | AVX512, 32, 64, load_avx512, store_avx512},
};

static void fill(void)
{
    static uint64_t state;
    state ^= rdtsc() | 1;
    for (unsigned i = 0; i < sizeof(pattern); i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        pattern[i] = (uint8_t)state;
    }
}

static bool is_kept(const struct kind *kind, const char *when)
{
    for (unsigned i = 0; i < kind->registers; i++)
        for (unsigned j = 0; j < kind->bytes; j++)
            if (!CHECK(found[i * 64 + j] == pattern[i * 64 + j],
                       "%s: byte %u of register %u changed %s", kind->name, (uint64_t)j,
                       (uint64_t)i, when))
                return false;
    for (unsigned k = 0; kind->xcr0 & AVX512 && k < 8; k++)
        if (!CHECK(*(uint16_t *)(void *)(found + 2048 + 8 * k) ==
                       *(uint16_t *)(void *)(pattern + 2048 + 8 * k),
                   "mask register %u changed %s", (uint64_t)k, when))
            return false;
    return true;
}

static void each_kind(bool (*test)(const struct kind *kind))
{
    if (!begin())
        return;
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if ((offered() & kinds[i].xcr0) != kinds[i].xcr0)
            continue;
        xsetbv(0, kinds[i].xcr0);
        if (!test(&kinds[i]))
            return;
    }
    xsetbv(0, 3);
}

/* Exits of each way: those that ring 0 handles, those that the vmm does, and sleep, in which others run. */
static bool over_exits(const struct kind *kind)
{
    interrupts[0x60] = 0;
    for (unsigned round = 0; round < 20; round++) {
        fill();
        kind->load(pattern);
        cpuid(0, 0);
        out8(0x80, 0);
        if (round % 4 == 0) {
            apic_write(APIC_LVT_TIMER, 0x60);
            apic_write(APIC_DIVIDE, 0xb);
            apic_write(APIC_INITIAL, 200000);
            sti_hlt_cli();
        } else {
            wait_ms(1);
        }
        kind->store(found);
        if (!is_kept(kind, "over exits"))
            return false;
    }
    return true;
}
static void kept(void)
{
    each_kind(over_exits);
}

/* A change of XCR0 leaves the registers alone. */
static bool over_xcr0(const struct kind *kind)
{
    fill();
    kind->load(pattern);
    xsetbv(0, 1);
    out8(0x80, 0);
    wait_ms(2);
    xsetbv(0, kind->xcr0);
    kind->store(found);
    return is_kept(kind, "while XCR0 was 1");
}
static void kept_without_xcr0(void)
{
    each_kind(over_xcr0);
}

#define XSAVE(instruction, where)                                                                  \
    __asm__ volatile(instruction " %0"                                                             \
                     : "+m"(where)                                                                 \
                     : "a"(UINT32_MAX), "d"(UINT32_MAX)                                            \
                     : "memor"                                                                     \
                       "y")

CODE(64, restore, "mov $-1, %eax; mov %eax, %edx", "xrstor64 (%rdi)", "");

/* Of Bochs, 3.0 restores what XSAVEC has saved; 2.7 does not. */
static bool is_compact_restored(void)
{
    run_in.rdi = (uint64_t)(uintptr_t)area;
    if (run(restore, RING0) == VECTOR_DONE)
        return true;
    known_fault("bochs", "XRSTOR refuses the compacted form");
    known_fault("bochs-amd", "XRSTOR refuses the compacted form");
    return CHECK(false, "exception %u of XRSTOR of what XSAVEC has saved", trapped.vector);
}

static bool round_trip(const struct kind *kind)
{
    uint32_t more = cpuid(0xd, 1).eax;
    for (unsigned how = 0; how < 3; how++) {
        if ((how == 1 && !(more & 1)) || (how == 2 && !(more & 2)))
            continue;
        for (unsigned i = 0; i < sizeof(area); i++)
            area[i] = other_area[i] = 0;
        XSAVE("xsave64", other_area);
        fill();
        kind->load(pattern);
        if (how == 0)
            XSAVE("xsave64", area);
        else if (how == 1)
            XSAVE("xsaveopt64", area);
        else
            XSAVE("xsavec64", area);
        uint64_t header = *(uint64_t *)(void *)(area + 512),
                 compact = *(uint64_t *)(void *)(area + 520);
        CHECK((header & kind->xcr0 & ~X87) == (kind->xcr0 & ~X87),
              "XSTATE_BV is 0x%x for XCR0 0x%x", header, kind->xcr0);
        CHECK((compact >> 63) == (how == 2), "XCOMP_BV is 0x%x", compact);
        if (how == 2 && !is_compact_restored())
            return false;
        XSAVE("xrstor64", other_area);
        out8(0x80, 0);
        XSAVE("xrstor64", area);
        kind->store(found);
        if (!is_kept(kind, how == 0 ? "by XSAVE" : how == 1 ? "by XSAVEOPT" : "by XSAVEC"))
            return false;
        for (unsigned i = 0; i < 64; i++)
            area[512 + i] = 0; /* all in its first state */
        XSAVE("xrstor64", area);
        for (unsigned i = 0; i < sizeof(pattern); i++)
            pattern[i] = 0;
        kind->store(found);
        if (!is_kept(kind, "by XRSTOR of the first state"))
            return false;
    }
    return true;
}
static void instructions(void)
{
    each_kind(round_trip);
}

static void x87_and_mxcsr(void)
{
    static const uint32_t mxcsr = 0x7f80;
    static const uint16_t control = 0xf7f;
    uint32_t mxcsr_found;
    uint16_t control_found;
    double pi = 0, pi_found = 1;
    __asm__ volatile("fninit; fldcw %1; fldpi; fstl %0; ldmxcsr %2"
                     : "=m"(pi)
                     : "m"(control), "m"(mxcsr));
    for (unsigned i = 0; i < 5; i++) {
        cpuid(0, 0);
        out8(0x80, 0);
        wait_ms(1);
    }
    __asm__ volatile("fstpl %0; fnstcw %1; stmxcsr %2; fninit"
                     : "=m"(pi_found), "=m"(control_found), "=m"(mxcsr_found));
    CHECK_EQ("MXCSR", mxcsr_found, mxcsr);
    CHECK_EQ("the x87 control word", control_found | 0x40, control | 0x40);
    CHECK_EQ("ST(0)", *(uint64_t *)(void *)&pi_found, *(uint64_t *)(void *)&pi);
    static const uint32_t usual = 0x1f80;
    __asm__ volatile("ldmxcsr %0" ::"m"(usual));
}

CODE(64, avx_code, "", "vxorps %ymm0, %ymm0, %ymm0", "");
static void faults(void)
{
    if (!begin())
        return;
    if (!(offered() & AVX)) {
        skip("CPUID has no AVX");
        return;
    }
    xsetbv(0, 3);
    CHECK_FAULT(avx_code, RING3, UD, 0);
    xsetbv(0, 7);
    CHECK_RUNS(avx_code, RING3);
    cr0_write(cr0_read() | 8);
    CHECK_FAULT(avx_code, RING3, NM, 0);
    __asm__ volatile("clts");
    cr4_write(cr4_read() & ~CR4_OSXSAVE);
    CHECK_FAULT(avx_code, RING3, UD, 0);
    cr4_write(cr4_read() | CR4_OSXSAVE);
    xsetbv(0, 3);
}

KERNEL("xsave", {"xcr0", xcr0}, {"without", without}, {"sizes", sizes}, {"kept", kept},
       {"kept_without_xcr0", kept_without_xcr0}, {"instructions", instructions},
       {"x87_and_mxcsr", x87_and_mxcsr}, {"faults", faults});
