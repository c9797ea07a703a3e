// SPDX-License-Identifier: BSD-2-Clause
/* The serial line: a 16550 with its FIFOs, 115200 8N1, driven by interrupts. */
#ifndef CONSOLE_UART_H
#define CONSOLE_UART_H

#include "lib/loop.h"

#define UART_QUEUE_BYTES (256u << 10)

typedef void (*uart_receive_fn)(const uint8_t *bytes, size_t count);

/* From the start block's "ports" and "irq"; without them output goes nowhere. */
void uart_init(struct leat_loop *loop, uart_receive_fn receive);

/* Queues; bytes that do not fit are dropped. */
void uart_write(const char *bytes, size_t count);

/* Bytes that can be queued. */
size_t uart_space(void);

#endif
