// SPDX-License-Identifier: BSD-2-Clause
#include "drivers/input/i8042.h"

enum {
    STATUS_OUTPUT_FULL = 0x01,
    STATUS_INPUT_FULL = 0x02,
    STATUS_FROM_MOUSE = 0x20,
    STATUS_TIMEOUT = 0x40,
    STATUS_PARITY = 0x80,
    STATUS_NOBODY = 0xff, /* an empty bus */
};
enum {
    COMMAND_READ_MODE = 0x20,
    COMMAND_WRITE_MODE = 0x60,
    COMMAND_MOUSE_OFF = 0xa7,
    COMMAND_KEYBOARD_OFF = 0xad,
    COMMAND_KEYBOARD_ON = 0xae,
};
enum {
    MODE_KEYBOARD_IRQ = 0x01,
    MODE_MOUSE_IRQ = 0x02,
    MODE_NO_KEYBOARD = 0x10,
    MODE_NO_MOUSE = 0x20,
    MODE_TRANSLATE = 0x40, /* to set 1 */
};
enum { KEYBOARD_ENABLE = 0xf4 };

#define WAIT_STEP_US 20u
#define WAIT_STEPS 2000u
#define FLUSH_MOST 32u /* more than controller and keyboard can hold */
#define DROP_MOST 32u

static uint8_t status(const struct i8042 *c)
{
    return c->platform.read(c->platform.context, I8042_STATUS);
}

static bool wait_for(const struct i8042 *c, uint8_t mask, uint8_t wanted)
{
    for (unsigned i = 0; i < WAIT_STEPS; i++) {
        if ((status(c) & mask) == wanted) {
            return true;
        }
        c->platform.delay_us(c->platform.context, WAIT_STEP_US);
    }
    return false;
}

static bool send(const struct i8042 *c, uint16_t port, uint8_t value)
{
    if (!wait_for(c, STATUS_INPUT_FULL, 0)) {
        return false;
    }
    c->platform.write(c->platform.context, port, value);
    return true;
}

static void flush(const struct i8042 *c)
{
    for (unsigned i = 0; i < FLUSH_MOST && (status(c) & STATUS_OUTPUT_FULL) != 0; i++) {
        c->platform.read(c->platform.context, I8042_DATA);
    }
}

static bool read_mode(const struct i8042 *c, uint8_t *mode)
{
    if (!send(c, I8042_STATUS, COMMAND_READ_MODE) ||
        !wait_for(c, STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL)) {
        return false;
    }
    *mode = c->platform.read(c->platform.context, I8042_DATA);
    return true;
}

int i8042_start(struct i8042 *c, const struct i8042_platform *platform)
{
    uint8_t mode;

    c->platform = *platform;
    c->set = 1;
    if (status(c) == STATUS_NOBODY) {
        return LEAT_ENOENT;
    }
    /* Both devices are held back meanwhile, so that what is read is the controller's answer. */
    if (!send(c, I8042_STATUS, COMMAND_KEYBOARD_OFF) || !send(c, I8042_STATUS, COMMAND_MOUSE_OFF)) {
        return LEAT_EIO;
    }
    flush(c);
    if (!read_mode(c, &mode)) {
        return LEAT_EIO;
    }
    mode &= (uint8_t) ~(MODE_MOUSE_IRQ | MODE_NO_KEYBOARD);
    mode |= MODE_KEYBOARD_IRQ | MODE_NO_MOUSE | MODE_TRANSLATE;
    if (!send(c, I8042_STATUS, COMMAND_WRITE_MODE) || !send(c, I8042_DATA, mode) ||
        !read_mode(c, &mode)) {
        return LEAT_EIO;
    }
    c->set = (mode & MODE_TRANSLATE) != 0 ? 1 : 2; /* some cannot translate */
    return send(c, I8042_STATUS, COMMAND_KEYBOARD_ON) && send(c, I8042_DATA, KEYBOARD_ENABLE)
               ? LEAT_OK
               : LEAT_EIO;
}

int i8042_read(struct i8042 *c)
{
    for (unsigned i = 0; i < DROP_MOST; i++) {
        uint8_t now = status(c);
        uint8_t byte;

        if (now == STATUS_NOBODY || (now & STATUS_OUTPUT_FULL) == 0) {
            return -1;
        }
        byte = c->platform.read(c->platform.context, I8042_DATA);
        if ((now & STATUS_FROM_MOUSE) == 0) {
            return (now & (STATUS_TIMEOUT | STATUS_PARITY)) != 0 ? 0 : byte;
        }
    }
    return -1;
}
