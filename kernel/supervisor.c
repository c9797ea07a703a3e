// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/supervisor.h"
#include "kernel/arch.h"
#include "kernel/assert.h"
#include "kernel/domain.h"
#include "kernel/frame.h"
#include "kernel/info.h"
#include "kernel/log.h"
#include "kernel/machine.h"
#include "kernel/notif.h"
#include "kernel/thread.h"
#include <leat/start.h>

/* Below the program, which is linked at 4 MiB; the page under the stack stays free. */
#define BOOTINFO_VA 0x40000ull
#define STACK_VA 0x300000ull
#define STACK_BYTES 0x40000ull

static void check(int error, const char *what)
{
    if (error != LEAT_OK)
        panic("supervisor: %s: error %d", what, error);
}

/* Maps what lies in the machine's memory already: a program that boot has loaded, kernel data. */
static void map_phys(struct domain *domain, uint64_t va, hpa_t from, uint64_t size, uint32_t prot)
{
    struct mem *mem;
    check(mem_create_phys(domain->quota, from, size, LEAT_CACHE_WB, &mem), "memory object");
    check(space_map(&domain->space, mem, va, 0, size, prot), "mapping");
    object_put(&mem->object);
}

static void add_entry(struct leat_start *start, const char *role, int64_t handle, uint64_t va,
                      uint64_t size)
{
    struct leat_start_entry *e = &start->entries[start->count++];
    if (handle < 0)
        panic("supervisor: handle of %s: error %ld", role, handle);
    __builtin_memcpy(e->role, role, __builtin_strlen(role));
    e->handle = (leat_handle_t)handle;
    e->va = va;
    e->size = size;
}

static void give_start(struct domain *domain)
{
    _Alignas(LEAT_PAGE_SIZE) static union {
        struct leat_start start;
        uint8_t pages[LEAT_START_PAGES * LEAT_PAGE_SIZE];
    } block = {.start = {.magic = LEAT_START_MAGIC, .name = "supervisor"}};
    const uint64_t info_bytes = LEAT_BOOT_INFO_PAGES * LEAT_PAGE_SIZE;
    struct leat_start *start = &block.start;
    struct notif *notif;
    check(notif_create(domain->quota, &notif), "notification");
    add_entry(start, "machine",
              handle_add(&domain->handles, &machine,
                         LEAT_RIGHT_READ | LEAT_RIGHT_CONTROL | LEAT_RIGHT_GRANT),
              0, 0);
    add_entry(start, "bootinfo", 0, BOOTINFO_VA, info_bytes);
    add_entry(start, "notif",
              handle_add(&domain->handles, &notif->object,
                         LEAT_RIGHT_SIGNAL | LEAT_RIGHT_WAIT | LEAT_RIGHT_GRANT),
              0, 0);
    object_put(&notif->object);
    map_phys(domain, BOOTINFO_VA, kernel_to_phys(boot_info), info_bytes, LEAT_PROT_READ);
    map_phys(domain, LEAT_START_VA, kernel_to_phys(&block), sizeof(block), LEAT_PROT_READ);
}

void supervisor_start(void)
{
    const struct leat_boot_program *program = &boot_info->supervisor;
    struct domain *domain;
    struct mem *stack;
    /* What the kernel itself still needs (slabs, kernel page tables) comes from the rest. */
    uint64_t reserve = frames.free_frames / 512 + 256;
    if (frames.free_frames < 16 * reserve)
        panic("not enough memory: %lu KiB", frames.free_frames * 4);
    check(
        domain_create(NULL, frames.free_frames - reserve, LEAT_PRIO_SYSTEM, "supervisor", &domain),
        "domain");
    domain->is_vital = true;
    for (uint32_t i = 0; i < program->count; i++) {
        const struct leat_boot_segment *s = &program->segments[i];
        map_phys(domain, s->va, hpa(s->hpa), s->size, s->prot);
    }
    check(mem_create(domain->quota, STACK_BYTES, 0, &stack), "stack");
    check(space_map(&domain->space, stack, STACK_VA, 0, STACK_BYTES,
                    LEAT_PROT_READ | LEAT_PROT_WRITE),
          "mapping the stack");
    object_put(&stack->object);
    give_start(domain);
    check(thread_create(domain, program->entry_va, STACK_VA + STACK_BYTES, LEAT_START_VA,
                        LEAT_PRIO_SYSTEM),
          "thread");
    klog("supervisor starts, %lu MiB are its to give", domain->quota->limit_pages / 256);
    object_put(&domain->object); /* its thread keeps it */
}
