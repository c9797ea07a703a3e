// SPDX-License-Identifier: BSD-2-Clause
/* No kernel file, however broken, makes the loader touch what is not the guest's memory. */
#include "vmm/load/linux.h"

#include <stdlib.h>
#include <string.h>

#define RAM (4u << 20)
#define HEADER_AT 0x1f1u

/* The first bytes of the input become the header; the image is as long as the rest says. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    size_t image_size = ((size_t)data[0] | (size_t)data[1] << 8) * 4;
    size_t initrd_size = (size_t)data[2] * 4096;
    uint8_t flags = data[3];
    uint8_t *image = calloc(1, image_size + 1), *initrd = calloc(1, initrd_size + 1);
    data += 4;
    size -= 4;
    if (image_size > HEADER_AT)
        memcpy(image + HEADER_AT, data,
               size < image_size - HEADER_AT ? size : image_size - HEADER_AT);
    if (!(flags & 1) && image_size > 0x268) { /* past the first checks */
        memcpy(image + 0x1fe, "\x55\xaa", 2);
        memcpy(image + 0x202, "HdrS\x0f\x02", 6);
        image[0x211] |= 1;
        image[0x236] |= 1;
    }
    uint8_t *ram = calloc(1, RAM);
    struct guest_memory memory = {0};
    guest_memory_add(&memory, gpa(0), 0xa0000, ram);
    guest_memory_add(&memory, gpa(0xc0000), RAM - 0xc0000, ram + 0xc0000);
    const struct linux_boot boot = {
        .kernel = image,
        .kernel_size = image_size,
        .initrd = flags & 2 ? initrd : NULL,
        .initrd_size = initrd_size,
        .cmdline = "quiet",
        .low_ram = flags & 4 ? UINT64_MAX : RAM,
        .high_ram = flags & 8 ? UINT64_MAX : 0,
        .rsdp = gpa(0xe0000),
    };
    static struct leat_vcpu page;
    const char *why = NULL;
    if (linux_load(&memory, &boot, &page, &why) != LEAT_OK && !why)
        abort();
    free(ram);
    free(initrd);
    free(image);
    return 0;
}
