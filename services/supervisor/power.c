// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/power.h"

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/map.h"
#include "lib/sys.h"

/* ACPI 6.5, 4.8.3.2: PM1 control */
enum { PM1_SCI_ENABLE = 1, PM1_SLEEP_TYPE_SHIFT = 10, PM1_SLEEP_ENABLE = 1 << 13 };
#define PM1_SLEEP_TYPE_MASK (7u << PM1_SLEEP_TYPE_SHIFT)

enum { BOCHS_SHUTDOWN_PORT = 0x8900, CHIPSET_RESET_PORT = 0xcf9, KEYBOARD_COMMAND_PORT = 0x64 };
enum { RESET_IN_MEMORY = 0, RESET_IN_PORTS = 1 }; /* ACPI 6.5, 5.2.3.2: address spaces */

#define PATIENCE_NS 200000000ull
#define ACPI_ENABLE_TRIES 300u /* with this between two: */
#define ACPI_ENABLE_WAIT_NS 10000000ull

static void pause_for(uint64_t ns)
{
    static leat_handle_t notif; /* nobody signals it */

    if (notif == 0) {
        int64_t made = leat_notif_create();

        notif = made > 0 ? (leat_handle_t)made : 0;
    }
    leat_notif_wait(notif, 1, leat_clock_ns() + ns);
}

/* Each port gets an object of its own: this is the last thing that happens. */
static uint32_t port_in(leat_handle_t machine, uint16_t port)
{
    int64_t ports = leat_ports_create(machine, port, 2);

    return ports > 0 ? (uint32_t)leat_port_read((leat_handle_t)ports, port, 2) : 0;
}

static void port_out(leat_handle_t machine, uint16_t port, unsigned width, uint32_t value)
{
    int64_t ports = leat_ports_create(machine, port, width);

    if (ports > 0) {
        leat_port_write((leat_handle_t)ports, port, width, value);
    }
}

static void sleep_by(leat_handle_t machine, uint16_t port, uint8_t type)
{
    uint32_t value;

    if (port == 0) {
        return;
    }
    value = port_in(machine, port) & ~(PM1_SLEEP_TYPE_MASK | PM1_SLEEP_ENABLE);
    value |= (uint32_t)(type & 7) << PM1_SLEEP_TYPE_SHIFT;
    port_out(machine, port, 2, value);
    port_out(machine, port, 2, value | PM1_SLEEP_ENABLE);
}

static bool acpi_is_on(leat_handle_t machine, const struct leat_boot_power *how)
{
    return (port_in(machine, how->pm1a_control) & PM1_SCI_ENABLE) != 0;
}

static void off_by_acpi(leat_handle_t machine, const struct leat_boot_power *how)
{
    if (how->has_s5 == 0) {
        return;
    }
    if (how->smi_command != 0 && how->acpi_enable != 0 && !acpi_is_on(machine, how)) {
        port_out(machine, how->smi_command, 1, how->acpi_enable);
        for (unsigned i = 0; i < ACPI_ENABLE_TRIES && !acpi_is_on(machine, how); i++) {
            pause_for(ACPI_ENABLE_WAIT_NS);
        }
    }
    sleep_by(machine, how->pm1a_control, how->s5_types[0]);
    sleep_by(machine, how->pm1b_control, how->s5_types[1]);
    pause_for(PATIENCE_NS);
}

static void off_by_bochs(leat_handle_t machine)
{
    for (const char *s = "Shutdown"; *s != 0; s++) {
        port_out(machine, BOCHS_SHUTDOWN_PORT, 1, (uint8_t)*s);
    }
}

static void reset_by_acpi(leat_handle_t machine, const struct leat_boot_power *how)
{
    uint64_t page = how->reset_address & ~(LEAT_PAGE_SIZE - 1);

    if (how->can_reset == 0) {
        return;
    }
    if (how->reset_space == RESET_IN_PORTS && how->reset_address <= 0xffff) {
        port_out(machine, (uint16_t)how->reset_address, 1, how->reset_value);
    } else if (how->reset_space == RESET_IN_MEMORY) {
        int64_t mem = leat_mem_create_phys(machine, page, LEAT_PAGE_SIZE, LEAT_CACHE_UC);
        uint8_t *at = mem > 0 ? leat_map((leat_handle_t)mem, 0, LEAT_PAGE_SIZE,
                                         LEAT_PROT_READ | LEAT_PROT_WRITE)
                              : NULL;

        if (at != NULL) {
            *(volatile uint8_t *)(at + (how->reset_address - page)) = how->reset_value;
        }
    }
    pause_for(PATIENCE_NS);
}

static void reset(leat_handle_t machine, const struct leat_boot_power *how)
{
    reset_by_acpi(machine, how);
    port_out(machine, CHIPSET_RESET_PORT, 1, 0x02); /* first the kind, then go */
    port_out(machine, CHIPSET_RESET_PORT, 1, 0x06);
    pause_for(PATIENCE_NS);
    port_out(machine, KEYBOARD_COMMAND_PORT, 1, 0xfe); /* its reset line */
    pause_for(PATIENCE_NS);
}

_Noreturn void power_stop(leat_handle_t machine, const struct leat_boot_power *how,
                          enum power wanted)
{
    if (wanted == POWER_RESET) {
        reset(machine, how);
    } else {
        off_by_acpi(machine, how);
        off_by_bochs(machine);
        pause_for(PATIENCE_NS);
    }
    leat_machine_halt(machine);
    leat_fatal("the machine cannot be stopped by software");
}
