/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory, ports, MSRs and instructions that are not the guest's. */
#include "tests/guests/hostile/hostile.h"

/* -- physical addresses without RAM -- */

static void poke(uint64_t physical)
{
    volatile uint8_t *p = paging_window(physical);
    uint64_t v = 0x5a5a5a5a5a5a5a5aull;
    GUARDED("movb (%0), %%al", ::"r"(p) : "rax", "r11", "memory");
    GUARDED("movw (%0), %%ax", ::"r"(p) : "rax", "r11", "memory");
    GUARDED("movl (%0), %%eax", ::"r"(p) : "rax", "r11", "memory");
    GUARDED("movq (%0), %%rax", ::"r"(p) : "rax", "r11", "memory");
    GUARDED("movzbl (%0), %%eax", ::"r"(p) : "rax", "r11", "memory");
    GUARDED("movb %b1, (%0)", ::"r"(p), "q"(v) : "r11", "memory");
    GUARDED("movl %k1, (%0)", ::"r"(p), "r"(v) : "r11", "memory");
    GUARDED("movq %1, (%0)", ::"r"(p), "r"(v) : "r11", "memory");
    GUARDED("orl $1, (%0)", ::"r"(p) : "r11", "memory");
    GUARDED("xchgl %%eax, (%0)", ::"r"(p) : "rax", "r11", "memory");
}

void attack_memory(unsigned round)
{
    static const uint64_t places[] = {
        0xa0000,      0xb8ffe,        0xbfffc,       0xc0000000,      0xc0000fff,   0xcffffff9,
        0xdffffffc,   0xe0100000,     0xfec00000,    0xfec00010,      0xfec00ffd,   0xfed00000,
        0xfee00ffc,   0xff000000,     0xfffffff0,    0xfffffffd,      0x2000000000, 0x7ffffffff8,
        0x8000000000, 0x3ffffffffffc, 0xffffffffff8, 0xffffffffffff8,
    };
    unsigned before = trap_count, count = 0;
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++, count++)
        poke(places[i]);
    for (unsigned i = 0; i < 200; i++, count++) /* anywhere above what a small guest has */
        poke(0xc0000000ull + ((uint64_t)random_next() << (round + i) % 17));
    say("memory: %u places outside of RAM, 10 accesses each; %u faults", (uint64_t)count,
        (uint64_t)(trap_count - before));
}

/* -- I/O ports -- */

/* Ports that are ours (the console), or that end the VM by right: reset and power. */
static bool is_spared(uint32_t port)
{
    return (port >= 0x3f8 - 3 && port <= 0x3ff) || (port >= 0xcf6 && port <= 0xcf9) ||
           (port >= 0x600 - 3 && port <= 0x60f) || (port >= 0x61 && port <= 0x64) ||
           (port >= 0x8f && port <= 0x92);
}

void attack_ports(unsigned round)
{
    unsigned before = trap_count, reads = 0, writes = 0;
    uint32_t value = round ? random_next() : 0xffffffff;
    for (uint32_t port = 0; port < 0x10000; port += port < 0x1000 ? 1 : 13) {
        if (is_spared(port))
            continue;
        (void)in8((uint16_t)port);
        (void)in16((uint16_t)port);
        (void)in32((uint16_t)port);
        reads += 3;
        if (port >= 0xcfa && port <= 0xcff)
            continue; /* configuration space: attack_pci */
        out8((uint16_t)port, (uint8_t)value);
        out16((uint16_t)port, (uint16_t)value);
        out32((uint16_t)port, value);
        writes += 3;
    }
    /* strings of bytes from and to ports that nobody has */
    static uint8_t buffer[4096];
    void *p = buffer;
    uint64_t n = sizeof(buffer);
    GUARDED("rep insb", : "+D"(p), "+c"(n) : "d"(0x5555) : "r11", "memory");
    p = buffer;
    n = sizeof(buffer) / 4;
    GUARDED("rep outsl", : "+S"(p), "+c"(n) : "d"(0x5555) : "r11", "memory");
    /* masked again: what was written may have started the old timer and interrupt controllers */
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
    say("ports: %u reads, %u writes, two strings; %u faults", (uint64_t)reads, (uint64_t)writes,
        (uint64_t)(trap_count - before));
}

/* -- model-specific registers -- */

#define MSR_EFER 0xc0000080u
#define MSR_APIC_BASE 0x1bu

static bool try_read(uint32_t index)
{
    unsigned before = trap_count;
    GUARDED("rdmsr", ::"c"(index) : "rax", "rdx", "r11", "memory");
    return trap_count == before;
}

static bool try_write(uint32_t index, uint64_t value)
{
    unsigned before = trap_count;
    GUARDED("wrmsr", ::"c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
            : "r11", "memory");
    return trap_count == before;
}

void attack_msrs(unsigned round)
{
    static const struct {
        uint32_t first, count;
    } ranges[] = {{0, 0x1000},         {0x1000, 0x100},     {0x40000000, 0x100},
                  {0xc0000000, 0x400}, {0xc0010000, 0x200}, {0xfffffff0, 0x10}};
    unsigned tried = 0, read = 0, written = 0;
    for (unsigned r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
        for (uint32_t i = 0; i < ranges[r].count; i++, tried++) {
            uint32_t index = ranges[r].first + i;
            read += try_read(index);
            if (index == MSR_EFER || index == MSR_APIC_BASE)
                continue; /* long mode is needed, and the APIC base has a try of its own below */
            written += try_write(index, round ? (uint64_t)random_next() << 32 | random_next()
                                              : UINT64_MAX);
        }
    }
    bool efer = try_write(MSR_EFER, UINT64_MAX);
    bool base = try_write(MSR_APIC_BASE, UINT64_MAX);
    say("msrs: %u tried; %u could be read, %u could be written; all ones in EFER %s, in APIC_BASE "
        "%s",
        (uint64_t)tried, (uint64_t)read, (uint64_t)written, efer ? "TAKEN" : "refused",
        base ? "TAKEN" : "refused");
}

/* -- instructions that belong to the hypervisor -- */

void attack_instructions(unsigned round)
{
    static _Alignas(4096) uint8_t page[4096];
    uint64_t at = (uint64_t)(uintptr_t)page, cr0, cr4;
    unsigned before = trap_count, count = 0;
    __asm__ volatile("mov %%cr0, %0\n\tmov %%cr4, %1" : "=r"(cr0), "=r"(cr4));
#define TRY(text)                                                                                  \
    do {                                                                                           \
        GUARDED(text, ::"a"(at), "c"(round), "d"(0) : "rbx", "r11", "memory");                     \
        count++;                                                                                   \
    } while (0)
    TRY("vmxon (%%rax)");
    TRY("vmptrld (%%rax)");
    TRY("vmclear (%%rax)");
    TRY("vmlaunch");
    TRY("vmresume");
    TRY("vmread %%rax, %%rbx");
    TRY("vmwrite %%rax, %%rbx");
    TRY("vmxoff");
    TRY("invept (%%rax), %%rcx");
    TRY("invvpid (%%rax), %%rcx");
    TRY("vmfunc");
    TRY(".byte 0x0f, 0x01, 0xd8"); /* VMRUN */
    TRY(".byte 0x0f, 0x01, 0xd9"); /* VMMCALL */
    TRY(".byte 0x0f, 0x01, 0xdb"); /* VMSAVE */
    TRY("vmcall");
    TRY("rsm");
    TRY(".byte 0x0f, 0x37");       /* GETSEC */
    TRY(".byte 0x0f, 0x01, 0xcf"); /* ENCLS */
    TRY("monitor");
    TRY("rdpmc");
    TRY("xsetbv");
    TRY("wbinvd");
    TRY("invd");
    TRY("xor %%ecx, %%ecx; xgetbv");
    TRY("mov %%rax, %%dr7");
    TRY("mov $-1, %%rbx; mov %%rbx, %%cr8");
    TRY("mov $-1, %%rbx; mov %%rbx, %%cr4");
    TRY("mov $-1, %%rbx; mov %%rbx, %%cr0");
    TRY("mov $0x80000000, %%ebx; mov %%rbx, %%cr0");
    TRY("mov $-1, %%rbx; mov %%rbx, %%cr3");
    GUARDED("mov %0, %%cr4", ::"r"(cr4 | 1u << 13) : "r11", "memory"); /* VMXE */
    GUARDED("mov %0, %%cr4", ::"r"(cr4) : "r11", "memory");
    GUARDED("mov %0, %%cr0", ::"r"(cr0 | 1u << 30 | 1u << 29) : "r11", "memory"); /* caches off */
    GUARDED("mov %0, %%cr0", ::"r"(cr0) : "r11", "memory");
    __asm__ volatile("mov %0, %%cr8" ::"r"(0ull));
    for (uint64_t leaf = 0; leaf < 0x40; leaf++) {
        uint32_t a = (uint32_t)(leaf << 24 | leaf), c = random_next();
        __asm__ volatile("cpuid" : "+a"(a), "+c"(c)::"ebx", "edx");
    }
    say("instructions: %u of the hypervisor's tried; %u refused", (uint64_t)count,
        (uint64_t)(trap_count - before));
}
