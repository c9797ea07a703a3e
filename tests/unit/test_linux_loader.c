// SPDX-License-Identifier: BSD-2-Clause
/* The Linux loader puts everything where the protocol wants it, and refuses headers that lie. */
#include "vmm/load/linux.h"

#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define RAM (64u << 20)
#define KERNEL (1u << 20)
#define SETUP (5 * 512u)

static uint8_t *ram, *kernel, initrd[10000];
static struct guest_memory memory;
static struct linux_boot boot;
static struct leat_vcpu page;
static const char *why;

static void put(unsigned offset, unsigned width, uint64_t value)
{
    memcpy(kernel + offset, &value, width);
}

static void start(void)
{
    memset(&memory, 0, sizeof(memory));
    guest_memory_add(&memory, gpa(0), 0xa0000, ram);
    guest_memory_add(&memory, gpa(0xc0000), RAM - 0xc0000, ram + 0xc0000);
    memset(ram, 0, RAM);
    memset(kernel, 0x5a, KERNEL);
    memset(kernel + 0x1f1, 0, 0x80);
    memset(initrd, 0x77, sizeof(initrd));
    put(0x1f1, 1, 4);
    put(0x1fe, 2, 0xaa55);
    put(0x200, 2, 0x6aeb); /* header ends at 0x26c */
    put(0x202, 4, 0x53726448);
    put(0x206, 2, 0x20f);
    put(0x211, 1, 1);
    put(0x22c, 4, 0x7fffffff);
    put(0x230, 4, 0x200000);
    put(0x234, 1, 1);
    put(0x236, 2, 0x3f);
    put(0x238, 4, 2047);
    put(0x258, 8, 0x1000000);
    put(0x260, 4, 0x1800000);
    boot = (struct linux_boot){.kernel = kernel,
                               .kernel_size = KERNEL,
                               .initrd = initrd,
                               .initrd_size = sizeof(initrd),
                               .cmdline = "console=ttyS0",
                               .low_ram = RAM,
                               .rsdp = gpa(0xe0000)};
    memset(&page, 0, sizeof(page));
    why = NULL;
}

static int load(void)
{
    return linux_load(&memory, &boot, &page, &why);
}

static void loads(void **state)
{
    (void)state;
    start();
    assert_int_equal(load(), LEAT_OK);
    assert_int_equal(page.rip, 0x1000200);
    assert_memory_equal(ram + 0x1000000, kernel + SETUP, KERNEL - SETUP);
    const uint8_t *z = ram + page.gpr[LEAT_RSI];
    uint32_t at, size;
    memcpy(&at, z + 0x218, 4);
    memcpy(&size, z + 0x21c, 4);
    assert_int_equal(size, sizeof(initrd));
    assert_true(at >= 0x2800000 && at + size <= RAM);
    assert_memory_equal(ram + at, initrd, sizeof(initrd));
    memcpy(&at, z + 0x228, 4);
    assert_string_equal((char *)ram + at, "console=ttyS0");
    uint64_t total = 0, e[2];
    for (unsigned i = 0; i < z[0x1e8]; i++) {
        memcpy(e, z + 0x2d0 + i * 20, 16);
        if (z[0x2d0 + i * 20 + 16] == 1)
            total += e[1];
    }
    assert_int_equal(total, RAM - 0x100000 + 0x9fc00);
    assert_int_equal(page.cr0 & 0x80000001, 0x80000001);
    assert_int_equal(page.efer, 0x500);
    uint64_t entry; /* the tables map the first GiBs one to one */
    memcpy(&entry, ram + page.cr3, 8);
    memcpy(&entry, ram + (entry & ~0xfffull), 8);
    memcpy(&entry, ram + (entry & ~0xfffull) + 8 * 8, 8);
    assert_int_equal(entry, 0x1000000 | 0x83);
}

static void loads_a_32_bit_kernel(void **state)
{
    uint64_t gdt[4];
    (void)state;
    start();
    put(0x236, 2, 4); /* no 64-bit entry; can be loaded above 4 GiB does not matter */
    assert_int_equal(load(), LEAT_OK);
    assert_int_equal(page.rip, 0x1000000);
    assert_int_equal(page.cr0 & 0x80000001, 1); /* protected mode, no paging */
    assert_int_equal(page.efer, 0);
    assert_int_equal(page.seg[LEAT_CS].selector, 0x10);
    assert_int_equal(page.seg[LEAT_CS].access, 0xc09b); /* 32-bit code */
    assert_int_equal(page.seg[LEAT_SS].selector, 0x18);
    memcpy(gdt, ram + page.seg[LEAT_GDTR].base, sizeof(gdt));
    assert_int_equal(page.seg[LEAT_GDTR].limit, sizeof(gdt) - 1);
    assert_int_equal(gdt[2], 0x00cf9b000000ffff);
    assert_int_equal(gdt[3], 0x00cf93000000ffff);
    assert_int_equal(page.gpr[LEAT_RSI], 0x10000);
    put(0x206, 2, 0x20a); /* a kernel that is too old to say whether it has one */
    put(0x236, 2, 0x3f);
    assert_int_equal(load(), LEAT_OK);
    assert_int_equal(page.rip, 0x1000000);
}

static void moves_when_memory_is_small(void **state)
{
    (void)state;
    start();
    put(0x260, 4, 0x1800000);
    memory.regions[1].size = boot.low_ram = 32u << 20;
    memory.regions[1].size -= 0xc0000;
    assert_int_equal(load(), LEAT_OK);
    assert_int_equal(page.rip, 0x200200);
    start();
    memory.regions[1].size = (16u << 20) - 0xc0000;
    boot.low_ram = 16u << 20;
    assert_int_equal(load(), LEAT_ENOMEM);
    assert_non_null(why);
}

static void refuses_lies(void **state)
{
    static const struct {
        unsigned offset, width;
        uint64_t value;
    } lies[] = {
        {0x1fe, 2, 0},     {0x202, 4, 0}, {0x206, 2, 0x205}, {0x211, 1, 0},
        {0x206, 2, 0x209}, {0x201, 1, 0}, {0x201, 1, 0xff},  {0x260, 4, 0xffffffff},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        start();
        put(lies[i].offset, lies[i].width, lies[i].value);
        assert_int_not_equal(load(), LEAT_OK);
        assert_non_null(why);
    }
    for (uint64_t size = 0; size < 6000; size += 13) {
        start();
        boot.kernel_size = size;
        if (size <= SETUP + 0x200)
            assert_int_equal(load(), LEAT_EINVAL);
        else
            assert_int_equal(load(), LEAT_OK);
    }
    start();
    boot.initrd_size = UINT64_MAX;
    assert_int_equal(load(), LEAT_ENOMEM);
    start();
    put(0x22c, 4, 0x100);
    assert_int_equal(load(), LEAT_ENOMEM);
    start();
    static char long_line[5000];
    memset(long_line, 'x', sizeof(long_line) - 1);
    boot.cmdline = long_line;
    assert_int_equal(load(), LEAT_EINVAL);
}

static void odd_places(void **state)
{
    static const uint64_t places[] = {0, 0x1000, 0xfffff, UINT64_MAX, 1ull << 63, 0xbfffffff};
    (void)state;
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        start();
        put(0x258, 8, places[i]);
        assert_int_equal(load(), LEAT_OK); /* moved to its alignment */
        assert_int_equal(page.rip, 0x200200);
        put(0x234, 1, 0);
        assert_int_not_equal(load(), LEAT_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads),
        cmocka_unit_test(loads_a_32_bit_kernel),
        cmocka_unit_test(moves_when_memory_is_small),
        cmocka_unit_test(refuses_lies),
        cmocka_unit_test(odd_places),
    };
    ram = malloc(RAM);
    kernel = malloc(KERNEL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(ram);
    free(kernel);
    return failed;
}
