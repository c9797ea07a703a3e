// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/platform/i8042.h"

#include <string.h>

#include "vmm/vm.h"

enum { /* IBM PS/2 technical reference, keyboard controller commands */
       READ_RAM = 0x20,
       WRITE_RAM = 0x60,
       AUX_DISABLE = 0xa7,
       AUX_ENABLE = 0xa8,
       AUX_TEST = 0xa9,
       SELF_TEST = 0xaa,
       KBD_TEST = 0xab,
       KBD_DISABLE = 0xad,
       KBD_ENABLE = 0xae,
       READ_INPUT = 0xc0,
       READ_OUTPUT = 0xd0,
       WRITE_OUTPUT = 0xd1,
       KBD_LOOP = 0xd2,
       AUX_LOOP = 0xd3,
       AUX_WRITE = 0xd4,
       RESET = 0xfe,
};

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_SYSTEM 0x04
#define STATUS_COMMAND 0x08
#define STATUS_UNLOCKED 0x10
#define STATUS_AUX 0x20
#define OUTPUT_PORT_NO_RESET 0x01
#define OUTPUT_PORT_A20 0x02
#define CONTROL_KBD_OFF 0x10
#define CONTROL_AUX_OFF 0x20
#define TEST_PASSED 0x55
#define NO_DEVICE 0xfe /* what a device that is not there seems to answer: resend */

void i8042_init(struct i8042 *k, struct vm *vm)
{
    k->vm = vm;
    i8042_reset(k);
}

void i8042_reset(void *device)
{
    struct i8042 *k = device;
    struct vm *vm = k->vm;
    memset(k, 0, sizeof(*k));
    k->vm = vm;
    k->control = STATUS_SYSTEM | CONTROL_KBD_OFF | CONTROL_AUX_OFF;
}

static void answer(struct i8042 *k, uint8_t value, bool is_aux)
{
    k->output = value;
    k->output_full = true;
    k->output_is_aux = is_aux;
}

uint64_t i8042_data_read(void *device, uint64_t offset, unsigned width)
{
    struct i8042 *k = device;
    (void)offset;
    (void)width;
    k->output_full = false;
    return k->output;
}

uint64_t i8042_status_read(void *device, uint64_t offset, unsigned width)
{
    struct i8042 *k = device;
    (void)offset;
    (void)width;
    return (k->output_full ? STATUS_OUTPUT_FULL | (k->output_is_aux ? STATUS_AUX : 0) : 0) |
           (k->last_was_command ? STATUS_COMMAND : 0) | STATUS_SYSTEM | STATUS_UNLOCKED;
}

void i8042_data_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct i8042 *k = device;
    uint8_t command = k->command, byte = (uint8_t)value;
    (void)offset;
    (void)width;
    k->command = 0;
    k->last_was_command = false;
    if (command == WRITE_RAM)
        k->control = byte;
    else if (command > WRITE_RAM && command < WRITE_RAM + 32)
        k->ram[command - WRITE_RAM] = byte;
    else if (command == WRITE_OUTPUT && !(byte & OUTPUT_PORT_NO_RESET))
        vm_stop(k->vm, VM_END_RESET, "reset by the keyboard controller's output port");
    else if (command == KBD_LOOP || command == AUX_LOOP)
        answer(k, byte, command == AUX_LOOP);
    else if (command == 0 || command == AUX_WRITE)
        answer(k, NO_DEVICE, command == AUX_WRITE);
}

void i8042_command_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct i8042 *k = device;
    uint8_t command = (uint8_t)value;
    (void)offset;
    (void)width;
    k->command = 0;
    k->last_was_command = true;
    switch (command) {
    case READ_RAM:
        answer(k, k->control, false);
        return;
    case READ_RAM + 1 ... READ_RAM + 31:
        answer(k, k->ram[command - READ_RAM], false);
        return;
    case WRITE_RAM ... WRITE_RAM + 31:
    case WRITE_OUTPUT ... AUX_WRITE:
        k->command = command;
        return;
    case AUX_DISABLE:
        k->control |= CONTROL_AUX_OFF;
        return;
    case AUX_ENABLE:
        k->control &= (uint8_t)~CONTROL_AUX_OFF;
        return;
    case KBD_DISABLE:
        k->control |= CONTROL_KBD_OFF;
        return;
    case KBD_ENABLE:
        k->control &= (uint8_t)~CONTROL_KBD_OFF;
        return;
    case SELF_TEST:
        answer(k, TEST_PASSED, false);
        return;
    case AUX_TEST:
    case KBD_TEST:
        answer(k, 0, false); /* no error on the lines */
        return;
    case READ_INPUT:
        answer(k, 0x80, false); /* keyboard not locked */
        return;
    case READ_OUTPUT:
        answer(k, OUTPUT_PORT_NO_RESET | OUTPUT_PORT_A20, false);
        return;
    case 0xf0 ... 0xff: /* pulses low the output bits whose command bit is clear; bit 0 is reset */
        if (!(command & OUTPUT_PORT_NO_RESET))
            vm_stop(k->vm, VM_END_RESET, "reset by the keyboard controller");
        return;
    default:
        return;
    }
}
