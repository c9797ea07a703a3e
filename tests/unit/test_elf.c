// SPDX-License-Identifier: BSD-2-Clause
/* Programs are loaded by what their ELF headers say: whatever is odd must be refused. */
#include "lib/elf.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <leat/syscall.h>

#define FILE_BYTES 0x3000

struct file {
    Elf64_Ehdr header;
    Elf64_Phdr ph[3];
    uint8_t rest[FILE_BYTES - sizeof(Elf64_Ehdr) - 3 * sizeof(Elf64_Phdr)];
};

static struct file good(void)
{
    struct file f = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_entry = 0x401010,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 3},
        .ph = {{PT_LOAD, PF_R | PF_X, 0x1000, 0x401000, 0, 0x800, 0x800, 0x1000},
               {PT_LOAD, PF_R | PF_W, 0x2010, 0x403010, 0, 0x100, 0x5000, 0x1000},
               {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16}},
    };

    return f;
}

static int read_file(const struct file *f, size_t size, struct elf_program *program)
{
    const char *why = NULL;
    uint8_t *copy = malloc(size); /* exact, so that the sanitizer sees an overrun */
    int result;

    memcpy(copy, f, size);
    result = elf_read(copy, size, ELF_RING3_FIRST, ELF_RING3_END, program, &why);
    free(copy);
    assert_int_equal(result == LEAT_OK, why == NULL);
    return result;
}

static void a_good_program_is_understood(void **state)
{
    struct file f = good();
    struct elf_program program;

    (void)state;
    assert_int_equal(read_file(&f, sizeof(f), &program), LEAT_OK);
    assert_int_equal(program.count, 2);
    assert_int_equal(program.entry_va, 0x401010);
    assert_int_equal(program.segments[0].prot, LEAT_PROT_READ | LEAT_PROT_EXEC);
    assert_int_equal(program.segments[0].memory_size, 0x1000);
    assert_int_equal(program.segments[1].va, 0x403000);
    assert_int_equal(program.segments[1].lead, 0x10);
    assert_int_equal(program.segments[1].memory_size, 0x6000);
    assert_int_equal(program.segments[1].file_size, 0x100);
    assert_int_equal(program.segments[1].prot, LEAT_PROT_READ | LEAT_PROT_WRITE);
}

static void every_cut_of_the_file_is_refused_or_harmless(void **state)
{
    struct file f = good();
    struct elf_program program;

    (void)state;
    for (size_t size = 0; size < 0x2110; size += 7) {
        assert_int_equal(read_file(&f, size, &program), LEAT_EINVAL);
    }
}

#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct file f = good();                                                                    \
        struct elf_program program;                                                                \
        change;                                                                                    \
        assert_int_equal(read_file(&f, sizeof(f), &program), LEAT_EINVAL);                         \
    } while (0)

static void odd_headers_are_refused(void **state)
{
    (void)state;
    REFUSED(f.header.e_ident[0] = 0);
    REFUSED(f.header.e_ident[EI_CLASS] = ELFCLASS32);
    REFUSED(f.header.e_type = ET_DYN);
    REFUSED(f.header.e_machine = EM_386);
    REFUSED(f.header.e_phentsize = 32);
    REFUSED(f.header.e_phnum = 0);
    REFUSED(f.header.e_phnum = 0xffff);
    REFUSED(f.header.e_phoff = UINT64_MAX);
    REFUSED(f.header.e_phoff = FILE_BYTES - 8);
    REFUSED(f.header.e_entry = 0x403010); /* data */
    REFUSED(f.header.e_entry = 0x400fff);
}

static void odd_segments_are_refused(void **state)
{
    (void)state;
    REFUSED(f.ph[0].p_flags = PF_R | PF_W | PF_X);
    REFUSED(f.ph[0].p_offset = UINT64_MAX - 0x10);
    REFUSED(f.ph[0].p_filesz = 0x900);
    REFUSED(f.ph[0].p_vaddr = 0);
    REFUSED(f.ph[0].p_vaddr = LEAT_INFO_VA);
    REFUSED(f.ph[1].p_vaddr = UINT64_MAX - 0x1000);
    REFUSED(f.ph[1].p_vaddr = 0xffffffff80000000ull);
    REFUSED(f.ph[1].p_vaddr = 0x401800); /* on a page of the code */
    REFUSED(f.ph[1].p_vaddr = 0x400000 - 0x6000);
    REFUSED(f.ph[1].p_memsz = UINT64_MAX);
    REFUSED(f.ph[1].p_memsz = 0x80);
    REFUSED(f.ph[2].p_type = PT_INTERP);
    REFUSED(f.ph[2].p_type = PT_DYNAMIC);
    REFUSED(f.ph[2].p_type = PT_TLS);
}

static void random_damage_never_reads_outside(void **state)
{
    struct elf_program program;

    (void)state;
    srand(3);
    for (unsigned i = 0; i < 20000; i++) {
        struct file f = good();

        for (unsigned j = 0; j < 3; j++) {
            ((uint8_t *)&f)[(size_t)rand() % 232] = (uint8_t)rand();
        }
        if (read_file(&f, sizeof(f), &program) != LEAT_OK) {
            continue;
        }
        for (unsigned j = 0; j < program.count; j++) {
            const struct elf_segment *s = &program.segments[j];

            assert_true(s->file_offset + s->file_size <= sizeof(f));
            assert_true(s->lead + s->file_size <= s->memory_size);
            assert_true((s->prot & (LEAT_PROT_WRITE | LEAT_PROT_EXEC)) !=
                        (LEAT_PROT_WRITE | LEAT_PROT_EXEC));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_program_is_understood),
        cmocka_unit_test(every_cut_of_the_file_is_refused_or_harmless),
        cmocka_unit_test(odd_headers_are_refused),
        cmocka_unit_test(odd_segments_are_refused),
        cmocka_unit_test(random_damage_never_reads_outside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
