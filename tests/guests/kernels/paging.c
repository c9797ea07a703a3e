/* SPDX-License-Identifier: BSD-2-Clause */
/* Paging in long mode, and the translations that CPUs keep: SDM vol. 3, chapter 4. */
#include "tests/guests/kernels/runtime/kernel.h"

#define PF 14
#define P 1ull
#define RW 2ull
#define US 4ull
#define A (1ull << 5)
#define D (1ull << 6)
#define PS (1ull << 7)
#define G (1ull << 8)
#define NX (1ull << 63)
#define MSR_EFER 0xc0000080
#define EFER_NXE (1ull << 11)
#define CR0_WP (1ull << 16)
#define CR4_PGE (1ull << 7)
#define CR4_PCIDE (1ull << 17)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define FLAG_AC (1u << 18)

/* Linear addresses from 512 GiB on: one PML4 entry, with tables that each test fills. */
#define BASE 0x8000000000ull
static volatile _Alignas(4096) uint64_t pointers[512], directory[512], table[512], pages[3][512];

CODE(64, do_read, "", "mov (%rcx), %rax", "");
CODE(64, do_write, "", "mov %rax, (%rcx)", "");
CODE(64, do_jump, "", "jmp *%rcx", "");

static uint64_t at(const volatile void *p)
{
    return (uint64_t)(uintptr_t)p;
}

static void begin(void)
{
    for (unsigned i = 0; i < 512; i++)
        pointers[i] = directory[i] = table[i] = 0;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 512; j++)
            pages[i][j] = i * 1000 + j;
    page_root[BASE >> 39] = at(pointers) | P | RW | US;
    pointers[0] = at(directory) | P | RW | US;
    directory[0] = at(table) | P | RW | US;
    cr3_write(cr3_read());
}

static volatile uint64_t *word(uint64_t offset)
{
    return (volatile uint64_t *)(BASE + offset);
}

static void sizes(void)
{
    begin();
    table[0] = at(pages[0]) | P | RW;
    table[1] = at(pages[1]) | P | RW;
    table[511] = at(pages[2]) | P | RW;
    CHECK_EQ("a word by a 4 KiB page", *word(8), 1);
    CHECK_EQ("a word of the next page", *word(0x1010), 1002);
    CHECK_EQ("a word of the last page", *word(0x1ff018), 2003);
    directory[1] = 0x200000 * (at(pages) >> 21) | P | RW | PS;
    CHECK_EQ("a word by a 2 MiB page", *word(0x200000 + (at(&pages[1][7]) & 0x1fffff)), 1007);
    *word(0x200000 + (at(&pages[1][7]) & 0x1fffff)) = 77;
    CHECK_EQ("what was written by a 2 MiB page", pages[1][7], 77);
    if (!(cpuid(0x80000001, 0).edx & 1u << 26)) {
        skip("CPUID has no 1 GiB pages");
        return;
    }
    pointers[1] = 0 | P | RW | PS;
    CHECK_EQ("a word by a 1 GiB page", *word(0x40000000 + at(&pages[2][9])), 2009);
    *word(0x40000000 + at(&pages[2][9])) = 99;
    CHECK_EQ("what was written by a 1 GiB page", pages[2][9], 99);
}

static bool faults(const uint8_t *code, const uint8_t *rip, enum mode mode, uint64_t offset,
                   uint64_t error)
{
    run_in.rcx = BASE + offset;
    run(code, mode);
    check_trap(PF, error, rip);
    return CHECK_EQ("CR2", trapped_cr2, BASE + offset);
}

static void runs(const uint8_t *code, enum mode mode, uint64_t offset)
{
    run_in.rcx = BASE + offset;
    CHECK_RUNS(code, mode);
}

/* Each level's rights count. */
static void rights(void)
{
    begin();
    volatile uint64_t *levels[] = {&table[0], &directory[0], &pointers[0], &page_root[BASE >> 39]};
    table[0] = at(pages[0]) | P | RW | US;
    cr0_write(cr0_read() | CR0_WP);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t old = *levels[i];
        *levels[i] = old & ~RW;
        invlpg(word(0));
        runs(do_read, RING3, 0);
        faults(do_write, do_write_at, RING3, 0, 7);
        faults(do_write, do_write_at, RING0, 0, 3);
        *levels[i] = old & ~US;
        invlpg(word(0));
        runs(do_write, RING0, 0);
        faults(do_read, do_read_at, RING3, 0, 5);
        *levels[i] = old & ~P;
        invlpg(word(0));
        faults(do_read, do_read_at, RING0, 0, 0);
        *levels[i] = old;
        invlpg(word(0));
    }
    table[0] &= ~RW;
    invlpg(word(0));
    cr0_write(cr0_read() & ~CR0_WP);
    runs(do_write, RING0, 0); /* without WP ring 0 may */
    faults(do_write, do_write_at, RING3, 0, 7);
}

static void no_execute(void)
{
    begin();
    *(volatile uint8_t *)pages[0] = 0xc3; /* RET */
    table[0] = at(pages[0]) | P | RW | US;
    runs(do_jump, RING3, 0);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
    for (enum mode mode = RING0; mode <= RING3; mode++) {
        uint64_t user = mode == RING3 ? 4 : 0;
        table[0] |= NX;
        invlpg(word(0));
        faults(do_jump, (uint8_t *)BASE, mode, 0, 0x11 | user);
        runs(do_read, mode, 0);
        table[0] &= ~NX;
        directory[0] |= NX;
        invlpg(word(0));
        faults(do_jump, (uint8_t *)BASE, mode, 0, 0x11 | user);
        directory[0] &= ~NX;
        invlpg(word(0));
        runs(do_jump, mode, 0);
    }
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_NXE);
    table[0] |= NX; /* a reserved bit now */
    invlpg(word(0));
    known_fault("tcg", "TCG leaves P out of the error code for reserved bits");
    faults(do_read, do_read_at, RING0, 0, 9);
}

static void smep(void)
{
    if (!(cpuid(7, 0).ebx & 1u << 7)) {
        skip("CPUID has no SMEP");
        return;
    }
    begin();
    *(volatile uint8_t *)pages[0] = 0xc3;
    table[0] = at(pages[0]) | P | RW | US;
    table[1] = at(pages[0]) | P | RW;
    cr4_write(cr4_read() | CR4_SMEP);
    exception_handler = NULL;
    /* run() itself has its code in a page of ring 3: jump from here */
    extern const uint8_t smep_from[];
    run_in.rcx = BASE;
    run(smep_from, RING0);
    CHECK(trapped.vector == PF && trapped_cr2 == BASE,
          "ring 0 ran code of ring 3: exception %u, CR2 0x%x", trapped.vector, trapped_cr2);
    /* I is told with SMEP even without NXE: SDM vol. 3, 4.7 */
    CHECK_EQ("the error code", trapped.error, 0x11);
    run_in.rcx = BASE + 0x1000;
    run(smep_from, RING0);
    CHECK_EQ("the exception at the end", trapped.vector, VECTOR_DONE);
    runs(do_jump, RING3, 0);
    cr4_write(cr4_read() & ~CR4_SMEP);
    runs(do_jump, RING0, 0);
}
__asm__(".text\nsmep_from: call *%rcx\nint $0x81\n");

static void smap(void)
{
    if (!(cpuid(7, 0).ebx & 1u << 20)) {
        skip("CPUID has no SMAP");
        return;
    }
    begin();
    table[0] = at(pages[0]) | P | RW | US;
    extern const uint8_t smap_read[], smap_stac[];
    gate_set(PF, 0, 1, true); /* the stack of run() is ring 3's */
    gate_set(VECTOR_DONE, 3, 1, true);
    cr4_write(cr4_read() | CR4_SMAP);
    run_in.rcx = BASE;
    run(smap_read, RING0);
    CHECK(trapped.vector == PF && trapped_cr2 == BASE && trapped.error == 1,
          "exception %u, error code 0x%x, CR2 0x%x", trapped.vector, trapped.error, trapped_cr2);
    run_in.rcx = BASE;
    run_in.rflags = FLAG_AC;
    run(smap_read, RING0);
    CHECK_EQ("with AC set: the exception", trapped.vector, VECTOR_DONE);
    run_in.rcx = BASE;
    run(smap_stac, RING0);
    CHECK(trapped.vector == PF && trapped.rax == 1000000, "STAC and CLAC: exception %u, RAX 0x%x",
          trapped.vector, trapped.rax);
    runs(do_read, RING3, 0);
    cr4_write(cr4_read() & ~CR4_SMAP);
    gate_set(PF, 0, 0, true);
    gate_set(VECTOR_DONE, 3, 0, true);
}
__asm__(
    ".text\nsmap_read: mov (%rcx), %rax\nint $0x81\n"
    "smap_stac: stac\nmov (%rcx), %rax\nmov $1000000, %eax\nclac\nmov (%rcx), %rdx\nint $0x81\n");

/* SDM vol. 3, 4.8: set by the CPU at every level, never cleared by it. */
static void accessed_and_dirty(void)
{
    begin();
    table[0] = at(pages[0]) | P | RW;
    (void)*word(0);
    CHECK_EQ("A and D after a read", table[0] & (A | D), A);
    CHECK(directory[0] & pointers[0] & page_root[BASE >> 39] & A, "A is not set at each level");
    CHECK(!(directory[0] & D), "D is set in a directory");
    *word(8) = 5;
    CHECK_EQ("A and D after a write", table[0] & (A | D), A | D);
    table[0] &= ~D;
    invlpg(word(0));
    (void)*word(0);
    CHECK_EQ("A and D after a read of what was written once", table[0] & (A | D), A);
    directory[1] = 0x200000 * (at(pages) >> 21) | P | RW | PS;
    *word(0x200000 + (at(&pages[0][3]) & 0x1fffff)) = 3;
    CHECK_EQ("A and D of a 2 MiB page", directory[1] & (A | D), A | D);
    table[1] = at(pages[0]) | P; /* no write, no D */
    cr0_write(cr0_read() | CR0_WP);
    faults(do_write, do_write_at, RING0, 0x1000, 3);
    CHECK(!(table[1] & D), "D is set by a write that faulted");
    cr0_write(cr0_read() & ~CR0_WP);
}

/* A page that changes is seen after each of the ways that drop its translation. */
static void change(const char *what, void (*drop)(void))
{
    table[0] = at(pages[0]) | P | RW | (table[0] & G);
    drop();
    pages[0][0] = 1;
    pages[1][0] = 2;
    CHECK_EQ(what, *word(0), 1);
    table[0] = at(pages[1]) | P | RW | (table[0] & G);
    drop();
    CHECK_EQ(what, *word(0), 2);
    table[0] &= ~P;
    drop();
    faults(do_read, do_read_at, RING0, 0, 0);
}

static void by_invlpg(void)
{
    invlpg(word(0));
}
static void by_cr3(void)
{
    cr3_write(cr3_read());
}
static void by_pge(void)
{
    cr4_write(cr4_read() ^ CR4_PGE);
    cr4_write(cr4_read() ^ CR4_PGE);
}
static void by_cr0(void)
{
    cr0_write(cr0_read() ^ CR0_WP);
    invlpg(word(0));
    cr0_write(cr0_read() ^ CR0_WP);
}
static void dropped(void)
{
    begin();
    change("after INVLPG", by_invlpg);
    change("after MOV to CR3", by_cr3);
    change("after INVLPG between writes of CR0", by_cr0);
    cr4_write(cr4_read() | CR4_PGE);
    table[0] = G;
    change("global: after INVLPG", by_invlpg);
    table[0] = G;
    change("global: after a change of CR4.PGE", by_pge);
    table[0] = 0;
    invlpg(word(0));
    cr4_write(cr4_read() & ~CR4_PGE);
}

static uint64_t invpcid_type;
static void by_invpcid(void)
{
    const struct {
        uint64_t pcid, address;
    } what = {0, BASE};
    __asm__ volatile("invpcid %0, %1" ::"m"(what), "r"(invpcid_type) : "memory");
}
CODE(64, do_invpcid, "", "invpcid (%rdi), %rcx", "");
static void invpcid(void)
{
    if (!(cpuid(7, 0).ebx & 1u << 10)) {
        skip("CPUID has no INVPCID");
        return;
    }
    begin();
    for (invpcid_type = 0; invpcid_type < 4; invpcid_type++)
        change("after INVPCID", by_invpcid);
    run_in.rcx = 4;
    run_in.rdi = at(user_data);
    CHECK_FAULT(do_invpcid, RING0, 13, 0);
    run_in.rdi = at(user_data);
    CHECK_FAULT(do_invpcid, RING3, 13, 0);
}

static void pcid(void)
{
    if (!(cpuid(1, 0).ecx & 1u << 17)) {
        skip("CPUID has no PCID");
        return;
    }
    begin();
    cr4_write(cr4_read() | CR4_PCIDE);
    for (uint64_t id = 0; id < 3; id++) {
        table[0] = at(pages[id]) | P | RW;
        pages[id][0] = id + 10;
        cr3_write(at(page_root) | id);
        CHECK_EQ("a word with a new PCID", *word(0), id + 10);
        CHECK_EQ("CR3", cr3_read(), at(page_root) | id);
    }
    cr3_write(at(page_root));
    CHECK(cr4_write_faults(cr4_read() & ~0x20ull), "PAE off");
    cr4_write(cr4_read() & ~CR4_PCIDE);
    CHECK_EQ("a word without PCIDs", *word(0), 12);
    cr3_write(at(page_root) | 5);
    CHECK(cr4_write_faults(cr4_read() | CR4_PCIDE), "PCIDE went on with bits 11:0 of CR3 set");
    cr3_write(at(page_root));
}

/* The CPU's own reads of tables, by a hypervisor too, see what was just written. */
static void many(void)
{
    begin();
    for (unsigned i = 0; i < 512; i++)
        table[i] = at(pages[i % 3]) | P | RW;
    for (unsigned i = 0; i < 512; i++)
        if (!CHECK(*word(i * 4096ull + 8) == (i % 3) * 1000 + 1, "page %u has 0x%x", (uint64_t)i,
                   *word(i * 4096ull + 8)))
            return;
    for (unsigned i = 0; i < 512; i++) {
        table[i] = at(pages[(i + 1) % 3]) | P | RW;
        invlpg(word(i * 4096ull));
    }
    for (unsigned i = 0; i < 512; i++)
        if (!CHECK(*word(i * 4096ull + 8) == ((i + 1) % 3) * 1000 + 1,
                   "page %u has 0x%x after it moved", (uint64_t)i, *word(i * 4096ull + 8)))
            return;
}

/* Other CPUs see the change after they drop it. */
static volatile uint64_t seen;
static void look(void *argument)
{
    (void)argument;
    invlpg(word(0));
    seen = *word(0);
}
static void other_cpus(void)
{
    if (cpus() < 2) {
        skip("one CPU");
        return;
    }
    begin();
    for (unsigned i = 0; i < 20; i++) {
        unsigned cpu = 1 + i % (cpus() - 1);
        table[0] = at(pages[i % 3]) | P | RW;
        pages[i % 3][0] = 100 + i;
        cpu_call(cpu, look, NULL);
        CHECK_EQ("what another CPU sees", seen, 100 + i);
    }
}

KERNEL("paging", {"sizes", sizes}, {"rights", rights}, {"no_execute", no_execute}, {"smep", smep},
       {"smap", smap}, {"accessed_and_dirty", accessed_and_dirty}, {"dropped", dropped},
       {"invpcid", invpcid}, {"pcid", pcid}, {"many", many}, {"other_cpus", other_cpus});
