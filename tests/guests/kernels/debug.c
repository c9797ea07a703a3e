/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug traps, also behind instructions that a hypervisor does in the CPU's place: SDM vol. 3, chapter 18. */
#include "tests/guests/kernels/runtime/kernel.h"

enum { DB = 1, UD = 6, GP = 13 };

#define FLAG_TF 0x100u
#define FLAG_RF 0x10000u
#define FLAG_IF 0x200u
#define DR6_START 0xffff0ff0ull
#define DR6_BD (1u << 13)
#define DR6_BS (1u << 14)
#define DR7_START 0x400ull
#define DR7_GD (1u << 13)
#define DR7_LOCAL(n) (1ull << (2 * (n)))
#define DR7_GLOBAL(n) (2ull << (2 * (n)))
#define DR7_KIND(n, rw, len) ((uint64_t)((rw) | (len) << 2) << (16 + 4 * (n)))
enum { ON_EXECUTE = 0, ON_WRITE = 1, ON_IO = 2, ON_ACCESS = 3 };
#define CR4_DE 8ull
#define STEP_LEAKS "an exit by AMD-V leaves Bochs' single-step trap pending: it hits the host"

static void exit_once(void)
{
    cpuid(0, 0);
    out8(0x80, 0);
}

static void clear(void)
{
    dr7_write(DR7_START);
    dr0_write(0); /* one that matches may show in DR6 though it is not enabled */
    dr1_write(0);
    dr2_write(0);
    dr3_write(0);
    dr6_write(DR6_START);
}

static void dr6_is(uint64_t wanted)
{
    CHECK_EQ("DR6", trapped_dr6 & 0xe00f, wanted);
    clear();
}

CODE(64, icebp, "", ".byte 0xf1", "");
static void do_icebp(void)
{
    known_fault("tcg", "TCG has no ICEBP");
    clear();
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        CHECK_TRAP(icebp, mode, DB, 0);
        dr6_is(0);
    }
}

CODE(64, step_nop, "", "nop", "nop; nop");
CODE(64, step_cpuid, "", "cpuid", "nop; nop");
CODE(64, step_rdtsc, "", "rdtsc", "nop; nop");
CODE(64, step_out, "", "out %al, $0x80", "nop; nop");
CODE(64, step_in, "", "in $0x71, %al", "nop; nop");
CODE(64, step_rdmsr, "", "rdmsr", "nop; nop");
CODE(64, step_wrmsr, "", "wrmsr", "nop; nop");
CODE(64, step_mmio, "", "mov (%rdi), %edx", "nop; nop");
CODE(64, step_cr4, "", "mov %rax, %cr4", "nop; nop");
CODE(64, step_cr8, "", "mov %rbx, %cr8", "nop; nop");
CODE(64, step_wbinvd, "", "wbinvd", "nop; nop");
CODE(64, step_invlpg, "", "invlpg (%rdi)", "nop; nop");
static void single_step(void)
{
    if (not_tried("bochs-amd", STEP_LEAKS))
        return;
    static const struct {
        const uint8_t *code, *next;
        const char *name;
    } all[] = {
        {step_nop, step_nop_next, "NOP"},
        {step_rdtsc, step_rdtsc_next, "RDTSC"},
        {step_cpuid, step_cpuid_next, "CPUID"},
        {step_out, step_out_next, "OUT"},
        {step_in, step_in_next, "IN"},
        {step_rdmsr, step_rdmsr_next, "RDMSR"},
        {step_wrmsr, step_wrmsr_next, "WRMSR"},
        {step_mmio, step_mmio_next, "a read of the APIC"},
        {step_cr4, step_cr4_next, "MOV to CR4"},
        {step_cr8, step_cr8_next, "MOV to CR8"},
        {step_wbinvd, step_wbinvd_next, "WBINVD"},
        {step_invlpg, step_invlpg_next, "INVLPG"},
    };
    clear();
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        run_in.rcx = 0x1b; /* APIC_BASE */
        run_in.rax = all[i].code == step_cr4 ? cr4_read() : rdmsr(0x1b);
        run_in.rdi = 0xfee00030;
        run_in.rflags = FLAG_TF;
        run(all[i].code, RING0);
        CHECK(trapped.vector == DB && trapped.rip == (uintptr_t)all[i].next,
              "%s: exception %u at %d bytes behind it", all[i].name, trapped.vector,
              trapped.rip - (uintptr_t)all[i].next);
        CHECK((trapped_dr6 & 0xe00f) == DR6_BS, "%s: DR6 is 0x%x", all[i].name, trapped_dr6);
        clear();
    }
    run_in.rflags = FLAG_TF;
    CHECK_TRAP(step_cpuid, RING3, DB, 0);
    dr6_is(DR6_BS);
}

CODE(64, step_fault, "", "ud2", "");
static void step_and_fault(void)
{
    clear();
    run_in.rflags = FLAG_TF;
    CHECK_FAULT(step_fault, RING0, UD, 0);
    CHECK(trapped.rflags & FLAG_TF, "TF is not in the saved RFLAGS");
    dr6_is(0);
}

CODE(64, step_mov_ss, "", "mov %eax, %ss; nop", "nop; nop");
CODE(64, step_mov_ss_cpuid, "", "mov %ebx, %ss; cpuid", "nop; nop");
static void mov_ss(void)
{
    if (not_tried("bochs-amd", STEP_LEAKS))
        return;
    clear();
    run_in.rax = SEL_DATA;
    run_in.rflags = FLAG_TF;
    CHECK_TRAP(step_mov_ss, RING0, DB, 0); /* not between the two */
    dr6_is(DR6_BS);
    run_in.rbx = SEL_DATA;
    run_in.rflags = FLAG_TF;
    CHECK_TRAP(step_mov_ss_cpuid, RING0, DB, 0);
    dr6_is(DR6_BS);
}

CODE(64, step_hlt, "", "hlt", "nop; nop");
static void step_over_hlt(void)
{
    if (not_tried("bochs-amd", STEP_LEAKS))
        return;
    clear();
    apic_write(APIC_LVT_TIMER, 0x60); /* it ends the HLT if nothing else does */
    apic_write(APIC_DIVIDE, 0xb);
    apic_write(APIC_INITIAL, 10000000);
    run_in.rflags = FLAG_TF | FLAG_IF;
    known_fault("tcg", "TCG traps one instruction behind HLT");
    CHECK_TRAP(step_hlt, RING0, DB, 0);
    dr6_is(DR6_BS);
    apic_write(APIC_INITIAL, 0);
    apic_write(APIC_LVT_TIMER, 0x10060);
}

CODE(64, on_execute, "nop", "nop", "nop");
CODE(64, on_cpuid, "nop", "cpuid", "nop");
static void execute(void)
{
    if (is_leat() &&
        not_tried("tcg", "an exit by AMD-V leaves TCG's breakpoints on: they hit the host"))
        return;
    known_fault("bochs-amd", "Bochs leaves DR6 as it is when AMD-V intercepts #DB");
    bool has_rf = true;
    static void (*const set[])(uint64_t) = {dr0_write, dr1_write, dr2_write, dr3_write};
    clear();
    for (unsigned n = 0; n < 4; n++) {
        bool is_cpuid = n & 1;
        const uint8_t *code = is_cpuid ? on_cpuid : on_execute,
                      *at = is_cpuid ? on_cpuid_at : on_execute_at;
        for (enum mode mode = RING0; mode <= RING3; mode++) {
            set[n]((uintptr_t)at);
            dr7_write(DR7_START | (n & 2 ? DR7_GLOBAL(n) : DR7_LOCAL(n)));
            exit_once();
            run(code, mode);
            check_trap(DB, 0, at); /* a fault: before the instruction */
            has_rf &= (trapped.rflags & FLAG_RF) != 0;
            dr6_is(1u << n);
            set[n]((uintptr_t)at);
            dr7_write(DR7_START | DR7_LOCAL(n));
            run_in.rflags = FLAG_RF; /* counts for the first instruction only */
            run(at, mode);
            check_trap(VECTOR_DONE, 0, NULL);
            clear();
        }
    }
    known_fault("tcg", "TCG does not set RF");
    known_fault("bochs", "Bochs does not set RF for #DB");
    CHECK(has_rf, "RF is not in the saved RFLAGS of an instruction breakpoint");
}

CODE(64, watch_write, "", "mov %al, (%rcx)", "nop; nop");
CODE(64, watch_read, "", "mov (%rcx), %al", "nop; nop");
static void data(void)
{
    if (is_leat() &&
        not_tried("tcg", "an exit by AMD-V leaves TCG's breakpoints on: they hit the host"))
        return;
    known_fault("bochs-amd", "Bochs leaves DR6 as it is when AMD-V intercepts #DB");
    static const uint64_t lengths[] = {1, 2, 8, 4}; /* SDM vol. 3, 18.2.4: the encoding */
    clear();
    for (unsigned code = 0; code < 4; code++) {
        uint64_t length = lengths[code], at = (uintptr_t)user_data + 64;
        for (uint64_t offset = at - 1; offset <= at + length; offset++) {
            bool is_inside = offset >= at && offset < at + length;
            dr1_write(at);
            dr7_write(DR7_START | DR7_LOCAL(1) | DR7_KIND(1, ON_WRITE, code));
            run_in.rcx = offset;
            CHECK_RUNS(watch_read, RING3);
            run_in.rcx = offset;
            if (is_inside)
                CHECK_TRAP(watch_write, RING3, DB, 0);
            else
                CHECK_RUNS(watch_write, RING3);
            dr6_is(is_inside ? 2 : 0);
        }
        dr1_write(at);
        dr7_write(DR7_START | DR7_LOCAL(1) | DR7_KIND(1, ON_ACCESS, code));
        run_in.rcx = at;
        CHECK_TRAP(watch_read, RING0, DB, 0);
        dr6_is(2);
    }
}

CODE(64, io_out, "", "out %al, $0x80", "nop; nop");
static void port(void)
{
    if (is_leat()) {
        skip("Leat does not do breakpoints on ports that exit");
        return;
    }
    known_fault("tcg", "TCG tells I/O breakpoints one instruction late");
    clear();
    cr4_write(cr4_read() | CR4_DE);
    dr2_write(0x80);
    dr7_write(DR7_START | DR7_LOCAL(2) | DR7_KIND(2, ON_IO, 0));
    CHECK_TRAP(io_out, RING0, DB, 0);
    dr6_is(4);
    cr4_write(cr4_read() & ~CR4_DE);
}

CODE(64, read_dr3, "", "mov %dr3, %rax", "");
CODE(64, write_dr3, "", "mov %rax, %dr3", "");
static void general_detect(void)
{
    known_fault("bochs-amd", "Bochs leaves DR6 as it is when AMD-V intercepts #DB");
    known_fault("tcg", "TCG has no DR7.GD");
    clear();
    for (unsigned i = 0; i < 2; i++) {
        dr7_write(DR7_START | DR7_GD);
        run(i ? write_dr3 : read_dr3, RING0);
        bool is_off = !(dr7_read() & DR7_GD);
        CHECK(trapped.vector == DB && trapped.rip == (uintptr_t)(i ? write_dr3_at : read_dr3_at),
              "exception %u at 0x%x came, not #DB at the instruction", trapped.vector, trapped.rip);
        CHECK(is_off, "DR7.GD is still set in the handler");
        dr6_is(DR6_BD);
    }
}

CODE(64, read_dr4, "", "mov %db4, %rax", "");
static void aliases(void)
{
    clear();
    CHECK_RUNS(read_dr4, RING0);
    CHECK_EQ("DR4", trapped.rax, dr6_read());
    cr4_write(cr4_read() | CR4_DE);
    CHECK_FAULT(read_dr4, RING0, UD, 0);
    cr4_write(cr4_read() & ~CR4_DE);
}

CODE(64, write_dr6, "", "mov %rax, %dr6", "");
CODE(64, write_dr7, "", "mov %rax, %dr7", "");
static void registers(void)
{
    static const uint64_t value = 0xffff8000abcdef12;
    dr0_write(value);
    dr1_write(value + 1);
    dr2_write(value + 2);
    dr3_write(value + 3);
    dr6_write(0xffff4ff5);
    dr7_write(DR7_START | 0x11110000);
    for (unsigned i = 0; i < 20; i++) {
        exit_once();
        wait_ms(1);
    }
    CHECK_EQ("DR0", dr0_read(), value);
    CHECK_EQ("DR1", dr1_read(), value + 1);
    CHECK_EQ("DR2", dr2_read(), value + 2);
    CHECK_EQ("DR3", dr3_read(), value + 3);
    CHECK_EQ("DR6", dr6_read(), 0xffff4ff5);
    CHECK_EQ("DR7", dr7_read(), DR7_START | 0x11110000);
    clear();
    CHECK_EQ("DR6 of the reset", dr6_read(), DR6_START);
    CHECK_EQ("DR7 of the reset", dr7_read(), DR7_START);
    known_fault("tcg", "TCG takes the upper halves of DR6 and DR7");
    run_in.rax = 1ull << 32;
    CHECK_FAULT(write_dr6, RING0, GP, 0);
    run_in.rax = 1ull << 32;
    CHECK_FAULT(write_dr7, RING0, GP, 0);
    clear();
}

KERNEL("debug", {"icebp", do_icebp}, {"single_step", single_step},
       {"step_and_fault", step_and_fault}, {"mov_ss", mov_ss}, {"step_over_hlt", step_over_hlt},
       {"execute", execute}, {"data", data}, {"port", port}, {"general_detect", general_detect},
       {"aliases", aliases}, {"registers", registers});
