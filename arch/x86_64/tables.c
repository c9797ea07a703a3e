// SPDX-License-Identifier: BSD-2-Clause
/* GDT, TSS, IDT. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/trap.h"
#include "kernel/percpu.h"
#include <leat/syscall.h>
#include <stddef.h>

struct tss { /* SDM vol. 3, figure 8-11 */
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "as the CPU wants it, and as a VM exit sets its limit");

struct gate { /* SDM vol. 3, figure 6-8 */
    uint16_t offset_0, selector;
    uint8_t ist, type;
    uint16_t offset_16;
    uint32_t offset_32, reserved;
};

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

#define IST_STACKS 3
#define IST_BYTES 4096
#define GATE_INTERRUPT 0x8e /* present, DPL 0, 64-bit interrupt gate */

struct tables {
    uint64_t gdt[8];
    struct tss tss;
    _Alignas(16) uint8_t ist[IST_STACKS][IST_BYTES];
};

_Static_assert(sizeof(struct tables) <= CPU_TABLES_BYTES, "cpu.h");

static struct tables boot_tables;
static struct tables *tables_of[MAX_CPUS]; /* the boot CPU's; others bring their own */
static struct gate idt[256];               /* the same for all */
extern const uint8_t trap_stubs[];

static uint8_t ist_of(unsigned vector)
{
    return vector == 2 ? 1 : vector == 8 ? 2 : vector == 18 ? 3 : 0; /* NMI, #DF, #MC */
}

static void idt_fill(void)
{
    for (unsigned v = 0; v < 256; v++) {
        uint64_t stub = (uint64_t)(trap_stubs + v * TRAP_STUB_BYTES);
        idt[v] = (struct gate){.offset_0 = (uint16_t)stub,
                               .selector = SEL_KERNEL_CODE,
                               .ist = ist_of(v),
                               .type = GATE_INTERRUPT,
                               .offset_16 = (uint16_t)(stub >> 16),
                               .offset_32 = (uint32_t)(stub >> 32)};
    }
}

static void gdt_fill(struct tables *t)
{
    uint64_t base = (uint64_t)&t->tss;
    t->gdt[SEL_KERNEL_CODE / 8] = 0x00af9b000000ffff; /* 64-bit code, DPL 0, accessed */
    t->gdt[SEL_KERNEL_DATA / 8] = 0x00cf93000000ffff;
    t->gdt[SEL_USER_DATA / 8] = 0x00cff3000000ffff;
    t->gdt[SEL_USER_CODE / 8] = 0x00affb000000ffff;
    t->gdt[SEL_TSS / 8] = (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
                          (base >> 24 & 0xff) << 56;
    t->gdt[SEL_TSS / 8 + 1] = base >> 32;
}

static void load(struct tables *t)
{
    struct table_pointer gdtr = {sizeof(t->gdt) - 1, (uint64_t)t->gdt};
    struct table_pointer idtr = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lgdt %0\n\t"
                     "lidt %1\n\t"
                     "push %2\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1: mov %3, %%ss\n\t"
                     "xor %%eax, %%eax\n\t"
                     "mov %%eax, %%ds\n\t"
                     "mov %%eax, %%es\n\t"
                     "mov %%eax, %%fs\n\t"
                     "mov %%eax, %%gs\n\t"
                     "lldt %%ax\n\t"
                     "ltr %w4"
                     :
                     : "m"(gdtr), "m"(idtr), "i"(SEL_KERNEL_CODE), "r"(SEL_KERNEL_DATA),
                       "r"(SEL_TSS)
                     : "rax", "memory");
}

void cpu_tables_init(struct percpu *cpu, void *tables)
{
    struct tables *t = tables ? tables : &boot_tables;
    cpu->self = cpu;
    tables_of[cpu->index] = t;
    t->tss.io_map = sizeof(struct tss);
    for (unsigned i = 0; i < IST_STACKS; i++)
        t->tss.ist[i] = (uint64_t)(t->ist[i] + IST_BYTES);
    if (!tables)
        idt_fill();
    gdt_fill(t);
    load(t);
    wrmsr(MSR_FS_BASE, LEAT_INFO_VA); /* a constant in ring 3: see LEAT_INFO_VA */
    wrmsr(MSR_GS_BASE, (uint64_t)cpu);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

struct cpu_tables cpu_tables(void)
{
    struct tables *t = tables_of[this_cpu()->index];
    return (struct cpu_tables){(uint64_t)t->gdt, (uint64_t)idt, (uint64_t)&t->tss};
}

void cpu_set_kernel_stack(uint64_t top)
{
    struct percpu *cpu = this_cpu();
    tables_of[cpu->index]->tss.rsp[0] = top;
    cpu->kernel_sp = top - 8; /* so that calls from the SYSCALL entry are aligned */
}
