// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/smp.h"
#include "kernel/arch.h"

uint32_t cpu_count = 1;

/* Who finds it free takes it: under a hypervisor, or an emulator, the longest waiter may be one whose CPU is not running.
   But who has waited for HUNGER spins makes later ones stand back. The entry code clears the first word. */
#define HUNGER 100000u
_Alignas(64) struct {
    uint32_t is_taken, hungry;
} kernel_lock_word;

static struct {
    void (*fn)(void *arg);
    void *arg;
    uint64_t pending; /* CPUs that have not done it yet */
} call;

static bool is_free_for(bool am_hungry)
{
    return !__atomic_load_n(&kernel_lock_word.is_taken, __ATOMIC_RELAXED) &&
           (am_hungry || !__atomic_load_n(&kernel_lock_word.hungry, __ATOMIC_RELAXED));
}

void kernel_lock(void)
{
    bool am_hungry = false;
    for (uint32_t spins = 0;; spins++) {
        if (is_free_for(am_hungry) &&
            !__atomic_exchange_n(&kernel_lock_word.is_taken, 1, __ATOMIC_ACQUIRE))
            break;
        if (spins == HUNGER && !am_hungry) {
            am_hungry = true;
            __atomic_fetch_add(&kernel_lock_word.hungry, 1, __ATOMIC_RELAXED);
        }
        smp_serve();
        cpu_relax();
    }
    if (am_hungry)
        __atomic_fetch_sub(&kernel_lock_word.hungry, 1, __ATOMIC_RELAXED);
}

void kernel_unlock(void)
{
    __atomic_store_n(&kernel_lock_word.is_taken, 0, __ATOMIC_RELEASE);
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
