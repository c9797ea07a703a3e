// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/platform/acpi_pm.h"

#include "vmm/irq.h"
#include "vmm/layout.h"
#include "vmm/vm.h"

#define PWRBTN (1u << 8)
#define STATUS_BITS 0x8731u /* TMR, BM, GBL, PWRBTN, SLPBTN, RTC, WAK: ACPI 6.4, table 4.11 */
#define ENABLE_BITS 0x0721u
#define SCI_ENABLE (1u << 0)
#define SLEEP_ENABLE (1u << 13)

#define EVENT_STATUS 0
#define EVENT_ENABLE 2
#define CONTROL 4
#define TIMER 8

static void update(struct acpi_pm *pm)
{
    irq_set_line(pm->vm, LAYOUT_SCI_IRQ, pm->status & pm->enable & ENABLE_BITS);
}

void acpi_pm_init(struct acpi_pm *pm, struct vm *vm)
{
    *pm = (struct acpi_pm){.vm = vm, .control = SCI_ENABLE};
}

void acpi_pm_reset(void *device)
{
    struct acpi_pm *pm = device;
    acpi_pm_init(pm, pm->vm);
    update(pm);
}

void acpi_pm_press_power(struct acpi_pm *pm)
{
    pm->status |= PWRBTN;
    update(pm);
}

static uint32_t timer_now(struct acpi_pm *pm)
{
    return (uint32_t)((unsigned __int128)vm_now_ns(pm->vm) * ACPI_PM_HZ / 1000000000u);
}

uint64_t acpi_pm_read(void *device, uint64_t offset, unsigned width)
{
    struct acpi_pm *pm = device;
    uint64_t block = offset < CONTROL ? pm->status | (uint64_t)pm->enable << 16
                     : offset < TIMER ? pm->control
                                      : timer_now(pm);
    (void)width;
    return block >> (offset & 3) * 8;
}

static void write_control(struct acpi_pm *pm, uint16_t value)
{
    pm->control = (value & (uint16_t)~SLEEP_ENABLE) | SCI_ENABLE;
    if ((value & SLEEP_ENABLE) && (value >> 10 & 7) == ACPI_SLEEP_S5)
        vm_stop(pm->vm, VM_END_POWER_OFF, "switched off by the guest");
}

/* Byte by byte: a guest may write either register alone, half of one, or both at once. */
static void write_event(struct acpi_pm *pm, uint64_t offset, uint8_t value)
{
    unsigned shift = (offset & 1) * 8;
    uint16_t bits = (uint16_t)(value << shift);
    if (offset < EVENT_ENABLE)
        pm->status &= (uint16_t) ~(bits & STATUS_BITS); /* writing 1 clears */
    else
        pm->enable = (pm->enable & (uint16_t) ~(0xffu << shift)) | bits;
}

void acpi_pm_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct acpi_pm *pm = device;
    if (offset == CONTROL && width >= 2)
        write_control(pm, (uint16_t)value);
    else if (offset == CONTROL)
        write_control(pm, (uint16_t)((pm->control & 0xff00) | (value & 0xff)));
    else if (offset == CONTROL + 1)
        write_control(pm, (uint16_t)((pm->control & 0xff) | (value & 0xff) << 8));
    for (unsigned i = 0; i < width && offset + i < CONTROL; i++)
        write_event(pm, offset + i, (uint8_t)(value >> i * 8));
    update(pm);
}
