/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader has left: Multiboot specification 0.6.96, 3.3. */
#include "tests/guests/kernels/runtime/kernel.h"

#define HAS_MEMORY (1u << 0)
#define HAS_CMDLINE (1u << 2)
#define HAS_MODULES (1u << 3)
#define HAS_MAP (1u << 6)
#define HAS_LOADER (1u << 9)

static const char *text_at(uint32_t at)
{
    return (const char *)(uintptr_t)at;
}

static bool begins(const char *text, const char *with)
{
    while (*with && *text == *with)
        text++, with++;
    return !*with;
}

static void memory(void)
{
    CHECK(boot_info[0] & HAS_MEMORY && boot_info[0] & HAS_MAP, "flags 0x%x",
          (uint64_t)boot_info[0]);
    CHECK(boot_info[1] >= 600 && boot_info[1] <= 640, "%u KiB of low memory",
          (uint64_t)boot_info[1]);
    CHECK(boot_info[2] >= 14 * 1024, "%u KiB from 1 MiB on", (uint64_t)boot_info[2]);
    uint64_t upper = 0;
    for (uint32_t at = boot_info[12]; at < boot_info[12] + boot_info[11];) {
        const uint32_t *entry = (const uint32_t *)(uintptr_t)at;
        uint64_t base = entry[1] | (uint64_t)entry[2] << 32,
                 size = entry[3] | (uint64_t)entry[4] << 32;
        if (entry[5] == 1 && base == 0x100000)
            upper = size >> 10;
        at += entry[0] + 4;
    }
    CHECK(upper >= boot_info[2], "the map has %u KiB from 1 MiB on, mem_upper says %u", upper,
          (uint64_t)boot_info[2]);
}

static void names(void)
{
    CHECK(boot_info[0] & HAS_CMDLINE && boot_info[0] & HAS_LOADER, "flags 0x%x",
          (uint64_t)boot_info[0]);
    CHECK(!is_leat() || begins(text_at(boot_info[16]), "Leat"), "the loader is '%s'",
          text_at(boot_info[16]));
    CHECK(!is_leat() || begins(text_at(boot_info[4]), "leat "), "the command line is '%s'",
          text_at(boot_info[4]));
}

/* tests/system/test_kernels.py gives two. */
static void modules(void)
{
    if (!is_leat()) {
        skip("no modules are given");
        return;
    }
    CHECK(boot_info[0] & HAS_MODULES, "flags 0x%x", (uint64_t)boot_info[0]);
    if (!CHECK(boot_info[5] == 2, "%u modules, not 2", (uint64_t)boot_info[5]))
        return;
    const uint32_t *entry = (const uint32_t *)(uintptr_t)boot_info[6];
    for (unsigned i = 0; i < 2; i++, entry += 4) {
        const char *name = i ? "notes/second" : "first",
                   *content = i ? "the second module" : "the first module";
        CHECK(entry[0] % 4096 == 0, "module %u lies at 0x%x", (uint64_t)i, (uint64_t)entry[0]);
        CHECK(entry[1] - entry[0] == 16u + i, "module %u has %u bytes", (uint64_t)i,
              (uint64_t)(entry[1] - entry[0]));
        CHECK(begins(text_at(entry[2]), name), "module %u is called '%s'", (uint64_t)i,
              text_at(entry[2]));
        CHECK(begins(text_at(entry[0]), content), "module %u has another content", (uint64_t)i);
    }
}

KERNEL("multiboot", {"memory", memory}, {"names", names}, {"modules", modules});
