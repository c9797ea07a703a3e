// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/platform/uart.h"

#include <string.h>

#include "vmm/irq.h"

enum { /* PC16550D data sheet, table II */
       IER_RX = 1,
       IER_THRE = 2,
       IER_LINE = 4,
       IER_MODEM = 8,
       IIR_NONE = 1,
       IIR_THRE = 2,
       IIR_RX = 4,
       IIR_LINE = 6,
       IIR_TIMEOUT = 12,
       IIR_MODEM = 0,
       IIR_FIFOS = 0xc0,
       FCR_ENABLE = 1,
       FCR_CLEAR_RX = 2,
       FCR_CLEAR_TX = 4,
       LCR_DLAB = 0x80,
       MCR_DTR = 1,
       MCR_RTS = 2,
       MCR_OUT1 = 4,
       MCR_OUT2 = 8,
       MCR_LOOP = 16,
       LSR_DATA = 1,
       LSR_OVERRUN = 2,
       LSR_THRE = 0x20,
       LSR_IDLE = 0x40,
       MSR_CTS = 0x10,
       MSR_DSR = 0x20,
       MSR_DCD = 0x80,
};

static unsigned rx_trigger(const struct uart *u)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};
    return u->fcr & FCR_ENABLE ? levels[u->fcr >> 6] : 1;
}

static uint8_t cause(const struct uart *u)
{
    if ((u->ier & IER_LINE) && u->lsr_errors)
        return IIR_LINE;
    if ((u->ier & IER_RX) &&
        u->rx_count) /* no line speed, so below the trigger is a timeout at once */
        return u->rx_count >= rx_trigger(u) ? IIR_RX : IIR_TIMEOUT;
    if ((u->ier & IER_THRE) && u->thre_pending)
        return IIR_THRE;
    if ((u->ier & IER_MODEM) && u->msr_delta)
        return IIR_MODEM;
    return IIR_NONE;
}

static void update(struct uart *u)
{
    /* OUT2 gates the interrupt onto the bus on a PC */
    irq_set_line(u->vm, UART_IRQ, cause(u) != IIR_NONE && (u->mcr & MCR_OUT2));
}

void uart_init(struct uart *u, struct vm *vm)
{
    memset(u, 0, sizeof(*u));
    u->vm = vm;
    u->dll = 1; /* 115200 baud */
    u->lcr = 3;
}

void uart_set_line(struct uart *u, const struct uart_line *line)
{
    u->line = *line;
}

void uart_reset(void *device)
{
    struct uart *u = device;
    struct uart_line line = u->line;
    struct vm *vm = u->vm;
    uart_init(u, vm);
    u->line = line;
    update(u);
}

void uart_send_more(struct uart *u)
{
    if (!u->tx_count)
        return;
    uint32_t n = u->line.send ? u->line.send(u->line.context, u->tx, u->tx_count) : u->tx_count;
    if (n > u->tx_count)
        n = u->tx_count;
    u->tx_count = (uint8_t)(u->tx_count - n);
    memmove(u->tx, u->tx + n, u->tx_count);
    if (!u->tx_count) {
        u->thre_pending = true;
        update(u);
    }
}

uint32_t uart_receive(struct uart *u, const uint8_t *bytes, uint32_t count)
{
    unsigned size = u->fcr & FCR_ENABLE ? UART_FIFO : 1;
    uint32_t n = 0;
    if (u->mcr & MCR_LOOP)
        return 0;
    while (n < count && u->rx_count < size)
        u->rx[(u->rx_first + u->rx_count++) % UART_FIFO] = bytes[n++];
    if (n)
        update(u);
    return n;
}

static void transmit(struct uart *u, uint8_t byte)
{
    if (u->mcr & MCR_LOOP) {
        if (u->rx_count < UART_FIFO)
            u->rx[(u->rx_first + u->rx_count++) % UART_FIFO] = byte;
        else
            u->lsr_errors |= LSR_OVERRUN;
        u->thre_pending = true;
        update(u);
        return;
    }
    u->thre_pending = false;
    unsigned size = u->fcr & FCR_ENABLE ? UART_FIFO : 1;
    if (u->tx_count < size)
        u->tx[u->tx_count++] = byte; /* a full FIFO loses the byte, as the chip does */
    uart_send_more(u);
    update(u);
}

static uint8_t read_data(struct uart *u)
{
    if (!u->rx_count)
        return 0;
    uint8_t byte = u->rx[u->rx_first];
    u->rx_first = (u->rx_first + 1) % UART_FIFO;
    u->rx_count--;
    if (!u->rx_count && u->line.room)
        u->line.room(u->line.context);
    update(u);
    return byte;
}

static uint8_t modem_status(const struct uart *u)
{
    if (!(u->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD | u->msr_delta;
    /* loopback: RTS to CTS, DTR to DSR, OUT1 to RI, OUT2 to DCD */
    return (uint8_t)((u->mcr & MCR_RTS) << 3 | (u->mcr & MCR_DTR) << 5 | (u->mcr & 0xc) << 4);
}

static uint8_t line_status(struct uart *u)
{
    uint8_t lsr = u->lsr_errors;
    if (u->rx_count)
        lsr |= LSR_DATA;
    if (!u->tx_count)
        lsr |= LSR_THRE | LSR_IDLE;
    if (u->lsr_errors) {
        u->lsr_errors = 0;
        update(u);
    }
    return lsr;
}

uint64_t uart_read(void *device, uint64_t offset, unsigned width)
{
    struct uart *u = device;
    (void)width;
    switch (offset) {
    case 0:
        return u->lcr & LCR_DLAB ? u->dll : read_data(u);
    case 1:
        return u->lcr & LCR_DLAB ? u->dlm : u->ier;
    case 2: {
        uint8_t iir = cause(u);
        if (iir == IIR_THRE) {
            u->thre_pending = false; /* reading it is the acknowledgement */
            update(u);
        }
        return iir | (u->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
    }
    case 3:
        return u->lcr;
    case 4:
        return u->mcr;
    case 5:
        return line_status(u);
    case 6:
        return modem_status(u);
    default:
        return u->scr;
    }
}

static void write_ier(struct uart *u, uint8_t value)
{
    uint8_t before = u->ier;
    u->ier = value & 15;
    /* switching THRE on while the transmitter is empty asks at once */
    if (!(before & IER_THRE) && (u->ier & IER_THRE) && !u->tx_count)
        u->thre_pending = true;
    update(u);
}

static void write_fcr(struct uart *u, uint8_t value)
{
    bool is_switched = (u->fcr ^ value) & FCR_ENABLE;
    u->fcr = value & (uint8_t) ~(FCR_CLEAR_RX | FCR_CLEAR_TX);
    if ((value & FCR_CLEAR_RX) || is_switched)
        u->rx_count = u->rx_first = 0;
    if ((value & FCR_CLEAR_TX) || is_switched) {
        u->tx_count = 0;
        u->thre_pending = true;
    }
    if (!u->rx_count && u->line.room)
        u->line.room(u->line.context);
    update(u);
}

void uart_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct uart *u = device;
    uint8_t byte = (uint8_t)value;
    (void)width;
    switch (offset) {
    case 0:
        if (u->lcr & LCR_DLAB)
            u->dll = byte;
        else
            transmit(u, byte);
        return;
    case 1:
        if (u->lcr & LCR_DLAB)
            u->dlm = byte;
        else
            write_ier(u, byte);
        return;
    case 2:
        write_fcr(u, byte);
        return;
    case 3:
        u->lcr = byte;
        return;
    case 4:
        u->mcr = byte & 0x1f;
        update(u);
        return;
    case 7:
        u->scr = byte;
        return;
    default:
        return;
    }
}
