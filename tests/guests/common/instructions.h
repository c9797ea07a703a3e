/* SPDX-License-Identifier: BSD-2-Clause */
/* What all bare guests need of the CPU, one instruction each. */
#ifndef TESTS_GUESTS_COMMON_INSTRUCTIONS_H
#define TESTS_GUESTS_COMMON_INSTRUCTIONS_H

#include <stdint.h>

#define PORT_OF_WIDTH(width, letter)                                                               \
    static inline void out##width(uint16_t port, uint##width##_t v)                                \
    {                                                                                              \
        __asm__ volatile("out" #letter " %0, %1" ::"a"(v), "Nd"(port) : "memory");                 \
    }                                                                                              \
    static inline uint##width##_t in##width(uint16_t port)                                         \
    {                                                                                              \
        uint##width##_t v;                                                                         \
        __asm__ volatile("in" #letter " %1, %0" : "=a"(v) : "Nd"(port) : "memory");                \
        return v;                                                                                  \
    }
PORT_OF_WIDTH(8, b)
PORT_OF_WIDTH(16, w)
PORT_OF_WIDTH(32, l)
#undef PORT_OF_WIDTH

static inline uint64_t rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
    return (uint64_t)high << 32 | low;
}
static inline void wrmsr(uint32_t index, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

#endif
