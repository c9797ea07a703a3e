// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/fpu.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "kernel/frame.h"
#include "kernel/log.h"
#include "kernel/thread.h"

/* x87, SSE, AVX, and AVX-512's three: SDM vol. 1, 13.1 */
#define XCR0_KNOWN 0xe7ull
#define XCR0_AVX512 0xe0ull
#define INITIAL_FCW 0x37f
#define INITIAL_MXCSR 0x1f80
#define MXCSR_OFFSET 24 /* in the FXSAVE area, SDM vol. 1, table 10-2 */

static uint64_t enabled; /* XCR0 of the host, the same on all CPUs */

uint64_t fpu_xcr0(void)
{
    return enabled;
}

static void write_xcr0(uint64_t value)
{
    __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
    this_cpu()->xcr0 = value;
}

void xcr0_set(uint64_t xcr0)
{
    if (this_cpu()->xcr0 != xcr0)
        write_xcr0(xcr0);
}

void fpu_enable(void)
{
    if (!cpu_features.xsave)
        return;
    struct cpuid r = cpuid(0xd, 0);
    enabled = r.eax & XCR0_KNOWN;
    if ((enabled & XCR0_AVX512) != XCR0_AVX512)
        enabled &= ~XCR0_AVX512;
    write_xcr0(enabled);
    if (cpuid(0xd, 0).ebx > LEAT_PAGE_SIZE)
        panic("the CPU's XSAVE area takes %u bytes: more than a page", cpuid(0xd, 0).ebx);
}

bool fpu_init(struct fpu *f)
{
    f->area = page_alloc();
    if (!f->area)
        return false;
    f->cpu = UINT32_MAX;
    /* The XSAVE header stays zero: all components in their initial state; MXCSR is loaded all the same. */
    *(uint16_t *)f->area = INITIAL_FCW;
    *(uint32_t *)((uint8_t *)f->area + MXCSR_OFFSET) = INITIAL_MXCSR;
    return true;
}

void fpu_destroy(struct fpu *f)
{
    struct percpu *cpu = this_cpu();
    if (cpu->fpu_owner == f || cpu->fpu_saved == f)
        cpu->fpu_owner = cpu->fpu_saved = NULL;
    if (f->area)
        page_free(f->area);
    f->area = NULL;
}

static void save(struct fpu *f)
{
    if (!enabled)
        __asm__ volatile("fxsave64 (%0)" ::"r"(f->area) : "memory");
    else if (cpu_features.xsaveopt)
        __asm__ volatile("xsaveopt64 (%0)" ::"r"(f->area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("xsave64 (%0)" ::"r"(f->area), "a"(-1), "d"(-1) : "memory");
}

static void restore(const struct fpu *f)
{
    if (enabled)
        __asm__ volatile("xrstor64 (%0)" ::"r"(f->area), "a"(-1), "d"(-1) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(f->area) : "memory");
}

static void save_owner(struct percpu *cpu)
{
    /* A guest's narrower XCR0 must not hide components from either side. */
    if (enabled)
        xcr0_set(enabled);
    if (cpu->fpu_owner)
        save(cpu->fpu_owner);
}

void fpu_release(void)
{
    struct percpu *cpu = this_cpu();
    if (!cpu->fpu_owner)
        return;
    save_owner(cpu);
    cpu->fpu_saved = cpu->fpu_owner;
    cpu->fpu_owner = NULL;
}

void fpu_load_slow(struct fpu *f)
{
    struct percpu *cpu = this_cpu();
    if (cpu->fpu_owner != f) {
        save_owner(cpu);
        if (cpu->fpu_owner || cpu->fpu_saved != f || f->cpu != cpu->index)
            restore(f);
        f->cpu = cpu->index;
        cpu->fpu_owner = f;
        cpu->fpu_saved = NULL;
    }
    if (f == &cpu->current->fpu)
        cpu->work &= ~(uint32_t)CPU_WORK_FPU;
    else
        cpu->work |= CPU_WORK_FPU;
}
