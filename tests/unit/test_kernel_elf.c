// SPDX-License-Identifier: BSD-2-Clause
/* The kernel loads a program only if every number in its ELF headers makes sense. */
#include "kernel/elf.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define LOW 0x400000u
#define HIGH 0x800000u

struct program {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    uint8_t content[100];
};

static struct program good(void)
{
    struct program p = {.header = {.e_ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                                   .e_type = ET_EXEC,
                                   .e_machine = EM_X86_64,
                                   .e_entry = LOW + 10,
                                   .e_phoff = offsetof(struct program, segments),
                                   .e_phentsize = sizeof(Elf64_Phdr),
                                   .e_phnum = 2}};
    p.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                 .p_flags = PF_R | PF_X,
                                 .p_vaddr = LOW,
                                 .p_offset = 0,
                                 .p_filesz = sizeof(p),
                                 .p_memsz = sizeof(p)};
    p.segments[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                                 .p_flags = PF_R | PF_W,
                                 .p_vaddr = LOW + 0x1010,
                                 .p_offset = 16,
                                 .p_filesz = 8,
                                 .p_memsz = 0x5000};
    return p;
}

static const char *parse(const struct program *p)
{
    struct elf_image image;
    return elf_parse(p, sizeof(*p), LOW, HIGH, &image);
}

static void a_good_one_is_taken(void **state)
{
    (void)state;
    struct program p = good();
    struct elf_image image;
    assert_null(elf_parse(&p, sizeof(p), LOW, HIGH, &image));
    assert_int_equal(image.segment_count, 2);
    assert_int_equal(image.entry, LOW + 10);
    assert_int_equal(image.segments[1].prot, 3);
    assert_int_equal(image.segments[0].prot, 5);
}

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct program p = good();                                                                 \
        change;                                                                                    \
        assert_non_null(parse(&p));                                                                \
    } while (0)

static void bad_ones_are_refused(void **state)
{
    (void)state;
    struct elf_image image;
    struct program whole = good();
    for (size_t cut = 0; cut < sizeof(whole); cut++)
        assert_non_null(elf_parse(&whole, cut, LOW, HIGH, &image));
    REFUSED(p.header.e_ident[0] = 0);
    REFUSED(p.header.e_ident[4] = 1);
    REFUSED(p.header.e_machine = EM_386);
    REFUSED(p.header.e_type = ET_DYN);
    REFUSED(p.header.e_phentsize = 55);
    REFUSED(p.header.e_phoff = UINT64_MAX - 8);
    REFUSED(p.header.e_phnum = 65535);
    REFUSED(p.header.e_entry = LOW + 0x1010);
    REFUSED(p.header.e_entry = 0);
    REFUSED(p.segments[0].p_type = PT_INTERP);
    REFUSED(p.segments[0].p_flags |= PF_W);
    REFUSED(p.segments[0].p_vaddr = LOW - 0x1000);
    REFUSED(p.segments[1].p_vaddr = HIGH - 0x1000);
    REFUSED(p.segments[1].p_vaddr = UINT64_MAX - 0x100);
    REFUSED(p.segments[1].p_vaddr = LOW + 0x100);
    REFUSED(p.segments[1].p_memsz = UINT64_MAX);
    REFUSED(p.segments[1].p_memsz = 4);
    REFUSED(p.segments[1].p_offset = UINT64_MAX);
    REFUSED(p.segments[1].p_filesz = sizeof(p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_one_is_taken),
        cmocka_unit_test(bad_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
