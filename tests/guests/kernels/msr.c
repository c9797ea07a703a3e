/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers: SDM vol. 4; AMD APM vol. 2, appendix A. */
#include "tests/guests/kernels/runtime/kernel.h"

#define MSR_APIC_BASE 0x1b
#define MSR_MTRR_CAP 0xfe
#define MSR_SYSENTER_CS 0x174
#define MSR_MTRR_PHYS 0x200
#define MSR_MTRR_FIX64 0x250
#define MSR_PAT 0x277
#define MSR_MTRR_DEFAULT 0x2ff
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103

#define EFER_SCE 1ull
#define EFER_NXE (1ull << 11)
#define LA57_IN_ECX (1u << 16) /* of CPUID leaf 7 */
#define VECTOR_UD 6
#define FLAG_DF 0x400ull
#define FLAG_AC 0x40000ull

/* Something that makes the hypervisor run. */
static void exit_once(void)
{
    cpuid(0, 0);
    out8(0x80, 0);
}

static void keeps(uint32_t msr, uint64_t value)
{
    uint64_t is;
    if (!CHECK(!msr_write_faults(msr, value), "0x%x cannot be written into MSR 0x%x", value,
               (uint64_t)msr))
        return;
    exit_once();
    if (CHECK(!msr_read_faults(msr, &is), "MSR 0x%x cannot be read", (uint64_t)msr))
        CHECK(is == value, "MSR 0x%x is 0x%x, not 0x%x", (uint64_t)msr, is, value);
}

static void refuses(uint32_t msr, uint64_t value)
{
    CHECK(msr_write_faults(msr, value), "MSR 0x%x took 0x%x", (uint64_t)msr, value);
    CHECK(trapped.vector == 13 && trapped.error == 0, "exception %u, not #GP(0), for MSR 0x%x",
          trapped.vector, (uint64_t)msr);
}

static void unknown(void)
{
    static const uint32_t all[] = {0x1234, 0x4000, 0x12345678, 0xc0001234, 0xc0012345, 0xffffffff};
    known_alone("tcg", "TCG reads MSRs that it does not know as 0");
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        uint64_t value;
        CHECK(msr_read_faults(all[i], &value), "MSR 0x%x reads as 0x%x", (uint64_t)all[i], value);
        CHECK_EQ("the exception", trapped.vector, 13);
        refuses(all[i], 0);
    }
}

static void efer(void)
{
    uint64_t old = rdmsr(MSR_EFER);
    CHECK((old & 0x500) == 0x500, "LME and LMA are not set: 0x%x", old);
    keeps(MSR_EFER, old | EFER_NXE);
    keeps(MSR_EFER, old & ~EFER_NXE);
    keeps(MSR_EFER, old | EFER_SCE);
    keeps(MSR_EFER, old & ~EFER_SCE);
    if (!CHECK(!msr_write_faults(MSR_EFER, old ^ 1ull << 10),
               "a write that changes LMA only is refused"))
        return;
    CHECK_EQ("EFER after a write without LMA", rdmsr(MSR_EFER), old);
    known_alone("tcg", "TCG does not check EFER");
    refuses(MSR_EFER, old & ~(1ull << 8)); /* LME, with paging on */
    refuses(MSR_EFER, old | 1ull << 20);
    refuses(MSR_EFER, old | 1ull << 63);
    CHECK_EQ("EFER after refused writes", rdmsr(MSR_EFER), old);
}

/* What SVM owns in EFER is not a guest's. */
static void efer_svme(void)
{
    if (!is_leat()) {
        skip("not a guest of Leat");
        return;
    }
    uint64_t old = rdmsr(MSR_EFER);
    CHECK(!(old & 1ull << 12), "SVME shows");
    refuses(MSR_EFER, old | 1ull << 12);
}

/* -- SYSCALL and SYSRET, SYSENTER and SYSEXIT -- */

CODE(64, do_syscall, "", "syscall", "");
__asm__(".text\n.globl syscall_target\nsyscall_target:\n"
        "mov %rcx, user_data + 8\nmov %r11, user_data + 16\npushfq\npop user_data + 24\n"
        "sysretq\n");
extern const uint8_t syscall_target[];

static void syscall(void)
{
    uint64_t *seen = (uint64_t *)(void *)user_data, old = rdmsr(MSR_EFER);
    wrmsr(MSR_EFER, old & ~EFER_SCE);
    CHECK_FAULT(do_syscall, RING3, VECTOR_UD, 0);
    wrmsr(MSR_EFER, old | EFER_SCE);
    wrmsr(MSR_STAR, (uint64_t)SEL_USER_CODE32 << 48 | (uint64_t)SEL_CODE << 32);
    wrmsr(MSR_LSTAR, (uint64_t)(uintptr_t)syscall_target);
    wrmsr(MSR_SFMASK, FLAG_DF);
    exit_once();
    run_in.rflags = FLAG_DF | FLAG_AC;
    CHECK_RUNS(do_syscall, RING3);
    CHECK_EQ("RCX after SYSCALL", seen[1], (uintptr_t)do_syscall_next);
    CHECK_EQ("R11 after SYSCALL", seen[2] & (FLAG_DF | FLAG_AC), FLAG_DF | FLAG_AC);
    CHECK_EQ("RFLAGS after SYSCALL", seen[3] & (FLAG_DF | FLAG_AC), FLAG_AC);
    CHECK_EQ("CS after SYSRET", trapped.cs, SEL_USER_CODE);
    CHECK_EQ("SS after SYSRET", trapped.ss, SEL_USER_DATA);
    CHECK_EQ("RFLAGS after SYSRET", trapped.rflags & (FLAG_DF | FLAG_AC), FLAG_DF | FLAG_AC);
    wrmsr(MSR_EFER, old);
}

static void syscall_msrs(void)
{
    static const uint64_t values[] = {0xffff800012345678, 0x00007fffffffffff, 0};
    for (unsigned i = 0; i < 3; i++) {
        keeps(MSR_LSTAR, values[i]);
        keeps(MSR_CSTAR, values[i]);
        keeps(MSR_STAR, values[i]);
        keeps(MSR_FS_BASE, values[i]);
        keeps(MSR_GS_BASE, values[i]);
        keeps(MSR_KERNEL_GS_BASE, values[i]);
    }
    keeps(MSR_SFMASK, 0x47700);
    /* what the CPU can have as an address, not what the paging mode can: SDM vol. 1, 3.3.7.1 */
    bool is_57 = cpuid(7, 0).ecx & LA57_IN_ECX;
    const uint64_t bad = is_57 ? 1ull << 56 : 1ull << 47;
    if (is_57)
        keeps(MSR_LSTAR, 0x00ff000012345678);
    known_fault("tcg", "TCG does not check these MSRs");
    static const uint32_t addresses[] = {MSR_LSTAR, MSR_CSTAR, MSR_FS_BASE, MSR_GS_BASE,
                                         MSR_KERNEL_GS_BASE};
    for (unsigned i = 0; i < 5; i++) {
        uint64_t old = rdmsr(addresses[i]);
        refuses(addresses[i], bad);
        CHECK_EQ("the MSR after a refused write", rdmsr(addresses[i]), old);
    }
}

static void swapgs(void)
{
    wrmsr(MSR_GS_BASE, 0x11110000);
    wrmsr(MSR_KERNEL_GS_BASE, 0xffff800022220000);
    exit_once();
    __asm__ volatile("swapgs");
    exit_once();
    CHECK_EQ("GS_BASE after SWAPGS", rdmsr(MSR_GS_BASE), 0xffff800022220000);
    CHECK_EQ("KERNEL_GS_BASE after SWAPGS", rdmsr(MSR_KERNEL_GS_BASE), 0x11110000);
    __asm__ volatile("swapgs");
    CHECK_EQ("GS_BASE after two", rdmsr(MSR_GS_BASE), 0x11110000);
    wrmsr(MSR_GS_BASE, (uint64_t)(uintptr_t)user_data);
    *(uint64_t *)(void *)user_data = 0x1234567890;
    uint64_t value;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
    CHECK_EQ("what GS reaches", value, 0x1234567890);
    wrmsr(MSR_GS_BASE, 0);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

CODE(64, do_sysenter, "", "sysenter", "");
__asm__(".pushsection .user, \"awx\"\n.globl sysenter_back\nsysenter_back: int $0x81\n.popsection\n"
        ".text\n.globl sysenter_target\nsysenter_target:\n"
        "mov %rsp, user_data + 8\nmov $sysenter_back, %edx\nmov $user_stack_top, %ecx\nsysexitq\n");
extern const uint8_t sysenter_target[], sysenter_back[];

static void sysenter(void)
{
    if (!(cpuid(1, 0).edx & 1u << 11)) {
        skip("CPUID has no SEP");
        return;
    }
    keeps(MSR_SYSENTER_CS + 1, (uint64_t)(uintptr_t)(user_data + 512));
    keeps(MSR_SYSENTER_CS + 2, (uint64_t)(uintptr_t)sysenter_target);
    keeps(MSR_SYSENTER_CS, SEL_CODE);
    exit_once();
    run(do_sysenter, RING3);
    if (is_amd()) { /* AMD APM vol. 3, SYSENTER: not in long mode */
        known_fault("tcg", "TCG's SYSENTER works in long mode on every vendor's CPU");
        known_fault("bochs-amd", "Bochs' SYSENTER works in long mode on every vendor's CPU");
        check_trap(VECTOR_UD, 0, do_sysenter_at);
    } else {
        check_trap(VECTOR_DONE, 0, sysenter_back + 2);
        CHECK_EQ("RSP after SYSENTER", ((uint64_t *)(void *)user_data)[1],
                 (uintptr_t)(user_data + 512));
        CHECK_EQ("CS after SYSEXIT", trapped.cs, SEL_CODE + 32 + 3);
    }
    wrmsr(MSR_SYSENTER_CS, 0);
    CHECK(run(do_sysenter, RING3) != VECTOR_DONE, "SYSENTER worked with SYSENTER_CS = 0");
}

static void pat(void)
{
    uint64_t old = rdmsr(MSR_PAT);
    CHECK_EQ("PAT at the start", old, 0x0007040600070406);
    keeps(MSR_PAT, 0x0106050407000104);
    keeps(MSR_PAT, old);
    known_alone("tcg", "TCG does not check PAT");
    for (unsigned i = 0; i < 64; i += 8) {
        refuses(MSR_PAT, (old & ~(0xffull << i)) | 2ull << i);
        refuses(MSR_PAT, (old & ~(0xffull << i)) | 3ull << i);
        refuses(MSR_PAT, old | 8ull << i);
    }
    CHECK_EQ("PAT after refused writes", rdmsr(MSR_PAT), old);
}

static void mtrr(void)
{
    if (!(cpuid(1, 0).edx & 1u << 12)) {
        skip("CPUID has no MTRR");
        return;
    }
    uint64_t capability = rdmsr(MSR_MTRR_CAP), old = rdmsr(MSR_MTRR_DEFAULT);
    keeps(MSR_MTRR_DEFAULT, (old & ~0xffull) | 6);
    keeps(MSR_MTRR_DEFAULT, old);
    for (unsigned i = 0; i < (capability & 0xff); i++) {
        uint64_t base = rdmsr(MSR_MTRR_PHYS + 2 * i), mask = rdmsr(MSR_MTRR_PHYS + 2 * i + 1);
        keeps(MSR_MTRR_PHYS + 2 * i, 0x80000006);
        keeps(MSR_MTRR_PHYS + 2 * i + 1, 0xf80000000);
        keeps(MSR_MTRR_PHYS + 2 * i, base);
        keeps(MSR_MTRR_PHYS + 2 * i + 1, mask);
    }
    if (capability & 0x100) {
        uint64_t fixed = rdmsr(MSR_MTRR_FIX64);
        keeps(MSR_MTRR_FIX64, 0x0506040100060606);
        keeps(MSR_MTRR_FIX64, fixed);
        keeps(0x268, rdmsr(0x268));
        keeps(0x26f, rdmsr(0x26f));
    }
    known_alone("tcg", "TCG does not check MTRRs");
    known_alone("bochs", "Bochs has as many MTRRs in every CPU model");
    uint64_t value;
    CHECK(msr_read_faults(MSR_MTRR_PHYS + 2 * (uint32_t)(capability & 0xff), &value),
          "there are more variable ranges than MTRRCAP says");
}

static void apic_base(void)
{
    uint64_t old = rdmsr(MSR_APIC_BASE);
    CHECK_EQ("APIC_BASE", old & ~0x400ull, 0xfee00900);
    known_alone("tcg", "TCG does not check APIC_BASE");
    refuses(MSR_APIC_BASE, old | 1);
    refuses(MSR_APIC_BASE, old | 1ull << 9);
    refuses(MSR_APIC_BASE, old | 1ull << 62);
    refuses(MSR_APIC_BASE, (old & ~0x800ull) | 0x400); /* x2APIC without the APIC */
    CHECK_EQ("APIC_BASE after refused writes", rdmsr(MSR_APIC_BASE), old);
}

static void tsc_aux(void)
{
    if (!(cpuid(0x80000001, 0).edx & 1u << 27)) {
        skip("CPUID has no RDTSCP");
        return;
    }
    for (uint32_t i = 1; i; i <<= 4) {
        uint32_t low, high, aux;
        keeps(MSR_TSC_AUX, i | 5);
        __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
        CHECK_EQ("RDTSCP's ECX", aux, i | 5);
        if (cpuid(7, 0).ecx & 1u << 22) {
            uint64_t id;
            __asm__ volatile("rdpid %0" : "=r"(id));
            CHECK_EQ("RDPID", id, i | 5);
        }
    }
    if (!is_amd()) { /* AMD ignores the upper half */
        known_alone("tcg", "TCG does not check TSC_AUX");
        refuses(MSR_TSC_AUX, 1ull << 32);
    }
}

static void machine_check(void)
{
    struct cpuid one = cpuid(1, 0);
    if (!(one.edx & 1u << 14)) {
        skip("CPUID has no MCA");
        return;
    }
    uint64_t banks = rdmsr(0x179) & 0xff, status;
    CHECK(banks <= 32, "%u banks", banks);
    CHECK(!msr_read_faults(0x17a, &status) && !(status & 4),
          "MCG_STATUS says that a machine check is under way");
    CHECK(!cr4_write_faults(cr4_read() | 0x40), "CR4.MCE cannot be set");
    CHECK(cr4_read() & 0x40, "CR4.MCE does not stay");
    CHECK(!cr4_write_faults(cr4_read() & ~0x40ull), "CR4.MCE cannot be cleared");
    CHECK(!(cr4_read() & 0x40), "CR4.MCE shows though the guest has cleared it");
}

KERNEL("msr", {"unknown", unknown}, {"efer", efer}, {"efer_svme", efer_svme}, {"syscall", syscall},
       {"syscall_msrs", syscall_msrs}, {"swapgs", swapgs}, {"sysenter", sysenter}, {"pat", pat},
       {"mtrr", mtrr}, {"apic_base", apic_base}, {"tsc_aux", tsc_aux},
       {"machine_check", machine_check});
