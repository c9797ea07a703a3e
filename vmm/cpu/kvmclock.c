// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/cpu/kvmclock.h"

#include "vmm/platform/lapic.h"

#define NS 1000000000ull
#define PAGE_ON 1ull
#define FLAG_TSC_STABLE 1u /* the pages of all vCPUs give the same time */

struct time_page { /* struct pvclock_vcpu_time_info of Linux' ABI */
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, pad[2];
};
_Static_assert(sizeof(struct time_page) == 32, "the guest's layout");

struct wall_page { /* struct pvclock_wall_clock */
    uint32_t version, seconds, nanoseconds;
};

/* ns = ((ticks << shift) * mul) >> 32, where leat_clock has ns = (ticks * mult) >> 32. Exact for a TSC of 1
   GHz and more, and for a scaled one (lib/tsc.h); else the error is less than 2^-31. */
static void scale(uint64_t mult, uint32_t *mul, int8_t *shift)
{
    int n = 0;
    for (; mult > UINT32_MAX; n++)
        mult = mult == UINT64_MAX ? mult >> 1 : (mult + 1) >> 1;
    for (; mult && mult < 1ull << 31; n--)
        mult <<= 1;
    *mul = (uint32_t)mult;
    *shift = (int8_t)n;
}

/* An odd version tells a reader to look again; it may be another vCPU that reads. */
static void begin_write(uint32_t *version)
{
    __atomic_store_n(version, __atomic_load_n(version, __ATOMIC_RELAXED) | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void end_write(uint32_t *version)
{
    __atomic_store_n(version, __atomic_load_n(version, __ATOMIC_RELAXED) + 1, __ATOMIC_RELEASE);
}

void kvmclock_start(struct vm *vm)
{
    const uint64_t start = vm_now_ns(vm);
    vm->clock_tsc = vm_now_tsc(vm);
    vm->clock_wall_msr = 0;
    uint64_t second, wall;
    do { /* the wall clock's seconds begin with those of leat_clock */
        second = vm_now_ns(vm) / NS;
        wall = (uint64_t)vm_wall_clock_s(vm);
    } while (vm_now_ns(vm) / NS != second);
    vm->clock_wall_ns = (wall - second) * NS + start;
}

static bool are_tscs_equal(const struct vm *vm)
{
    const struct lapic *first = vm->cpus[0]->lapic;
    for (unsigned i = 1; i < vm->cpu_count; i++)
        if (vm->cpus[i]->lapic->tsc_offset != first->tsc_offset)
            return false;
    return true;
}

static bool write_page(struct vcpu *cpu)
{
    struct vm *vm = cpu->vm;
    struct time_page *page =
        guest_memory_at(&vm->memory, gpa(cpu->clock_msr & ~PAGE_ON), sizeof(*page));
    if (!page)
        return false;
    begin_write(&page->version);
    page->tsc_timestamp = vm->clock_tsc + cpu->lapic->tsc_offset;
    page->system_time = 0;
    scale(vm->tsc.mult, &page->mul, &page->shift);
    page->flags = are_tscs_equal(vm) ? FLAG_TSC_STABLE : 0;
    end_write(&page->version);
    return true;
}

bool kvmclock_set_page(struct vcpu *cpu, uint64_t value)
{
    cpu->clock_msr = 0;
    if (value & PAGE_ON) {
        if (value & 6)
            return false; /* not on a boundary of 8 bytes */
        cpu->clock_msr = value;
        if (!write_page(cpu)) {
            cpu->clock_msr = 0;
            return false;
        }
    }
    cpu->clock_msr = value;
    return true;
}

void kvmclock_update(struct vm *vm)
{
    for (unsigned i = 0; i < vm->cpu_count; i++)
        if (vm->cpus[i]->clock_msr & PAGE_ON)
            write_page(vm->cpus[i]);
}

bool kvmclock_set_wall(struct vcpu *cpu, uint64_t value)
{
    struct vm *vm = cpu->vm;
    struct wall_page *page =
        value & 3 ? NULL : guest_memory_at(&vm->memory, gpa(value), sizeof(*page));
    if (!page)
        return false;
    begin_write(&page->version);
    page->seconds = (uint32_t)(vm->clock_wall_ns / NS);
    page->nanoseconds = (uint32_t)(vm->clock_wall_ns % NS);
    end_write(&page->version);
    vm->clock_wall_msr = value;
    return true;
}
