// SPDX-License-Identifier: BSD-2-Clause
/* No kernel file, however broken, makes the multiboot loader touch what is not the guest's memory. */
#include "vmm/load/multiboot.h"

#include <stdlib.h>
#include <string.h>

#define RAM (2u << 20)
#define MAGIC 0x1badb002u
#define HEADER_AT 0x100u

/* The first byte chooses; the rest is the file, with a header put into it where the byte says so. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    uint8_t flags = data[0];
    data++;
    size--;
    uint8_t *file = malloc(size + 1);
    memcpy(file, data, size);
    if (!(flags & 1) && size >= 44)
        memcpy(file, "\177ELF\1\1\1", 7);
    if (!(flags & 2) && size >= HEADER_AT + 12) {
        uint32_t header[3] = {MAGIC, flags & 4 ? 0x10003 : 3, 0};
        header[2] = 0u - header[0] - header[1];
        memcpy(file + HEADER_AT, header, sizeof(header));
    }
    uint8_t *ram = calloc(1, RAM);
    struct guest_memory memory = {0};
    guest_memory_add(&memory, gpa(0), 0xa0000, ram);
    guest_memory_add(&memory, gpa(0xc0000), RAM - 0xc0000, ram + 0xc0000);
    struct multiboot_boot boot = {
        .kernel = file,
        .kernel_size = size,
        .cmdline = "quiet",
        .module_count = flags >> 6,
        .low_ram = flags & 8 ? UINT32_MAX : RAM,
        .high_ram = flags & 16 ? UINT64_MAX : 0,
    };
    for (unsigned i = 0; i < boot.module_count; i++)
        boot.modules[i] = (struct multiboot_module){data, flags & 32 ? size : size % 7, "module"};
    static struct leat_vcpu page;
    const char *why = NULL;
    if (multiboot_load(&memory, &boot, &page, &why) != LEAT_OK) {
        if (!why)
            abort();
    } else if (page.rip >= RAM || page.gpr[LEAT_RBX] >= RAM) {
        abort();
    }
    free(ram);
    free(file);
    return 0;
}
