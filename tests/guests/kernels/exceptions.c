/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions of every kind, in ring 0 and ring 3: SDM vol. 3, 6.15; AMD APM vol. 2, 8.2. */
#include "tests/guests/kernels/runtime/kernel.h"

enum {
    DE = 0,
    DB = 1,
    BP = 3,
    OF = 4,
    BR = 5,
    UD = 6,
    NM = 7,
    DF = 8,
    TS = 10,
    NP = 11,
    SS = 12,
    GP = 13,
    PF = 14,
    MF = 16,
    AC = 17,
    XM = 19
};

#define FLAG_OF (1u << 11)
#define FLAG_AC (1u << 18)
#define FLAG_IF (1u << 9)
#define CR0_TS (1ull << 3)
#define CR0_AM (1ull << 18)
#define HOLE 0x800000ull /* 2 MiB of linear addresses that tests make go and come */
#define NOT_CANONICAL 0x8000000000000000ull

CODE(64, divide, "", "div %ecx", "");
static void de(void)
{
    for (enum mode mode = RING0; mode <= RING3; mode++)
        CHECK_FAULT(divide, mode, DE, 0);
}

CODE(64, breakpoint, "", "int3", "");
CODE(32, breakpoint_32, "", "int $3", "");
static void bp(void)
{
    for (enum mode mode = RING0; mode <= RING3; mode++)
        CHECK_TRAP(breakpoint, mode, BP, 0);
    CHECK_TRAP(breakpoint_32, RING3_32, BP, 0);
}

CODE(32, into, "", "into", "");
CODE(64, into_64, "", ".byte 0xce", "");
static void of(void)
{
    for (enum mode mode = RING0_32; mode <= RING3_32; mode++) {
        CHECK_RUNS(into, mode);
        run_in.rflags = FLAG_OF;
        CHECK_TRAP(into, mode, OF, 0);
    }
    CHECK_FAULT(into_64, RING3, UD, 0);
}

CODE(32, bound, "", "bound %eax, (%ecx)", "");
static void br(void)
{
    static const int32_t bounds[2] __attribute__((section(".user.bounds"))) = {-2, 5};
    for (enum mode mode = RING0_32; mode <= RING3_32; mode++) {
        for (int i = -3; i <= 6; i++) {
            run_in.rax = (uint32_t)i;
            run_in.rcx = (uint64_t)(uintptr_t)bounds;
            if (i < -2 || i > 5)
                CHECK_FAULT(bound, mode, BR, 0);
            else
                CHECK_RUNS(bound, mode);
        }
    }
}

CODE(64, ud2, "", "ud2", "");
CODE(64, lock_mov, "", ".byte 0xf0, 0x89, 0xc0", ""); /* LOCK MOV EAX, EAX */
CODE(64, push_cs, "", ".byte 0x0e", "");              /* not in 64-bit mode */
static void ud(void)
{
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        CHECK_FAULT(ud2, mode, UD, 0);
        CHECK_FAULT(push_cs, mode, UD, 0);
    }
    known_fault("tcg", "TCG ignores LOCK where it is not allowed");
    for (enum mode mode = RING0; mode <= RING3; mode++)
        CHECK_FAULT(lock_mov, mode, UD, 0);
}

CODE(64, x87, "", "fld1", "fstp %st(0)");
CODE(64, sse, "", "xorps %xmm0, %xmm0", "");
static void nm(void)
{
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        cr0_write(cr0_read() | CR0_TS);
        CHECK_FAULT(x87, mode, NM, 0);
        CHECK_FAULT(sse, mode, NM, 0);
        __asm__ volatile("clts");
        CHECK_RUNS(x87, mode);
        CHECK_RUNS(sse, mode);
    }
}

CODE(64, load_far, "", "mov (%rcx), %al", "");
static void df(void)
{
    gate_set(GP, 0, 0, false); /* #NP while a #GP is delivered */
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        run_in.rcx = NOT_CANONICAL;
        run(load_far, mode);
        check_trap(DF, 0, NULL);
    }
    gate_set(GP, 0, 0, true);
    gate_set(PF, 0, 0, false); /* #NP while a #PF is delivered */
    page_directories[HOLE >> 21] &= ~1ull;
    invlpg((void *)HOLE);
    run_in.rcx = HOLE;
    run(load_far, RING0);
    check_trap(DF, 0, NULL);
    page_directories[HOLE >> 21] |= 1;
    gate_set(PF, 0, 0, true);
}

/* From ring 3 by a call gate to ring 1, whose stack pointer lies behind the TSS's limit. */
static uint32_t gate_far[2] __attribute__((section(".user.far"))) = {0, SEL_SCRATCH | 3};
CODE(64, call_gate, "", "lcall *(%rcx)", "");
static void ts(void)
{
    uint64_t old = gdt[SEL_TSS / 8];
    gdt[SEL_SCRATCH / 8] = (uint64_t)(SEL_LAST_SCRATCH | 1) << 16 | 0xecull << 40; /* DPL 3, at 0 */
    gdt[SEL_SCRATCH / 8 + 1] = 0;
    gdt[SEL_LAST_SCRATCH / 8] = 0x00afbb000000ffff;            /* 64-bit code, DPL 1 */
    gdt[SEL_TSS / 8] = (old & ~(0xffffull | 2ull << 40)) | 11; /* RSP0 is in, RSP1 is not */
    __asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
    run_in.rcx = (uint64_t)(uintptr_t)gate_far;
    run(call_gate, RING3);
    gdt[SEL_TSS / 8] = old & ~(2ull << 40);
    __asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
    check_trap(TS, SEL_TSS, call_gate_at);
}

CODE(64, load_ds, "", "mov %eax, %ds", "");
CODE(64, load_ss, "", "mov %eax, %ss", "");
static void np(void)
{
    gdt[SEL_SCRATCH / 8] = 0x00cf73000000ffff; /* data, DPL 3, not present */
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        run_in.rax = SEL_SCRATCH | 3;
        CHECK_FAULT(load_ds, mode, NP, SEL_SCRATCH);
    }
}

CODE(64, load_rbp, "", "mov (%rbp), %al", "");
CODE(64, push_rsp, "mov %rcx, %rsp", "push %rax", "");
static void ss(void)
{
    gdt[SEL_SCRATCH / 8] = 0x00cf73000000ffff;
    run_in.rax = SEL_SCRATCH | 3;
    CHECK_FAULT(load_ss, RING3, SS, SEL_SCRATCH);
    gdt[SEL_SCRATCH / 8] = 0x00cf13000000ffff; /* the same for ring 0 */
    run_in.rax = SEL_SCRATCH;
    CHECK_FAULT(load_ss, RING0, SS, SEL_SCRATCH);
    known_fault("tcg", "TCG raises #GP for addresses of the stack too that are not canonical");
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        run_in.rbp = NOT_CANONICAL;
        CHECK_FAULT(load_rbp, mode, SS, 0);
    }
    run_in.rcx = NOT_CANONICAL;
    CHECK_FAULT(push_rsp, RING3, SS, 0);
}

CODE(64, do_hlt, "", "hlt", "");
CODE(64, do_cli, "", "cli", "");
CODE(64, do_out, "mov $0x80, %edx", "out %al, %dx", "");
CODE(64, do_in, "", "in $0x80, %al", "");
CODE(64, do_read_cr0, "", "mov %cr0, %rax", "");
CODE(64, do_write_dr7, "", "mov %rax, %dr7", "");
CODE(64, do_rdmsr_3, "mov $0x10, %ecx", "rdmsr", "");
CODE(64, do_lidt, "", "lidt (%rsp)", "");
CODE(64, do_invlpg, "", "invlpg (%rsp)", "");
CODE(64, do_wbinvd, "", "wbinvd", "");
CODE(64, do_clts, "", "clts", "");
CODE(64, do_lmsw, "", "lmsw %ax", "");
CODE(64, do_ltr, "", "ltr %ax", "");
static void gp_privileged(void)
{
    static const struct {
        const uint8_t *code, *at;
    } all[] = {
        {do_hlt, do_hlt_at},         {do_cli, do_cli_at},           {do_out, do_out_at},
        {do_in, do_in_at},           {do_read_cr0, do_read_cr0_at}, {do_write_dr7, do_write_dr7_at},
        {do_rdmsr_3, do_rdmsr_3_at}, {do_lidt, do_lidt_at},         {do_invlpg, do_invlpg_at},
        {do_wbinvd, do_wbinvd_at},   {do_clts, do_clts_at},         {do_lmsw, do_lmsw_at},
        {do_ltr, do_ltr_at}};
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        run(all[i].code, RING3);
        check_trap(GP, 0, all[i].at);
    }
}

CODE(64, int_50, "", "int $0x50", "");
CODE(64, sse_aligned, "", "movaps 1(%rsp), %xmm0", "");
CODE(64, write_cr0, "", "mov %rax, %cr0", "");
static void gp(void)
{
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        run_in.rcx = NOT_CANONICAL;
        CHECK_FAULT(load_far, mode, GP, 0);
        run_in.rax = 0xf000;
        CHECK_FAULT(load_ds, mode, GP, 0xf000); /* beyond the GDT */
        CHECK_FAULT(sse_aligned, mode, GP, 0);
    }
    known_fault("tcg", "TCG counts 16 bytes a gate in the error code of #GP by INT");
    CHECK_FAULT(int_50, RING3, GP, 0x50 * 8 + 2); /* a gate of ring 0 */
}

static void gp_control_registers(void)
{
    if (not_tried("tcg", "TCG takes whatever is written into CR0 and breaks"))
        return;
    run_in.rax = cr0_read() & ~1ull; /* paging without protection */
    CHECK_FAULT(write_cr0, RING0, GP, 0);
    run_in.rax = (cr0_read() | 1ull << 29) & ~(1ull << 30); /* NW without CD */
    CHECK_FAULT(write_cr0, RING0, GP, 0);
    run_in.rax = cr0_read() | 1ull << 32;
    CHECK_FAULT(write_cr0, RING0, GP, 0);
    CHECK(cr4_write_faults(cr4_read() & ~0x20ull), "CR4.PAE went off in long mode");
    CHECK(cr4_write_faults(cr4_read() | 1ull << 31), "a reserved bit of CR4 was taken");
    CHECK(cr4_write_faults(cr4_read() | 1ull << 40), "a high bit of CR4 was taken");
}

CODE(64, pf_read, "", "mov (%rcx), %al", "");
CODE(64, pf_write, "", "mov %al, (%rcx)", "");
CODE(64, pf_fetch, "", "jmp *%rcx", "");
static void page_fault(const uint8_t *code, const uint8_t *at, enum mode mode, uint64_t address,
                       uint64_t error)
{
    run_in.rcx = address;
    run(code, mode);
    check_trap(PF, error, at);
    CHECK_EQ("CR2", trapped_cr2, address);
}

static void pf(void)
{
    uint64_t *entry = &page_directories[HOLE >> 21], old = *entry, at = HOLE + 0x1234;
    *entry = 0;
    invlpg((void *)HOLE);
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        uint64_t user = mode == RING3 ? 4 : 0;
        page_fault(pf_read, pf_read_at, mode, at, user);
        page_fault(pf_write, pf_write_at, mode, at + 1, user | 2);
        page_fault(pf_fetch, (uint8_t *)at, mode, at, user);
    }
    *entry = old; /* ring 0's own */
    invlpg((void *)HOLE);
    page_fault(pf_read, pf_read_at, RING3, at, 5);
    page_fault(pf_write, pf_write_at, RING3, at, 7);
    page_fault(pf_fetch, (uint8_t *)at, RING3, at, 5);
    cr2_write(0x1234567);
    run(ud2, RING0);
    CHECK_EQ("CR2 after another exception", cr2_read(), 0x1234567);
    known_fault("tcg", "TCG leaves P out of the error code for reserved bits");
    *entry = old | 1ull << 51; /* a reserved bit, on machines with less than 52 bits of address */
    invlpg((void *)HOLE);
    if ((cpuid(0x80000008, 0).eax & 0xff) < 52)
        page_fault(pf_read, pf_read_at, RING0, at, 9);
    *entry = old;
    invlpg((void *)HOLE);
}

/* A division by zero with its exception unmasked is told at the next x87 instruction. */
CODE(64, x87_error, "fninit; fldcw (%rcx); fldz; fld1; fdivp", "fwait", "");
CODE(64, x87_masked, "fninit; fldz; fld1; fdivp", "fwait", "fninit");
static void mf(void)
{
    static const uint16_t control __attribute__((section(".user.control"))) = 0x37b;
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        run_in.rcx = (uint64_t)(uintptr_t)&control;
        CHECK_FAULT(x87_error, mode, MF, 0);
        __asm__ volatile("fninit");
        CHECK_RUNS(x87_masked, mode);
    }
}

CODE(64, unaligned, "", "mov 1(%rcx), %eax", "");
static void ac(void)
{
    known_fault("tcg", "TCG has no alignment check");
    for (unsigned am = 0; am < 2; am++) {
        cr0_write(am ? cr0_read() | CR0_AM : cr0_read() & ~CR0_AM);
        for (enum mode mode = RING0; mode <= RING3; mode++) {
            run_in.rcx = (uint64_t)(uintptr_t)user_data;
            run_in.rflags = FLAG_AC;
            if (am && mode == RING3)
                CHECK_FAULT(unaligned, mode, AC, 0);
            else
                CHECK_RUNS(unaligned, mode);
        }
    }
    cr0_write(cr0_read() & ~CR0_AM);
}

CODE(64, sse_error, "ldmxcsr (%rcx); xorps %xmm0, %xmm0; mov $1, %eax; cvtsi2ss %eax, %xmm1",
     "divss %xmm0, %xmm1", "");
static void xm(void)
{
    static uint32_t control[2] __attribute__((section(".user.mxcsr"))) = {0x1d80, 0x1f80};
    known_fault("tcg", "TCG raises no SIMD floating-point exceptions");
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        run_in.rcx = (uint64_t)(uintptr_t)control;
        CHECK_FAULT(sse_error, mode, XM, 0);
        run_in.rcx = (uint64_t)(uintptr_t)(control + 1);
        CHECK_RUNS(sse_error, mode);
    }
    __asm__ volatile("ldmxcsr %0" ::"m"(control[1]));
}

CODE(64, int_51, "", "int $0x51", "");
CODE(32, int_51_32, "", "int $0x51", "");
CODE(64, int_52, "", "int $0x52", "");
static void int_n(void)
{
    gate_set(0x51, 3, 0, true);
    gate_set(0x52, 3, 0, false);
    uint32_t before = interrupts[0x50];
    CHECK_RUNS(int_50, RING0);
    CHECK_EQ("interrupts of vector 0x50", interrupts[0x50], before + 1);
    before = interrupts[0x51];
    CHECK_RUNS(int_51, RING3);
    CHECK_RUNS(int_51_32, RING3_32);
    CHECK_EQ("interrupts of vector 0x51", interrupts[0x51], before + 2);
    known_fault("tcg", "TCG counts 16 bytes a gate in the error code of #NP by INT");
    CHECK_FAULT(int_52, RING3, NP, 0x52 * 8 + 2);
    CHECK_FAULT(int_52, RING0, NP, 0x52 * 8 + 2);
}

/* -- NMI -- */

static volatile uint32_t nmis_inside;

static void send_nmi(void)
{
    apic_ipi(apic_id(), ICR_NMI | ICR_ASSERT);
}

static void second_nmi(struct frame *frame)
{
    (void)frame;
    if (nmis != 1)
        return;
    send_nmi();
    for (volatile unsigned i = 0; i < 1000; i++)
        cpuid(0, 0); /* exits, behind each of which it could come */
    nmis_inside = nmis;
}

static void nmi(void)
{
    if (not_tried("bochs-amd",
                  "an exit by AMD-V leaves Bochs' single-step trap pending, and the end of an "
                  "NMI is found by a step"))
        return;
    nmis = 0;
    nmi_handler = second_nmi;
    send_nmi();
    WAIT_FOR(nmis == 2, 20000);
    nmi_handler = NULL;
    CHECK_EQ("NMIs before IRET", nmis_inside, 1);
    CHECK_EQ("NMIs after IRET", nmis, 2);
}

/* -- interrupt shadow -- */

static volatile uint64_t interrupted_at;
static void note_rip(struct frame *frame)
{
    interrupted_at = frame->rip;
}

CODE(64, after_sti, "sti", "nop", "nop; nop; cli");
CODE(64, sti_cli, "sti", "cli", "nop; nop");
CODE(64, sti_mov_ss, "mov %ss, %eax; sti", "mov %eax, %ss", "nop; nop; cli");
CODE(64, sti_cpuid, "sti", "cpuid", "nop; nop; cli");
static void sti_shadow(void)
{
    interrupt_handlers[0x53] = note_rip;
    interrupted_at = 0;
    apic_ipi(apic_id(), ICR_ASSERT | 0x53);
    CHECK_RUNS(after_sti, RING0);
    CHECK_EQ("where the interrupt came after STI", interrupted_at, (uintptr_t)after_sti_next);
    interrupted_at = 0;
    apic_ipi(apic_id(), ICR_ASSERT | 0x53);
    CHECK_RUNS(sti_cpuid, RING0);
    CHECK_EQ("where the interrupt came after STI, CPUID", interrupted_at,
             (uintptr_t)sti_cpuid_next);
    interrupted_at = 0;
    apic_ipi(apic_id(), ICR_ASSERT | 0x53);
    CHECK_RUNS(sti_cli, RING0);
    CHECK_EQ("an interrupt between STI and CLI", interrupted_at, 0);
    CHECK_RUNS(sti_mov_ss, RING0); /* the shadow of MOV SS follows that of STI */
    CHECK(interrupted_at >= (uintptr_t)sti_mov_ss_next,
          "an interrupt came at 0x%x, before MOV SS's next instruction", interrupted_at);
}

KERNEL("exceptions", {"de", de}, {"bp", bp}, {"of", of}, {"br", br}, {"ud", ud}, {"nm", nm},
       {"df", df}, {"ts", ts}, {"np", np}, {"ss", ss}, {"gp_privileged", gp_privileged}, {"gp", gp},
       {"gp_control_registers", gp_control_registers}, {"pf", pf}, {"mf", mf}, {"ac", ac},
       {"xm", xm}, {"int_n", int_n}, {"nmi", nmi}, {"sti_shadow", sti_shadow});
