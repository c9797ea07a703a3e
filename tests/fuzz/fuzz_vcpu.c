// SPDX-License-Identifier: BSD-2-Clause
/*
 * Whatever a guest does with its registers, code, page tables, ports, MSRs and devices, its VMM
 * survives. The input is a list of exits: kind, then the kind's bytes; a part of it fills the
 * guest's first pages.
 */
#include "tests/unit/vmm_fake.h"

#include <stdlib.h>
#include <string.h>

#define PAGES 8

struct input {
    const uint8_t *at;
    size_t left;
};

static void take(struct input *in, void *to, size_t n)
{
    memset(to, 0, n);
    if (n > in->left)
        n = in->left;
    memcpy(to, in->at, n);
    in->at += n;
    in->left -= n;
}

static uint64_t number(struct input *in, unsigned width)
{
    uint64_t v = 0;
    take(in, &v, width);
    return v;
}

/* Mostly addresses that mean something. */
static uint64_t address(struct input *in)
{
    static const uint64_t places[] = {0,           LAYOUT_IOAPIC,   LAYOUT_LAPIC,
                                      LAYOUT_ECAM, LAYOUT_PCI_MMIO, FAKE_RAM - 64,
                                      0xfffff000,  UINT64_MAX - 64};
    uint64_t v = number(in, 2);
    return (v & 0x8000 ? number(in, 8) : places[v >> 12 & 7]) + (v & 0xfff);
}

static void set_registers(struct leat_vcpu *p, struct input *in)
{
    uint8_t mode = (uint8_t)number(in, 1);
    for (unsigned i = 0; i < 16; i++)
        p->gpr[i] = i < 4 || i == LEAT_RSI || i == LEAT_RDI ? address(in) : i;
    p->rip = mode & 0x80 ? address(in) : number(in, 2) & 0x7fff;
    p->rflags = number(in, 3);
    p->cr0 = mode & 1 ? 0x80010001 : 0x10;
    p->cr4 = number(in, 3);
    p->cr3 = mode & 2 ? address(in) : 0x1000;
    p->efer = mode & 4 ? 0xd00 : 0;
    for (unsigned i = 0; i < LEAT_SEGS; i++) {
        p->seg[i].base = mode & 8 ? address(in) : 0;
        p->seg[i].limit = mode & 8 ? (uint32_t)number(in, 4) : UINT32_MAX;
        p->seg[i].access = (uint32_t)number(in, 2);
    }
}

/* Mostly ports that somebody listens on. */
static uint16_t port(struct input *in)
{
    static const uint16_t first[] = {0x20, 0x40,  0x60,  0x70,  0x80,
                                     0xa0, 0x4d0, 0x3f8, 0x600, 0xcf8};
    uint8_t v = (uint8_t)number(in, 1);
    if (v >= 0xf0)
        return (uint16_t)number(in, 2);
    return (uint16_t)(first[v / 16 % 10] + v % 16);
}

static void one_exit(struct vmm_fake *f, unsigned cpu, struct input *in)
{
    struct leat_vcpu *p = &f->pages[cpu];
    unsigned kind = (unsigned)number(in, 1);
    int64_t exit = kind % (LEAT_EXIT_COUNT + 1);
    if (kind & 0x40)
        set_registers(p, in);
    if (kind & 0x80)
        p->irq_vector = -1;
    memset(&p->detail, 0, sizeof(p->detail));
    if (exit == LEAT_EXIT_IO) {
        p->detail.io =
            (struct leat_exit_io){.port = port(in), .width = (uint8_t)(1u << number(in, 1) % 3)};
        p->detail.io.is_in = number(in, 1) & 1;
        p->detail.io.is_string = (number(in, 1) & 7) == 0;
        p->gpr[LEAT_RAX] = number(in, 4);
    } else if (exit == LEAT_EXIT_MMIO) {
        p->detail.mmio.gpa = address(in);
        p->detail.mmio.insn_length = (uint8_t)number(in, 1);
        take(in, p->detail.mmio.insn, sizeof(p->detail.mmio.insn));
    } else if (exit == LEAT_EXIT_MSR_READ || exit == LEAT_EXIT_MSR_WRITE) {
        uint32_t index = (uint32_t)number(in, 2);
        p->detail.msr.index = index == 0x4b56  ? 0x4b564d00 | (uint32_t)number(in, 1)
                              : index & 0x4000 ? index << 16 | index
                              : index & 0x8000 ? 0x800 | (index & 63)
                                               : index & 0xfff;
        p->detail.msr.value = number(in, 1) & 1 ? address(in) : number(in, 4);
    } else if (exit == LEAT_EXIT_CR8) {
        take(in, &p->detail.cr8, sizeof(p->detail.cr8));
    }
    f->vm.end = VM_END_NONE;
    if (!vcpu_handle_alone(&f->cpus[cpu], exit))
        vcpu_handle_exit(&f->cpus[cpu], exit);
    vmm_fake_advance(f, number(in, 1) * 1000);
    lapic_timer_expire(&f->platform.lapics[cpu], f->now_ns * 2);
    if (!vcpu_prepare_alone(&f->cpus[cpu]))
        vcpu_prepare(&f->cpus[cpu]);
    if (p->irq_vector > 255 || (p->event && !(p->event & LEAT_EVENT_VALID)))
        abort();
}

static uint32_t line_send(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    return bytes[0] & 1 ? count : count / 2;
}

static void line_room(void *context)
{
    static const uint8_t hello[40];
    uart_receive(context, hello, sizeof(hello));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vmm_fake fake;
    struct input in = {data, size};
    vmm_fake_init(&fake, 2);
    const struct uart_line line = {line_send, line_room, &fake.platform.uart};
    uart_set_line(&fake.platform.uart, &line);
    size_t fill = number(&in, 2) % (PAGES * 4096);
    take(&in, fake.ram + 0x1000, fill < in.left / 2 ? fill : in.left / 2);
    for (unsigned i = 0; in.left && i < 500; i++)
        one_exit(&fake, i & 1, &in);
    vm_reset_devices(&fake.vm);
    vmm_fake_free(&fake);
    return 0;
}
