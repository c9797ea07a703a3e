// SPDX-License-Identifier: BSD-2-Clause
/* Instructions that AMD-V does not give the length of: parsed, and found through the guest's page tables in each
 * paging mode; whatever bytes and tables a guest has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86_64/svm/insn.h"

#define PAGES 16
#define PAGING (1ull << 31)
#define PSE (1ull << 4)
#define PAE (1ull << 5)
#define LA57 (1ull << 12)
#define LME (1ull << 8)

static uint8_t memory[PAGES][4096];

const uint8_t *svm_guest_page(const void *ignored, uint64_t at)
{
    (void)ignored;
    assert_int_equal(at % 4096, 0);
    return at / 4096 < PAGES ? memory[at / 4096] : NULL;
}

static void parses_what_exits(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[15];
        bool is_64;
        uint8_t length, reg, rm;
        uint16_t opcode;
    } cases[] = {
        {{0x0f, 0xa2}, true, 2, 0, 0, 0x0fa2},                   /* CPUID */
        {{0xf4}, false, 1, 0, 0, 0xf4},                          /* HLT */
        {{0x66, 0x2e, 0x0f, 0x30}, false, 4, 0, 0, 0x0f30},      /* WRMSR, prefixes */
        {{0x0f, 0x01, 0xd9}, true, 3, 3, 1, 0x0f01},             /* VMMCALL */
        {{0x41, 0x0f, 0x22, 0xe1}, true, 4, 4, 9, 0x0f22},       /* MOV CR4, R9 */
        {{0x44, 0x0f, 0x20, 0xc3}, true, 4, 0, 3, 0x0f20},       /* MOV RBX, CR8 */
        {{0x41, 0x66, 0x0f, 0x22, 0xc0}, true, 5, 0, 0, 0x0f22}, /* a REX that does not count */
        {{0x41}, false, 1, 0, 0, 0x41},                          /* INC: no prefix there */
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct svm_insn insn;
        assert_true(svm_insn_parse(cases[i].bytes, 15, cases[i].is_64, &insn));
        assert_int_equal(insn.length, cases[i].length);
        assert_int_equal(insn.opcode, cases[i].opcode);
        assert_int_equal(insn.reg, cases[i].reg);
        assert_int_equal(insn.rm, cases[i].rm);
        for (unsigned count = 0; count < cases[i].length; count++)
            assert_false(svm_insn_parse(cases[i].bytes, count, cases[i].is_64, &insn));
    }
    uint8_t prefixes[15];
    struct svm_insn insn;
    memset(prefixes, 0x66, sizeof(prefixes));
    assert_false(svm_insn_parse(prefixes, 15, true, &insn));
}

static void put(unsigned page, unsigned index, unsigned bytes, uint64_t entry)
{
    memcpy(&memory[page][index * bytes], &entry, bytes);
}

static uint8_t read_at(const struct svm_paging *p, uint64_t linear)
{
    uint8_t byte;
    return svm_guest_read(p, linear, &byte, 1) ? byte : 0xff;
}

static void walks_each_paging_mode(void **state)
{
    (void)state;
    struct svm_paging p = {.cr3 = 0x1000};
    memset(memory, 0, sizeof(memory));
    memset(memory[9], 0x99, 4096);
    memset(memory[8], 0x88, 4096);
    assert_int_equal(read_at(&p, 0x9123), 0x99); /* no paging */
    p.cr0 = PAGING;
    put(1, 1, 4, 0x2001); /* 32-bit: 4 MiB + 5 pages */
    put(2, 5, 4, 0x9001);
    assert_int_equal(read_at(&p, 0x405123), 0x99);
    put(1, 2, 4, 0x81); /* a large page at 8 MiB, if CR4.PSE; else a table at 0 */
    assert_int_equal(read_at(&p, 0x809000), 0xff);
    p.cr4 = PSE;
    assert_int_equal(read_at(&p, 0x809000), 0x99);
    p.cr4 = PAE;
    p.cr3 = 0x3020; /* PAE: four entries at any multiple of 32 */
    put(3, 4 + 3, 8, 0x4001);
    put(4, 511, 8, 0x5001);
    put(5, 511, 8, 0x8000000000009001);
    assert_int_equal(read_at(&p, 0xfffff000), 0x99);
    p.efer = LME;
    p.cr3 = 0x6000;
    put(6, 511, 8, 0x7001);
    put(7, 510, 8, 0x4001);
    assert_int_equal(read_at(&p, 0xffffffffbffff010), 0x99);
    put(7, 509, 8, 0x81); /* 1 GiB */
    assert_int_equal(read_at(&p, 0xffffffff40009010), 0x99);
    p.cr4 = PAE | LA57; /* a fifth level above: linear bits 56:48 */
    p.cr3 = 0xa000;
    assert_int_equal(read_at(&p, 0xff70ffffbffff010), 0xff);
    put(10, 0x170, 8, 0x6001);
    assert_int_equal(read_at(&p, 0xff70ffffbffff010), 0x99);
    put(10, 0x170, 8, 0x6081); /* no large pages there */
    assert_int_equal(read_at(&p, 0xff70ffffbffff010), 0x99);
    p.cr4 = PAE;
    p.cr3 = 0x6000;
    put(5, 510, 8, 0x8001);
    uint8_t bytes[4];
    assert_int_equal(svm_guest_read(&p, 0xffffffffbfffeffe, bytes, 4), 4);
    assert_memory_equal(bytes, "\x88\x88\x99\x99", 4);
    put(5, 511, 8, 0x100009001); /* outside memory */
    assert_int_equal(svm_guest_read(&p, 0xffffffffbfffeffe, bytes, 4), 2);
}

static void survives_any_tables(void **state)
{
    (void)state;
    srand(3);
    for (unsigned round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < 64; i++) {
            uint64_t entry = (uint64_t)(rand() % (PAGES + 1)) << 12 | (rand() & 0x81);
            put((unsigned)rand() % PAGES, (unsigned)rand() % 512, 8, entry);
        }
        struct svm_paging p = {NULL, PAGING, (uint64_t)rand() % (PAGES * 4096),
                               rand() & (PAE | PSE | LA57), rand() % 2 ? LME : 0};
        if (p.efer)
            p.cr4 |= PAE;
        uint8_t bytes[INSN_BYTES_MAX];
        struct svm_insn insn;
        uint64_t linear = (uint64_t)rand() << 32 | (uint32_t)rand();
        unsigned count = svm_guest_read(&p, linear, bytes, sizeof(bytes));
        assert_true(count <= sizeof(bytes));
        if (svm_insn_parse(bytes, count, rand() % 2, &insn))
            assert_true(insn.length && insn.length <= count && insn.rm < 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_what_exits),
        cmocka_unit_test(walks_each_paging_mode),
        cmocka_unit_test(survives_any_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
