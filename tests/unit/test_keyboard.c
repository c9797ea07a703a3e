// SPDX-License-Identifier: BSD-2-Clause
/* The PS/2 keyboard: its controller, present, absent and broken; scan codes of both sets; what keys type. */
#include "drivers/input/i8042.h"
#include "drivers/input/keymap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* -- a controller -- */

static struct {
    bool is_absent, is_deaf, is_mute, has_no_translation;
    uint8_t mode, command;
    bool keyboard_is_on, mouse_is_off;
    uint64_t waited_us;
    unsigned count; /* of waiting bytes */
    struct {
        uint8_t byte, status; /* beside "output full" */
    } waiting[64];
    uint8_t to_keyboard[8];
    unsigned to_keyboard_count;
} model;

static void model_put(uint8_t byte, uint8_t status)
{
    model.waiting[model.count].byte = byte;
    model.waiting[model.count++].status = status;
}

static uint8_t model_read(void *context, uint16_t port)
{
    uint8_t byte;

    (void)context;
    if (model.is_absent) {
        return 0xff;
    }
    if (port == I8042_STATUS) {
        return (uint8_t)((model.is_deaf ? 2 : 0) |
                         (model.count != 0 && !model.is_mute ? 1 | model.waiting[0].status : 0));
    }
    assert_int_equal(port, I8042_DATA);
    byte = model.waiting[0].byte;
    model.count--;
    memmove(&model.waiting[0], &model.waiting[1], sizeof(model.waiting[0]) * model.count);
    return byte;
}

static void model_write_data(uint8_t value)
{
    if (model.command == 0x60) {
        model.mode = model.has_no_translation ? value & 0xbf : value;
        model.command = 0;
    } else {
        model.to_keyboard[model.to_keyboard_count++] = value;
        model_put(0xfa, 0);
    }
}

static void model_write(void *context, uint16_t port, uint8_t value)
{
    (void)context;
    if (port == I8042_DATA) {
        model_write_data(value);
        return;
    }
    assert_int_equal(port, I8042_STATUS);
    model.command = value;
    switch (value) {
    case 0x20:
        model_put(model.mode, 0);
        break;
    case 0xa7:
        model.mouse_is_off = true;
        break;
    case 0xad:
        model.keyboard_is_on = false;
        break;
    case 0xae:
        model.keyboard_is_on = true;
        break;
    default:
        assert_int_equal(value, 0x60);
    }
}

static void model_delay(void *context, uint32_t us)
{
    (void)context;
    model.waited_us += us;
}

static const struct i8042_platform platform = {NULL, model_read, model_write, model_delay};
static struct i8042 controller;

static int begin(void **state)
{
    (void)state;
    memset(&model, 0, sizeof(model));
    model.mode = 0x12; /* as a firmware may leave it: keyboard off, the mouse interrupts */
    model.keyboard_is_on = true;
    return 0;
}

static void the_controller_is_set_up(void **state)
{
    (void)state;
    model_put(0x1c, 0); /* typed before */
    model_put(0x08, 0x20);
    assert_int_equal(i8042_start(&controller, &platform), LEAT_OK);
    assert_int_equal(model.mode, 0x61);
    assert_true(model.keyboard_is_on);
    assert_true(model.mouse_is_off);
    assert_int_equal(controller.set, 1);
    assert_int_equal(model.to_keyboard_count, 1);
    assert_int_equal(model.to_keyboard[0], 0xf4);
    assert_int_equal(i8042_read(&controller), 0xfa); /* what was typed before is gone */
    assert_int_equal(i8042_read(&controller), -1);
}

static void a_controller_without_translation(void **state)
{
    (void)state;
    model.has_no_translation = true;
    assert_int_equal(i8042_start(&controller, &platform), LEAT_OK);
    assert_int_equal(controller.set, 2);
}

static void nobody_waits_for_an_absent_controller(void **state)
{
    (void)state;
    model.is_absent = true;
    assert_int_equal(i8042_start(&controller, &platform), LEAT_ENOENT);
    assert_int_equal(model.waited_us, 0);
    assert_int_equal(i8042_read(&controller), -1);
}

static void a_broken_controller_is_given_up(void **state)
{
    (void)state;
    model.is_deaf = true;
    assert_int_equal(i8042_start(&controller, &platform), LEAT_EIO);
    assert_in_range(model.waited_us, 1000, 300000);
    begin(NULL);
    model.is_mute = true;
    assert_int_equal(i8042_start(&controller, &platform), LEAT_EIO);
    assert_in_range(model.waited_us, 1000, 300000);
}

static void other_bytes_are_told_apart(void **state)
{
    (void)state;
    i8042_start(&controller, &platform);
    i8042_read(&controller);
    model_put(0x55, 0x20); /* the mouse's */
    model_put(0x1e, 0);
    model_put(0x77, 0x80); /* damaged */
    model_put(0x78, 0x40);
    assert_int_equal(i8042_read(&controller), 0x1e);
    assert_int_equal(i8042_read(&controller), 0);
    assert_int_equal(i8042_read(&controller), 0);
    assert_int_equal(i8042_read(&controller), -1);
}

/* -- keys -- */

static struct scancode scancode;
static struct keymap map;
static char typed[256];

static void press_bytes(const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char out[KEYMAP_BYTES];
        unsigned more = keymap_feed(&map, scancode_feed(&scancode, (uint8_t)bytes[i]), out);

        assert_true(more <= KEYMAP_BYTES);
        strncat(typed, out, more);
    }
}

static void start_keys(unsigned set)
{
    memset(&map, 0, sizeof(map));
    scancode = (struct scancode){.set = set};
    typed[0] = '\0';
}

/* What these bytes type on a new keyboard. */
#define TYPES(set, bytes, wanted)                                                                  \
    do {                                                                                           \
        start_keys(set);                                                                           \
        press_bytes(bytes, sizeof(bytes) - 1);                                                     \
        assert_string_equal(typed, wanted);                                                        \
    } while (0)

static void letters_and_signs(void **state)
{
    (void)state;
    TYPES(1, "\x1e\x9e\x30\xb0\x02\x82\x39\x0c\x2b\x1c\x9c", "ab1 -\\\r");
    TYPES(1, "\x2a\x1e\x9e\xaa\x1e\x36\x02\x28\xb6\x28", "Aa!\"'");    /* both Shift keys */
    TYPES(1, "\x2a\x36\xaa\x1e\xb6\x1e", "Aa");                        /* one is still held */
    TYPES(1, "\x3a\xba\x1e\x02\x2a\x1e\x02\xaa\x3a\xba\x1e", "A1a!a"); /* Caps Lock: letters only */
    TYPES(1, "\x0e\x0f\x01", "\x7f\t\x1b");
    TYPES(1, "\x1e\x1e\x1e\x9e", "aaa"); /* held */
    TYPES(2, "\x1c\xf0\x1c\x12\x1c\xf0\x1c\xf0\x12\x1c\x5a\x29", "aAa\r ");
    TYPES(2, "\x4a\x0e\x5d\x4c\x52\x54\x5b\x41\x49", "/`\\;'[],.");
    TYPES(2,
          "\x15\x1d\x24\x2d\x2c\x35\x3c\x43\x44\x4d\x1c\x1b\x23\x2b\x34\x33\x3b\x42\x4b\x1a\x22\x21"
          "\x2a\x32\x31\x3a",
          "qwertyuiopasdfghjklzxcvbnm");
    TYPES(1,
          "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1e\x1f\x20\x21\x22\x23\x24\x25\x26\x2c\x2d\x2e"
          "\x2f\x30\x31\x32",
          "qwertyuiopasdfghjklzxcvbnm");
}

static void control_and_alt(void **state)
{
    (void)state;
    TYPES(1, "\x1d\x1b\x9b\x9d\x1b", "\x1d]"); /* Ctrl-] */
    TYPES(1, "\xe0\x1d\x2e\xe0\x9d\x2e",
          "\x03"
          "c"); /* the right one */
    TYPES(1, "\x1d\x2a\x1e", "\x01");
    TYPES(1, "\x1d\x03\x0b", ""); /* NUL, which ends the text here; and nothing */
    TYPES(1, "\x38\x1e\xb8\x1e",
          "\x1b"
          "aa");
    TYPES(2, "\x14\x5b\xf0\x5b\xf0\x14\x5b", "\x1d]");
    TYPES(2, "\xe0\x14\x4b\xe0\xf0\x14", "\x0c");
}

static void keys_without_a_character(void **state)
{
    (void)state;
    TYPES(1, "\xe0\x48\xe0\xc8\xe0\x50\xe0\xd0\xe0\x4b\xe0\x4d", "\x1b[A\x1b[B\x1b[D\x1b[C");
    TYPES(1, "\xe0\x47\xe0\x4f\xe0\x49\xe0\x51\xe0\x52\xe0\x53",
          "\x1b[1~\x1b[4~\x1b[5~\x1b[6~\x1b[2~\x1b[3~");
    TYPES(2, "\xe0\x75\xe0\xf0\x75\xe0\x72\xe0\x7d\xe0\x7a", "\x1b[A\x1b[B\x1b[5~\x1b[6~");
    TYPES(1, "\x3b\x3f\x44\x57\x58", "\x1bOP\x1b[15~\x1b[21~\x1b[23~\x1b[24~");
    TYPES(2, "\x05\x83\x07", "\x1bOP\x1b[18~\x1b[24~");
    /* The number pad: digits, and without Num Lock arrows. */
    TYPES(1, "\x48\x4c\x53\x4a\x4e\xe0\x35\xe0\x1c\x45\xc5\x48\x4c\x4e", "85.-+/\r\x1b[A+");
    /* Those keys with Num Lock on come in a Shift that nobody presses. */
    TYPES(1, "\xe0\x2a\xe0\x48\xe0\xc8\xe0\xaa\x1e",
          "\x1b[A"
          "a");
}

static void what_is_no_key_types_nothing(void **state)
{
    (void)state;
    TYPES(1, "\xe1\x1d\x45\x1e\xe1\x9d\xc5\x48", "a8"); /* Pause is no Ctrl, and no Num Lock */
    TYPES(2, "\xe1\x14\x77\x1c\xe1\xf0\x14\xf0\x77\x1c\x75", "aa8");
    TYPES(1, "\xfa\xfe\xee\x60\x7f\xe0\x20\xe0\xe0\x5b", "");
    TYPES(2, "\xfa\xaa\xee\xe0\x02\x84\x02\xf0\xf0\x1c\x1c", "a");
    TYPES(1, "\x2a\x1d\xff\x1e", "a"); /* lost bytes: nothing is held any more */
    TYPES(1, "\xe1\x00\x1e", "a");
    TYPES(1, "\xe0\xff\x48", "8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_controller_is_set_up, begin),
        cmocka_unit_test_setup(a_controller_without_translation, begin),
        cmocka_unit_test_setup(nobody_waits_for_an_absent_controller, begin),
        cmocka_unit_test_setup(a_broken_controller_is_given_up, begin),
        cmocka_unit_test_setup(other_bytes_are_told_apart, begin),
        cmocka_unit_test(letters_and_signs),
        cmocka_unit_test(control_and_alt),
        cmocka_unit_test(keys_without_a_character),
        cmocka_unit_test(what_is_no_key_types_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
