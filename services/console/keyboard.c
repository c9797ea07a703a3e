// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/keyboard.h"

#include "drivers/input/i8042.h"
#include "drivers/input/keymap.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/start.h"
#include "lib/sys.h"

#define BYTES_MOST 32u /* in one go: more than a controller can hold */
#define LOOK_NS                                                                                    \
    1000000000ull /* for a byte whose interrupt was lost: no further one comes before it is read */

static struct {
    leat_handle_t data, status, irq;
    struct i8042 controller;
    struct scancode scancode;
    struct keymap map;
    struct leat_loop *loop;
    struct leat_loop_timer timer;
    keyboard_type_fn type;
} keyboard;

static leat_handle_t handle_of(uint16_t port)
{
    return port == I8042_DATA ? keyboard.data : keyboard.status;
}

static uint8_t read_port(void *context, uint16_t port)
{
    (void)context;
    return (uint8_t)leat_port_read(handle_of(port), port, 1);
}

static void write_port(void *context, uint16_t port, uint8_t value)
{
    (void)context;
    leat_port_write(handle_of(port), port, 1, value);
}

static void delay_us(void *context, uint32_t us)
{
    uint64_t end_ns = leat_clock_ns() + us * 1000ull;

    (void)context;
    while (leat_clock_ns() < end_ns) {
        __builtin_ia32_pause();
    }
}

static void take(void)
{
    char typed[KEYMAP_BYTES];

    for (unsigned i = 0; i < BYTES_MOST; i++) {
        int byte = i8042_read(&keyboard.controller);
        unsigned count;

        if (byte < 0) {
            return;
        }
        count = keymap_feed(&keyboard.map, scancode_feed(&keyboard.scancode, (uint8_t)byte), typed);
        if (count != 0) {
            keyboard.type((const uint8_t *)typed, count);
        }
    }
}

static void on_timer(void *context)
{
    (void)context;
    take();
    leat_loop_timer_set(keyboard.loop, &keyboard.timer, leat_clock_ns() + LOOK_NS);
}

/* The line is edge-triggered, and was masked until the acknowledgement. */
static void on_interrupt(void *context)
{
    (void)context;
    take();
    leat_irq_ack(keyboard.irq);
    take();
}

void keyboard_init(struct leat_loop *loop, keyboard_type_fn type)
{
    const struct i8042_platform platform = {NULL, read_port, write_port, delay_us};
    const struct leat_start_entry *data = leat_start_find("ports", "keyboard-data");
    const struct leat_start_entry *status = leat_start_find("ports", "keyboard-status");
    const struct leat_start_entry *irq = leat_start_find("irq", "keyboard");
    int error;

    if (data == NULL || status == NULL) {
        return; /* the supervisor has said why */
    }
    keyboard.data = data->handle;
    keyboard.status = status->handle;
    error = i8042_start(&keyboard.controller, &platform);
    if (error != LEAT_OK) {
        leat_log("no PS/2 keyboard: %s; Leat listens to the serial line only",
                 error == LEAT_ENOENT ? "the machine has no controller for one"
                                      : "its controller does not answer");
        return;
    }
    keyboard.scancode.set = keyboard.controller.set;
    keyboard.loop = loop;
    keyboard.type = type;
    leat_loop_timer(loop, &keyboard.timer, on_timer, NULL);
    if (irq != NULL) {
        keyboard.irq = irq->handle;
        leat_loop_on(loop, irq->my_bits, on_interrupt, NULL);
        leat_irq_ack(keyboard.irq);
    }
    on_timer(NULL);
}
