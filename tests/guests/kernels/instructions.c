/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that hypervisors do in the CPU's place or must let be: sleep, strings of I/O, hypercalls, segments. */
#include "tests/guests/kernels/runtime/kernel.h"

enum { UD = 6, SS = 12, GP = 13, PF = 14 };

#define SCRATCH 0x3ff     /* COM1's scratch register: a byte that keeps what is written */
#define PCI_ADDRESS 0xcf8 /* PCI configuration mechanism 1: 32 bits that do */
#define VECTOR 0x60
#define FLAG_DF 0x400u
#define ABSENT 0x800000ull

/* -- HLT -- */

static void arm(uint32_t ticks)
{
    apic_write(APIC_LVT_TIMER, VECTOR);
    apic_write(APIC_DIVIDE, 0xb);
    apic_write(APIC_INITIAL, ticks);
}

CODE(64, sti_hlt, "sti", "hlt", "cli");
static volatile uint64_t woken_at;
static void note(struct frame *frame)
{
    woken_at = frame->rip;
}

static void hlt(void)
{
    interrupt_handlers[VECTOR] = note;
    for (unsigned i = 0; i < 10; i++) {
        uint32_t before = interrupts[VECTOR];
        arm(i % 2 ? 100000 : 1);
        while (interrupts[VECTOR] ==
               before) /* one that comes before HLT waits until after STI's shadow */
            CHECK_RUNS(sti_hlt, RING0);
        CHECK_EQ("the return address of the interrupt", woken_at, (uintptr_t)sti_hlt_next);
    }
}

static void send_nmi(void *argument)
{
    wait_ms(2);
    apic_ipi((uint32_t)(uintptr_t)argument, ICR_NMI | ICR_ASSERT);
}

static void hlt_nmi(void)
{
    if (cpus() < 2) {
        skip("one CPU");
        return;
    }
    uint32_t before = nmis;
    cpu_start(1, send_nmi, (void *)(uintptr_t)apic_id());
    while (nmis == before)
        __asm__ volatile("hlt");
    CHECK_EQ("NMIs", nmis, before + 1);
    cpu_wait(1);
}

static void pauses(void)
{
    uint64_t start = rdtsc();
    for (unsigned i = 0; i < 20000; i++)
        pause();
    CHECK(rdtsc() > start, "the TSC stands");
}

/* -- strings of I/O -- */

#define REP(insn) "rep " insn
CODE(64, outs8, "", REP("outsb"), "");
CODE(64, outs32, "", REP("outsl"), "");
CODE(64, ins8, "", REP("insb"), "");
CODE(64, ins16, "", REP("insw"), "");
CODE(64, ins32, "", REP("insl"), "");
CODE(32, outs8_32, "", REP("outsb"), "");
CODE(32, ins8_32, "", REP("insb"), "");

static void string(const uint8_t *code, enum mode mode, uint16_t port, void *at, uint64_t count,
                   bool is_down)
{
    run_in.rcx = count;
    run_in.rdx = port;
    run_in.rsi = run_in.rdi = (uint64_t)(uintptr_t)at;
    run_in.rflags = is_down ? FLAG_DF : 0;
    CHECK_RUNS(code, mode);
    CHECK_EQ("RCX afterwards", (uint32_t)trapped.rcx, 0);
}

static void moved(uint64_t reg, const void *from, int64_t by)
{
    CHECK(reg == (uint64_t)(uintptr_t)from + (uint64_t)by, "the index register moved by %d, not %d",
          reg - (uint64_t)(uintptr_t)from, by);
}

static void io_strings(void)
{
    uint8_t *data = user_data;
    for (unsigned i = 0; i < 64; i++)
        data[i] = (uint8_t)(i + 1);
    string(outs8, RING0, SCRATCH, data, 40, false);
    moved(trapped.rsi, data, 40);
    CHECK_EQ("the last byte that was put out", in8(SCRATCH), 40);
    string(outs8, RING0, SCRATCH, data + 30, 20, true);
    moved(trapped.rsi, data + 30, -20);
    CHECK_EQ("the last byte that was put out downwards", in8(SCRATCH), 12);
    string(outs8_32, RING0_32, SCRATCH, data, 7, false);
    CHECK_EQ("the last byte of 32-bit code", in8(SCRATCH), 7);
    out8(SCRATCH, 0x5a);
    string(ins8, RING0, SCRATCH, data, 50, false);
    moved(trapped.rdi, data, 50);
    for (unsigned i = 0; i < 50; i++)
        CHECK(data[i] == 0x5a, "byte %u is 0x%x", (uint64_t)i, (uint64_t)data[i]);
    CHECK_EQ("the byte behind", data[50], 51);
    string(ins8_32, RING0_32, SCRATCH, data + 50, 2, false);
    CHECK_EQ("a byte of 32-bit code", data[51], 0x5a);
    uint32_t *words = (uint32_t *)(void *)data;
    words[0] = 0x80001234 & ~3u;
    words[1] = 0x80000f00;
    string(outs32, RING0, PCI_ADDRESS, words, 2, false);
    CHECK_EQ("the last doubleword", in32(PCI_ADDRESS), 0x80000f00);
    string(ins32, RING0, PCI_ADDRESS, words + 2, 3, false);
    CHECK(words[2] == 0x80000f00 && words[4] == 0x80000f00, "doublewords 0x%x, 0x%x",
          (uint64_t)words[2], (uint64_t)words[4]);
    moved(trapped.rdi, words + 2, 12);
    out32(PCI_ADDRESS, 0);
    string(outs8, RING0, SCRATCH, data, 0, false); /* nothing */
    string(ins16, RING0, 0x80, data, 3, true);
    moved(trapped.rdi, data, -6);
}

/* A page that is missing in the middle: what came before is done, and told in the registers. */
static void io_string_faults(void)
{
    bool is_cr2_right = true;
    uint64_t old = page_directories[ABSENT >> 21];
    page_directories[ABSENT >> 21] = 0;
    invlpg((void *)ABSENT);
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *code = i ? ins8 : outs8, *at = i ? ins8_at : outs8_at;
        run_in.rcx = 16;
        run_in.rdx = SCRATCH;
        run_in.rsi = run_in.rdi = ABSENT - 5;
        run(code, RING0);
        check_trap(PF, i ? 2 : 0, at);
        is_cr2_right &= trapped_cr2 == ABSENT;
        CHECK_EQ("RCX", trapped.rcx, 11);
        CHECK_EQ("the index register", i ? trapped.rdi : trapped.rsi, ABSENT);
    }
    page_directories[ABSENT >> 21] = old;
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        run_in.rcx = 1;
        run_in.rdx = SCRATCH;
        run_in.rsi = mode == RING0 ? 0x8000000000000000 : (uint64_t)(uintptr_t)user_data;
        CHECK(run(outs8, mode) == GP, "OUTS in ring %u: exception %u", mode * 3ull, trapped.vector);
    }
    known_fault("bochs-amd", "Bochs does not load CR2 at VMRUN");
    CHECK(is_cr2_right, "CR2 is wrong after a #PF by a string instruction");
}

/* -- the APIC's page by other instructions than MOV to EAX -- */

CODE(64, mmio_movslq, "", "movslq (%rcx), %rax", "");
CODE(64, mmio_add, "", "addl (%rcx), %eax", "");
CODE(64, mmio_or, "", "orl $0x10, (%rcx)", "");
CODE(64, mmio_cmp, "", "cmpl %eax, (%rcx)", "setz %al");
CODE(64, mmio_xchg, "", "xchgl %eax, (%rcx)", "");
CODE(64, mmio_movs, "", "movsl", "");
CODE(64, mmio_imm, "", "movl $0x20, (%rcx)", "");
static void mmio(void)
{
    const uint64_t tpr = 0xfee00080, version = 0xfee00030;
    uint32_t is = apic_read(APIC_VERSION);
    run_in.rcx = version;
    CHECK_RUNS(mmio_movslq, RING0);
    CHECK_EQ("MOVSXD", trapped.rax, (uint64_t)(int64_t)(int32_t)is);
    run_in.rcx = tpr;
    CHECK_RUNS(mmio_imm, RING0);
    CHECK_EQ("TPR after MOV of a constant", apic_read(APIC_TPR), 0x20);
    run_in.rcx = tpr;
    CHECK_RUNS(mmio_or, RING0);
    CHECK_EQ("TPR after OR", apic_read(APIC_TPR), 0x30);
    run_in.rcx = tpr;
    run_in.rax = 0x30;
    CHECK_RUNS(mmio_cmp, RING0);
    CHECK_EQ("CMP", trapped.rax & 0xff, 1);
    run_in.rcx = tpr;
    run_in.rax = 0x40;
    CHECK_RUNS(mmio_xchg, RING0);
    CHECK_EQ("XCHG's old value", trapped.rax, 0x30);
    CHECK_EQ("TPR after XCHG", apic_read(APIC_TPR), 0x40);
    run_in.rsi = version;
    run_in.rdi = (uint64_t)(uintptr_t)user_data;
    CHECK_RUNS(mmio_movs, RING0);
    CHECK_EQ("MOVS", *(uint32_t *)(void *)user_data, is);
    run_in.rcx = version;
    run_in.rax = 5;
    CHECK_RUNS(mmio_add, RING0);
    CHECK_EQ("ADD", trapped.rax, is + 5);
    apic_write(APIC_TPR, 0);
}

/* -- hypercalls: KVM's interface, of which there is no call; the other vendor's instruction does not exist -- */

CODE(64, do_vmcall, "", "vmcall", "");
CODE(64, do_vmmcall, "", "vmmcall", "");
static void hypercall(void)
{
    const uint8_t *own = is_amd() ? do_vmmcall : do_vmcall;
    if (is_leat()) {
        run_in.rax = 0x4c656174;
        CHECK_RUNS(own, RING0);
        CHECK_EQ("the answer to an unknown call", trapped.rax, -1000ll); /* KVM_ENOSYS */
    } else {
        known_alone("tcg", "TCG takes VMMCALL without a hypervisor");
        CHECK(run(own, RING0) == UD, "exception %u, not #UD", trapped.vector);
    }
    known_fault("tcg", "TCG has VMMCALL on every vendor's CPU");
    if (is_amd())
        CHECK_FAULT(do_vmcall, RING0, UD, 0);
    else
        CHECK_FAULT(do_vmmcall, RING0, UD, 0);
}

CODE(64, do_vmxon, "", "vmxon (%rcx)", "");
CODE(64, do_vmptrld, "", "vmptrld (%rcx)", "");
CODE(64, do_vmrun, "", "vmrun", "");
CODE(64, do_stgi, "", "stgi", "");
CODE(64, do_monitor, "", "monitor", "");
CODE(64, do_rdpmc, "", "rdpmc", "");
CODE(64, do_getsec, "", "getsec", "");
/* None of these is a guest's. */
static void not_for_guests(void)
{
    static const struct {
        const uint8_t *code;
        const char *name;
    } all[] = {{do_vmxon, "VMXON"}, {do_vmptrld, "VMPTRLD"}, {do_vmrun, "VMRUN"},
               {do_stgi, "STGI"},   {do_monitor, "MONITOR"}, {do_getsec, "GETSEC"}};
    if (!is_leat()) {
        skip("not a guest of Leat");
        return;
    }
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        run_in.rax = run_in.rcx = (uint64_t)(uintptr_t)user_data;
        if (all[i].code == do_monitor)
            run_in.rcx = 0; /* no extensions */
        run(all[i].code, RING0);
        CHECK(trapped.vector == UD, "%s: exception %u", all[i].name, trapped.vector);
    }
    run_in.rcx = 0x12345;
    run(do_rdpmc, RING0);
    CHECK(trapped.vector == UD || trapped.vector == GP, "RDPMC: exception %u", trapped.vector);
}

/* -- segments of 32-bit code -- */

CODE(32, fs_read, "mov %eax, %fs", "mov %fs:(%ecx), %al", "");
CODE(32, fs_write, "mov %eax, %fs", "mov %al, %fs:(%ecx)", "");
CODE(32, fs_read4, "mov %eax, %fs", "mov %fs:(%ecx), %edx", "");
static void limit(uint64_t descriptor, uint32_t first, uint32_t last, bool may_write)
{
    gdt[SEL_SCRATCH / 8] = descriptor;
    for (enum mode mode = RING0_32; mode <= RING3_32; mode++) {
        for (unsigned i = 0; i < 4; i++) {
            uint32_t at = i == 0 ? first - 1 : i == 1 ? first : i == 2 ? last : last + 1;
            bool is_in = at >= first && at <= last && !(i == 3 && last == UINT32_MAX) &&
                         !(i == 0 && first == 0);
            run_in.rax = SEL_SCRATCH | 3;
            run_in.rcx = at;
            if (is_in)
                CHECK_RUNS(fs_read, mode);
            else
                CHECK_FAULT(fs_read, mode, GP, 0);
        }
        run_in.rax = SEL_SCRATCH | 3;
        run_in.rcx = last - 2; /* four bytes, the last one outside */
        CHECK_FAULT(fs_read4, mode, GP, 0);
        run_in.rax = SEL_SCRATCH | 3;
        run_in.rcx = first;
        if (may_write)
            CHECK_RUNS(fs_write, mode);
        else
            CHECK_FAULT(fs_write, mode, GP, 0);
    }
}

CODE(32, null_read, "xor %eax, %eax; mov %eax, %fs", "mov %fs:(%ecx), %al", "");
static void segments(void)
{
    known_fault("tcg", "TCG checks no limits and rights of segments");
    uint64_t base = (uint64_t)(uintptr_t)user_data << 16; /* below 16 MiB */
    limit(0x0040f30000000000 | base | 0xff, 0, 0xff, true);
    limit(0x0040f10000000000 | base | 0xff, 0, 0xff, false);
    limit(0x0000f70000000000 | base | 0xff, 0x100, 0xffff, true); /* expand-down, 16 bits */
    run_in.rcx = 0;
    CHECK_FAULT(null_read, RING0_32, GP, 0);
    gdt[SEL_SCRATCH / 8] = 0x0040f90000000000 | base | 0xff; /* code that cannot be read */
    run_in.rax = SEL_SCRATCH | 3;
    run(fs_read, RING3_32);
    CHECK(trapped.vector == GP && trapped.error == SEL_SCRATCH,
          "FS took a code segment: exception %u", trapped.vector);
}

/* Long mode has no task switches. */
static uint32_t far_pointer[2] __attribute__((section(".user.far"))) = {0, SEL_TSS};
CODE(64, jump_tss, "", "ljmp *(%rcx)", "");
static void task_switch(void)
{
    run_in.rcx = (uint64_t)(uintptr_t)far_pointer;
    run(jump_tss, RING0);
    CHECK(trapped.vector == GP && trapped.error == SEL_TSS,
          "exception %u, error code 0x%x, not #GP(TSS)", trapped.vector, trapped.error);
    run_in.rcx = (uint64_t)(uintptr_t)far_pointer;
    run(jump_tss, RING3);
    CHECK(trapped.vector == GP, "ring 3: exception %u", trapped.vector);
}

KERNEL("instructions", {"hlt", hlt}, {"hlt_nmi", hlt_nmi}, {"pauses", pauses},
       {"io_strings", io_strings}, {"io_string_faults", io_string_faults}, {"mmio", mmio},
       {"hypercall", hypercall}, {"not_for_guests", not_for_guests}, {"segments", segments},
       {"task_switch", task_switch});
