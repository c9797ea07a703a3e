// SPDX-License-Identifier: BSD-2-Clause
/*
 * A 16550A UART whose line is a pair of callbacks. Speed settings are kept and mean nothing. When
 * the other side takes no more bytes the transmitter stays full, and the guest waits. With the VM's
 * lock held.
 */
#ifndef VMM_PLATFORM_UART_H
#define VMM_PLATFORM_UART_H

#include <leat/types.h>

struct vm;

#define UART_FIFO 16
#define UART_PORT 0x3f8
#define UART_IRQ 4

struct uart_line {
    /* Takes up to count bytes; returns how many. */
    uint32_t (*send)(void *context, const uint8_t *bytes, uint32_t count);
    /* Called after the guest has made room: uart_receive may be called from here. */
    void (*room)(void *context);
    void *context;
};

struct uart {
    struct vm *vm;
    struct uart_line line;
    uint8_t ier, fcr, lcr, mcr, lsr_errors, scr, msr_delta, dll, dlm;
    bool thre_pending; /* the THR-empty interrupt is due */
    uint8_t tx[UART_FIFO], rx[UART_FIFO];
    uint8_t tx_count, rx_count, rx_first;
};

void uart_init(struct uart *uart, struct vm *vm);
void uart_set_line(struct uart *uart, const struct uart_line *line);
void uart_reset(void *uart);

/* Bytes for the guest; returns how many fit. */
uint32_t uart_receive(struct uart *uart, const uint8_t *bytes, uint32_t count);

/* The line takes bytes again: sends what waits. */
void uart_send_more(struct uart *uart);

/* bus callbacks: 8 ports */
uint64_t uart_read(void *uart, uint64_t offset, unsigned width);
void uart_write(void *uart, uint64_t offset, unsigned width, uint64_t value);

#endif
