/* SPDX-License-Identifier: BSD-2-Clause */
/* Modes other than 64-bit: real, protected, 32-bit paging, PAE, five levels. The code is in modes_32.S. */
#include "tests/guests/kernels/runtime/kernel.h"

#define CR4_LA57 (1ull << 12)
#define PF 14
#define GP 13

/* Leaves long mode for a piece of 32-bit code without paging, and comes back with its EAX: 0 when all was well, else
   the step that was not. */
uint32_t low_call(void (*code)(void));
void low_protected(void), low_segments(void), low_paging(void), low_pae(void), low_real(void),
    low_task(void), low_la57_on(void), low_la57_off(void);
extern const uint8_t low_entries[32][16], real_start[], real_end[], real_limits[];
extern uint32_t low_vector, low_error, low_cr2, low_eip, long_root;

static uint64_t idt32[32] __attribute__((used));
struct __attribute__((packed)) {
    uint16_t limit;
    uint32_t base;
} idt32_pointer = {sizeof(idt32) - 1, 0};

static void begin(void)
{
    for (unsigned i = 0; i < 32; i++) {
        uint64_t at = (uint64_t)(uintptr_t)low_entries[i];
        idt32[i] = (at & 0xffff) | SEL_CODE32 << 16 | 0x8e00ull << 32 | (at >> 16) << 48;
    }
    idt32_pointer.base = (uint32_t)(uintptr_t)idt32;
}

static void call(void (*code)(void))
{
    begin();
    uint32_t step = low_call(code);
    CHECK(step == 0, "step %u: exception %d, error code 0x%x, CR2 0x%x, EIP 0x%x", (uint64_t)step,
          (uint64_t)(int64_t)(int32_t)low_vector, (uint64_t)low_error, (uint64_t)low_cr2,
          (uint64_t)low_eip);
}

static void protected_mode(void)
{
    call(low_protected);
}

static void paging_32(void)
{
    call(low_paging);
}

static void paging_pae(void)
{
    call(low_pae);
}

static void segments(void)
{
    known_fault("tcg", "TCG checks no limits and rights of segments");
    call(low_segments);
}

static void real(bool with_limits)
{
    for (unsigned i = 0; real_start + i < real_end; i++)
        ((volatile uint8_t *)LOW_CODE)[i] = real_start[i];
    ((volatile uint8_t *)LOW_CODE)[real_limits - real_start] = with_limits;
    call(low_real);
}

static void real_mode(void)
{
    real(false);
}

static void real_limit(void)
{
    known_fault("tcg", "TCG checks no limits and rights of segments");
    real(true);
}

/* Many times: each is a handful of exits with a state that the next does not fit. */
static void to_and_fro(void)
{
    for (unsigned i = 0; i < 50; i++) {
        real_mode();
        paging_32();
        paging_pae();
    }
}

static void task_switch(void)
{
    if (!is_leat()) {
        skip("it works on a bare CPU; in a guest of Leat it is refused");
        return;
    }
    if (not_tried("tcg", "TCG does not intercept task switches"))
        return;
    gdt[SEL_SCRATCH / 8] = (uint64_t)(uintptr_t)user_data << 16 | 0x67 | 0x89ull << 40;
    begin();
    low_call(low_task);
    CHECK(low_vector == 6 || low_vector == GP, "exception %d came, not #UD or #GP",
          (uint64_t)(int64_t)(int32_t)low_vector);
}

/* -- five levels: everything is at FAR once more -- */

#define FAR (3ull << 48)
#define LA57_IN_ECX (1u << 16)
#define MSR_FS_BASE 0xc0000100
#define SCRATCH_PORT 0x3ff /* the UART's scratch register */
#define APIC_VERSION_AT 0xfee00030

CODE(64, read_far, "", "mov (%rcx), %rax", "");
CODE(64, write_far, "", "mov %rax, (%rcx)", "");
CODE(64, read_fs, "", "mov %fs:0, %rax", "");
CODE(64, mmio_far, "", "movslq (%rcx), %rax", "");
CODE(64, outs_far, "", "rep outsb", "");
CODE(64, cpuid_far, "", ".byte 0x66\ncpuid", ""); /* whose length is not the usual one */

static const uint8_t *far_code(const uint8_t *code)
{
    return (const uint8_t *)((uintptr_t)code + FAR);
}

static void far_data(void)
{
    run_in.rcx = FAR + (uintptr_t)user_data;
    run_in.rax = 0x1122334455667788;
    CHECK_RUNS(write_far, RING3);
    CHECK_EQ("what was written far away", *(uint64_t *)(void *)user_data, 0x1122334455667788);
    run_in.rcx = FAR + (uintptr_t)user_data;
    run(far_code(read_far), RING3);
    check_trap(VECTOR_DONE, 0, NULL);
    CHECK_EQ("what is read there", trapped.rax, 0x1122334455667788);
    uint64_t old = rdmsr(MSR_FS_BASE);
    wrmsr(MSR_FS_BASE, FAR + (uintptr_t)user_data);
    CHECK_RUNS(read_fs, RING0);
    CHECK_EQ("what FS reaches", trapped.rax, 0x1122334455667788);
    wrmsr(MSR_FS_BASE, old);
}

/* What a hypervisor does with the guest's instructions and tables. */
static void far_exits(void)
{
    run(far_code(cpuid_far), RING0);
    check_trap(VECTOR_DONE, 0, NULL);
    CHECK(trapped.rax >= 7, "CPUID far away gives 0x%x", trapped.rax);
    run_in.rcx = FAR + APIC_VERSION_AT;
    run(far_code(mmio_far), RING0);
    check_trap(VECTOR_DONE, 0, NULL);
    CHECK_EQ("the APIC's version", (uint32_t)trapped.rax, apic_read(APIC_VERSION));
    run_in.rsi = FAR + (uintptr_t)user_data;
    run_in.rdx = SCRATCH_PORT;
    run_in.rcx = 8;
    run(far_code(outs_far), RING0);
    check_trap(VECTOR_DONE, 0, NULL);
    CHECK_EQ("the last byte that was put out", in8(SCRATCH_PORT), 0x11);
    run_in.rsi = 1ull << 57;
    run_in.rdx = SCRATCH_PORT;
    run_in.rcx = 1;
    run(outs_far, RING0);
    check_trap(GP, 0, outs_far_at);
}

static void far_idt(void)
{
    struct __attribute__((packed)) pointer {
        uint16_t limit;
        uint64_t base;
    } near, far;
    __asm__ volatile("sidt %0" : "=m"(near));
    far = near;
    far.base += FAR;
    __asm__ volatile("lidt %0" : : "m"(far));
    run(far_code(cpuid_far), RING0); /* its end is an INT */
    __asm__ volatile("sidt %0" : "=m"(far));
    __asm__ volatile("lidt %0" : : "m"(near));
    check_trap(VECTOR_DONE, 0, NULL);
    CHECK_EQ("the base of the IDT", far.base, near.base + FAR);
}

static bool has_la57(void)
{
    bool has = cpuid(7, 0).ecx & LA57_IN_ECX;
    if (!has)
        skip("CPUID has no LA57");
    return has;
}

static void switch_on(void)
{
    static volatile _Alignas(4096) uint64_t pml5[512];
    pml5[0] = (uint64_t)(uintptr_t)page_root | 7;
    pml5[FAR >> 48] = (uint64_t)(uintptr_t)page_root | 7;
    long_root = (uint32_t)(uintptr_t)pml5;
    begin();
    low_call(low_la57_on);
    CHECK_EQ("CR3", cr3_read(), (uintptr_t)pml5);
    CHECK(cr4_read() & CR4_LA57, "CR4.LA57 is not set");
}

static void switch_off(void)
{
    long_root = (uint32_t)(uintptr_t)page_root;
    low_call(low_la57_off);
    run_in.rcx = 5ull << 48;
    run(read_far, RING0);
    check_trap(GP, 0, read_far_at);
}

static void five_level(void)
{
    if (!has_la57())
        return;
    CHECK(cr4_write_faults(cr4_read() | CR4_LA57), "CR4.LA57 changed in long mode");
    switch_on();
    far_data();
    far_exits();
    run_in.rcx = 5ull << 48;
    run(read_far, RING0);
    check_trap(PF, 0, read_far_at);
    CHECK_EQ("CR2", trapped_cr2, 5ull << 48);
    CHECK(cr4_write_faults(cr4_read() & ~CR4_LA57), "CR4.LA57 was cleared in long mode");
    run_in.rcx = 1ull << 57;
    run(read_far, RING0);
    check_trap(GP, 0, read_far_at);
    switch_off();
}

static void five_level_idt(void)
{
    if (!has_la57() ||
        not_tried("bochs", "its VM entry checks the IDT's base for the address width of the host"))
        return;
    switch_on();
    far_idt();
    switch_off();
}

KERNEL("modes", {"protected_mode", protected_mode}, {"segments", segments},
       {"paging_32", paging_32}, {"paging_pae", paging_pae}, {"real_mode", real_mode},
       {"real_limit", real_limit}, {"to_and_fro", to_and_fro}, {"five_level", five_level},
       {"five_level_idt", five_level_idt}, {"task_switch", task_switch});
