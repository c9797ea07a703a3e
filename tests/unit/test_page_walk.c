// SPDX-License-Identifier: BSD-2-Clause
/* The page walk agrees with the manual in every paging mode, for rights, flags and hostile tables.
 */
#include "vmm/cpu/page_walk.h"

#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define RAM (1u << 20)
#define CR0_PG_WP 0x80010001ull
#define P 1ull
#define W 2ull
#define U 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define NX (1ull << 63)

static _Alignas(4096) uint8_t ram[RAM];
static struct guest_memory memory;

static void start(void)
{
    memset(ram, 0, sizeof(ram));
    memory.count = 0;
    guest_memory_add(&memory, gpa(0), RAM, ram);
}

static uint64_t *at64(uint64_t table, unsigned i)
{
    return (uint64_t *)(ram + table) + i;
}
static uint32_t *at32(uint64_t table, unsigned i)
{
    return (uint32_t *)(ram + table) + i;
}

static void no_paging(void **state)
{
    struct walk_mode m = {0};
    (void)state;
    start();
    struct walk_result r = page_walk(&memory, &m, gva(0x1234567812345), WALK_WRITE);
    assert_false(r.is_fault);
    assert_int_equal(r.gpa.raw, 0x67812345 & UINT32_MAX);
}

static void four_levels(void **state)
{
    struct walk_mode m = {.cr0 = CR0_PG_WP, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0xd00};
    (void)state;
    start();
    *at64(0x1000, 511) = 0x2000 | P | W | U;
    *at64(0x2000, 1) = 0x3000 | P | W | U;
    *at64(0x3000, 2) = 0x4000 | P | W | U;
    *at64(0x4000, 3) = 0x9000 | P | W | NX;
    *at64(0x3000, 4) = 0x200000 | P | W | U | PS;
    *at64(0x2000, 5) = 0x40000000 | P | PS;
    uint64_t base = 0xffffff8000000000ull | 1ull << 30;
    struct walk_result r =
        page_walk(&memory, &m, gva(base | 2u << 21 | 3u << 12 | 0x45), WALK_READ);
    assert_false(r.is_fault);
    assert_int_equal(r.gpa.raw, 0x9045);
    assert_int_equal(r.page_bytes, 4096);
    assert_true(*at64(0x4000, 3) & A);
    assert_false(*at64(0x4000, 3) & D);
    assert_true(*at64(0x1000, 511) & A);
    r = page_walk(&memory, &m, gva(base | 2u << 21 | 3u << 12), WALK_WRITE);
    assert_true(*at64(0x4000, 3) & D);
    r = page_walk(&memory, &m, gva(base | 2u << 21 | 3u << 12), WALK_FETCH);
    assert_true(r.is_fault);
    assert_int_equal(r.error, 0x11); /* present, fetch */
    m.is_user = true;
    r = page_walk(&memory, &m, gva(base | 2u << 21 | 3u << 12), WALK_READ);
    assert_int_equal(r.error, 0x5);
    r = page_walk(&memory, &m, gva(base | 4u << 21 | 0x1fffff), WALK_WRITE);
    assert_false(r.is_fault);
    assert_int_equal(r.gpa.raw, 0x3fffff);
    assert_int_equal(r.page_bytes, 2u << 20);
    m.is_user = false;
    uint64_t big = 0xffffff8000000000ull | 5ull << 30;
    r = page_walk(&memory, &m, gva(big | 0x3fffffff), WALK_READ);
    assert_int_equal(r.gpa.raw, 0x7fffffff);
    r = page_walk(&memory, &m, gva(big), WALK_WRITE);
    assert_int_equal(r.error, 3); /* present, write: WP holds for the kernel too */
    m.cr0 &= ~0x10000ull;
    assert_false(page_walk(&memory, &m, gva(big), WALK_WRITE).is_fault);
    r = page_walk(&memory, &m, gva(0), WALK_WRITE);
    assert_int_equal(r.error, 2);     /* not present */
    m.cr4 |= 1ull << 20 | 1ull << 21; /* SMEP, SMAP */
    assert_int_equal(page_walk(&memory, &m, gva(base | 4u << 21), WALK_FETCH).error, 0x11);
    assert_int_equal(page_walk(&memory, &m, gva(base | 4u << 21), WALK_READ).error, 1);
    m.rflags = 1ull << 18;
    assert_false(page_walk(&memory, &m, gva(base | 4u << 21), WALK_READ).is_fault);
}

static void five_levels(void **state)
{
    struct walk_mode m = {.cr0 = CR0_PG_WP, .cr3 = 0x1000, .cr4 = 0x1020, .efer = 0xd00};
    (void)state;
    start();
    *at64(0x1000, 1) = 0x2000 | P | W;
    *at64(0x2000, 0) = 0x3000 | P | W;
    *at64(0x3000, 0) = 0x40000000 | P | W | PS;
    struct walk_result r = page_walk(&memory, &m, gva(1ull << 48 | 0x123), WALK_READ);
    assert_false(r.is_fault);
    assert_int_equal(r.gpa.raw, 0x40000123);
    assert_true(*at64(0x1000, 1) & A);
    r = page_walk(&memory, &m, gva(UINT64_MAX << 57 | 0x1ffull << 48), WALK_WRITE);
    assert_true(r.is_fault);
    assert_int_equal(r.error, 2);
    *at64(0x1000, 511) = 0x2000 | P; /* rights of that level count too */
    assert_false(page_walk(&memory, &m, gva(UINT64_MAX << 48), WALK_READ).is_fault);
    assert_int_equal(page_walk(&memory, &m, gva(UINT64_MAX << 48), WALK_WRITE).error, 3);
    *at64(0x1000, 2) = 0x2000 | P | PS; /* reserved at that level, and the next */
    assert_int_equal(page_walk(&memory, &m, gva(2ull << 48), WALK_READ).error, 9);
    m.cr4 = 0x20; /* four levels: the table is another one */
    assert_true(page_walk(&memory, &m, gva(1ull << 48), WALK_READ).is_fault);
    m.cr4 = 0x1020;
    *at64(0x2000, 0) |= PS;
    assert_int_equal(page_walk(&memory, &m, gva(1ull << 48), WALK_READ).error, 9);
}

static void pae_and_32_bit(void **state)
{
    struct walk_mode m = {.cr0 = CR0_PG_WP, .cr3 = 0x1020, .cr4 = 0x20};
    (void)state;
    start();
    *at64(0x1020, 3) = 0x2000 | P;
    *at64(0x2000, 511) = 0x3000 | P | W | U;
    *at64(0x3000, 511) = 0x5000 | P | W | U;
    struct walk_result r = page_walk(&memory, &m, gva(0xffffffff), WALK_WRITE);
    assert_false(r.is_fault);
    assert_int_equal(r.gpa.raw, 0x5fff);
    assert_int_equal(page_walk(&memory, &m, gva(0x7fffffff), WALK_WRITE).error, 2);

    m.cr4 = 0x10;
    m.cr3 = 0x8000;
    *at32(0x8000, 1) = 0x9000 | P | W | U;
    *at32(0x9000, 7) = 0xa000 | P;
    *at32(0x8000, 2) = 0x400000 | 3u << 13 | P | W | PS;
    r = page_walk(&memory, &m, gva(0x407abc), WALK_READ);
    assert_int_equal(r.gpa.raw, 0xaabc);
    assert_int_equal(page_walk(&memory, &m, gva(0x407abc), WALK_WRITE).error, 3);
    r = page_walk(&memory, &m, gva(0x812345), WALK_WRITE);
    assert_int_equal(r.gpa.raw, 0x300412345);
    assert_true(*at32(0x8000, 2) & D);
    m.cr4 = 0; /* without PSE it is a table, and far outside RAM */
    assert_true(page_walk(&memory, &m, gva(0x812345), WALK_WRITE).is_fault);
}

static void tables_outside_memory(void **state)
{
    struct walk_mode m = {.cr0 = CR0_PG_WP, .cr4 = 0x20, .efer = 0xd00};
    (void)state;
    start();
    for (unsigned i = 0; i < 64; i++) {
        m.cr3 = 1ull << i;
        page_walk(&memory, &m, gva(UINT64_MAX), WALK_WRITE);
    }
    *at64(0x1000, 0) = 0x000ffffffffff000 | P | W;
    m.cr3 = 0x1000;
    assert_true(page_walk(&memory, &m, gva(0), WALK_READ).is_fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_paging),
        cmocka_unit_test(four_levels),
        cmocka_unit_test(five_levels),
        cmocka_unit_test(pae_and_32_bit),
        cmocka_unit_test(tables_outside_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
