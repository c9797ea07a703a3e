// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/supervisor.h"
#include "kernel/arch.h"
#include "kernel/assert.h"
#include "kernel/domain.h"
#include "kernel/elf.h"
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
#define FILE_MAX_VA 0x40000000ull

static void check(int error, const char *what)
{
    if (error != LEAT_OK)
        panic("supervisor: %s: error %d", what, error);
}

/* Copies into the frames of a memory object, which need not be mapped anywhere. */
static void mem_write(struct mem *mem, uint64_t offset, const void *from, uint64_t bytes)
{
    while (bytes) {
        uint64_t piece = LEAT_PAGE_SIZE - (offset & (LEAT_PAGE_SIZE - 1));
        piece = piece < bytes ? piece : bytes;
        __builtin_memcpy(phys_to_ptr(mem_hpa(mem, offset)), from, piece);
        offset += piece;
        from = (const char *)from + piece;
        bytes -= piece;
    }
}

/* Maps new memory of the domain that begins with the given bytes. */
static void map_copy(struct domain *domain, uint64_t va, uint64_t size, uint32_t prot, uint64_t at,
                     const void *from, uint64_t bytes)
{
    struct mem *mem;
    check(mem_create(domain->quota, size, 0, &mem), "memory for a segment");
    mem_write(mem, at, from, bytes);
    check(space_map(&domain->space, mem, va, 0, size, prot), "mapping a segment");
    object_put(&mem->object);
}

static uint64_t load(struct domain *domain, const struct leat_boot_module *module)
{
    const uint64_t mask = LEAT_PAGE_SIZE - 1;
    const char *file = phys_to_ptr(hpa(module->base_hpa));
    struct elf_image image;
    const char *wrong = elf_parse(file, module->size, STACK_VA + STACK_BYTES, FILE_MAX_VA, &image);
    if (wrong)
        panic("supervisor: %s", wrong);
    for (unsigned i = 0; i < image.segment_count; i++) {
        const struct elf_segment *s = &image.segments[i];
        uint64_t start = s->va & ~mask, end = (s->va + s->memory_size + mask) & ~mask;
        map_copy(domain, start, end - start, s->prot, s->va - start, file + s->file_offset,
                 s->file_size);
    }
    return image.entry;
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
    static struct leat_start start = {.magic = LEAT_START_MAGIC, .name = "supervisor"};
    const uint64_t info_bytes = LEAT_BOOT_INFO_PAGES * LEAT_PAGE_SIZE;
    struct notif *notif;
    struct mem *info;
    check(
        mem_create_phys(domain->quota, kernel_to_phys(boot_info), info_bytes, LEAT_CACHE_WB, &info),
        "boot information");
    check(space_map(&domain->space, info, BOOTINFO_VA, 0, info_bytes, LEAT_PROT_READ),
          "mapping the boot information");
    object_put(&info->object);
    check(notif_create(domain->quota, &notif), "notification");
    add_entry(&start, "machine",
              handle_add(&domain->handles, &machine,
                         LEAT_RIGHT_READ | LEAT_RIGHT_CONTROL | LEAT_RIGHT_GRANT),
              0, 0);
    add_entry(&start, "bootinfo", 0, BOOTINFO_VA, info_bytes);
    add_entry(&start, "notif",
              handle_add(&domain->handles, &notif->object,
                         LEAT_RIGHT_SIGNAL | LEAT_RIGHT_WAIT | LEAT_RIGHT_GRANT),
              0, 0);
    object_put(&notif->object);
    map_copy(domain, LEAT_START_VA, LEAT_START_PAGES * LEAT_PAGE_SIZE, LEAT_PROT_READ, 0, &start,
             sizeof(start));
}

static bool name_is(const struct leat_boot_module *m, const char *name)
{
    size_t length = __builtin_strlen(name);
    return length < sizeof(m->name) && __builtin_memcmp(m->name, name, length + 1) == 0;
}

static const struct leat_boot_module *find_module(const char *name)
{
    for (uint32_t i = 0; i < boot_info->module_count; i++) {
        const struct leat_boot_module *m = &boot_info->modules[i];
        if (m->kind == LEAT_MODULE_SERVICE && name_is(m, name))
            return m;
    }
    panic("the boot bundle has no service '%s'", name);
}

void supervisor_start(void)
{
    const struct leat_boot_module *module = find_module("supervisor");
    struct domain *domain;
    /* What the kernel itself still needs (slabs, kernel page tables) comes from the rest. */
    uint64_t reserve = frames.free_frames / 512 + 256;
    if (frames.free_frames < 16 * reserve)
        panic("not enough memory: %lu KiB", frames.free_frames * 4);
    check(
        domain_create(NULL, frames.free_frames - reserve, LEAT_PRIO_SYSTEM, "supervisor", &domain),
        "domain");
    domain->is_vital = true;
    uint64_t entry = load(domain, module);
    map_copy(domain, STACK_VA, STACK_BYTES, LEAT_PROT_READ | LEAT_PROT_WRITE, 0, NULL, 0);
    give_start(domain);
    check(thread_create(domain, entry, STACK_VA + STACK_BYTES, LEAT_START_VA, LEAT_PRIO_SYSTEM),
          "thread");
    klog("supervisor starts, %lu MiB are its to give", domain->quota->limit_pages / 256);
    object_put(&domain->object); /* its thread keeps it */
}
