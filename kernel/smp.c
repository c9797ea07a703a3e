// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/smp.h"
#include "kernel/arch.h"

uint32_t cpu_count = 1;

/* Tickets; `now` is written by the holder only. The entry code knows it as kernel_tickets + 4. */
_Alignas(64) struct {
    uint32_t next, now;
} kernel_tickets;

static struct {
    void (*fn)(void *arg);
    void *arg;
    uint64_t pending; /* CPUs that have not done it yet */
} call;

void kernel_lock(void)
{
    uint32_t mine = __atomic_fetch_add(&kernel_tickets.next, 1, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&kernel_tickets.now, __ATOMIC_ACQUIRE) != mine) {
        smp_serve();
        cpu_relax();
    }
}

void kernel_unlock(void)
{
    __atomic_store_n(&kernel_tickets.now, kernel_tickets.now + 1, __ATOMIC_RELEASE);
}

void smp_serve(void)
{
    uint64_t self = 1ull << this_cpu()->index;
    if (!(__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE) & self))
        return;
    call.fn(call.arg);
    __atomic_fetch_and(&call.pending, ~self, __ATOMIC_RELEASE);
}

void smp_call(uint64_t mask, void (*fn)(void *arg), void *arg)
{
    uint64_t self = 1ull << this_cpu()->index, others = mask & ~self;
    if (others) {
        call.fn = fn;
        call.arg = arg;
        __atomic_store_n(&call.pending, others, __ATOMIC_RELEASE);
        for (uint64_t rest = others; rest; rest &= rest - 1)
            arch_interrupt_cpu(&cpus[__builtin_ctzll(rest)]);
    }
    if (mask & self)
        fn(arg);
    while (__atomic_load_n(&call.pending, __ATOMIC_ACQUIRE))
        cpu_relax();
}

void smp_kick(struct percpu *cpu)
{
    if (cpu != this_cpu())
        arch_interrupt_cpu(cpu);
}
