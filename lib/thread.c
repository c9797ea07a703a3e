// SPDX-License-Identifier: BSD-2-Clause
#include "lib/thread.h"

#include "lib/map.h"
#include "lib/sys.h"

/* Sits at the top of the new stack, so that starting a thread needs no heap. */
struct start {
    void (*fn)(void *);
    void *arg;
};

/* The kernel enters with RSP = stack_top, as after no call; the ABI wants RSP + 8 to be a multiple
   of 16 at a function's first instruction, which the CALL here makes so. */
void leat_thread_entry(void);
__asm__(".text\n"
        ".globl leat_thread_entry\n"
        ".type leat_thread_entry, @function\n"
        "leat_thread_entry:\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call leat_thread_main\n"
        "    ud2\n"
        ".size leat_thread_entry, . - leat_thread_entry\n");

_Noreturn void leat_thread_main(struct start *start);

void leat_thread_main(struct start *start)
{
    start->fn(start->arg);
    for (;;) {
        leat_thread_exit();
    }
}

int leat_thread_start(void (*fn)(void *), void *arg, enum leat_prio prio, size_t stack_bytes)
{
    uint64_t size = (stack_bytes + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    uint8_t *stack = leat_map_pages(size, 0, NULL);
    struct start *start;

    if (stack == NULL) {
        return LEAT_ENOMEM;
    }
    start = (struct start *)(stack + size - sizeof(*start));
    start->fn = fn;
    start->arg = arg;
    return (int)leat_thread_create(LEAT_SELF, (uintptr_t)leat_thread_entry, (uintptr_t)start,
                                   (uintptr_t)start, prio);
}
