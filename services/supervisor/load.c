// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/load.h"

#include <string.h>

#include "lib/elf.h"
#include "lib/log.h"
#include "lib/map.h"
#include "lib/sys.h"
#include "services/supervisor/machine.h"

/* The supervisor writes the bytes through a mapping of its own, so that the program's code is never
   writable where it runs. */
static int load_segment(leat_handle_t domain, const uint8_t *image, const struct elf_segment *s)
{
    int64_t mem = leat_mem_create(s->memory_size, 0);
    uint8_t *at;
    int64_t error;

    if (mem <= 0) {
        return LEAT_ENOMEM;
    }
    at = leat_map((leat_handle_t)mem, 0, s->memory_size, LEAT_PROT_READ | LEAT_PROT_WRITE);
    if (at == NULL) {
        leat_handle_close((leat_handle_t)mem);
        return LEAT_ENOMEM;
    }
    memcpy(at + s->lead, image + s->file_offset, s->file_size);
    leat_mem_unmap(LEAT_SELF, (uintptr_t)at, s->memory_size);
    error = leat_mem_map(domain, (leat_handle_t)mem, s->va, 0, s->memory_size, s->prot);
    leat_handle_close((leat_handle_t)mem); /* the domain's mapping keeps it */
    return (int)error;
}

static int load_segments(leat_handle_t domain, const char *program, const uint8_t *image,
                         uint64_t size, uint64_t *entry_va)
{
    struct elf_program elf;
    const char *why;

    if (elf_read(image, size, ELF_RING3_FIRST, ELF_RING3_END, &elf, &why) != LEAT_OK) {
        leat_log("program '%s' is damaged: %s", program, why);
        return LEAT_EINVAL;
    }
    for (unsigned i = 0; i < elf.count; i++) {
        int error = load_segment(domain, image, &elf.segments[i]);

        if (error != LEAT_OK) {
            leat_log("program '%s': no memory for segment %u (error %d)", program, i, error);
            return error;
        }
    }
    *entry_va = elf.entry_va;
    return LEAT_OK;
}

int load_program(leat_handle_t domain, const char *program, uint64_t *entry_va)
{
    const struct leat_boot_module *module = machine_module(LEAT_MODULE_SERVICE, program);
    const uint8_t *image;
    int error;

    if (module == NULL) {
        leat_log("program '%s' is not in the bundle of leat.efi", program);
        return LEAT_ENOENT;
    }
    image = machine_module_map(module);
    if (image == NULL) {
        leat_log("program '%s': its module cannot be mapped", program);
        return LEAT_ENOMEM;
    }
    error = load_segments(domain, program, image, module->size, entry_va);
    machine_module_unmap(module, image);
    return error;
}
