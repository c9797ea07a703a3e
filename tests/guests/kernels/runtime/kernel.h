/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all test kernels share. A kernel is a table of tests; each prints one line on COM1:
 *
 *     PASS msr.efer
 *     FAIL msr.pat: the type 2 was taken
 *     SKIP paging.five_level: CPUID has no LA57
 *     KNOWN exceptions.ac: no trap came (TCG has no alignment check)
 *
 * and the last line is "DONE msr 9 passed 1 failed 0 skipped 0 known". Words on the command line:
 * "leat": runs in a guest of Leat, so that Leat's own policy is tested too; "host=tcg", "host=bochs", "host=bochs-amd": the
 * emulator under all, whose known faults are then reported as such; "only=NAME": one test.
 */
#ifndef TESTS_GUESTS_KERNELS_RUNTIME_KERNEL_H
#define TESTS_GUESTS_KERNELS_RUNTIME_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "tests/guests/kernels/runtime/cpu.h"
#include "tests/guests/kernels/runtime/layout.h"

/* -- report.c -- */
struct test {
    const char *name;
    void (*run)(void);
};
struct kernel {
    const char *name;
    unsigned count;
    const struct test *tests;
};
extern const struct kernel kernel;
#define KERNEL(name, ...)                                                                          \
    static const struct test kernel_tests[] = {__VA_ARGS__};                                       \
    const struct kernel kernel = {name, sizeof(kernel_tests) / sizeof(kernel_tests[0]),            \
                                  kernel_tests}

extern const uint32_t *boot_info; /* the loader's information structure */

/* Text: %s, %u, %x, %d; all numbers 64 bits. */
void say(const char *format, ...);

/* False: the test has failed; the first failure is told. */
bool check_that(bool is_good, const char *format, ...);
#define CHECK(condition, ...) check_that((condition), __VA_ARGS__)
/* Each argument is looked at once. */
bool check_equal(const char *what, uint64_t is, uint64_t wanted);
#define CHECK_EQ(what, is, wanted) check_equal(what, (uint64_t)(is), (uint64_t)(wanted))
/* The rest of the test is left out. */
void skip(const char *why);
/* If `host` is under us, failures of this test are its known fault. */
void known_fault(const char *host, const char *why);
/* For faults that would end the kernel: true if that host is under us; the test is reported as known. */
bool not_tried(const char *host, const char *why);
/* As known_fault, for what a hypervisor does in the emulator's place: only when we run on it without one. */
void known_alone(const char *host, const char *why);
bool is_host(const char *host);
bool has_word(const char *start); /* of the command line */
bool is_leat(void);
_Noreturn void die(const char *format, ...); /* a failure that ends everything */
_Noreturn void power_off(void);

/* -- trap.c -- */
struct frame { /* as trap.S pushes it */
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
struct run { /* trap.S knows the order */
    uint64_t rip, cs, rflags, rsp, ss, rax, rcx, rdx, rbx, rbp, rsi, rdi;
};
enum mode { RING0, RING3, RING0_32, RING3_32, RING0_16 };

/* A piece of code for run(): name, its first instruction, and where the one that is tested begins and ends. It lies
   where ring 3 may run it. Bits: 64, 32 or 16. */
#define CODE(bits, name, before, tested, after)                                                    \
    extern const uint8_t name[], name##_at[], name##_next[];                                       \
    __asm__(".pushsection .user, \"awx\"\n.code" #bits "\n" #name ":\n" before "\n" #name          \
            "_at:\n" tested "\n" #name "_next:\n" after "\nret\n.code64\n.popsection")

/* Inputs of the next run(), cleared by it: registers, RFLAGS (bit 1 is added). */
extern struct run run_in;
/* How the last run() ended: vector VECTOR_DONE if nothing trapped. */
extern struct frame trapped;
extern uint64_t trapped_cr2, trapped_dr6;
extern uint8_t user_stack[], user_stack_top[], user_data[4096];
unsigned run(const uint8_t *code, enum mode mode); /* -> trapped.vector */

/* Checks how the last run ended: vector, error code, and RIP at `rip`. */
void check_trap(unsigned vector, uint64_t error, const uint8_t *rip);
#define CHECK_FAULT(code, mode, vector, error)                                                     \
    (run(code, mode), check_trap(vector, error, code##_at))
#define CHECK_TRAP(code, mode, vector, error)                                                      \
    (run(code, mode), check_trap(vector, error, code##_next))
#define CHECK_RUNS(code, mode) (run(code, mode), check_trap(VECTOR_DONE, 0, NULL))

/* One instruction that may fault, inline: true if it did, and then trapped has it. */
bool msr_write_faults(uint32_t msr, uint64_t value);
bool msr_read_faults(uint32_t msr, uint64_t *value);
bool cr4_write_faults(uint64_t value);

void trap_init(void);
/* A vector from 32 on: counted, handed to the function if there is one, and ended by EOI. */
extern volatile uint32_t interrupts[256];
extern void (*volatile interrupt_handlers[256])(struct frame *frame);
extern volatile uint32_t nmis;
extern void (*volatile nmi_handler)(struct frame *frame);
/* What exceptions outside of run() do; NULL: that is the end. */
extern void (*volatile exception_handler)(struct frame *frame);
struct __attribute__((packed)) tss {
    uint32_t reserved;
    uint64_t rsp[3], reserved2, ist[7], reserved3;
    uint16_t reserved4, io_map;
};
extern struct tss tss;
static inline uint64_t tss_descriptor(uint64_t at) /* its lower half: SDM vol. 3, 8.2.3 */
{
    return (sizeof(struct tss) - 1) | (at & 0xffffff) << 16 | 0x89ull << 40 |
           (at >> 24 & 0xff) << 56;
}
void gate_set(unsigned vector, unsigned dpl, unsigned ist, bool is_present);
extern uint64_t gdt[GDT_BYTES / 8], page_root[512], page_pointers[512], page_directories[4 * 512];

/* -- apic.c: the local APIC in the mode that it is in -- */
enum apic_reg { /* SDM vol. 3, table 11-1, offset / 16 */
                APIC_ID = 0x2,
                APIC_VERSION = 0x3,
                APIC_TPR = 0x8,
                APIC_PPR = 0xa,
                APIC_EOI = 0xb,
                APIC_LDR = 0xd,
                APIC_DFR = 0xe,
                APIC_SVR = 0xf,
                APIC_ISR = 0x10,
                APIC_IRR = 0x20,
                APIC_ESR = 0x28,
                APIC_ICR = 0x30,
                APIC_ICR_HIGH = 0x31,
                APIC_LVT_TIMER = 0x32,
                APIC_LVT_LINT0 = 0x35,
                APIC_LVT_ERROR = 0x37,
                APIC_INITIAL = 0x38,
                APIC_CURRENT = 0x39,
                APIC_DIVIDE = 0x3e,
                APIC_SELF = 0x3f,
};
enum {
    ICR_LOWEST = 1 << 8,
    ICR_NMI = 4 << 8,
    ICR_INIT = 5 << 8,
    ICR_STARTUP = 6 << 8,
    ICR_LOGICAL = 1 << 11,
    ICR_ASSERT = 1 << 14,
    ICR_SELF = 1 << 18,
    ICR_ALL = 2 << 18,
    ICR_OTHERS = 3 << 18
};
uint32_t apic_read(unsigned reg);
void apic_write(unsigned reg, uint32_t value);
void apic_ipi(uint32_t destination, uint32_t command); /* destination: an id, or a logical one */
bool apic_is_x2(void);
bool apic_x2_enable(void);  /* false: CPUID has none. From xAPIC, on this CPU */
void apic_x2_disable(void); /* by way of off, as it must be; enabled again */
void apic_init(void);       /* software enable, spurious vector; on each CPU */
uint32_t apic_id(void);

/* -- time.c -- */
uint64_t tsc_per_ms(void);
void wait_ms(unsigned ms);
/* Until the condition holds or so many ms have passed. */
#define WAIT_FOR(condition, ms)                                                                    \
    do {                                                                                           \
        uint64_t wait_end = rdtsc() + (ms)*tsc_per_ms();                                           \
        while (!(condition) && rdtsc() < wait_end)                                                 \
            pause();                                                                               \
    } while (0)

/* -- smp.c -- */
extern volatile uint32_t ap_count; /* that have come up */
unsigned cpus(void);      /* starts the APs the first time; all CPUs that there are, the BSP is 0 */
unsigned cpus_told(void); /* by the MADT; 0: there is none */
uint32_t cpu_apic_id(unsigned cpu);
/* Runs fn there and waits for its end. */
void cpu_call(unsigned cpu, void (*fn)(void *), void *argument);
/* Does not wait. */
void cpu_start(unsigned cpu, void (*fn)(void *), void *argument);
void cpu_wait(unsigned cpu);

#endif
