// SPDX-License-Identifier: BSD-2-Clause
/* Exits: ports, MSRs, CR8, interrupts asked for and taken, and the ways a VM ends. */
#include "vmm_fake.h"

#include "vmm/irq.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct vmm_fake f;

static struct leat_vcpu *start(void)
{
    vmm_fake_init(&f, 1);
    lapic_mmio_write(&f.platform.lapics[0], 0xf0, 4, 0x1ff);
    f.pages[0].rip = 0x1000;
    f.pages[0].next_rip = 0x1002;
    f.pages[0].dirty = 0;
    return &f.pages[0];
}

static void out(uint16_t port, uint8_t width, uint64_t rax)
{
    f.pages[0].gpr[LEAT_RAX] = rax;
    f.pages[0].detail.io = (struct leat_exit_io){.port = port, .width = width};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_IO);
}

static void ports(void **state)
{
    struct leat_vcpu *p = start();
    (void)state;
    out(0x3ff, 1, 0xffffffffffffff7e);
    assert_int_equal(p->rip, 0x1002);
    assert_int_equal(vmm_fake_in(&f, 0x3ff), 0x7e);
    p->gpr[LEAT_RAX] = 0x1122334455667788;
    p->detail.io = (struct leat_exit_io){.port = 0x3ff, .width = 1, .is_in = 1};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_IO);
    assert_int_equal(p->gpr[LEAT_RAX], 0x112233445566777e);
    p->detail.io = (struct leat_exit_io){.port = 0x1234, .width = 4, .is_in = 1};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_IO);
    assert_int_equal(p->gpr[LEAT_RAX], 0xffffffff);
    vmm_fake_free(&f);
}

static bool rdmsr(uint32_t index, uint64_t *value)
{
    struct leat_vcpu *p = &f.pages[0];
    p->event = 0;
    p->detail.msr = (struct leat_exit_msr){.index = index};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MSR_READ);
    *value = p->gpr[LEAT_RDX] << 32 | p->gpr[LEAT_RAX];
    return !p->event;
}

static bool wrmsr(uint32_t index, uint64_t value)
{
    struct leat_vcpu *p = &f.pages[0];
    p->event = 0;
    p->detail.msr = (struct leat_exit_msr){.index = index, .value = value};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MSR_WRITE);
    return !p->event;
}

static void msrs(void **state)
{
    uint64_t v;
    start();
    (void)state;
    assert_true(rdmsr(0x1b, &v));
    assert_int_equal(v, 0xfee00900);
    assert_true(wrmsr(0x1b, 0xfee00d00));
    assert_true(rdmsr(0x802, &v));
    assert_int_equal(v, 0);
    assert_true(wrmsr(0x200, 0x12006));
    assert_true(rdmsr(0x200, &v));
    assert_int_equal(v, 0x12006);
    assert_false(wrmsr(0x200, 0x12002)); /* no such memory type */
    assert_false(wrmsr(0x2ff, 0xc07));
    assert_true(wrmsr(0x250, 0x0606060604040101));
    assert_false(wrmsr(0x250, 7));
    assert_false(rdmsr(0xc0010015, &v)); /* AMD's, on Intel */
    f.vm.is_amd = true;
    assert_true(rdmsr(0xc0010015, &v));
    assert_int_equal(v, 1u << 24);
    assert_true(rdmsr(0xc001001a, &v));
    assert_int_equal(v, FAKE_RAM);
    assert_true(rdmsr(0x8b, &v));
    assert_int_equal(v, 1);
    assert_false(rdmsr(0x3a, &v));
    f.vm.is_amd = false;
    assert_true(rdmsr(0x2ff, &v));
    assert_int_equal(v, 0xc06);
    for (uint32_t i = 0x250; i < 0x270; i++)
        rdmsr(i, &v);
    assert_true(rdmsr(0x179, &v));
    assert_false(rdmsr(0x4b564d02, &v));
    unsigned lines = f.log_lines;
    assert_false(rdmsr(0x4b564d02, &v));
    assert_int_equal(f.log_lines, lines); /* told once */
    for (uint32_t i = 0; i < 5000; i++)
        wrmsr(0xdead0000 + i, 0);
    assert_true(f.log_lines < 100);
    assert_false(wrmsr(0x277, 2));
    assert_true(wrmsr(0x10, 1000)); /* the TSC, and with it TSC_ADJUST */
    assert_true(rdmsr(0x10, &v));
    assert_int_equal(v, 1000);
    assert_true(rdmsr(0x3b, &v));
    assert_int_equal(f.pages[0].tsc_offset, v);
    assert_true(wrmsr(0x3b, 0));
    assert_int_equal(f.pages[0].tsc_offset, 0);
    vmm_fake_free(&f);
}

static void interrupt_is_asked_for_and_booked(void **state)
{
    struct leat_vcpu *p = start();
    struct lapic *l = &f.platform.lapics[0];
    (void)state;
    irq_send_msi(&f.vm, 0xfee00000, 0x51);
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(p->irq_vector, 0x51);
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_KICK); /* not taken */
    irq_send_msi(&f.vm, 0xfee00000, 0x61);
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(p->irq_vector, 0x61); /* the higher one goes first */
    p->irq_vector = -1;                    /* the kernel has injected it */
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_KICK);
    assert_int_equal(lapic_highest(&l->isr), 0x61);
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(p->irq_vector, -1);
    assert_int_equal(p->report_injected, 0);
    lapic_eoi(l);
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_KICK);
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(p->irq_vector, 0x51);
    vmm_fake_free(&f);
}

static void nmi_is_handed_to_the_kernel(void **state)
{
    struct leat_vcpu *p = start();
    (void)state;
    lapic_receive(&f.platform.lapics[0], LAPIC_NMI, 0, false);
    p->interruptibility = LEAT_BLOCKED_BY_NMI; /* which waits for the end of the block */
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(p->event, LEAT_EVENT(LEAT_EVENT_NMI, 2));
    vmm_fake_free(&f);
}

static void cr8_is_the_tpr(void **state)
{
    struct leat_vcpu *p = start();
    (void)state;
    p->gpr[LEAT_R11] = 9;
    p->detail.cr8 = (struct leat_exit_cr8){.gpr = LEAT_R11};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_CR8);
    assert_int_equal(f.platform.lapics[0].tpr, 0x90);
    p->detail.cr8 = (struct leat_exit_cr8){.is_read = 1, .gpr = LEAT_RDX};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_CR8);
    assert_int_equal(p->gpr[LEAT_RDX], 9);
    p->gpr[LEAT_R11] = 16;
    p->detail.cr8 = (struct leat_exit_cr8){.gpr = LEAT_R11};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_CR8);
    assert_int_equal(p->event & 0xff, 13);
    vmm_fake_free(&f);
}

static void deadline_serves_timers(void **state)
{
    struct leat_vcpu *p = start();
    (void)state;
    vmm_fake_out(&f, 0x43, 0x30);
    vmm_fake_out(&f, 0x40, 0);
    vmm_fake_out(&f, 0x40, 1);
    f.cpus[0].timers_tsc = f.vm.timers.earliest_ns * 2;
    vcpu_prepare(&f.cpus[0]);
    assert_int_equal(p->deadline_tsc, f.cpus[0].timers_tsc);
    f.now_ns = f.vm.timers.earliest_ns;
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_DEADLINE);
    assert_true(f.platform.ioapic.lines & 1u << 2);
    vmm_fake_free(&f);
}

static void ends(void **state)
{
    static const struct {
        uint16_t port;
        uint8_t width;
        uint16_t value;
        enum vm_end end;
    } cases[] = {
        {0xcf9, 1, 6, VM_END_RESET},
        {0x64, 1, 0xfe, VM_END_RESET},
        {0x92, 1, 1, VM_END_RESET},
        {0x604, 2, 5u << 10 | 1u << 13, VM_END_POWER_OFF},
        {0x604, 2, 5u << 10, VM_END_NONE},
        {0xcf9, 1, 2, VM_END_NONE},
        {0x604, 2, 3u << 10 | 1u << 13, VM_END_NONE},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        start();
        out(cases[i].port, cases[i].width, cases[i].value);
        assert_int_equal(f.vm.end, cases[i].end);
        vmm_fake_free(&f);
    }
    start();
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_TRIPLE_FAULT);
    assert_int_equal(f.vm.end, VM_END_CRASH);
    assert_true(f.log_lines > 5);
    vmm_fake_free(&f);
    start();
    vcpu_handle_exit(&f.cpus[0], LEAT_EDEAD);
    assert_int_equal(f.vm.end, VM_END_CRASH);
    vmm_fake_free(&f);
    start();
    f.pages[0].detail.mmio = (struct leat_exit_mmio){.gpa = 0xd0000000, .is_fetch = 1};
    vcpu_handle_exit(&f.cpus[0], LEAT_EXIT_MMIO);
    assert_int_equal(f.vm.end, VM_END_CRASH);
    vmm_fake_free(&f);
}

static void power_button(void **state)
{
    start();
    (void)state;
    acpi_pm_press_power(&f.platform.pm);
    assert_false(f.platform.ioapic.lines >> 9 & 1); /* not enabled yet */
    bus_write(&f.vm.ports, 0x602, 2, 0x100);
    assert_true(f.platform.ioapic.lines >> 9 & 1);
    assert_int_equal(bus_read(&f.vm.ports, 0x600, 2), 0x100);
    bus_write(&f.vm.ports, 0x600, 2, 0x100);
    assert_false(f.platform.ioapic.lines >> 9 & 1);
    uint64_t before = bus_read(&f.vm.ports, 0x608, 4);
    f.now_ns += 1000000000;
    assert_in_range(bus_read(&f.vm.ports, 0x608, 4) - before, 3579544, 3579546);
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports),
        cmocka_unit_test(msrs),
        cmocka_unit_test(interrupt_is_asked_for_and_booked),
        cmocka_unit_test(nmi_is_handed_to_the_kernel),
        cmocka_unit_test(cr8_is_the_tpr),
        cmocka_unit_test(deadline_serves_timers),
        cmocka_unit_test(ends),
        cmocka_unit_test(power_button),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
