/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/hostile/hostile.h"

#define PRESENT_WRITABLE 3ull
#define LARGE 0x80ull
#define PAGE_2M 0x200000ull

static _Alignas(4096) uint64_t pml4[512], low[512], directories[4][512], high[512], window[512];

static uint64_t entry(const void *table)
{
    return (uint64_t)(uintptr_t)table | PRESENT_WRITABLE;
}

void paging_init(void)
{
    pml4[0] = entry(low);
    pml4[1] = entry(high); /* WINDOW is 512 GiB */
    high[0] = entry(window);
    for (uint64_t i = 0; i < 4; i++) {
        low[i] = entry(directories[i]);
        for (uint64_t j = 0; j < 512; j++)
            directories[i][j] = (i * 512 + j) * PAGE_2M | LARGE | PRESENT_WRITABLE;
    }
    __asm__ volatile("mov %0, %%cr3" ::"r"(pml4) : "memory");
}

volatile uint8_t *paging_window(uint64_t physical)
{
    window[0] = (physical & 0x000fffffffe00000ull) | LARGE | PRESENT_WRITABLE;
    __asm__ volatile("invlpg (%0)" ::"r"(WINDOW) : "memory");
    return (volatile uint8_t *)(WINDOW + (physical & (PAGE_2M - 1)));
}
