// SPDX-License-Identifier: BSD-2-Clause
/*
 * ACPI's fixed hardware: PM1 events (the power button), PM1 control (sleep states), PM timer.
 * ACPI 6.4, chapter 4.8. Always in ACPI mode. With the VM's lock held.
 */
#ifndef VMM_PLATFORM_ACPI_PM_H
#define VMM_PLATFORM_ACPI_PM_H

#include <leat/types.h>

struct vm;

#define ACPI_PM_HZ 3579545ull
#define ACPI_PM_SIZE 12 /* ports: event 4, control 2, 2 unused, timer 4 */
#define ACPI_SLEEP_S5 5 /* SLP_TYP of _S5 in the DSDT */

struct acpi_pm {
    struct vm *vm;
    uint16_t status, enable, control;
};

void acpi_pm_init(struct acpi_pm *pm, struct vm *vm);
void acpi_pm_reset(void *pm);

/* The power button is pressed: an orderly guest switches itself off. */
void acpi_pm_press_power(struct acpi_pm *pm);

/* bus callbacks */
uint64_t acpi_pm_read(void *pm, uint64_t offset, unsigned width);
void acpi_pm_write(void *pm, uint64_t offset, unsigned width, uint64_t value);

#endif
