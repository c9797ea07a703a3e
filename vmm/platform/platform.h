// SPDX-License-Identifier: BSD-2-Clause
/*
 * The devices that every PC has, of one VM, and the interrupt bus that joins them. Portable. With
 * the VM's lock held.
 */
#ifndef VMM_PLATFORM_PLATFORM_H
#define VMM_PLATFORM_PLATFORM_H

#include "vmm/platform/acpi_pm.h"
#include "vmm/platform/i8042.h"
#include "vmm/platform/ioapic.h"
#include "vmm/platform/lapic.h"
#include "vmm/platform/pic.h"
#include "vmm/platform/pit.h"
#include "vmm/platform/rtc.h"
#include "vmm/platform/uart.h"
#include "vmm/vm.h"

struct platform {
    struct vm *vm;
    struct lapic lapics[VM_MAX_CPUS];
    unsigned lowest_last; /* the CPU that took the last interrupt of lowest priority */
    struct ioapic ioapic;
    struct pic pic;
    struct pit pit;
    struct rtc rtc;
    struct uart uart;
    struct i8042 i8042;
    struct acpi_pm pm;
};

/* Makes the devices, puts them on the VM's buses, and registers their reset. vm->cpu_count is set.
 */
int platform_init(struct platform *platform, struct vm *vm);

/* -- the interrupt bus: irq.c -- */

/* Delivers a message to the CPUs that it names; false: nobody is meant. */
bool platform_deliver(struct vm *vm, uint32_t destination, bool is_logical,
                      enum lapic_delivery mode, uint8_t vector, bool is_level);

/* A CPU has ended a level-triggered interrupt. */
void platform_eoi_broadcast(struct vm *vm, uint8_t vector);

/* The external interrupt that this CPU would take next, or -1; *from_pic: it is the 8259's. */
int platform_pending(struct vm *vm, unsigned cpu, bool *from_pic);

/* The CPU has taken what platform_pending said. */
void platform_accept(struct vm *vm, unsigned cpu, uint8_t vector, bool from_pic);

/* The 8259's output rose: whoever takes ExtINT looks again. */
void platform_extint(struct vm *vm);

/* Port 0xcf9, which lies inside PCI's address port and is a device of its own for byte accesses. */
void platform_reset_port(struct vm *vm, uint8_t value);

#endif
