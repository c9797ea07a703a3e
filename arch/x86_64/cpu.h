// SPDX-License-Identifier: BSD-2-Clause
/* Instructions, MSRs and selectors of x86-64, and what the CPU was found to be able to do. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#define SEL_USER_BASE 0x18 /* no 32-bit code: SYSRET to compatibility mode faults */
#define SEL_USER_DATA (0x20 | 3)
#define SEL_USER_CODE (0x28 | 3)
#define SEL_TSS 0x30

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86_64/checks.h"

/* SDM vol. 4, table 2-2 */
enum { MSR_APIC_BASE = 0x1b, MSR_SYSENTER_CS = 0x174, MSR_PAT = 0x277, MSR_TSC_DEADLINE = 0x6e0 };
enum { MSR_X2APIC = 0x800, MSR_EFER = 0xc0000080, MSR_STAR = 0xc0000081, MSR_LSTAR = 0xc0000082 };
enum { MSR_CSTAR = 0xc0000083, MSR_SFMASK = 0xc0000084, MSR_FS_BASE = 0xc0000100 };
enum { MSR_GS_BASE = 0xc0000101, MSR_KERNEL_GS_BASE = 0xc0000102 };

#define EFER_SCE (1ull << 0)
#define EFER_NXE (1ull << 11)

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define CR4_MCE (1ull << 6)
#define CR4_PGE (1ull << 7)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP (1ull << 11)
#define CR4_LA57 (1ull << 12)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)

/* The PAT that page tables are written for: entry 0 WB, 1 WC, 2 UC-, 3 UC, and again. A VM exit
   must bring it back. SDM vol. 3, 12.12 */
#define HOST_PAT 0x0007010600070106ull

struct percpu;

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

#define CPU_REGISTER(name)                                                                         \
    static inline uint64_t read_##name(void)                                                       \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value));                                     \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##name(uint64_t value)                                                \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #name ::"r"(value) : "memory");                              \
    }
CPU_REGISTER(cr0)
CPU_REGISTER(cr2)
CPU_REGISTER(cr3)
CPU_REGISTER(cr4)

/* The boot CPU's features; the others must have them too. */
struct cpu_features {
    bool smep, smap, umip, xsave, xsaveopt, tsc_deadline, pages_1g, x2apic;
    unsigned address_bits; /* of linear addresses: 57 with LA57, else 48 */
    uint32_t max_leaf, xsave_features;
    uint64_t leaf7_edx, ext8_ebx, ext21_eax; /* barriers against side channels: mitigate.c */
    char vendor[13];
};
extern struct cpu_features cpu_features;

static inline bool cpu_is_canonical(uint64_t address)
{
    return is_canonical(address, cpu_features.address_bits);
}

void cpu_detect(struct cpu_features *features); /* of this CPU */
/* Equal for hardware threads of one core, which the caller is on. */
uint32_t cpu_core(uint32_t apic_id);
void cpu_enable(void); /* control registers, PAT, XCR0, SYSCALL, on each CPU */

/* Descriptor tables of a CPU: what a VMCS's host state needs. Valid for the CPU's life. */
struct cpu_tables {
    uint64_t gdt_base, idt_base, tss_base;
};
/* Builds and loads them on this CPU, which is to be *cpu; GS base included. tables: CPU_TABLES_BYTES, zeroed; NULL: the
   boot CPU's. */
#define CPU_TABLES_BYTES 16384u
void cpu_tables_init(struct percpu *cpu, void *tables);
struct cpu_tables cpu_tables(void);

/* The stack on entry from ring 3: into TSS.RSP0 and percpu. */
void cpu_set_kernel_stack(uint64_t top);

void paging_load_kernel(void); /* the page tables to be used when no domain's are */

#endif
#endif
