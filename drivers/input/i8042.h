// SPDX-License-Identifier: BSD-2-Clause
/*
 * The PC's keyboard controller, as a library: no system call, no allocation, no global state. It is set so that the
 * keyboard interrupts and a PS/2 mouse does not. IBM Personal System/2 Hardware Interface Technical Reference,
 * "Keyboard and Auxiliary Device Controller".
 *
 * i8042_start waits for the controller, at most 300 ms if it is broken and some microseconds if there is none; for the
 * keyboard itself nobody waits: what it answers is no key and is left out (scancode.h).
 */
#ifndef DRIVERS_INPUT_I8042_H
#define DRIVERS_INPUT_I8042_H

#include <leat/types.h>

#define I8042_DATA 0x60u
#define I8042_STATUS 0x64u /* written: commands */

struct i8042_platform { /* all members are needed */
    void *context;
    uint8_t (*read)(void *context, uint16_t port);
    void (*write)(void *context, uint16_t port, uint8_t value);
    void (*delay_us)(void *context, uint32_t us);
};

struct i8042 {
    struct i8042_platform platform;
    unsigned set; /* 1 or 2: in which the keyboard's bytes arrive */
};

/* LEAT_ENOENT: there is no such controller; LEAT_EIO: there is something, but it does not answer as one. */
int i8042_start(struct i8042 *c, const struct i8042_platform *platform);

/* The keyboard's next byte; -1: there is none. One that was damaged on the way is 0, as when the keyboard has
   lost one itself. What a mouse sends is dropped. */
int i8042_read(struct i8042 *c);

#endif
