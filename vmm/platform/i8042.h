// SPDX-License-Identifier: BSD-2-Clause
/*
 * A keyboard controller without keyboard and mouse: it answers its own commands, and resets the
 * machine. With the VM's lock held.
 */
#ifndef VMM_PLATFORM_I8042_H
#define VMM_PLATFORM_I8042_H

#include <leat/types.h>

struct vm;

struct i8042 {
    struct vm *vm;
    uint8_t control; /* command byte */
    uint8_t ram[32];
    uint8_t command; /* waits for its data byte at port 0x60; 0: none */
    uint8_t output;
    bool output_full, output_is_aux, last_was_command;
};

void i8042_init(struct i8042 *i8042, struct vm *vm);
void i8042_reset(void *i8042);

/* bus callbacks: port 0x60 (data), port 0x64 (command, status) */
uint64_t i8042_data_read(void *i8042, uint64_t offset, unsigned width);
void i8042_data_write(void *i8042, uint64_t offset, unsigned width, uint64_t value);
uint64_t i8042_status_read(void *i8042, uint64_t offset, unsigned width);
void i8042_command_write(void *i8042, uint64_t offset, unsigned width, uint64_t value);

#endif
