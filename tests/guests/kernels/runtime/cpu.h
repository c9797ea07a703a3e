/* SPDX-License-Identifier: BSD-2-Clause */
/* One instruction each. */
#ifndef TESTS_GUESTS_KERNELS_RUNTIME_CPU_H
#define TESTS_GUESTS_KERNELS_RUNTIME_CPU_H

#include <stdbool.h>
#include "tests/guests/common/instructions.h"

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

static inline bool is_amd(void)
{
    return cpuid(0, 0).ecx == 0x444d4163; /* "cAMD" */
}

static inline bool has_leaf(uint32_t leaf)
{
    return cpuid(leaf & 0x80000000, 0).eax >= leaf;
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

#define CPU_REGISTER(name)                                                                         \
    static inline uint64_t name##_read(void)                                                       \
    {                                                                                              \
        uint64_t v;                                                                                \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(v)::"memory");                               \
        return v;                                                                                  \
    }                                                                                              \
    static inline void name##_write(uint64_t v)                                                    \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #name ::"r"(v) : "memory");                                  \
    }
CPU_REGISTER(cr0)
CPU_REGISTER(cr2)
CPU_REGISTER(cr3)
CPU_REGISTER(cr4)
CPU_REGISTER(cr8)
CPU_REGISTER(dr0)
CPU_REGISTER(dr1)
CPU_REGISTER(dr2)
CPU_REGISTER(dr3)
CPU_REGISTER(dr6)
CPU_REGISTER(dr7)
#undef CPU_REGISTER

static inline void xsetbv(uint32_t index, uint64_t v)
{
    __asm__ volatile("xsetbv" ::"c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}
static inline uint64_t xgetbv(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static inline void invlpg(const volatile void *at)
{
    __asm__ volatile("invlpg (%0)" ::"r"(at) : "memory");
}
static inline void pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}
static inline void sti(void)
{
    __asm__ volatile("sti\n\tnop" ::: "memory");
}
static inline void cli(void)
{
    __asm__ volatile("cli" ::: "memory");
}
static inline void sti_hlt_cli(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
}

#endif
