// SPDX-License-Identifier: BSD-2-Clause
/*
 * Instructions on a device do what the CPU does on memory: each case runs the real bytes through
 * the MMIO exit with the code in guest memory, against a device of sixteen bytes.
 */
#include "vmm_fake.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define DEVICE 0xc0000000ull
#define CODE 0x2000u
#define CF 1u
#define PF 4u
#define ZF 0x40u
#define SF 0x80u
#define OF 0x800u

static struct vmm_fake f;
static uint8_t device[64];
static unsigned reads, writes;

static uint64_t dev_read(void *context, uint64_t offset, unsigned width)
{
    uint64_t v = 0;
    (void)context;
    reads++;
    memcpy(&v, device + offset % 32, width);
    return v;
}

static void dev_write(void *context, uint64_t offset, unsigned width, uint64_t value)
{
    (void)context;
    writes++;
    memcpy(device + offset % 32, &value, width);
}

static struct leat_vcpu *start(enum insn_code_size code)
{
    static const uint8_t pattern[8] = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x91};
    vmm_fake_init(&f, 1);
    const struct bus_range r = {DEVICE, 4096, dev_read, dev_write, NULL, "test"};
    bus_add(&f.vm.mmio, &r);
    memcpy(device, pattern, 8);
    struct leat_vcpu *p = &f.pages[0];
    p->rip = CODE;
    p->seg[LEAT_CS].base = 0;
    p->seg[LEAT_CS].limit = UINT32_MAX;
    p->seg[LEAT_CS].access = code == INSN_CODE_64 ? 0xa09b : code == INSN_CODE_32 ? 0xc09b : 0x9b;
    for (unsigned i = LEAT_ES; i <= LEAT_GS; i++)
        p->seg[i].limit = UINT32_MAX;
    p->cr0 = 0x11; /* no paging: addresses are physical, 64-bit code included */
    p->efer = code == INSN_CODE_64 ? 0x500 : 0;
    p->gpr[LEAT_RAX] = 0x1111111122222222;
    p->gpr[LEAT_RBX] = DEVICE;
    p->gpr[LEAT_RCX] = 0xaaaaaaaabbbbbbbb;
    p->dirty = 0;
    reads = writes = 0;
    return p;
}

/* Runs one instruction whose memory operand is the device's first byte; must be length bytes long.
 */
static void run(const char *bytes, unsigned length)
{
    struct leat_vcpu *p = &f.pages[0];
    memset(f.ram + CODE, 0x90, 32);
    memcpy(f.ram + CODE, bytes, length);
    memset(&p->detail, 0, sizeof(p->detail));
    p->rip = CODE;
    p->event = 0;
    p->detail.mmio.gpa = DEVICE;
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MMIO);
    assert_int_equal(p->event, 0);
    assert_int_equal(p->rip, CODE + length);
    assert_true(p->dirty & LEAT_VCPU_RIP);
}

#define RUN(s) run(s, sizeof(s) - 1)

static uint64_t device_word(void)
{
    uint64_t v;
    memcpy(&v, device, 8);
    return v;
}

static void loads(void **state)
{
    struct leat_vcpu *p = start(INSN_CODE_64);
    (void)state;
    RUN("\x8a\x03"); /* mov al, [rbx] */
    assert_int_equal(p->gpr[LEAT_RAX], 0x1111111122222288);
    RUN("\x8a\x23"); /* mov ah, [rbx] */
    assert_int_equal(p->gpr[LEAT_RAX], 0x1111111122228888);
    RUN("\x66\x8b\x0b"); /* mov cx, [rbx] */
    assert_int_equal(p->gpr[LEAT_RCX], 0xaaaaaaaabbbb7788);
    RUN("\x8b\x0b"); /* mov ecx, [rbx]: clears the upper half */
    assert_int_equal(p->gpr[LEAT_RCX], 0x55667788);
    RUN("\x4c\x8b\x0b"); /* mov r9, [rbx] */
    assert_int_equal(p->gpr[LEAT_R9], 0x9122334455667788);
    RUN("\x0f\xb6\x03"); /* movzx eax, byte */
    assert_int_equal(p->gpr[LEAT_RAX], 0x88);
    RUN("\x48\x0f\xbe\x03"); /* movsx rax, byte */
    assert_int_equal(p->gpr[LEAT_RAX], 0xffffffffffffff88);
    RUN("\x66\x0f\xbe\x03"); /* movsx ax, byte */
    assert_int_equal(p->gpr[LEAT_RAX], 0xffffffffffffff88);
    RUN("\x0f\xb7\x03"); /* movzx eax, word */
    assert_int_equal(p->gpr[LEAT_RAX], 0x7788);
    device[3] = 0x85;
    RUN("\x48\x63\x03"); /* movsxd rax, dword */
    assert_int_equal(p->gpr[LEAT_RAX], 0xffffffff85667788);
    RUN("\x40\x8a\x33"); /* mov sil, [rbx] */
    assert_int_equal(p->gpr[LEAT_RSI] & 0xff, 0x88);
    RUN("\x48\xa1\x00\x00\x00\xc0\x00\x00\x00\x00"); /* mov rax, moffs64 */
    assert_int_equal(p->gpr[LEAT_RAX], device_word());
    assert_int_equal(writes, 0);
    vmm_fake_free(&f);
}

static void stores(void **state)
{
    struct leat_vcpu *p = start(INSN_CODE_64);
    (void)state;
    RUN("\x88\x23"); /* mov [rbx], ah */
    assert_int_equal(device[0], 0x22);
    p->gpr[LEAT_RAX] = 0x0102030405060708;
    RUN("\x66\x89\x03"); /* mov [rbx], ax */
    assert_int_equal(device_word() & 0xffffff, 0x660708);
    RUN("\x48\x89\x03"); /* mov [rbx], rax */
    assert_int_equal(device_word(), 0x0102030405060708);
    RUN("\xc7\x03\x78\x56\x34\x92"); /* mov dword [rbx], imm32 */
    assert_int_equal(device_word(), 0x0102030492345678);
    RUN("\x48\xc7\x03\xfe\xff\xff\xff"); /* mov qword [rbx], -2 */
    assert_int_equal(device_word(), (uint64_t)-2);
    RUN("\xc6\x03\x7f"); /* mov byte [rbx], imm8 */
    assert_int_equal(device[0], 0x7f);
    RUN("\x0f\xc3\x03"); /* movnti [rbx], eax */
    assert_int_equal(device_word() & UINT32_MAX, 0x05060708);
    assert_int_equal(reads, 0);
    RUN("\x87\x0b"); /* xchg [rbx], ecx */
    assert_int_equal(p->gpr[LEAT_RCX], 0x05060708);
    assert_int_equal(device_word() & UINT32_MAX, 0xbbbbbbbb);
    vmm_fake_free(&f);
}

static void arithmetic(void **state)
{
    struct leat_vcpu *p = start(INSN_CODE_64);
    const uint64_t status = CF | PF | ZF | SF | OF;
    (void)state;
    memset(device, 0, 8);
    device[0] = 0xf0;
    p->rflags = 2 | CF | OF;
    RUN("\x80\x0b\x0f"); /* or byte [rbx], 0x0f */
    assert_int_equal(device[0], 0xff);
    assert_int_equal(p->rflags & status, SF | PF);
    RUN("\x83\x23\x10"); /* and dword [rbx], 0x10 */
    assert_int_equal(device[0], 0x10);
    assert_int_equal(p->rflags & status, 0);
    p->gpr[LEAT_RAX] = 0x10;
    RUN("\x31\x03"); /* xor [rbx], eax */
    assert_int_equal(device[0], 0);
    assert_int_equal(p->rflags & status, ZF | PF);
    device[0] = 5;
    writes = 0;
    RUN("\x83\x3b\x06"); /* cmp dword [rbx], 6 */
    assert_int_equal(p->rflags & status, CF | SF | PF);
    p->gpr[LEAT_RAX] = 6;
    RUN("\x3b\x03"); /* cmp eax, [rbx] */
    assert_int_equal(p->rflags & status, 0);
    RUN("\xf6\x03\x04"); /* test byte [rbx], 4 */
    assert_int_equal(p->rflags & status, 0);
    RUN("\xf6\x03\x08");
    assert_int_equal(p->rflags & status, ZF | PF);
    assert_int_equal(writes, 0);
    p->gpr[LEAT_RAX] = 0x7fffffff;
    RUN("\x03\x03"); /* add eax, [rbx] */
    assert_int_equal(p->gpr[LEAT_RAX], 0x80000004);
    assert_int_equal(p->rflags & status, OF | SF);
    RUN("\x48\x83\x2b\x05"); /* sub qword [rbx], 5 */
    assert_int_equal(device_word(), 0);
    assert_int_equal(p->rflags & status, ZF | PF);
    vmm_fake_free(&f);
}

static void strings(void **state)
{
    struct leat_vcpu *p = start(INSN_CODE_64);
    (void)state;
    p->gpr[LEAT_RDI] = DEVICE;
    p->gpr[LEAT_RCX] = 4;
    p->gpr[LEAT_RAX] = 0xab;
    RUN("\xf3\xaa"); /* rep stosb */
    assert_int_equal(device_word() & UINT32_MAX, 0xabababab);
    assert_int_equal(p->gpr[LEAT_RDI], DEVICE + 4);
    assert_int_equal(p->gpr[LEAT_RCX], 0);
    p->gpr[LEAT_RSI] = DEVICE;
    p->gpr[LEAT_RDI] = 0x3000;
    p->gpr[LEAT_RCX] = 2;
    RUN("\xf3\x48\xa5"); /* rep movsq: device to RAM */
    assert_memory_equal(f.ram + 0x3000, device, 16);
    f.ram[0x4001] = 0x5c;
    p->gpr[LEAT_RSI] = 0x4001;
    p->gpr[LEAT_RDI] = DEVICE + 9;
    p->rflags |= 0x400; /* downwards */
    RUN("\xa4");        /* movsb: RAM to device */
    assert_int_equal(device[9], 0x5c);
    assert_int_equal(p->gpr[LEAT_RSI], 0x4000);
    assert_int_equal(p->gpr[LEAT_RDI], DEVICE + 8);
    p->rflags &= ~0x400ull;
    p->gpr[LEAT_RCX] = 0;
    writes = 0;
    p->gpr[LEAT_RDI] = DEVICE;
    RUN("\xf3\xaa"); /* nothing to do */
    assert_int_equal(writes, 0);
    vmm_fake_free(&f);
}

static void long_strings_come_back(void **state)
{
    struct leat_vcpu *p = start(INSN_CODE_64);
    (void)state;
    memcpy(f.ram + CODE, "\xf3\xaa", 2);
    p->gpr[LEAT_RDI] = DEVICE;
    p->gpr[LEAT_RCX] = 1000;
    p->detail.mmio.gpa = DEVICE;
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MMIO);
    assert_int_equal(p->rip, CODE); /* not done */
    assert_true(p->gpr[LEAT_RCX] > 0 && p->gpr[LEAT_RCX] < 1000);
    vmm_fake_free(&f);
}

static void port_strings(void **state)
{
    struct leat_vcpu *p = start(INSN_CODE_64);
    (void)state;
    vmm_fake_out(&f, 0x3ff, 0x42);       /* the UART's scratch register */
    memcpy(f.ram + CODE, "\xf3\x6c", 2); /* rep insb */
    p->gpr[LEAT_RDI] = 0x3ffe;           /* over a page's end */
    p->gpr[LEAT_RCX] = 3;
    p->detail.io = (struct leat_exit_io){.port = 0x3ff, .width = 1, .is_in = 1, .is_string = 1};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_IO);
    assert_memory_equal(f.ram + 0x3ffe, "\x42\x42\x42", 3);
    assert_int_equal(p->rip, CODE + 2);
    memcpy(f.ram + CODE, "\x2e\x6e", 2); /* cs: outsb */
    f.ram[0x5000] = 0x99;
    p->rip = CODE;
    p->gpr[LEAT_RSI] = 0x5000;
    p->detail.io = (struct leat_exit_io){.port = 0x3ff, .width = 1, .is_string = 1};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_IO);
    assert_int_equal(vmm_fake_in(&f, 0x3ff), 0x99);
    assert_int_equal(p->gpr[LEAT_RSI], 0x5001);
    vmm_fake_free(&f);
}

/* Code, RAM and the device above 48 bits, by five levels: each entry points at the next table. */
static void five_levels(void **state)
{
    const uint64_t far = 0x00ab000000000000, rights = 3, large = 0x80;
    struct leat_vcpu *p = start(INSN_CODE_64);
    (void)state;
    uint64_t pml5[512] = {[0xab] = 0x9000 | rights}, pml4[512] = {0xa000 | rights};
    uint64_t pointers[512] = {rights | large, 0, 0, DEVICE | rights | large};
    memcpy(f.ram + 0x8000, pml5, 4096);
    memcpy(f.ram + 0x9000, pml4, 4096);
    memcpy(f.ram + 0xa000, pointers, 4096);
    memcpy(f.ram + CODE, "\xa5", 1); /* movsd */
    memcpy(f.ram + 0x3000, "\x01\x02\x03\x04", 4);
    p->cr0 = 0x80010011;
    p->cr3 = 0x8000;
    p->cr4 = 1u << 12 | 1u << 5; /* LA57, PAE */
    p->rip = far + CODE;
    p->gpr[LEAT_RSI] = far + 0x3000;
    p->gpr[LEAT_RDI] = far + DEVICE;
    p->detail.mmio.gpa = DEVICE;
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MMIO);
    assert_int_equal(p->event, 0);
    assert_int_equal(p->rip, far + CODE + 1);
    assert_memory_equal(device, "\x01\x02\x03\x04", 4);
    const uint32_t with_error = LEAT_EVENT_HAS_ERROR;
    p->rip = far + CODE;
    p->gpr[LEAT_RSI] = 0x00ac000000000000; /* of five levels, but not mapped */
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MMIO);
    assert_int_equal(p->event, LEAT_EVENT(LEAT_EVENT_EXCEPTION, 14) | with_error);
    assert_int_equal(p->cr2, 0x00ac000000000000);
    p->event = 0;
    p->gpr[LEAT_RSI] = 1ull << 56; /* not canonical */
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MMIO);
    assert_int_equal(p->event, LEAT_EVENT(LEAT_EVENT_EXCEPTION, 13) | with_error);
    assert_int_equal(p->rip, far + CODE);
    vmm_fake_free(&f);
}

static void sixteen_bit_code(void **state)
{
    struct leat_vcpu *p = start(INSN_CODE_16);
    (void)state;
    RUN("\x67\x66\x8b\x03"); /* mov eax, [ebx] */
    assert_int_equal(p->gpr[LEAT_RAX], 0x55667788);
    RUN("\x67\x8b\x0b"); /* mov cx, [ebx] */
    assert_int_equal(p->gpr[LEAT_RCX], 0xaaaaaaaabbbb7788);
    vmm_fake_free(&f);
}

static void cache_sees_changed_code(void **state)
{
    struct leat_vcpu *p = start(INSN_CODE_64);
    (void)state;
    RUN("\x8b\x0b");
    RUN("\x8b\x0b");
    assert_int_equal(p->gpr[LEAT_RCX], 0x55667788);
    RUN("\x8b\x13"); /* same place, other bytes: mov edx, [rbx] */
    assert_int_equal(p->gpr[LEAT_RDX], 0x55667788);
    vmm_fake_free(&f);
}

static void refuses_the_rest(void **state)
{
    static const char *const bad[] = {
        "\x0f\x28\x03",
        "\xff\x13",
        "\xff\x33",
        "\x0f\xae\x03",
        "\x0f\x0b",
        "\xf2\x0f\x10\x03",
        "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct leat_vcpu *p = start(INSN_CODE_64);
        memcpy(f.ram + CODE, bad[i], strlen(bad[i]));
        p->detail.mmio.gpa = DEVICE;
        vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MMIO);
        assert_int_equal(p->event, LEAT_EVENT(LEAT_EVENT_EXCEPTION, 6));
        assert_int_equal(p->rip, CODE);
        assert_int_equal(f.log_lines, 1);
        assert_int_equal(reads + writes, 0);
        for (unsigned n = 0; n < 1000; n++) /* a guest that insists does not fill the log */
            vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MMIO);
        assert_true(f.log_lines < 100);
        vmm_fake_free(&f);
    }
}

static void faults_of_string_operands(void **state)
{
    struct leat_vcpu *p = start(INSN_CODE_32);
    (void)state;
    memcpy(f.ram + CODE, "\xa5", 1); /* movsd, from beyond the segment's limit */
    p->seg[LEAT_DS].limit = 0xfff;
    p->gpr[LEAT_RSI] = 0xffd;
    p->gpr[LEAT_RDI] = DEVICE;
    p->detail.mmio.gpa = DEVICE;
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MMIO);
    assert_int_equal(p->event, LEAT_EVENT(LEAT_EVENT_EXCEPTION, 13) | LEAT_EVENT_HAS_ERROR);
    assert_int_equal(writes, 0);
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads),
        cmocka_unit_test(stores),
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(strings),
        cmocka_unit_test(long_strings_come_back),
        cmocka_unit_test(port_strings),
        cmocka_unit_test(five_levels),
        cmocka_unit_test(sixteen_bit_code),
        cmocka_unit_test(cache_sees_changed_code),
        cmocka_unit_test(refuses_the_rest),
        cmocka_unit_test(faults_of_string_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
