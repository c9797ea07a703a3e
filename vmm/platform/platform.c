// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/platform/platform.h"

#include "vmm/irq.h"

#define PORT_SYSTEM_A 0x92
#define SYSTEM_A_RESET 0x01
#define SYSTEM_A_A20 0x02
#define RESET_PORT_CPU 0x04

void platform_reset_port(struct vm *vm, uint8_t value)
{
    if (value & RESET_PORT_CPU)
        vm_stop(vm, VM_END_RESET, "reset by port 0xcf9");
}

static uint64_t system_a_read(void *device, uint64_t offset, unsigned width)
{
    (void)device;
    (void)offset;
    (void)width;
    return SYSTEM_A_A20;
}

static void system_a_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct platform *p = device;
    (void)offset;
    (void)width;
    if (value & SYSTEM_A_RESET)
        vm_stop(p->vm, VM_END_RESET, "reset by port 0x92");
}

/* POST codes and the delay port: many guests write them, nobody wants to hear. */
static uint64_t nothing_read(void *device, uint64_t offset, unsigned width)
{
    (void)device;
    (void)offset;
    (void)width;
    return UINT64_MAX;
}

static void nothing_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    (void)device;
    (void)offset;
    (void)width;
    (void)value;
}

static void lapics_reset(void *device)
{
    struct platform *p = device;
    for (unsigned i = 0; i < p->vm->cpu_count; i++)
        lapic_init(&p->lapics[i], p->vm, i);
}

static int put_on_buses(struct platform *p)
{
    const struct bus_range ports[] = {
        {0x20, 2, pic_master_read, pic_master_write, &p->pic, "8259 master"},
        {0xa0, 2, pic_slave_read, pic_slave_write, &p->pic, "8259 slave"},
        {0x4d0, 2, pic_elcr_read, pic_elcr_write, &p->pic, "8259 trigger modes"},
        {0x40, 4, pit_read, pit_write, &p->pit, "8254"},
        {0x61, 1, pit_gate_read, pit_gate_write, &p->pit, "speaker gate"},
        {0x60, 1, i8042_data_read, i8042_data_write, &p->i8042, "i8042 data"},
        {0x64, 1, i8042_status_read, i8042_command_write, &p->i8042, "i8042 command"},
        {0x70, 2, rtc_read, rtc_write, &p->rtc, "RTC"},
        {0x80, 1, nothing_read, nothing_write, p, "POST code"},
        {PORT_SYSTEM_A, 1, system_a_read, system_a_write, p, "system port A"},
        {UART_PORT, 8, uart_read, uart_write, &p->uart, "COM1"},
        {LAYOUT_PM_BASE, ACPI_PM_SIZE, acpi_pm_read, acpi_pm_write, &p->pm, "ACPI PM"},
    };
    for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        int error = bus_add(&p->vm->ports, &ports[i]);
        if (error)
            return error;
    }
    return bus_add(&p->vm->mmio, &(struct bus_range){LAYOUT_IOAPIC, IOAPIC_SIZE, ioapic_read,
                                                     ioapic_write, &p->ioapic, "IO-APIC"});
}

int platform_init(struct platform *p, struct vm *vm)
{
    p->vm = vm;
    vm->platform = p;
    lapics_reset(p);
    ioapic_init(&p->ioapic, vm);
    pic_init(&p->pic, vm);
    uart_init(&p->uart, vm);
    i8042_init(&p->i8042, vm);
    acpi_pm_init(&p->pm, vm);
    int error = pit_init(&p->pit, vm);
    if (error == LEAT_OK)
        error = rtc_init(&p->rtc, vm);
    const struct {
        vm_fn fn;
        void *device;
    } resets[] = {
        {lapics_reset, p},        {ioapic_reset, &p->ioapic}, {pic_reset, &p->pic},
        {pit_reset, &p->pit},     {rtc_reset, &p->rtc},       {uart_reset, &p->uart},
        {i8042_reset, &p->i8042}, {acpi_pm_reset, &p->pm},
    };
    for (unsigned i = 0; error == LEAT_OK && i < sizeof(resets) / sizeof(resets[0]); i++)
        error = vm_on_reset(vm, resets[i].fn, resets[i].device);
    return error ? error : put_on_buses(p);
}
