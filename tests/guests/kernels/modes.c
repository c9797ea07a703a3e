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

CODE(64, read_far, "", "mov (%rcx), %rax", "");
static void five_level(void)
{
    static volatile _Alignas(4096) uint64_t pml5[512];
    if (!(cpuid(7, 0).ecx & 1u << 16)) {
        skip("CPUID has no LA57");
        return;
    }
    CHECK(cr4_write_faults(cr4_read() | CR4_LA57), "CR4.LA57 changed in long mode");
    pml5[0] = (uint64_t)(uintptr_t)page_root | 7;
    pml5[3] = (uint64_t)(uintptr_t)page_root | 7;
    long_root = (uint32_t)(uintptr_t)pml5;
    begin();
    low_call(low_la57_on);
    CHECK_EQ("CR3", cr3_read(), (uintptr_t)pml5);
    CHECK(cr4_read() & CR4_LA57, "CR4.LA57 is not set");
    user_data[0] = 0x77;
    run_in.rcx = (3ull << 48) + (uintptr_t)user_data;
    CHECK_RUNS(read_far, RING3);
    CHECK_EQ("a byte by the fourth entry of the PML5", trapped.rax & 0xff, 0x77);
    run_in.rcx = 5ull << 48;
    run(read_far, RING0);
    check_trap(PF, 0, read_far_at);
    run_in.rcx = 1ull << 57;
    run(read_far, RING0);
    check_trap(GP, 0, read_far_at);
    long_root = (uint32_t)(uintptr_t)page_root;
    low_call(low_la57_off);
    run_in.rcx = 5ull << 48;
    run(read_far, RING0);
    check_trap(GP, 0, read_far_at);
}

KERNEL("modes", {"protected_mode", protected_mode}, {"segments", segments},
       {"paging_32", paging_32}, {"paging_pae", paging_pae}, {"real_mode", real_mode},
       {"real_limit", real_limit}, {"to_and_fro", to_and_fro}, {"five_level", five_level},
       {"task_switch", task_switch});
