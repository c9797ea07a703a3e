// SPDX-License-Identifier: BSD-2-Clause
#include "services/console/uart.h"

#include "lib/clock.h"
#include "lib/start.h"
#include "lib/sys.h"

/* TI TL16C550D data sheet (SLLS597), tables 3 and 4. */
enum {
    UART_DATA = 0,
    UART_IER = 1,
    UART_IIR = 2,
    UART_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5
};
enum {
    IER_RECEIVED = 0x01,
    IER_THR_EMPTY = 0x02,
    FCR_ON_AND_RESET = 0x07,
    FCR_TRIGGER_8 = 0x80,
    LCR_8N1 = 0x03,
    LCR_DIVISOR = 0x80,
    MCR_DTR_RTS_OUT2 = 0x0b, /* OUT2 lets the interrupt through on a PC */
    LSR_DATA = 0x01,
    LSR_THR_EMPTY = 0x20,
    DIVISOR_115200 = 1,
    FIFO_BYTES = 16,
};

#define RECEIVE_MOST 64      /* bytes in one go */
#define RETRY_NS 20000000ull /* looks by itself when an interrupt was lost */

static struct {
    leat_handle_t ports, irq;
    uint32_t base;
    struct leat_loop *loop;
    struct leat_loop_timer timer;
    uart_receive_fn receive;
    bool waits_for_empty; /* IER_THR_EMPTY is on */
    uint32_t head, tail;  /* count since the start */
    char queue[UART_QUEUE_BYTES];
} uart;

static uint8_t in(unsigned reg)
{
    return (uint8_t)leat_port_read(uart.ports, uart.base + reg, 1);
}

static void out(unsigned reg, uint8_t value)
{
    leat_port_write(uart.ports, uart.base + reg, 1, value);
}

static void want_empty(bool is_wanted)
{
    if (uart.waits_for_empty != is_wanted) {
        uart.waits_for_empty = is_wanted;
        out(UART_IER, IER_RECEIVED | (is_wanted ? IER_THR_EMPTY : 0));
    }
}

static void receive(void)
{
    uint8_t bytes[RECEIVE_MOST];
    size_t count = 0;

    while (count < sizeof(bytes) && (in(UART_LSR)&LSR_DATA) != 0) {
        bytes[count++] = in(UART_DATA);
    }
    if (count != 0) {
        uart.receive(bytes, count);
    }
}

/* One FIFO's worth, when the FIFO is empty; the next goes when the interrupt says so. */
static void transmit(void)
{
    if (uart.head != uart.tail && (in(UART_LSR)&LSR_THR_EMPTY) != 0) {
        for (unsigned i = 0; i < FIFO_BYTES && uart.head != uart.tail; i++) {
            out(UART_DATA, (uint8_t)uart.queue[uart.tail++ % UART_QUEUE_BYTES]);
        }
    }
    want_empty(uart.head != uart.tail);
    leat_loop_timer_set(uart.loop, &uart.timer,
                        uart.head != uart.tail ? leat_clock_ns() + RETRY_NS : 0);
}

static void on_timer(void *context)
{
    (void)context;
    receive();
    transmit();
}

/* The line is edge-triggered and was masked until the acknowledgement: what came in between made no
   edge that anybody saw, so the device is asked once more after it. */
static void on_interrupt(void *context)
{
    (void)context;
    in(UART_IIR);
    receive();
    transmit();
    leat_irq_ack(uart.irq);
    in(UART_IIR);
    receive();
    if (uart.head != uart.tail) {
        transmit();
    }
}

void uart_init(struct leat_loop *loop, uart_receive_fn receive_fn)
{
    const struct leat_start_entry *ports = leat_start_find("ports", "com1");
    const struct leat_start_entry *irq = leat_start_find("irq", "com1");

    uart.loop = loop;
    uart.receive = receive_fn;
    leat_loop_timer(loop, &uart.timer, on_timer, NULL);
    if (ports == NULL) {
        return;
    }
    uart.ports = ports->handle;
    uart.base = (uint32_t)ports->arg[0];
    out(UART_IER, 0);
    out(UART_LCR, LCR_DIVISOR);
    out(UART_DATA, DIVISOR_115200);
    out(UART_IER, 0);
    out(UART_LCR, LCR_8N1);
    out(UART_FCR, FCR_ON_AND_RESET | FCR_TRIGGER_8);
    out(UART_MCR, MCR_DTR_RTS_OUT2);
    if (irq != NULL) {
        uart.irq = irq->handle;
        leat_loop_on(loop, irq->my_bits, on_interrupt, NULL);
        out(UART_IER, IER_RECEIVED);
        leat_irq_ack(uart.irq);
    }
}

size_t uart_space(void)
{
    return uart.ports == 0 ? UART_QUEUE_BYTES : UART_QUEUE_BYTES - (uart.head - uart.tail);
}

void uart_write(const char *bytes, size_t count)
{
    if (uart.ports == 0) {
        return;
    }
    for (size_t i = 0; i < count && uart.head - uart.tail < UART_QUEUE_BYTES; i++) {
        uart.queue[uart.head++ % UART_QUEUE_BYTES] = bytes[i];
    }
    if (!uart.waits_for_empty) {
        transmit();
    }
}
