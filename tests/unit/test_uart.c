// SPDX-License-Identifier: BSD-2-Clause
/* The UART: a full line makes the guest wait and loses nothing; interrupts come as a 16550's do. */
#include "vmm_fake.h"

#include <string.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct vmm_fake f;
static uint8_t sent[256];
static uint32_t sent_count, room;
static unsigned room_calls;

static uint32_t send(void *context, const uint8_t *bytes, uint32_t count)
{
    (void)context;
    uint32_t n = count < room ? count : room;
    memcpy(sent + sent_count, bytes, n);
    sent_count += n;
    room -= n;
    return n;
}

static void on_room(void *context)
{
    (void)context;
    room_calls++;
}

static void start(uint32_t space)
{
    vmm_fake_init(&f, 1);
    sent_count = room_calls = 0;
    room = space;
    uart_set_line(&f.platform.uart, &(struct uart_line){send, on_room, NULL});
    vmm_fake_out(&f, 0x3fa, 7); /* FIFOs */
    vmm_fake_out(&f, 0x3fc, 0x0b);
}

static bool irq(void)
{
    return f.platform.ioapic.lines >> UART_IRQ & 1;
}

static void waits_for_the_line(void **state)
{
    (void)state;
    start(2);
    for (const char *s = "abcde"; *s; s++)
        vmm_fake_out(&f, 0x3f8, (uint8_t)*s);
    assert_int_equal(sent_count, 2);
    assert_false(vmm_fake_in(&f, 0x3fd) & 0x20); /* THR is not empty */
    room = 100;
    uart_send_more(&f.platform.uart);
    assert_memory_equal(sent, "abcde", 5);
    assert_int_equal(vmm_fake_in(&f, 0x3fd) & 0x60, 0x60);
    vmm_fake_free(&f);
}

static void thre_interrupt(void **state)
{
    (void)state;
    start(100);
    assert_false(irq());
    vmm_fake_out(&f, 0x3f9, 2);
    assert_true(irq()); /* at once, for the transmitter is empty */
    assert_int_equal(vmm_fake_in(&f, 0x3fa) & 0xf, 2);
    assert_false(irq()); /* acknowledged by the read */
    assert_int_equal(vmm_fake_in(&f, 0x3fa) & 0xf, 1);
    vmm_fake_out(&f, 0x3f8, 'x');
    assert_true(irq());
    vmm_fake_out(&f, 0x3fc, 0x03); /* OUT2 off: not on the bus */
    assert_false(irq());
    vmm_fake_free(&f);
}

static void receives(void **state)
{
    uint8_t many[40];
    (void)state;
    memset(many, 'k', sizeof(many));
    start(100);
    vmm_fake_out(&f, 0x3f9, 1);
    assert_int_equal(uart_receive(&f.platform.uart, many, 40), UART_FIFO);
    assert_true(irq());
    room_calls = 0;
    for (unsigned i = 0; i < UART_FIFO; i++) {
        assert_int_equal(vmm_fake_in(&f, 0x3fd) & 1, 1);
        assert_int_equal(vmm_fake_in(&f, 0x3f8), 'k');
    }
    assert_int_equal(room_calls, 1);
    assert_false(irq());
    assert_int_equal(vmm_fake_in(&f, 0x3fd) & 1, 0);
    vmm_fake_free(&f);
}

static void loopback_and_probe(void **state)
{
    (void)state;
    start(100);
    vmm_fake_out(&f, 0x3fc, 0x1a); /* what Linux does to see whether a UART is there */
    assert_int_equal(vmm_fake_in(&f, 0x3fe) & 0xf0, 0x90);
    vmm_fake_out(&f, 0x3f8, 0x5a);
    assert_int_equal(vmm_fake_in(&f, 0x3f8), 0x5a);
    assert_int_equal(sent_count, 0);
    vmm_fake_out(&f, 0x3ff, 0xa5);
    assert_int_equal(vmm_fake_in(&f, 0x3ff), 0xa5);
    assert_int_equal(vmm_fake_in(&f, 0x3fa) & 0xc0, 0xc0);
    vmm_fake_out(&f, 0x3fb, 0x80);
    vmm_fake_out(&f, 0x3f8, 0x0c);
    assert_int_equal(vmm_fake_in(&f, 0x3f8), 0x0c);
    vmm_fake_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_for_the_line),
        cmocka_unit_test(thre_interrupt),
        cmocka_unit_test(receives),
        cmocka_unit_test(loopback_and_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
