// SPDX-License-Identifier: BSD-2-Clause
/* The multiboot loader puts everything where the specification wants it, and refuses headers that lie. */
#include "vmm/load/multiboot.h"

#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define RAM (16u << 20)
#define FILE_BYTES 0x5000u
#define HEADER 0x1000u /* where the multiboot header lies in the file */

static uint8_t *ram, *kernel;
static struct guest_memory memory;
static struct multiboot_boot boot;
static struct leat_vcpu page;
static const char *why;

static void put(unsigned offset, unsigned width, uint64_t value)
{
    memcpy(kernel + offset, &value, width);
}

static void put_header(uint32_t flags)
{
    put(HEADER, 4, 0x1badb002);
    put(HEADER + 4, 4, flags);
    put(HEADER + 8, 4, 0u - 0x1badb002u - flags);
}

static void put_segment(unsigned index, uint32_t offset, uint32_t linear, uint32_t physical,
                        uint32_t size, uint32_t in_memory)
{
    const uint32_t fields[8] = {1, offset, linear, physical, size, in_memory, 7, 4096};
    memcpy(kernel + 0x100 + index * 32, fields, sizeof(fields));
}

static void start(void)
{
    memset(&memory, 0, sizeof(memory));
    guest_memory_add(&memory, gpa(0), 0xa0000, ram);
    guest_memory_add(&memory, gpa(0xc0000), RAM - 0xc0000, ram + 0xc0000);
    memset(ram, 0xee, RAM);
    memset(kernel, 0x5a, FILE_BYTES);
    memset(kernel, 0, 0x400);
    memcpy(kernel, "\177ELF\1\1\1", 7);
    put(16, 2, 2);
    put(18, 2, 3);
    put(24, 4, 0xc0101010); /* linear: 1 MiB plus 3 GiB */
    put(28, 4, 0x100);
    put(42, 2, 32);
    put(44, 2, 2);
    put_segment(0, 0x1000, 0xc0101000, 0x101000, 0x2000, 0x2000);
    put_segment(1, 0x3000, 0xc0110000, 0x110000, 0x1000, 0x8000);
    put_header(3);
    boot = (struct multiboot_boot){.kernel = kernel,
                                   .kernel_size = FILE_BYTES,
                                   .cmdline = "one two",
                                   .module_count = 2,
                                   .low_ram = RAM,
                                   .high_ram = 1u << 30};
    boot.modules[0] = (struct multiboot_module){"first module", 12, "a.bin"};
    boot.modules[1] = (struct multiboot_module){"second", 6, "b/c"};
    memset(&page, 0x77, sizeof(page));
    why = NULL;
}

static int load(void)
{
    return multiboot_load(&memory, &boot, &page, &why);
}

static void refused(int error)
{
    assert_int_equal(load(), error);
    assert_non_null(why);
}

static uint32_t word(uint64_t at)
{
    uint32_t v;
    assert_true(at + 4 <= RAM);
    memcpy(&v, ram + at, 4);
    return v;
}

static void check_info(uint32_t info)
{
    assert_int_equal(word(info), 0x24d); /* memory, command line, modules, map, loader's name */
    assert_int_equal(word(info + 4), 639);
    assert_int_equal(word(info + 8), (RAM >> 10) - 1024);
    assert_string_equal((char *)ram + word(info + 16), "one two");
    assert_string_equal((char *)ram + word(info + 64), "Leat");
    assert_int_equal(word(info + 20), 2);
    uint32_t mods = word(info + 24);
    assert_int_equal(word(mods) % 4096, 0);
    assert_int_equal(word(mods + 4) - word(mods), 12);
    assert_memory_equal(ram + word(mods), "first module", 12);
    assert_string_equal((char *)ram + word(mods + 8), "a.bin");
    assert_memory_equal(ram + word(mods + 16), "second", 6);
    assert_string_equal((char *)ram + word(mods + 24), "b/c");
    uint32_t at = word(info + 48), end = at + word(info + 44);
    uint64_t total = 0, range[2];
    for (; at < end; at += word(at) + 4) {
        memcpy(range, ram + at + 4, 16);
        if (word(at + 20) == 1)
            total += range[1];
    }
    assert_int_equal(at, end);
    assert_int_equal(total, RAM - 0x100000 + 0x9fc00 + (1u << 30));
}

static void loads_elf(void **state)
{
    (void)state;
    start();
    assert_int_equal(load(), LEAT_OK);
    assert_int_equal(page.rip, 0x101010); /* the linear entry in physical memory */
    assert_int_equal(page.gpr[LEAT_RAX], 0x2badb002);
    assert_int_equal(page.cr0 & 0x80000001, 1);
    assert_int_equal(page.efer, 0);
    assert_int_equal(page.cr4, 0);
    assert_int_equal(page.rflags, 2);
    assert_int_equal(page.seg[LEAT_CS].access, 0xc09b);
    assert_int_equal(page.seg[LEAT_SS].limit, UINT32_MAX);
    assert_int_equal(page.dirty, LEAT_VCPU_ALL);
    assert_memory_equal(ram + 0x101000, kernel + 0x1000, 0x2000);
    assert_memory_equal(ram + 0x110000, kernel + 0x3000, 0x1000);
    for (unsigned i = 0x111000; i < 0x118000; i++)
        assert_int_equal(ram[i], 0);
    assert_int_equal(ram[0x118000 - 1], 0);
    check_info((uint32_t)page.gpr[LEAT_RBX]);
    assert_int_equal(page.gpr[LEAT_RBX], 0x10000);
    assert_int_equal(word(word(0x10000 + 24)), 0x118000); /* modules begin behind the kernel */
}

/* A kernel in low memory: the information moves behind the modules. */
static void low_kernel(void **state)
{
    (void)state;
    start();
    put_segment(1, 0x3000, 0x8000, 0x8000, 0x1000, 0x20000);
    assert_int_equal(load(), LEAT_OK);
    assert_true(page.gpr[LEAT_RBX] >= 0x101000);
    check_info((uint32_t)page.gpr[LEAT_RBX]);
}

static void put_addresses(uint32_t header, uint32_t from, uint32_t end, uint32_t bss,
                          uint32_t entry)
{
    const uint32_t fields[5] = {header, from, end, bss, entry};
    put_header(0x10003);
    memcpy(kernel + HEADER + 12, fields, sizeof(fields));
}

static void loads_flat(void **state)
{
    (void)state;
    start();
    memset(kernel, 0x11, 0x1000); /* no ELF */
    put_addresses(0x200800, 0x200000, 0, 0, 0x200820);
    assert_int_equal(load(), LEAT_OK);
    assert_int_equal(page.rip, 0x200820);
    assert_memory_equal(ram + 0x200000, kernel + HEADER - 0x800, FILE_BYTES - HEADER + 0x800);
    put_addresses(0x200800, 0x200000, 0x201000, 0x300000, 0x200820);
    assert_int_equal(load(), LEAT_OK);
    assert_int_equal(ram[0x201000], 0);
    assert_int_equal(ram[0x2fffff], 0);
    assert_int_equal(word(word(0x10000 + 24)), 0x300000);

    static const uint32_t lies[][5] = {
        {0x1fffff, 0x200000, 0, 0, 0x200000},        /* header before the load address */
        {0x202000, 0x200000, 0, 0, 0x200000},        /* starts before the file */
        {0x200800, 0x200000, 0x1ff000, 0, 0x200000}, /* ends before it starts */
        {0x200800, 0x200000, 0x300000, 0, 0x200000}, /* more than the file has */
        {0x200800, 0x200000, 0x201000, 0x200fff, 0x200000},
        {0x200800, 0x200000, 0x201000, 0, 0x201000}, /* entry outside */
        {0x9f800, 0x9f000, 0, 0, 0x9f000},           /* into the VGA hole */
        {0xfffff800, 0xfffff000, 0, 0, 0xfffff000},  /* the end of the address space */
        {0x200800, 0x200000, 0x200000, 0, 0x200000}, /* nothing */
    };
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        why = NULL;
        put_addresses(lies[i][0], lies[i][1], lies[i][2], lies[i][3], lies[i][4]);
        assert_int_not_equal(load(), LEAT_OK);
        assert_non_null(why);
    }
    put_addresses(0x200800, 0x200000, 0x201000, 0xffffffff, 0x200000);
    refused(LEAT_ENOMEM);
}

static void refuses_headers(void **state)
{
    (void)state;
    start();
    put_header(4);
    refused(LEAT_EINVAL);
    assert_non_null(strstr(why, "video"));
    put_header(0x8);
    refused(LEAT_EINVAL);
    put_header(3);
    put(HEADER + 8, 4, 0);
    refused(LEAT_EINVAL);
    start();
    put(HEADER, 4, 0);
    put(8192 - 8, 4, 0x1badb002); /* not wholly in the first 8192 bytes */
    put(8192, 4, 0u - 0x1badb002u);
    refused(LEAT_EINVAL);
    start();
    boot.kernel_size = HEADER + 12;
    put_header(0x10000);
    refused(LEAT_EINVAL);
    boot.kernel_size = 0;
    refused(LEAT_EINVAL);
}

static void refuses_lies(void **state)
{
    static const struct {
        unsigned offset, width;
        uint64_t value;
        int error;
    } lies[] = {
        {0, 1, 0, LEAT_EINVAL},
        {4, 1, 2, LEAT_EINVAL}, /* 64 bits */
        {4, 1, 0, LEAT_EINVAL},
        {5, 1, 2, LEAT_EINVAL},  /* big-endian */
        {16, 2, 3, LEAT_EINVAL}, /* a shared object */
        {18, 2, 62, LEAT_EINVAL},
        {24, 4, 0x118000, LEAT_EINVAL}, /* entry behind the kernel */
        {28, 4, 0xffffffff, LEAT_EINVAL},
        {28, 4, FILE_BYTES - 63, LEAT_EINVAL},
        {42, 2, 31, LEAT_EINVAL},
        {44, 2, 0, LEAT_EINVAL},
        {44, 2, 65, LEAT_EINVAL},
        {0x100, 4, 2, LEAT_EINVAL},          /* the entry's segment is not loaded */
        {0x104, 4, 0xffffffff, LEAT_EINVAL}, /* p_offset */
        {0x104, 4, FILE_BYTES - 0x1fff, LEAT_EINVAL},
        {0x10c, 4, 0xffffffff, LEAT_ENOMEM}, /* p_paddr */
        {0x10c, 4, 0x9f000, LEAT_EINVAL},
        {0x10c, 4, 0xe0000, LEAT_EINVAL}, /* the ACPI tables */
        {0x10c, 4, RAM - 0x1000, LEAT_ENOMEM},
        {0x110, 4, 0x2001, LEAT_EINVAL},     /* p_filesz beyond p_memsz */
        {0x114, 4, 0xffffffff, LEAT_ENOMEM}, /* p_memsz */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        start();
        put(lies[i].offset, lies[i].width, lies[i].value);
        refused(lies[i].error);
    }
    for (uint64_t size = 0; size < FILE_BYTES; size += 13) {
        start();
        boot.kernel_size = size;
        if (size < 0x4000)
            refused(LEAT_EINVAL);
        else
            assert_int_equal(load(), LEAT_OK);
    }
}

static void refuses_modules(void **state)
{
    static const uint64_t sizes[] = {RAM, UINT64_MAX, 1ull << 32, RAM - 0x118000 + 1};
    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        start();
        boot.modules[0].size = sizes[i];
        refused(LEAT_ENOMEM);
    }
    start();
    boot.module_count = MULTIBOOT_MAX_MODULES + 1;
    refused(LEAT_EINVAL);
    start();
    boot.modules[1].size = 0; /* an empty file is a module too */
    assert_int_equal(load(), LEAT_OK);
    start();
    static char line[5000];
    memset(line, 'x', sizeof(line) - 1);
    boot.cmdline = line;
    refused(LEAT_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_elf),    cmocka_unit_test(low_kernel),
        cmocka_unit_test(loads_flat),   cmocka_unit_test(refuses_headers),
        cmocka_unit_test(refuses_lies), cmocka_unit_test(refuses_modules),
    };
    ram = malloc(RAM);
    kernel = malloc(FILE_BYTES);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(ram);
    free(kernel);
    return failed;
}
