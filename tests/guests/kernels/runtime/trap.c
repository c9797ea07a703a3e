/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/kernels/runtime/kernel.h"

#define FIRST_INTERRUPT 32
#define VECTOR_NMI 2
#define VECTOR_DF 8
#define GATE_INTERRUPT 0x8e00ull /* SDM vol. 3, 6.14.1 */
#define USER_STACK_BYTES 4096
#define IST_BYTES 4096
#define CR4_SMAP (1u << 21)
#define PIC_MASKS 0x21, 0xa1

struct run run_in;
struct frame trapped;
uint64_t trapped_cr2, trapped_dr6, run_stack;
volatile uint32_t run_active, interrupts[256], nmis;
void (*volatile interrupt_handlers[256])(struct frame *);
void (*volatile nmi_handler)(struct frame *);
void (*volatile exception_handler)(struct frame *);
struct tss tss;
__attribute__((section(".user.stack"), aligned(16))) uint8_t user_stack[USER_STACK_BYTES] = {1};
__attribute__((section(".user.stack1"), aligned(16))) uint8_t user_stack_top[16] = {1};
__attribute__((section(".user.data"), aligned(4096))) uint8_t user_data[4096] = {1};
static _Alignas(16) uint8_t ist_stacks[2][IST_BYTES], ring0_stack[STACK_BYTES];
static uint64_t idt[256][2];
struct __attribute__((packed)) {
    uint16_t limit;
    uint64_t base;
} idt_pointer = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

extern const uint8_t trap_entries[256][16], run_done[];
extern void run_enter(const struct run *run), run_resume(void);
void trap_handle(struct frame *frame);

static void end_run(struct frame *frame)
{
    trapped = *frame;
    trapped_cr2 = cr2_read();
    trapped_dr6 = dr6_read();
    run_active = 0;
    frame->rip = (uint64_t)(uintptr_t)run_resume;
    frame->cs = SEL_CODE;
    frame->ss = SEL_DATA;
    frame->rsp = run_stack;
    frame->rflags = 2;
}

void trap_handle(struct frame *frame)
{
    unsigned vector = (unsigned)frame->vector;
    if (vector == VECTOR_NMI && !run_active) {
        nmis++;
        if (nmi_handler)
            nmi_handler(frame);
    } else if (run_active && (vector < FIRST_INTERRUPT || vector == VECTOR_DONE)) {
        end_run(frame);
    } else if (vector >= FIRST_INTERRUPT) {
        __atomic_fetch_add(&interrupts[vector], 1, __ATOMIC_SEQ_CST);
        if (interrupt_handlers[vector])
            interrupt_handlers[vector](frame);
        /* Bochs' posted interrupts may bring it as a real one, which is in service then */
        if (vector != VECTOR_SPURIOUS || apic_read(APIC_ISR + 7) >> 31)
            apic_write(APIC_EOI, 0);
    } else if (exception_handler) {
        exception_handler(frame);
    } else {
        die("unexpected exception %u, error code 0x%x, at 0x%x:0x%x, CR2 0x%x, RSP 0x%x",
            frame->vector, frame->error, frame->cs, frame->rip, cr2_read(), frame->rsp);
    }
}

unsigned run(const uint8_t *code, enum mode mode)
{
    static const struct {
        uint16_t cs, ss;
    } selectors[] = {
        [RING0] = {SEL_CODE, SEL_DATA},
        [RING3] = {SEL_USER_CODE, SEL_USER_DATA},
        [RING0_32] = {SEL_CODE32, SEL_DATA},
        [RING3_32] = {SEL_USER_CODE32, SEL_USER_DATA},
    };
    struct run in = run_in;
    in.rip = (uint64_t)(uintptr_t)code;
    in.cs = selectors[mode].cs;
    in.ss = selectors[mode].ss;
    in.rflags |= 2;
    in.rsp = (uint64_t)(uintptr_t)user_stack_top;
    if (cr4_read() & CR4_SMAP)
        __asm__ volatile("stac" ::: "memory");
    *(volatile uint64_t *)(void *)user_stack_top = (uint64_t)(uintptr_t)run_done;
    if (cr4_read() & CR4_SMAP)
        __asm__ volatile("clac" ::: "memory");
    run_in = (struct run){0};
    run_enter(&in);
    return (unsigned)trapped.vector;
}

void check_trap(unsigned vector, uint64_t error, const uint8_t *rip)
{
    if (!CHECK(trapped.vector == vector, "exception %u (error code 0x%x, RIP 0x%x) came, not %u",
               trapped.vector, trapped.error, trapped.rip, (uint64_t)vector))
        return;
    CHECK_EQ("the error code", trapped.error, error);
    if (rip)
        CHECK(trapped.rip == (uint64_t)(uintptr_t)rip, "RIP is 0x%x, %d bytes off", trapped.rip,
              trapped.rip - (uint64_t)(uintptr_t)rip);
}

CODE(64, do_wrmsr, "", "wrmsr", "");
CODE(64, do_rdmsr, "", "rdmsr", "");
CODE(64, do_cr4, "", "mov %rax, %cr4", "");

bool msr_write_faults(uint32_t msr, uint64_t value)
{
    run_in.rcx = msr;
    run_in.rax = (uint32_t)value;
    run_in.rdx = value >> 32;
    return run(do_wrmsr, RING0) != VECTOR_DONE;
}

bool msr_read_faults(uint32_t msr, uint64_t *value)
{
    run_in.rcx = msr;
    bool faults = run(do_rdmsr, RING0) != VECTOR_DONE;
    *value = trapped.rdx << 32 | (uint32_t)trapped.rax;
    return faults;
}

bool cr4_write_faults(uint64_t value)
{
    run_in.rax = value;
    return run(do_cr4, RING0) != VECTOR_DONE;
}

void gate_set(unsigned vector, unsigned dpl, unsigned ist, bool is_present)
{
    uint64_t at = (uint64_t)(uintptr_t)trap_entries[vector];
    idt[vector][0] = (at & 0xffff) | SEL_CODE << 16 | (uint64_t)ist << 32 |
                     (GATE_INTERRUPT | (uint64_t)dpl << 13) << 32 | (at >> 16 & 0xffff) << 48;
    idt[vector][0] &= ~((uint64_t)!is_present << 47);
    idt[vector][1] = at >> 32;
}

void trap_init(void)
{
    static const uint16_t masks[] = {PIC_MASKS};
    uint64_t at = (uint64_t)(uintptr_t)&tss;
    for (unsigned i = 0; i < 256; i++)
        gate_set(i, 0, 0, true);
    gate_set(3, 3, 0, true); /* INT3 and INTO, as operating systems have them */
    gate_set(4, 3, 0, true);
    gate_set(VECTOR_DONE, 3, 0, true);
    gate_set(VECTOR_DF, 0, 1, true);
    gate_set(VECTOR_NMI, 0, 2, true);
    tss.rsp[0] = (uint64_t)(uintptr_t)(ring0_stack + sizeof(ring0_stack));
    for (unsigned i = 0; i < 2; i++)
        tss.ist[i] = (uint64_t)(uintptr_t)(ist_stacks[i] + IST_BYTES);
    tss.io_map = sizeof(tss);
    gdt[SEL_TSS / 8] = tss_descriptor(at);
    gdt[SEL_TSS / 8 + 1] = at >> 32;
    __asm__ volatile("lidt %0\n\tltr %w1" ::"m"(idt_pointer), "r"(SEL_TSS));
    for (unsigned i = 0; i < 2; i++)
        out8(masks[i], 0xff);
}
