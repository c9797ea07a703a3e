// SPDX-License-Identifier: BSD-2-Clause
/* Kernel stacks and switching between threads. */
#include "kernel/thread.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/trap.h"
#include "kernel/assert.h"
#include "kernel/domain.h"
#include "kernel/frame.h"
#include "kernel/percpu.h"

/* The lowest page of a slot stays unmapped. */
#define STACK_SLOT_BYTES (KERNEL_STACK_BYTES + LEAT_PAGE_SIZE)
enum { STACK_SLOTS = 4096u, FLAGS_IF = 1u << 9, FLAGS_FIXED = 1u << 1 };

void switch_stacks(uint64_t *save_sp, uint64_t load_sp);
void thread_start(void);

/* Stacks stay mapped once made, so that no TLB has to be flushed when a thread ends. */
static uint16_t free_slots[STACK_SLOTS];
static uint32_t free_count, made_count;

static bool make_stack(uint32_t slot)
{
    uint64_t va = STACKS_BASE + (uint64_t)slot * STACK_SLOT_BYTES + LEAT_PAGE_SIZE;
    for (unsigned i = 0; i < KERNEL_STACK_BYTES / LEAT_PAGE_SIZE; i++) {
        /* What an earlier failed attempt has mapped is kept. */
        if (paging_is_mapped(va + i * LEAT_PAGE_SIZE))
            continue;
        hpa_t page = frame_alloc(FRAME_ORDER_4K, FRAME_ZERO);
        if (!page.raw)
            return false;
        if (!paging_map_kernel(va + i * LEAT_PAGE_SIZE, page, PTE_WRITE | PTE_NX)) {
            frame_free(page, FRAME_ORDER_4K);
            return false;
        }
    }
    return true;
}

bool kernel_stack_alloc(struct kernel_stack *stack)
{
    if (free_count)
        stack->slot = free_slots[--free_count];
    else if (made_count < STACK_SLOTS && make_stack(made_count))
        stack->slot = made_count++;
    else
        return false;
    stack->top = STACKS_BASE + (uint64_t)(stack->slot + 1) * STACK_SLOT_BYTES;
    return true;
}

void kernel_stack_free(struct kernel_stack *stack)
{
    KASSERT(stack->top && free_count < STACK_SLOTS);
    free_slots[free_count++] = (uint16_t)stack->slot;
    stack->top = 0;
}

void arch_thread_prepare(struct thread *thread, uint64_t entry, uint64_t stack_top, uint64_t arg)
{
    struct trap_frame *frame = (struct trap_frame *)thread->stack.top - 1;
    *frame = (struct trap_frame){.rdi = arg,
                                 .rip = entry,
                                 .cs = SEL_USER_CODE,
                                 .rflags = FLAGS_IF | FLAGS_FIXED,
                                 .rsp = stack_top,
                                 .ss = SEL_USER_DATA};
    uint64_t *sp = (uint64_t *)frame;
    *--sp = (uint64_t)thread_start;
    for (unsigned i = 0; i < 6; i++) /* what switch_stacks pops */
        *--sp = 0;
    thread->kernel_sp = (uint64_t)sp;
}

void arch_switch(struct thread *from, struct thread *to)
{
    struct percpu *cpu = this_cpu();
    if (to->domain) {
        cpu_set_kernel_stack(to->stack.top);
        /* 0: the domain is being torn down, and the thread needs no address space any more. */
        uint64_t root = to->domain->space.arch.root;
        if (root && root != cpu->loaded_root) {
            cpu->loaded_root = root;
            cpu->work |= CPU_WORK_BARRIER;
            write_cr3(root);
            /* Ring 3 can clear its FS base by loading the selector: no other domain shall feel that. */
            wrmsr(MSR_FS_BASE, LEAT_INFO_VA);
        }
    }
    switch_stacks(&from->kernel_sp, to->kernel_sp);
}
